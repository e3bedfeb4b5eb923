using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Datasets;

/// <summary>EmojiWorld's styles for any image.</summary>
public static class PictureStyles
{
    // Distances in RGB from the border's colour: at most Near is background, from Far on is none; between them it is mixed.
    private const double Near = 40, Far = 80;

    /// <summary>Renders an image in a style.</summary>
    /// <param name="image">An image of any size, kept as it is.</param>
    /// <param name="style">The style; <see cref="SceneStyle.Plain"/> copies.</param>
    /// <param name="seed">The same seed gives the same image.</param>
    /// <returns>
    /// An image of the same size; null for <see cref="SceneStyle.BusyBackground"/> if the border is not of one colour, as the
    /// background is then unknown.
    /// </returns>
    public static RgbImage? Apply(RgbImage image, SceneStyle style, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(image);
        var random = new SeededRandom(seed, (long)style, 22);
        if (style == SceneStyle.BusyBackground) return Busy(image, ref random);
        var styled = new RgbImage(image.Width, image.Height, [.. image.Pixels]);
        StyleFilters.Apply(style, styled.Pixels, image.Width, image.Height, ref random);
        return styled;
    }

    private static RgbImage? Busy(RgbImage image, ref SeededRandom random)
    {
        var (width, height) = (image.Width, image.Height);
        var colour = BorderColour(image);
        var distances = new double[width * height];
        for (var i = 0; i < distances.Length; i++) distances[i] = Distance(image.Pixels.AsSpan(3 * i, 3), colour);
        var border = Border(width, height).ToArray();
        if (border.Count(i => distances[i] < Near) < 0.8 * border.Length) return null;

        var shapes = new RgbImage(width, height);
        SceneRenderer.DrawShapes(shapes.Pixels, width, height, ref random);
        var background = Reached(border, distances, width, height);
        var mixed = new RgbImage(width, height, [.. image.Pixels]);
        for (var i = 0; i < distances.Length; i++)
        {
            if (!background[i]) continue;
            var share = Math.Clamp((Far - distances[i]) / (Far - Near), 0, 1);
            for (var at = 3 * i; at < (3 * i) + 3; at++)
                mixed.Pixels[at] = (byte)Math.Round((share * Shape(shapes, colour, at)) + ((1 - share) * image.Pixels[at]));
        }

        return mixed;
    }

    /// <summary>Colour of the shapes at a pixel; the background's own colour outside them.</summary>
    private static byte Shape(RgbImage shapes, Rgb colour, int at)
    {
        var pixel = shapes.Pixels.AsSpan(at / 3 * 3, 3);
        return pixel.IndexOfAnyExcept((byte)0) >= 0 ? shapes.Pixels[at] : (at % 3) switch { 0 => colour.R, 1 => colour.G, _ => colour.B };
    }

    /// <summary>Pixels that are background: joined to the border by others that are.</summary>
    private static bool[] Reached(int[] border, double[] distances, int width, int height)
    {
        var reached = new bool[distances.Length];
        var open = new Stack<int>();
        foreach (var i in border) Visit(i);
        while (open.TryPop(out var i))
        {
            var (x, y) = (i % width, i / width);
            if (distances[i] >= Near) continue; // a mixed pixel ends the background
            if (x > 0) Visit(i - 1);
            if (x < width - 1) Visit(i + 1);
            if (y > 0) Visit(i - width);
            if (y < height - 1) Visit(i + width);
        }

        return reached;

        void Visit(int i)
        {
            if (reached[i] || distances[i] >= Far) return;
            reached[i] = true;
            open.Push(i);
        }
    }

    private static IEnumerable<int> Border(int width, int height) =>
        Enumerable.Range(0, width * height).Where(i => i % width == 0
            || i % width == width - 1 || i / width == 0 || i / width == height - 1);

    private static Rgb BorderColour(RgbImage image)
    {
        var border = Border(image.Width, image.Height).ToArray();
        return new Rgb(Median(0), Median(1), Median(2));

        byte Median(int channel) => border.Select(i => image.Pixels[(3 * i) + channel]).Order().ElementAt(border.Length / 2);
    }

    private static double Distance(ReadOnlySpan<byte> pixel, Rgb colour)
    {
        var (r, g, b) = (pixel[0] - colour.R, pixel[1] - colour.G, pixel[2] - colour.B);
        return Math.Sqrt((r * r) + (g * g) + (b * b));
    }
}
