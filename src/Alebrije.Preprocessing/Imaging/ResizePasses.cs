using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>The two passes of a resize, for bytes, 16-bit words and floats.</summary>
internal static class ResizePasses
{
    private const int Half = 1 << (ResizeCoefficients.PrecisionBits - 1);

    /// <summary>Resamples columns. Rows from <paramref name="firstRow"/> on are read, as many as <paramref name="target"/> holds.</summary>
    public static void Horizontal(PillowImage source, int firstRow, ResizeCoefficients columns, byte[] target, int width)
    {
        var bytes = source.PixelBytes;
        var stride = source.Width * bytes;
        // Four bytes are loaded for three: the row is copied to a buffer with a tail.
        var line = new byte[stride + 4];
        for (var y = 0; y < target.Length / (width * bytes); y++)
        {
            source.Pixels.AsSpan((firstRow + y) * stride, stride).CopyTo(line);
            var result = target.AsSpan(y * width * bytes, width * bytes);
            switch (source.Mode)
            {
                case PixelMode.Grey16: HorizontalWords(line, columns, result); break;
                case PixelMode.Float: HorizontalFloats(line, columns, result); break;
                case PixelMode.Rgb or PixelMode.Rgba or PixelMode.Cmyk: HorizontalColours(line, columns, result, bytes); break;
                default: HorizontalBytes(line, columns, result, bytes); break;
            }
        }
    }

    /// <summary>Resamples rows.</summary>
    public static void Vertical(PillowImage source, ResizeCoefficients rows, byte[] target, int height)
    {
        var stride = source.Width * source.PixelBytes;
        var sums = new int[source.Mode is PixelMode.Grey16 or PixelMode.Float ? 0 : stride];
        var exact = new double[sums.Length == 0 ? source.Width : 0];
        for (var y = 0; y < height; y++)
        {
            var lines = source.Pixels.AsSpan(rows.FirstOf(y) * stride);
            var result = target.AsSpan(y * stride, stride);
            if (sums.Length == 0)
                VerticalExact(lines, rows.WeightsOf(y), exact, result, source.Mode);
            else
                VerticalBytes(lines, rows.FixedOf(y), sums, result);
        }
    }

    private static void HorizontalColours(ReadOnlySpan<byte> line, ResizeCoefficients columns, Span<byte> result, int bytes)
    {
        for (int x = 0, o = 0; o < result.Length; x++, o += bytes)
        {
            var sum = Vector128.Create(Half);
            var pixels = line[(columns.FirstOf(x) * bytes)..];
            foreach (var weight in columns.FixedOf(x))
            {
                var four = Vector128.CreateScalarUnsafe(MemoryMarshal.Read<uint>(pixels)).AsByte();
                sum += Vector128.WidenLower(Vector128.WidenLower(four)).AsInt32() * weight;
                pixels = pixels[bytes..];
            }
            for (var c = 0; c < bytes; c++)
                result[o + c] = Clip(sum.GetElement(c));
        }
    }

    private static void HorizontalBytes(ReadOnlySpan<byte> line, ResizeCoefficients columns, Span<byte> result, int bytes)
    {
        for (var o = 0; o < result.Length; o++)
        {
            var (x, channel) = Math.DivRem(o, bytes);
            var (sum, at) = (Half, columns.FirstOf(x) * bytes + channel);
            foreach (var weight in columns.FixedOf(x))
            {
                sum += line[at] * weight;
                at += bytes;
            }
            result[o] = Clip(sum);
        }
    }

    private static void VerticalBytes(ReadOnlySpan<byte> lines, ReadOnlySpan<int> weights, int[] sums, Span<byte> result)
    {
        Array.Fill(sums, Half);
        for (var row = 0; row < weights.Length; row++)
        {
            var line = lines.Slice(row * sums.Length, sums.Length);
            var weight = new Vector<int>(weights[row]);
            var i = 0;
            for (; i <= sums.Length - Vector<byte>.Count; i += Vector<byte>.Count)
            {
                Vector.Widen(new Vector<byte>(line[i..]), out var low, out var high);
                Vector.Widen(low, out var a, out var b);
                Vector.Widen(high, out var c, out var d);
                Add(sums.AsSpan(i), a, weight);
                Add(sums.AsSpan(i + Vector<int>.Count), b, weight);
                Add(sums.AsSpan(i + Vector<int>.Count * 2), c, weight);
                Add(sums.AsSpan(i + Vector<int>.Count * 3), d, weight);
            }
            for (; i < sums.Length; i++)
                sums[i] += line[i] * weights[row];
        }
        for (var i = 0; i < sums.Length; i++)
            result[i] = Clip(sums[i]);
    }

    private static void Add(Span<int> sums, Vector<uint> pixels, Vector<int> weight)
        => (new Vector<int>(sums) + Vector.AsVectorInt32(pixels) * weight).CopyTo(sums);

    private static byte Clip(int sum) => (byte)Math.Clamp(sum >> ResizeCoefficients.PrecisionBits, 0, 255);

    private static void HorizontalWords(ReadOnlySpan<byte> line, ResizeCoefficients columns, Span<byte> result)
    {
        for (var x = 0; x < result.Length / 2; x++)
        {
            var (sum, at) = (0.0, columns.FirstOf(x) * 2);
            foreach (var weight in columns.WeightsOf(x))
            {
                sum += BinaryPrimitives.ReadUInt16LittleEndian(line[at..]) * weight;
                at += 2;
            }
            StoreWord(sum, result[(x * 2)..]);
        }
    }

    private static void HorizontalFloats(ReadOnlySpan<byte> line, ResizeCoefficients columns, Span<byte> result)
    {
        for (var x = 0; x < result.Length / 4; x++)
        {
            var (sum, at) = (0.0, columns.FirstOf(x) * 4);
            foreach (var weight in columns.WeightsOf(x))
            {
                sum += BinaryPrimitives.ReadSingleLittleEndian(line[at..]) * weight;
                at += 4;
            }
            BinaryPrimitives.WriteSingleLittleEndian(result[(x * 4)..], (float)sum);
        }
    }

    private static void VerticalExact(ReadOnlySpan<byte> lines, ReadOnlySpan<double> weights,
        double[] sums, Span<byte> result, PixelMode mode)
    {
        Array.Clear(sums);
        var bytes = mode == PixelMode.Float ? 4 : 2;
        for (var row = 0; row < weights.Length; row++)
        {
            var line = lines.Slice(row * sums.Length * bytes, sums.Length * bytes);
            for (var x = 0; x < sums.Length; x++)
            {
                double value = bytes == 4 ? BinaryPrimitives.ReadSingleLittleEndian(line[(x * 4)..])
                    : BinaryPrimitives.ReadUInt16LittleEndian(line[(x * 2)..]);
                sums[x] += value * weights[row];
            }
        }
        for (var x = 0; x < sums.Length; x++)
        {
            if (bytes == 4)
                BinaryPrimitives.WriteSingleLittleEndian(result[(x * 4)..], (float)sums[x]);
            else
                StoreWord(sums[x], result[(x * 2)..]);
        }
    }

    /// <summary>Rounds and stores a word as the reference does: each byte is clipped separately, so overshoot keeps its low byte.</summary>
    private static void StoreWord(double sum, Span<byte> target)
    {
        var word = (int)(sum >= 0.0 ? sum + 0.5 : sum - 0.5);
        target[0] = (byte)Math.Clamp(word % 256, 0, 255);
        target[1] = (byte)Math.Clamp(word >> 8, 0, 255);
    }
}
