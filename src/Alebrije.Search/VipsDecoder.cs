using Alebrije.Preprocessing.Imaging;
using NetVips;

namespace Alebrije.Search;

/// <summary>HEIC, AVIF and TIFF through libvips, where its native library is installed.</summary>
internal static class VipsDecoder
{
    private static readonly string[] Endings = [".heic", ".heif", ".hif", ".avif", ".tif", ".tiff"];

    /// <summary>True if the name has an ending of a format that libvips reads and this project does not.</summary>
    public static bool HasName(string path) => Endings.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    /// <summary>True for the first bytes of such a file, whatever its name: TIFF, or a box of HEIC or AVIF.</summary>
    public static bool IsOne(ReadOnlySpan<byte> bytes) => IsTiff(bytes) || (bytes.Length >= 12 && bytes[4..8].SequenceEqual("ftyp"u8));

    /// <summary>Decodes the first image of a file, turned upright, in sRGB on white.</summary>
    /// <exception cref="ImageFormatException">It is damaged or too large.</exception>
    /// <exception cref="MissingDecoderException">libvips is not there, or has no decoder for the compression.</exception>
    public static PillowImage Decode(byte[] bytes, string name)
    {
        if (!VipsLibrary.IsThere)
            throw new MissingDecoderException($"{name} is a HEIC, AVIF or TIFF image, and libvips, which reads it, is not installed: "
                + "install it (Debian: libvips42), or add the package NetVips.Native to a program of your own.");
        if (!IsTiff(bytes) && !VipsLibrary.HasHeif) throw NoCodec(name);
        try
        {
            return Read(bytes, name);
        }
        catch (VipsException e)
        {
            // Errors of libheif: an unsupported codec, a missing plugin.
            if (!IsTiff(bytes) && (e.Message.Contains("(4.3000)", StringComparison.Ordinal)
                || e.Message.Contains("(11.6003)", StringComparison.Ordinal))) throw NoCodec(name);
            throw new ImageFormatException($"{name} is damaged, cut short or of a kind that libvips does not read.", e);
        }
    }

    private static PillowImage Read(byte[] bytes, string name)
    {
        // The loader by name: libvips itself would also try those of other formats, and programs that it starts.
        using var stored = IsTiff(bytes) ? Image.TiffloadBuffer(bytes, failOn: Enums.FailOn.Error)
            : Image.HeifloadBuffer(bytes, failOn: Enums.FailOn.Error);
        ImageLimits.RequireDecodable(stored.Width, stored.Height, name);

        // The stored image and a converted one, then the RGB of libvips and that of the result.
        ImageBudget.Require((stored.Width, stored.Height), (2 * stored.Bands * SizeOf(stored.Format)) + 6, bytes.Length, name);
        using var upright = stored.Autorot();
        using var coloured = upright.Colourspace(Enums.Interpretation.Srgb);
        using var flat = coloured.HasAlpha() ? coloured.Flatten(background: [255, 255, 255]) : coloured.Copy();
        using var bytesOnly = flat.Cast(Enums.BandFormat.Uchar);
        using var rgb = bytesOnly.Bands == 3 ? bytesOnly.Copy() : bytesOnly[0].Bandjoin(bytesOnly[0], bytesOnly[0]);
        return new PillowImage(PixelMode.Rgb, rgb.Width, rgb.Height, rgb.WriteToMemory<byte>());
    }

    private static MissingDecoderException NoCodec(string name) => new($"{name} is compressed in a way that the installed libvips has "
        + "no decoder for; for HEIC (HEVC), that of Debian, libvips42, has one.");

    private static bool IsTiff(ReadOnlySpan<byte> bytes) => bytes.StartsWith("II*\0"u8) || bytes.StartsWith("MM\0*"u8)
        || bytes.StartsWith("II+\0"u8) || bytes.StartsWith("MM\0+"u8);

    private static int SizeOf(Enums.BandFormat format) => format switch
    {
        Enums.BandFormat.Uchar or Enums.BandFormat.Char => 1,
        Enums.BandFormat.Ushort or Enums.BandFormat.Short => 2,
        Enums.BandFormat.Uint or Enums.BandFormat.Int or Enums.BandFormat.Float => 4,
        Enums.BandFormat.Dpcomplex => 16,
        _ => 8,
    };
}

/// <summary>An image of a format whose decoder is not installed; once it is, the same file can be read.</summary>
internal sealed class MissingDecoderException(string message) : IOException(message);
