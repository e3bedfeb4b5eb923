using Alebrije.Preprocessing.Imaging;
using NetVips;

namespace Alebrije.Search;

/// <summary>HEIC, AVIF and TIFF through libvips, where its native library is installed.</summary>
internal static class VipsDecoder
{
    private static readonly string[] Endings = [".heic", ".heif", ".hif", ".avif", ".tif", ".tiff"];

    /// <summary>True if libvips is there.</summary>
    public static bool IsThere { get; } = Probe();

    /// <summary>True if the name has an ending of a format that libvips reads and this project does not.</summary>
    public static bool HasName(string path) => Endings.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    /// <summary>True for the first bytes of such a file, whatever its name: TIFF, or a box of HEIC or AVIF.</summary>
    public static bool IsOne(ReadOnlySpan<byte> bytes) => bytes.StartsWith("II*\0"u8) || bytes.StartsWith("MM\0*"u8)
        || (bytes.Length >= 12 && bytes[4..8].SequenceEqual("ftyp"u8));

    /// <summary>Decodes the first image of a file, turned upright, in sRGB on white.</summary>
    /// <exception cref="ImageFormatException">It is damaged, too large, or libvips is not there.</exception>
    public static PillowImage Decode(byte[] bytes, string name)
    {
        if (!IsThere)
            throw new MissingDecoderException($"{name} is a HEIC, AVIF or TIFF image, and libvips, which reads it, is not installed: "
                + "install it (Debian: libvips42), or add the package NetVips.Native to a program of your own.");
        try
        {
            using var stored = Image.NewFromBuffer(bytes, access: Enums.Access.Sequential);
            ImageLimits.RequireDecodable(stored.Width, stored.Height, name);
            using var upright = stored.Autorot();
            using var coloured = upright.Colourspace(Enums.Interpretation.Srgb);
            using var flat = coloured.HasAlpha() ? coloured.Flatten(background: [255, 255, 255]) : coloured.Copy();
            using var bytesOnly = flat.Cast(Enums.BandFormat.Uchar);
            using var rgb = bytesOnly.Bands == 3 ? bytesOnly.Copy() : bytesOnly[0].Bandjoin(bytesOnly[0], bytesOnly[0]);
            return new PillowImage(PixelMode.Rgb, rgb.Width, rgb.Height, rgb.WriteToMemory<byte>());
        }
        catch (VipsException e)
        {
            throw new ImageFormatException($"{name} is damaged or of a kind that libvips does not read: "
                + $"{e.Message.Split('\n')[0].Trim()}.", e);
        }
    }

    private static bool Probe()
    {
        try
        {
            return ModuleInitializer.VipsInitialized;
        }
        catch (Exception e) when (e is TypeInitializationException or DllNotFoundException or BadImageFormatException)
        {
            return false;
        }
    }
}

/// <summary>An image of a format whose decoder is not installed; once it is, the same file can be read.</summary>
internal sealed class MissingDecoderException(string message) : IOException(message);
