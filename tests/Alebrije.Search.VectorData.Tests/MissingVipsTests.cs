using Alebrije.Search;

namespace Alebrije.Search.VectorData.Tests;

/// <summary>HEIC, AVIF and TIFF without libvips: this project, unlike Alebrije.Search.Tests, has no native library of it.</summary>
public sealed class MissingVipsTests
{
    [Fact]
    public void WithoutLibvips_TheFileIsNamedInOneSentence()
    {
        Assert.SkipWhen(VipsLibrary.IsThere, "libvips is installed.");
        var error = Assert.Throws<MissingDecoderException>(() => VipsDecoder.Decode([.. "II*\0"u8, .. new byte[100]], "a.tif"));
        Assert.Equal("a.tif is a HEIC, AVIF or TIFF image, and libvips, which reads it, is not installed: "
            + "install it (Debian: libvips42), or add the package NetVips.Native to a program of your own.", error.Message);
    }
}
