using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Datasets;

/// <summary>
/// What JPEG loses, without the file: YCbCr, colour at half resolution, 8 x 8 cosine transform, and rounding by the tables of the standard
/// (ITU-T T.81, annex K) scaled by quality as the Independent JPEG Group does. What comes after, Huffman coding, loses nothing.
/// </summary>
internal static class JpegLoss
{
    private const int Side = 8;
    private static readonly int[] Qualities = [25, 18, 15, 10, 7];

    private static readonly byte[] Light =
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
        18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ];

    private static readonly byte[] Colour =
    [
        17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    ];

    /// <summary>cos((2x + 1) u π / 16) · c(u) / 2, so that the transform is orthonormal: [frequency, place].</summary>
    private static readonly double[] Cosines =
    [
        .. from u in Enumerable.Range(0, Side)
           from x in Enumerable.Range(0, Side)
           select Math.Cos(((2 * x) + 1) * u * Math.PI / 16) * (u == 0 ? Math.Sqrt(0.125) : 0.5),
    ];

    public static RgbImage Apply(RgbImage image, int level)
    {
        var (width, height) = (image.Width, image.Height);
        var (halfWidth, halfHeight) = ((width + 1) / 2, (height + 1) / 2);
        var (y, cb, cr) = (new double[width * height], new double[halfWidth * halfHeight], new double[halfWidth * halfHeight]);
        for (var row = 0; row < halfHeight * 2; row++)
            for (var column = 0; column < halfWidth * 2; column++)
            {
                var at = (Math.Min(row, height - 1) * width) + Math.Min(column, width - 1);
                var (r, g, b) = (image.Pixels[3 * at], image.Pixels[(3 * at) + 1], image.Pixels[(3 * at) + 2]);
                y[at] = (0.299 * r) + (0.587 * g) + (0.114 * b) - 128;
                var half = (row / 2 * halfWidth) + (column / 2);
                cb[half] += ((-0.168736 * r) - (0.331264 * g) + (0.5 * b)) / 4;
                cr[half] += ((0.5 * r) - (0.418688 * g) - (0.081312 * b)) / 4;
            }

        Round(y, width, height, Scaled(Light, Qualities[level]));
        Round(cb, halfWidth, halfHeight, Scaled(Colour, Qualities[level]));
        Round(cr, halfWidth, halfHeight, Scaled(Colour, Qualities[level]));
        var lossy = new RgbImage(width, height);
        for (var at = 0; at < width * height; at++)
        {
            var half = (at / width / 2 * halfWidth) + (at % width / 2);
            var light = y[at] + 128;
            lossy.Pixels[3 * at] = Byte(light + (1.402 * cr[half]));
            lossy.Pixels[(3 * at) + 1] = Byte(light - (0.344136 * cb[half]) - (0.714136 * cr[half]));
            lossy.Pixels[(3 * at) + 2] = Byte(light + (1.772 * cb[half]));
        }

        return lossy;
    }

    private static int[] Scaled(byte[] table, int quality)
    {
        var scale = quality < 50 ? 5000 / quality : 200 - (2 * quality);
        return [.. table.Select(step => Math.Clamp(((step * scale) + 50) / 100, 1, 255))];
    }

    /// <summary>Transforms each block, rounds its coefficients to multiples of the table's, and transforms it back; the border repeats its last line.</summary>
    private static void Round(double[] plane, int width, int height, int[] table)
    {
        Span<double> block = stackalloc double[Side * Side];
        Span<double> turned = stackalloc double[Side * Side];
        for (var top = 0; top < height; top += Side)
            for (var left = 0; left < width; left += Side)
            {
                for (var i = 0; i < block.Length; i++)
                    block[i] = plane[(Math.Min(top + (i / Side), height - 1) * width) + Math.Min(left + (i % Side), width - 1)];
                Forward(block, turned);
                Forward(turned, block);
                for (var i = 0; i < block.Length; i++) block[i] = Math.Round(block[i] / table[i]) * table[i];
                Back(block, turned);
                Back(turned, block);
                for (var i = 0; i < block.Length; i++)
                    if (top + (i / Side) < height && left + (i % Side) < width) plane[((top + (i / Side)) * width) + left + (i % Side)] = block[i];
            }
    }

    /// <summary>Transforms rows and puts them into columns; twice is the whole transform.</summary>
    private static void Forward(ReadOnlySpan<double> from, Span<double> to)
    {
        for (var row = 0; row < Side; row++)
            for (var u = 0; u < Side; u++)
            {
                var sum = 0.0;
                for (var x = 0; x < Side; x++) sum += Cosines[(u * Side) + x] * from[(row * Side) + x];
                to[(u * Side) + row] = sum;
            }
    }

    private static void Back(ReadOnlySpan<double> from, Span<double> to)
    {
        for (var row = 0; row < Side; row++)
            for (var x = 0; x < Side; x++)
            {
                var sum = 0.0;
                for (var u = 0; u < Side; u++) sum += Cosines[(u * Side) + x] * from[(row * Side) + u];
                to[(x * Side) + row] = sum;
            }
    }

    private static byte Byte(double value) => (byte)Math.Clamp(Math.Round(value), 0, 255);
}
