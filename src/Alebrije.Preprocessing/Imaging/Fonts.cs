using SkiaSharp;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>
/// The embedded typefaces (DejaVu Sans: Latin, Greek, Cyrillic, some symbols), since containers have no fonts: an image looks the same
/// on every machine. They live as long as the program: do not dispose them.
/// </summary>
public static class Fonts
{
    private static readonly Lazy<SKTypeface> LazyRegular = new(() => Load("DejaVuSans-Subset.ttf"));
    private static readonly Lazy<SKTypeface> LazyBold = new(() => Load("DejaVuSans-Bold-Subset.ttf"));

    /// <summary>The upright typeface. Safe to use from several threads.</summary>
    public static SKTypeface Regular => LazyRegular.Value;

    /// <summary>The bold typeface. Safe to use from several threads.</summary>
    public static SKTypeface Bold => LazyBold.Value;

    /// <summary>The embedded font as a TrueType file, for libraries that take fonts as files or bytes.</summary>
    /// <param name="bold">True for the bold typeface.</param>
    public static byte[] ToTrueType(bool bold)
    {
        using var stream = Open(bold ? "DejaVuSans-Bold-Subset.ttf" : "DejaVuSans-Subset.ttf");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private static SKTypeface Load(string name)
    {
        SkiaNative.Require();
        using var stream = Open(name);
        using var data = SKData.Create(stream);
        return SKTypeface.FromData(data) ?? throw new InvalidOperationException($"The embedded font {name} cannot be read by SkiaSharp.");
    }

    private static Stream Open(string name) => typeof(Fonts).Assembly.GetManifestResourceStream(name)
        ?? throw new InvalidOperationException($"The embedded font {name} is missing from the assembly.");
}
