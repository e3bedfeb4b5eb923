namespace Alebrije.Preprocessing.Imaging;

/// <summary>One pass over the coefficients: sequential, or one step of a progressive file (ITU T.81, annexes F and G).</summary>
internal sealed class JpegScan(JpegComponent[] components, JpegHuffman?[] first,
    JpegHuffman?[] rest, bool progressive, int start, int end, int high, int low)
{
    private static readonly byte[] ZigZag =
    [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
        35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ];

    private int endRun;

    /// <summary>Natural position of the <paramref name="k"/>-th coefficient of the file.</summary>
    public static int Natural(int k) => ZigZag[k & 63];

    /// <summary>Reads the scan; several components come in MCUs, a single one block by block.</summary>
    public void Read(ref JpegBits bits, int mcusAcross, int mcusDown, int restart)
    {
        var (across, down) = components.Length == 1 ? components[0].Blocks : (mcusAcross, mcusDown);
        for (var unit = 0; unit < across * down && !bits.Ended; unit++)
        {
            if (restart > 0 && unit > 0 && unit % restart == 0)
            {
                bits.Restart();
                endRun = 0;
                foreach (var component in components)
                    component.Predictor = 0;
            }
            var (row, column) = Math.DivRem(unit, across);
            for (var c = 0; c < components.Length; c++)
            {
                var component = components[c];
                var (width, height) = components.Length == 1 ? (1, 1) : (component.Horizontal, component.Vertical);
                for (var i = 0; i < width * height; i++)
                {
                    var block = (row * height + i / width) * component.Stride + column * width + i % width;
                    Block(ref bits, component, component.Coefficients.AsSpan(block * 64, 64), first[c], rest[c]);
                }
            }
        }
    }

    private void Block(ref JpegBits bits, JpegComponent component, Span<short> block, JpegHuffman? dc, JpegHuffman? ac)
    {
        var k = start;
        if (k == 0 && high > 0)
            block[0] |= (short)(bits.Bit() << low);
        else if (k == 0 && dc is not null)
            block[0] = (short)((component.Predictor += bits.Signed(dc.Next(ref bits) & 15)) << low);
        if (ac is null || end == 0)
            return;
        k = Math.Max(k, 1);
        if (high > 0)
            Refine(ref bits, block, ac, k);
        else if (endRun > 0)
            endRun--;
        else
            Coefficients(ref bits, block, ac, k);
    }

    private void Coefficients(ref JpegBits bits, Span<short> block, JpegHuffman ac, int k)
    {
        for (; k <= end; k++)
        {
            var code = ac.Next(ref bits);
            var (run, size) = (code >> 4, code & 15);
            if (size == 0 && run < 15)
            {
                // In progressive scans one end of block may also end the following blocks.
                endRun = progressive ? (1 << run) - 1 + bits.Bits(run) : 0;
                return;
            }
            k += run;
            if (size > 0 && k <= 63)
                block[ZigZag[k]] = (short)(bits.Signed(size) << low);
        }
    }

    /// <summary>One more bit of every coefficient that is not 0, and new ones of size one (ITU T.81, G.1.2.3).</summary>
    private void Refine(ref JpegBits bits, Span<short> block, JpegHuffman ac, int k)
    {
        var one = (short)(1 << low);
        while (k <= end && endRun == 0)
        {
            var code = ac.Next(ref bits);
            var (run, size) = (code >> 4, code & 15);
            if (size == 0 && run < 15)
            {
                endRun = (1 << run) + bits.Bits(run);
                break;
            }
            var value = size == 0 ? (short)0 : bits.Bit() == 1 ? one : (short)-one;
            for (; k <= end; k++)
            {
                ref var coefficient = ref block[ZigZag[k]];
                if (coefficient != 0)
                    Sharpen(ref bits, ref coefficient, one);
                else if (run-- == 0)
                    break;
            }
            if (value != 0 && k <= 63)
                block[ZigZag[k]] = value;
            k++;
        }
        if (endRun == 0)
            return;
        for (; k <= end; k++)
        {
            if (block[ZigZag[k]] != 0)
                Sharpen(ref bits, ref block[ZigZag[k]], one);
        }
        endRun--;
    }

    private static void Sharpen(ref JpegBits bits, ref short coefficient, short one)
    {
        if (bits.Bit() == 1 && (coefficient & one) == 0)
            coefficient += (short)(coefficient >= 0 ? one : -one);
    }
}
