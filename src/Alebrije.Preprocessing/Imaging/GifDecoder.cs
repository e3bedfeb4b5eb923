using System.Buffers.Binary;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>
/// Reads the first frame of a GIF file as Pillow does (GifImagePlugin): palette indices, or grey if the palette is the plain grey
/// ramp; outside the frame is the transparent index, else index 0; the transparent index keeps its colour when converted to RGB.
/// </summary>
internal static class GifDecoder
{
    private const int Truncated = -1;

    public static PillowImage Decode(ReadOnlySpan<byte> file, string name)
    {
        if (file.Length < 13)
            throw Short(name);
        int width = Word(file, 6), height = Word(file, 8), offset = 13;
        var colours = Colours(file, ref offset, file[10], name);
        int? transparent = null;
        while (true)
        {
            switch (offset < file.Length ? file[offset] : Truncated)
            {
                case 0x21 when offset + 2 < file.Length:
                    var block = file[(offset + 2)..];
                    if (file[offset + 1] == 0xf9 && block.Length > 5 && block[0] >= 4 && (block[1] & 1) != 0)
                        transparent = block[4];
                    offset += 2;
                    SkipBlocks(file, ref offset, name);
                    break;
                case 0x2c:
                    return Frame(file, offset + 1, width, height, colours, transparent, name);
                case Truncated or 0x21:
                    throw Short(name);
                case 0x3b:
                    throw new ImageFormatException($"{name} is a GIF file without an image.");
                default:
                    offset++;
                    break;
            }
        }
    }

    private static PillowImage Frame(ReadOnlySpan<byte> file, int offset,
        int width, int height, byte[]? colours, int? transparent, string name)
    {
        if (file.Length - offset < 10)
            throw Short(name);
        int left = Word(file, offset), top = Word(file, offset + 2), columns = Word(file, offset + 4), rows = Word(file, offset + 6);
        var flags = file[offset + 8];
        offset += 9;
        colours = Colours(file, ref offset, flags, name) ?? colours;
        (width, height) = (Math.Max(width, left + columns), Math.Max(height, top + rows));
        ImageLimits.RequireDecodable(width, height, name);
        ImageBudget.Require((width, height), 5, file.Length, name);
        if (offset >= file.Length)
            throw Short(name);
        int bits = file[offset++];
        if (bits is < 1 or > 11)
            throw new ImageFormatException($"{name} is damaged: its GIF codes start at {bits} bits.");
        var packed = Blocks(file, ref offset);
        // A code stands for at most 4096 pixels and takes at least two bits.
        if ((long)columns * rows > packed.Length * 4L * 4096)
            throw Short(name);
        var indices = Unpack(packed, bits, columns * rows, name);

        var pixels = new byte[width * height];
        pixels.AsSpan().Fill((byte)(transparent ?? 0));
        foreach (var (row, source) in Order(rows, (flags & 0x40) != 0))
            indices.AsSpan(source * columns, columns).CopyTo(pixels.AsSpan((top + row) * width + left));
        var coloured = colours is not null && Enumerable.Range(0, colours.Length / 3)
            .Any(i => colours[i * 3] != i || colours[i * 3 + 1] != i || colours[i * 3 + 2] != i);
        if (coloured)
            return new PillowImage(PixelMode.Palette, width, height, pixels) { Palette = PaletteOf(colours!, transparent) };
        return new PillowImage(PixelMode.Grey, width, height,
            pixels) { TransparentColour = transparent is { } key ? (key, key, key) : null };
    }

    /// <summary>Undoes the LZW packing (GIF89a, appendix F).</summary>
    private static byte[] Unpack(byte[] packed, int bits, int count, string name)
    {
        var (clear, pixels, filled) = (1 << bits, new byte[count], 0);
        var (prefix, suffix, length) = (new int[4096], new byte[4096], new int[4096]);
        for (var i = 0; i < clear; i++)
            (suffix[i], length[i]) = ((byte)i, 1);
        var (size, next, previous, buffer, held, at) = (bits + 1, clear + 2, -1, 0, 0, 0);
        while (filled < count)
        {
            for (; held < size; held += 8)
            {
                if (at == packed.Length)
                    throw Short(name);
                buffer |= packed[at++] << held;
            }
            var code = buffer & ((1 << size) - 1);
            (buffer, held) = (buffer >> size, held - size);
            if (code == clear)
            {
                (size, next, previous) = (bits + 1, clear + 2, -1);
                continue;
            }
            if (code == clear + 1)
                throw Short(name);
            if (code > next || (code == next && previous < 0) || (previous < 0 && code > clear))
                throw new ImageFormatException($"{name} is damaged: it has an undefined GIF code.");
            if (previous >= 0 && next < 4096)
            {
                // The new entry is the last one and the first pixel of this one; an undefined code starts as the last one does.
                (prefix[next], length[next]) = (previous, length[previous] + 1);
                var first = code == next ? previous : code;
                while (length[first] > 1)
                    first = prefix[first];
                suffix[next++] = suffix[first];
            }
            else if (code >= next)
            {
                throw new ImageFormatException($"{name} is damaged: it has an undefined GIF code.");
            }
            if (next == 1 << size && size < 12)
                size++;
            var end = filled + length[code];
            for (int entry = code, place = end - 1; place >= filled; place--, entry = prefix[entry])
            {
                if (place < count)
                    pixels[place] = suffix[entry];
            }
            (filled, previous) = (Math.Min(end, count), code);
        }
        return pixels;
    }

    /// <summary>Rows in the order of the file; if interlaced: every eighth, the fourths, the seconds, the rest.</summary>
    private static IEnumerable<(int Row, int Source)> Order(int rows, bool interlaced)
    {
        var source = 0;
        foreach (var (start, step) in interlaced ? [(0, 8), (4, 8), (2, 4), (1, 2)] : new[] { (0, 1) })
        {
            for (var row = start; row < rows; row += step)
                yield return (row, source++);
        }
    }

    private static byte[]? Colours(ReadOnlySpan<byte> file, ref int offset, byte flags, string name)
    {
        if ((flags & 0x80) == 0)
            return null;
        var length = 3 << ((flags & 7) + 1);
        if (file.Length - offset < length)
            throw Short(name);
        offset += length;
        return file.Slice(offset - length, length).ToArray();
    }

    private static byte[] PaletteOf(byte[] colours, int? transparent)
    {
        var palette = new byte[1024];
        for (var i = 0; i < 256; i++)
        {
            if (i * 3 < colours.Length)
                colours.AsSpan(i * 3, 3).CopyTo(palette.AsSpan(i * 4));
            palette[i * 4 + 3] = i == transparent ? (byte)0 : (byte)255;
        }
        return palette;
    }

    private static byte[] Blocks(ReadOnlySpan<byte> file, ref int offset)
    {
        using var joined = new MemoryStream();
        while (offset < file.Length && file[offset] != 0)
        {
            var length = Math.Min(file[offset], file.Length - offset - 1);
            joined.Write(file.Slice(offset + 1, length));
            offset += length + 1;
        }
        return joined.ToArray();
    }

    private static void SkipBlocks(ReadOnlySpan<byte> file, ref int offset, string name)
    {
        while (offset < file.Length && file[offset] != 0)
            offset += file[offset] + 1;
        if (offset++ >= file.Length)
            throw Short(name);
    }

    private static int Word(ReadOnlySpan<byte> file, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(file[offset..]);

    private static ImageFormatException Short(string name) => new($"{name} is cut short: the GIF file ends before its last pixel.");
}
