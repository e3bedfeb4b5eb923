using System.Buffers.Binary;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>Writes PNG files, eight or sixteen bits a sample, without interlacing. The same input always gives the same bytes.</summary>
internal static class PngEncoder
{
    public static byte[] Encode(PillowImage image, IReadOnlyDictionary<string, string>? text = null)
    {
        var (depth, colourType) = image.Mode switch
        {
            PixelMode.Bilevel => (1, 0),
            PixelMode.Grey => (8, 0),
            PixelMode.Grey16 => (16, 0),
            PixelMode.Rgb => (8, 2),
            PixelMode.Palette => (8, 3),
            PixelMode.GreyAlpha => (8, 4),
            PixelMode.Rgba => (8, 6),
            _ => throw new ArgumentException($"A {image.Mode} image cannot be written as PNG: convert it to RGB first.", nameof(image)),
        };
        using var file = new MemoryStream();
        file.Write(Png.Signature);
        WriteHeader(file, image.Width, image.Height, depth, colourType);
        foreach (var (keyword, value) in text ?? new Dictionary<string, string>())
            PngText.Write(file, keyword, value);
        if (image.Palette is { } palette && image.Mode == PixelMode.Palette)
            WritePalette(file, palette);
        WriteKey(file, image);
        Png.WriteChunk(file, "IDAT"u8, Png.Deflate(Filter(image, depth)));
        Png.WriteChunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    public static void WriteHeader(Stream file, int width, int height, int depth, int colourType)
    {
        Span<byte> header = stackalloc byte[13];
        header.Clear();
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        (header[8], header[9]) = ((byte)depth, (byte)colourType);
        Png.WriteChunk(file, "IHDR"u8, header);
    }

    private static void WritePalette(Stream file, byte[] palette)
    {
        var (colours, alphas) = (new byte[768], new byte[256]);
        for (var i = 0; i < 256; i++)
        {
            palette.AsSpan(i * 4, 3).CopyTo(colours.AsSpan(i * 3));
            alphas[i] = palette[i * 4 + 3];
        }
        Png.WriteChunk(file, "PLTE"u8, colours);
        if (alphas.AsSpan().ContainsAnyExcept((byte)255))
            Png.WriteChunk(file, "tRNS"u8, alphas);
    }

    private static void WriteKey(Stream file, PillowImage image)
    {
        if (image.TransparentColour is not { } key
            || image.Mode is not (PixelMode.Rgb or PixelMode.Grey or PixelMode.Grey16 or PixelMode.Bilevel))
            return;
        Span<byte> body = stackalloc byte[6];
        BinaryPrimitives.WriteUInt16BigEndian(body, (ushort)(image.Mode == PixelMode.Bilevel ? key.Red / 255 : key.Red));
        BinaryPrimitives.WriteUInt16BigEndian(body[2..], (ushort)key.Green);
        BinaryPrimitives.WriteUInt16BigEndian(body[4..], (ushort)key.Blue);
        Png.WriteChunk(file, "tRNS"u8, image.Mode == PixelMode.Rgb ? body : body[..2]);
    }

    /// <summary>Rows with their filter bytes; each row uses the filter with the smallest sum of absolute values.</summary>
    public static byte[] Filter(PillowImage image, int depth)
    {
        var samples = depth switch { 1 => PackBits(image), 16 => SwapBytes(image.Pixels), _ => image.Pixels };
        var length = samples.Length / image.Height;
        var rows = new byte[(length + 1) * image.Height];
        // Indices and single bits have no neighbourhood to predict from.
        var filters = depth == 1 || image.Mode == PixelMode.Palette ? 1 : 5;
        var candidate = new byte[length];
        ReadOnlySpan<byte> above = new byte[length];
        for (var y = 0; y < image.Height; y++)
        {
            var line = samples.AsSpan(y * length, length);
            var target = rows.AsSpan(y * (length + 1), length + 1);
            var best = long.MaxValue;
            for (byte filter = 0; filter < filters; filter++)
            {
                var cost = Apply(filter, line, above, image.PixelBytes, candidate);
                if (cost >= best)
                    continue;
                (best, target[0]) = (cost, filter);
                candidate.CopyTo(target[1..]);
            }
            above = line;
        }
        return rows;
    }

    /// <summary>Residual of one row after its prediction, and the sum of its absolute values.</summary>
    private static long Apply(byte filter, ReadOnlySpan<byte> line, ReadOnlySpan<byte> above, int step, Span<byte> result)
    {
        above = above[..line.Length];
        result = result[..line.Length];
        switch (filter)
        {
            case 0:
                line.CopyTo(result);
                break;
            case 1:
                line[..step].CopyTo(result);
                for (var i = step; i < line.Length; i++)
                    result[i] = (byte)(line[i] - line[i - step]);
                break;
            case 2:
                for (var i = 0; i < line.Length; i++)
                    result[i] = (byte)(line[i] - above[i]);
                break;
            case 3:
                for (var i = 0; i < line.Length; i++)
                    result[i] = (byte)(line[i] - ((i < step ? 0 : line[i - step]) + above[i]) / 2);
                break;
            default:
                for (var i = 0; i < step; i++)
                    result[i] = (byte)(line[i] - above[i]);
                for (var i = step; i < line.Length; i++)
                    result[i] = (byte)(line[i] - PngDecoder.Paeth(line[i - step], above[i], above[i - step]));
                break;
        }
        long cost = 0;
        foreach (var left in result)
            cost += Math.Min(left, 256 - left);
        return cost;
    }

    private static byte[] PackBits(PillowImage image)
    {
        var length = (image.Width + 7) / 8;
        var packed = new byte[length * image.Height];
        for (var i = 0; i < image.Pixels.Length; i++)
        {
            var (y, x) = Math.DivRem(i, image.Width);
            if (image.Pixels[i] != 0)
                packed[y * length + x / 8] |= (byte)(128 >> (x % 8));
        }
        return packed;
    }

    private static byte[] SwapBytes(byte[] words)
    {
        var swapped = new byte[words.Length];
        for (var i = 0; i < words.Length; i += 2)
            (swapped[i], swapped[i + 1]) = (words[i + 1], words[i]);
        return swapped;
    }
}
