using System.Globalization;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Server.Studio;

/// <summary>Small figures of numbers for the pages.</summary>
internal static class Figures
{
    private static readonly (double R, double G, double B) Below = (0x00, 0x6d, 0x77),
        Zero = (0xfb, 0xf8, 0xf3), Above = (0xb3, 0x19, 0x5f);

    /// <summary>A PNG as data URL.</summary>
    public static string Uri(byte[] png) => "data:image/png;base64," + Convert.ToBase64String(png);

    /// <summary>
    /// Numbers as a square of cells: teal below zero, magenta above, stronger the farther from zero; full at three times the root mean
    /// square.
    /// </summary>
    public static string Cells(ReadOnlySpan<float> values)
    {
        var side = Math.Max(1, (int)Math.Ceiling(Math.Sqrt(values.Length)));
        var rows = Math.Max(1, (values.Length + side - 1) / side);
        double squares = 0;
        foreach (var value in values) squares += (double)value * value;
        var full = 3 * Math.Sqrt(squares / Math.Max(1, values.Length));
        var pixels = new byte[side * rows * 3];
        for (var i = 0; i < side * rows; i++)
        {
            var share = i < values.Length && full > 0 ? Math.Clamp(values[i] / full, -1, 1) : 0;
            var end = share < 0 ? Below : Above;
            // The root makes small values visible.
            var strength = Math.Sqrt(Math.Abs(share));
            pixels[3 * i] = Mix(Zero.R, end.R, strength);
            pixels[(3 * i) + 1] = Mix(Zero.G, end.G, strength);
            pixels[(3 * i) + 2] = Mix(Zero.B, end.B, strength);
        }

        return Uri(new RgbImage(side, rows, pixels).ToPng());
    }

    /// <summary>Points of a line in a box, for SVG.</summary>
    /// <param name="values">Values from left to right.</param>
    /// <param name="low">Value at the lower edge.</param>
    /// <param name="high">Value at the upper edge.</param>
    /// <param name="box">Left, top, width and height.</param>
    /// <param name="count">Number of values of the whole width; at least that of <paramref name="values"/>.</param>
    public static string Line(ReadOnlySpan<double> values, double low, double high, (double X, double Y, double W, double H) box, int count)
    {
        var points = new System.Text.StringBuilder();
        for (var i = 0; i < values.Length; i++)
        {
            var x = box.X + (count > 1 ? box.W * i / (count - 1) : 0);
            var y = box.Y + (box.H * (1 - ((Math.Clamp(values[i], low, high) - low) / (high - low))));
            points.Append(CultureInfo.InvariantCulture, $"{x:0.#},{y:0.#} ");
        }

        return points.ToString();
    }

    /// <summary>Cosine of each row to the last one.</summary>
    public static double[] ToLast(float[] values, int rows)
    {
        var width = rows == 0 ? 0 : values.Length / rows;
        var last = values.AsSpan(values.Length - width);
        var cosines = new double[rows];
        for (var i = 0; i < rows; i++)
            cosines[i] = System.Numerics.Tensors.TensorPrimitives.CosineSimilarity<float>(values.AsSpan(i * width, width), last);
        return cosines;
    }

    private static byte Mix(double from, double to, double share) => (byte)Math.Round(from + ((to - from) * share));
}
