using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.TerminalImages;

/// <summary>A palette by median cut (Heckbert, 1982) and Floyd-Steinberg dithering to it.</summary>
internal static class ColourQuantizer
{
    /// <summary>A palette of at most <paramref name="count"/> colours for the image.</summary>
    public static (byte Red, byte Green, byte Blue)[] Palette(RgbImage image, int count)
    {
        // Five bits a channel are enough to choose by, and make the histogram small.
        var histogram = new (long Count, long Red, long Green, long Blue)[1 << 15];
        for (var i = 0; i < image.Pixels.Length; i += 3)
        {
            var (red, green, blue) = (image.Pixels[i], image.Pixels[i + 1], image.Pixels[i + 2]);
            ref var bin = ref histogram[red >> 3 << 10 | green >> 3 << 5 | blue >> 3];
            bin = (bin.Count + 1, bin.Red + red, bin.Green + green, bin.Blue + blue);
        }
        var boxes = new List<int[]> { Enumerable.Range(0, histogram.Length).Where(b => histogram[b].Count > 0).ToArray() };
        while (boxes.Count < count)
        {
            var widest = boxes.MaxBy(b => Spread(b).Width * Math.Sqrt(b.Sum(i => (double)histogram[i].Count)))!;
            var (width, shift) = Spread(widest);
            if (width == 0)
                break;
            boxes.Remove(widest);
            boxes.AddRange(Cut(widest, shift, histogram));
        }
        return [.. boxes.Select(b =>
        {
            var total = (double)b.Sum(i => histogram[i].Count);
            return ((byte)Math.Round(b.Sum(i => histogram[i].Red) / total),
                (byte)Math.Round(b.Sum(i => histogram[i].Green) / total), (byte)Math.Round(b.Sum(i => histogram[i].Blue) / total));
        })];
    }

    /// <summary>Index of a palette colour for each pixel; the error is diffused: 7/16 right, 3/16, 5/16, 1/16 below.</summary>
    public static byte[] Dither(RgbImage image, (byte Red, byte Green, byte Blue)[] palette)
    {
        var (indices, nearest) = (new byte[image.Width * image.Height], new Dictionary<int, byte>());
        var (now, below) = (new int[(image.Width + 2) * 3], new int[(image.Width + 2) * 3]);
        for (var y = 0; y < image.Height; y++)
        {
            Array.Clear(below);
            for (var x = 0; x < image.Width; x++)
            {
                var (source, spot, wanted) = ((y * image.Width + x) * 3, (x + 1) * 3, 0);
                for (var c = 0; c < 3; c++)
                    wanted = wanted << 8 | Math.Clamp(image.Pixels[source + c] + now[spot + c] / 16, 0, 255);
                if (!nearest.TryGetValue(wanted, out var index))
                    nearest[wanted] = index = Nearest(palette, wanted);
                indices[y * image.Width + x] = index;
                var chosen = palette[index].Red << 16 | palette[index].Green << 8 | palette[index].Blue;
                for (var c = 0; c < 3; c++)
                {
                    var lost = (wanted >> (16 - 8 * c) & 255) - (chosen >> (16 - 8 * c) & 255);
                    now[spot + 3 + c] += lost * 7;
                    below[spot - 3 + c] += lost * 3;
                    below[spot + c] += lost * 5;
                    below[spot + 3 + c] += lost;
                }
            }
            (now, below) = (below, now);
        }
        return indices;
    }

    private static byte Nearest((byte Red, byte Green, byte Blue)[] palette, int colour)
    {
        var (best, at) = (int.MaxValue, 0);
        for (var i = 0; i < palette.Length; i++)
        {
            var (red, green, blue) = ((colour >> 16) - palette[i].Red, (colour >> 8 & 255) - palette[i].Green,
                (colour & 255) - palette[i].Blue);
            // Perceptual weights: green most, blue least.
            var distance = red * red * 3 + green * green * 4 + blue * blue * 2;
            if (distance < best)
                (best, at) = (distance, i);
        }
        return (byte)at;
    }

    /// <summary>The widest channel of a box of histogram bins, as the shift that selects it.</summary>
    private static (int Width, int Shift) Spread(int[] bins)
    {
        var best = (Width: 0, Shift: 0);
        foreach (var shift in new[] { 10, 5, 0 })
        {
            var width = bins.Max(b => b >> shift & 31) - bins.Min(b => b >> shift & 31);
            if (width > best.Width)
                best = (width, shift);
        }
        return best;
    }

    private static int[][] Cut(int[] bins, int shift, (long Count, long, long, long)[] histogram)
    {
        Array.Sort(bins, (a, b) => (a >> shift & 31).CompareTo(b >> shift & 31));
        var (half, sum, at) = (bins.Sum(b => histogram[b].Count) / 2, 0L, 0);
        while (at < bins.Length - 2 && (sum += histogram[bins[at]].Count) < half)
            at++;
        return [bins[..(at + 1)], bins[(at + 1)..]];
    }
}
