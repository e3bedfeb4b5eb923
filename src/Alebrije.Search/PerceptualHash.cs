using System.Numerics;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Search;

/// <summary>
/// Signature of an image that survives re-encoding and resizing: signs of its lowest frequencies (Zauner, 2010, §3.2, the DCT hash),
/// and its mean colours in a grid. Two images are the same if both agree.
/// </summary>
/// <param name="Frequencies">A bit for each of 63 coefficients of the luma's cosine transform: above their median.</param>
/// <param name="Colours">[8, 8, 3], mean red, green and blue of the cells.</param>
internal sealed record PerceptualHash(ulong Frequencies, byte[] Colours)
{
    /// <summary>Most bits in which two copies of an image differ.</summary>
    public const int MostBits = 7;

    /// <summary>Largest root mean square difference of the colours of two copies, of 255.</summary>
    public const double LargestDifference = 6;

    private const int Side = 32, Cells = 8, Samples = 8;

    private static readonly float[] Cosines = [.. Enumerable.Range(0, Cells).SelectMany(u =>
        Enumerable.Range(0, Side).Select(x => (float)Math.Cos((2 * x + 1) * u * Math.PI / (2 * Side))))];

    /// <summary>Signature of an image, from at most 64 pixels of each of 32 x 32 cells.</summary>
    public static PerceptualHash Of(RgbImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        var means = Means(image);                                                            // [32, 32, 3]
        var luma = new float[Side * Side];
        for (var i = 0; i < luma.Length; i++)
            luma[i] = (0.299f * means[3 * i]) + (0.587f * means[(3 * i) + 1]) + (0.114f * means[(3 * i) + 2]);
        var colours = new byte[Cells * Cells * 3];
        const int block = Side / Cells;
        for (var y = 0; y < Cells; y++)
        {
            for (var x = 0; x < Cells; x++)
            {
                for (var c = 0; c < 3; c++)
                {
                    var sum = 0f;
                    for (var i = 0; i < block * block; i++)
                        sum += means[(3 * ((((block * y) + (i / block)) * Side) + (block * x) + (i % block))) + c];
                    colours[(3 * ((y * Cells) + x)) + c] = (byte)Math.Round(sum / (block * block));
                }
            }
        }

        return new PerceptualHash(Signs(luma), colours);
    }

    /// <summary>True if both are signatures of copies of one image.</summary>
    public bool IsSame(PerceptualHash other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return BitOperations.PopCount(Frequencies ^ other.Frequencies) <= MostBits && Difference(other) <= LargestDifference;
    }

    /// <summary>Root mean square difference of the colours, 0 to 255.</summary>
    public double Difference(PerceptualHash other)
    {
        ArgumentNullException.ThrowIfNull(other);
        long sum = 0;
        for (var i = 0; i < Colours.Length; i++)
        {
            var difference = Colours[i] - other.Colours[i];
            sum += difference * difference;
        }

        return Math.Sqrt((double)sum / Colours.Length);
    }

    private static float[] Means(RgbImage image)
    {
        var means = new float[Side * Side * 3];
        for (var cellY = 0; cellY < Side; cellY++)
        {
            var (top, rows) = Span(cellY, image.Height);
            for (var cellX = 0; cellX < Side; cellX++)
            {
                var (left, columns) = Span(cellX, image.Width);
                var (stepY, stepX) = (Math.Max(1, rows / Samples), Math.Max(1, columns / Samples));
                int red = 0, green = 0, blue = 0, count = 0;
                for (var y = top; y < top + rows; y += stepY)
                {
                    for (var x = left; x < left + columns; x += stepX, count++)
                    {
                        var at = 3 * ((y * image.Width) + x);
                        red += image.Pixels[at];
                        green += image.Pixels[at + 1];
                        blue += image.Pixels[at + 2];
                    }
                }

                var cell = 3 * ((cellY * Side) + cellX);
                (means[cell], means[cell + 1], means[cell + 2]) = ((float)red / count, (float)green / count, (float)blue / count);
            }
        }

        return means;
    }

    /// <summary>First pixel and number of pixels of a cell; a cell of a small image has one pixel.</summary>
    private static (int Start, int Length) Span(int cell, int size)
    {
        var (start, end) = ((int)((long)cell * size / Side), (int)((long)(cell + 1) * size / Side));
        return (Math.Min(start, size - 1), Math.Max(1, end - start));
    }

    private static ulong Signs(float[] luma)
    {
        Span<float> rows = stackalloc float[Side * Cells];
        for (var y = 0; y < Side; y++)
        {
            for (var u = 0; u < Cells; u++)
            {
                var sum = 0f;
                for (var x = 0; x < Side; x++) sum += luma[(y * Side) + x] * Cosines[(u * Side) + x];
                rows[(y * Cells) + u] = sum;
            }
        }

        var coefficients = new float[(Cells * Cells) - 1];
        for (var k = 1; k < Cells * Cells; k++)
        {
            var (v, u, sum) = (k / Cells, k % Cells, 0f);
            for (var y = 0; y < Side; y++) sum += rows[(y * Cells) + u] * Cosines[(v * Side) + y];
            coefficients[k - 1] = sum;
        }

        var median = coefficients.Order().ElementAt(coefficients.Length / 2);
        var bits = 0UL;
        for (var k = 0; k < coefficients.Length; k++)
            if (coefficients[k] > median) bits |= 1UL << k;
        return bits;
    }
}
