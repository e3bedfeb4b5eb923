namespace Alebrije.Datasets;

/// <summary>The twelve named background colours.</summary>
public enum Background
{
    /// <summary>White.</summary>
    White,

    /// <summary>Black.</summary>
    Black,

    /// <summary>Gray.</summary>
    Gray,

    /// <summary>Red.</summary>
    Red,

    /// <summary>Orange.</summary>
    Orange,

    /// <summary>Yellow.</summary>
    Yellow,

    /// <summary>Green.</summary>
    Green,

    /// <summary>Blue.</summary>
    Blue,

    /// <summary>Light blue.</summary>
    LightBlue,

    /// <summary>Purple.</summary>
    Purple,

    /// <summary>Pink.</summary>
    Pink,

    /// <summary>Brown.</summary>
    Brown,
}

/// <summary>Names and values of the background colours.</summary>
public static class Backgrounds
{
    private static readonly (string English, string Spanish, Rgb Colour)[] Table =
    [
        ("white", "blanco", new(248, 248, 248)),
        ("black", "negro", new(18, 18, 18)),
        ("gray", "gris", new(128, 128, 128)),
        ("red", "rojo", new(212, 36, 40)),
        ("orange", "naranja", new(245, 135, 20)),
        ("yellow", "amarillo", new(250, 220, 40)),
        ("green", "verde", new(40, 160, 70)),
        ("blue", "azul", new(30, 70, 200)),
        ("light blue", "azul claro", new(130, 200, 245)),
        ("purple", "morado", new(125, 50, 165)),
        ("pink", "rosa", new(250, 150, 195)),
        ("brown", "marrón", new(120, 72, 35)),
    ];

    /// <summary>All twelve, in the order of the enumeration.</summary>
    public static IReadOnlyList<Background> All { get; } = Enum.GetValues<Background>();

    /// <summary>"light blue", "azul claro"; in Spanish the masculine form, as in "fondo rojo".</summary>
    public static string Name(this Background background, Language language) =>
        language == Language.English ? Table[(int)background].English : Table[(int)background].Spanish;

    /// <summary>The middle of its shades.</summary>
    public static Rgb TrueColour(this Background background) => Table[(int)background].Colour;

    /// <summary>The named colour nearest in RGB (Euclidean), used by evaluation on a border's median.</summary>
    public static Background NearestColour(Rgb colour) => All.MinBy(background => Distance(background.TrueColour(), colour));

    /// <summary>The median of each channel over the outermost pixels of an image.</summary>
    /// <param name="pixels">[size, size, 3], RGB bytes.</param>
    /// <param name="size">Width and height in pixels.</param>
    /// <param name="thickness">Depth of the border in pixels.</param>
    public static Rgb BorderMedian(ReadOnlySpan<byte> pixels, int size, int thickness = 2)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(pixels.Length, size * size * 3);
        Span<int> histogram = stackalloc int[3 * 256];
        var count = 0;
        for (var y = 0; y < size; y++)
            for (var x = 0; x < size; x++)
            {
                if (y >= thickness && y < size - thickness && x >= thickness && x < size - thickness)
                    continue;
                var at = 3 * (y * size + x);
                for (var c = 0; c < 3; c++)
                    histogram[256 * c + pixels[at + c]]++;
                count++;
            }
        return new Rgb(Median(histogram[..256], count), Median(histogram[256..512], count), Median(histogram[512..], count));

        static byte Median(ReadOnlySpan<int> counts, int total)
        {
            var (seen, value) = (0, 0);
            while (value < 255 && (seen += counts[value]) * 2 < total)
                value++;
            return (byte)value;
        }
    }

    private static int Distance(Rgb a, Rgb b)
    {
        var (r, g, blue) = (a.R - b.R, a.G - b.G, a.B - b.B);
        return r * r + g * g + blue * blue;
    }
}

/// <summary>A colour in bytes.</summary>
/// <param name="R">Red, 0 to 255.</param>
/// <param name="G">Green, 0 to 255.</param>
/// <param name="B">Blue, 0 to 255.</param>
public readonly record struct Rgb(byte R, byte G, byte B);
