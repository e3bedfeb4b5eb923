namespace Alebrije.Reports;

/// <summary>A colour of three bytes.</summary>
internal readonly record struct Rgb(byte R, byte G, byte B)
{
    public string Hex => $"#{R:x2}{G:x2}{B:x2}";
}

/// <summary>
/// matplotlib's "Blues" as a 256-entry table: ColorBrewer's nine blues (Cynthia Brewer, colorbrewer2.org), interpolated, and pandas'
/// rule for the text on it (<c>Styler.background_gradient</c>): light below a relative luminance of 0.408.
/// </summary>
internal static class BluesGradient
{
    private const double DarkBelow = 0.408;

    private static readonly Rgb[] Anchors =
    [
        new(247, 251, 255), new(222, 235, 247), new(198, 219, 239), new(158, 202, 225), new(107, 174, 214), new(66, 146, 198),
        new(33, 113, 181), new(8, 81, 156), new(8, 48, 107),
    ];

    private static readonly Rgb[] Table = [.. Enumerable.Range(0, 256).Select(Interpolate)];

    private static readonly Rgb Light = new(0xf1, 0xf1, 0xf1), Black = new(0, 0, 0);

    /// <summary>Entry of the table for a share in [0, 1]; values outside are clamped, NaN counts as 0.</summary>
    public static int Level(double share) => share >= 1 ? 255 : share > 0 ? (int)(share * 256) : 0;

    public static Rgb Background(int level) => Table[level];

    public static Rgb Foreground(int level) => Luminance(Table[level]) < DarkBelow ? Light : Black;

    private static Rgb Interpolate(int level)
    {
        var place = level * (Anchors.Length - 1) / 255.0;
        var below = Math.Min((int)place, Anchors.Length - 2);
        var (from, to, share) = (Anchors[below], Anchors[below + 1], place - below);
        return new Rgb(Mix(from.R, to.R, share), Mix(from.G, to.G, share), Mix(from.B, to.B, share));
    }

    private static byte Mix(byte from, byte to, double share) => (byte)Math.Round(from + (to - from) * share);

    /// <summary>Relative luminance of an sRGB colour (WCAG 2.0), in [0, 1].</summary>
    private static double Luminance(Rgb colour) => 0.2126 * Linear(colour.R) + 0.7152 * Linear(colour.G) + 0.0722 * Linear(colour.B);

    private static double Linear(byte value)
    {
        var x = value / 255.0;
        return x <= 0.04045 ? x / 12.92 : Math.Pow((x + 0.055) / 1.055, 2.4);
    }
}
