namespace Alebrije.Preprocessing.Imaging;

/// <summary>One colour component of a JPEG file: its coefficients and its samples at the size of the image.</summary>
internal sealed class JpegComponent(int id, int horizontal, int vertical, int quantizer)
{
    private const int ConstBits = 13, FirstPassBits = 2;

    public int Id => id;

    /// <summary>Horizontal sampling factor: blocks across in an MCU.</summary>
    public int Horizontal => horizontal;

    /// <summary>Vertical sampling factor: blocks down in an MCU.</summary>
    public int Vertical => vertical;

    /// <summary>Index of the quantization table.</summary>
    public int Quantizer => quantizer;

    /// <summary>Samples across and down that are part of the image.</summary>
    public (int Width, int Height) Size { get; private set; }

    /// <summary>Blocks across and down that are part of the image.</summary>
    public (int Across, int Down) Blocks => ((Size.Width + 7) / 8, (Size.Height + 7) / 8);

    /// <summary>Blocks in a row of <see cref="Coefficients"/>, which is padded to whole MCUs.</summary>
    public int Stride { get; private set; }

    /// <summary>[rows of blocks, blocks, 64] in natural order, not yet dequantised.</summary>
    public short[] Coefficients { get; private set; } = [];

    /// <summary>The quantization table, taken when the component's first scan starts.</summary>
    public int[]? Steps { get; set; }

    public int Predictor { get; set; }

    public void Allocate(int width, int height, int largestHorizontal, int largestVertical)
    {
        Size = ((width * horizontal + largestHorizontal - 1) / largestHorizontal,
            (height * vertical + largestVertical - 1) / largestVertical);
        var (across, down) = ((width + 8 * largestHorizontal - 1) / (8 * largestHorizontal),
            (height + 8 * largestVertical - 1) / (8 * largestVertical));
        Stride = across * horizontal;
        Coefficients = new short[(long)Stride * down * vertical * 64];
    }

    /// <summary>Samples at the size of the image: inverse transform, then libjpeg's fancy upsampling.</summary>
    public byte[] Samples(int width, int height, int largestHorizontal, int largestVertical)
    {
        var plane = Transform();
        var (across, down) = (largestHorizontal / horizontal, largestVertical / vertical);
        var (columns, rows) = Size;
        var fancy = columns > 2 || across == 1;
        var result = new byte[width * height];
        var (weighted, line) = (new int[columns], new int[columns * across]);
        for (var y = 0; y < height; y++)
        {
            var row = Math.Min(y / down, rows - 1);
            if (fancy && across <= 2 && down == 2)
                Blend(plane, row, y % 2 == 0 ? Math.Max(row - 1, 0) : Math.Min(row + 1, rows - 1), weighted);
            else
                for (var x = 0; x < columns; x++)
                    weighted[x] = plane[row * Stride * 8 + x];
            Spread(weighted, line, across, fancy && across == 2 && down <= 2, down == 2);
            if (fancy && across == 1 && down == 2)
                for (var x = 0; x < columns; x++)
                    line[x] = (weighted[x] + (y % 2 == 0 ? 1 : 2)) >> 2;
            for (var x = 0; x < width; x++)
                result[y * width + x] = (byte)line[x];
        }
        return result;
    }

    private void Blend(byte[] plane, int near, int far, int[] sums)
    {
        for (var x = 0; x < sums.Length; x++)
            sums[x] = plane[near * Stride * 8 + x] * 3 + plane[far * Stride * 8 + x];
    }

    /// <summary>Doubles the columns: 3/4 of the nearer and 1/4 of the farther neighbour, with libjpeg's alternating rounding.</summary>
    private static void Spread(int[] row, int[] line, int across, bool fancy, bool blended)
    {
        if (!fancy)
        {
            for (var x = 0; x < line.Length; x++)
                line[x] = row[x / across];
            return;
        }
        var last = row.Length - 1;
        // Blended rows carry a factor of four.
        var (shift, left, right) = blended ? (4, 8, 7) : (2, 1, 2);
        for (var x = 0; x <= last; x++)
        {
            line[x * 2] = x == 0 ? (blended ? (row[0] * 4 + 8) >> 4 : row[0]) : (row[x] * 3 + row[x - 1] + left) >> shift;
            line[x * 2 + 1] = x == last ? (blended ? (row[x] * 4 + 7) >> 4 : row[x]) : (row[x] * 3 + row[x + 1] + right) >> shift;
        }
    }

    private byte[] Transform()
    {
        var steps = Steps ?? new int[64];
        var plane = new byte[Coefficients.Length];
        var work = new int[64];
        for (var block = 0; block < Coefficients.Length / 64; block++)
        {
            var (row, column) = Math.DivRem(block, Stride);
            var coefficients = Coefficients.AsSpan(block * 64, 64);
            for (var i = 0; i < 64; i++)
                work[i] = coefficients[i] * steps[i];
            for (var x = 0; x < 8; x++)
                Butterfly(work, x, 8, ConstBits - FirstPassBits);
            for (var y = 0; y < 8; y++)
            {
                Butterfly(work, y * 8, 1, ConstBits + FirstPassBits + 3);
                for (var x = 0; x < 8; x++)
                    plane[(row * 8 + y) * Stride * 8 + column * 8 + x] = (byte)Math.Clamp(work[y * 8 + x] + 128, 0, 255);
            }
        }
        return plane;
    }

    /// <summary>Eight values of the slow integer DCT (Loeffler, Ligtenberg, Moschytz, 1989; 13 fractional bits), as jidctint.</summary>
    private static void Butterfly(int[] w, int at, int step, int shift)
    {
        unchecked
        {
            int c2 = w[at + 2 * step], c6 = w[at + 6 * step];
            var even = (c2 + c6) * 4433;
            int low = even - c6 * 15137, high = even + c2 * 6270;
            int sum = (w[at] + w[at + 4 * step]) << ConstBits, difference = (w[at] - w[at + 4 * step]) << ConstBits;
            int e0 = sum + high, e3 = sum - high, e1 = difference + low, e2 = difference - low;

            int o7 = w[at + 7 * step], o5 = w[at + 5 * step], o3 = w[at + 3 * step], o1 = w[at + step];
            int z1 = (o7 + o1) * -7373, z2 = (o5 + o3) * -20995, z5 = (o7 + o3 + o5 + o1) * 9633;
            int z3 = (o7 + o3) * -16069 + z5, z4 = (o5 + o1) * -3196 + z5;
            o7 = o7 * 2446 + z1 + z3;
            o5 = o5 * 16819 + z2 + z4;
            o3 = o3 * 25172 + z2 + z3;
            o1 = o1 * 12299 + z1 + z4;

            var half = 1 << (shift - 1);
            w[at] = (e0 + o1 + half) >> shift;
            w[at + 7 * step] = (e0 - o1 + half) >> shift;
            w[at + step] = (e1 + o3 + half) >> shift;
            w[at + 6 * step] = (e1 - o3 + half) >> shift;
            w[at + 2 * step] = (e2 + o5 + half) >> shift;
            w[at + 5 * step] = (e2 - o5 + half) >> shift;
            w[at + 3 * step] = (e3 + o7 + half) >> shift;
            w[at + 4 * step] = (e3 - o7 + half) >> shift;
        }
    }
}
