using System.Buffers.Binary;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>
/// Reads Windows and OS/2 bitmaps into the mode that Pillow gives them (BmpImagePlugin): up to eight bits as a palette, or as black and
/// white or grey if the palette is that; 16 and 24 bits as RGB; 32 bits as RGB, or RGBA if the header has a mask for opacity.
/// </summary>
internal static class BmpDecoder
{
    private const int Raw = 0, RunLength8 = 1, RunLength4 = 2, Masks = 3;

    /// <summary>Layouts of 32 bits by their masks (red, green, blue, opacity): byte offsets of the four, -1 for none.</summary>
    private static readonly Dictionary<(uint, uint, uint, uint), (int Red, int Green, int Blue, int Alpha)> Layouts = new()
    {
        [(0xff0000, 0xff00, 0xff, 0)] = (2, 1, 0, -1),
        [(0xff000000, 0xff0000, 0xff00, 0)] = (3, 2, 1, -1),
        [(0xff000000, 0xff00, 0xff, 0)] = (3, 1, 0, -1),
        [(0xff000000, 0xff0000, 0xff00, 0xff)] = (3, 2, 1, 0),
        [(0xff, 0xff00, 0xff0000, 0xff000000)] = (0, 1, 2, 3),
        [(0xff0000, 0xff00, 0xff, 0xff000000)] = (2, 1, 0, 3),
        [(0xff000000, 0xff00, 0xff, 0xff0000)] = (3, 1, 0, 2),
        [(0, 0, 0, 0)] = (2, 1, 0, 3),
    };

    public static PillowImage Decode(ReadOnlySpan<byte> file, string name)
    {
        var header = Header.Read(file, name);
        var offset = header.Offset;
        var palette = header.Bits <= 8 ? Palette(file, header, name) : null;
        if (header.Compression is RunLength8 or RunLength4)
            return Indexed(header, FlipRows(header, Runs(file, header, name)), palette!);

        var stride = ((long)header.Width * header.Bits + 31) / 32 * 4;
        if (offset < 0 || offset > file.Length
            || stride * header.Height - (stride - ((long)header.Width * header.Bits + 7) / 8) > file.Length - offset)
            throw Short(name);
        if (header.Bits <= 8)
        {
            var indices = new byte[header.Width * header.Height];
            for (var y = 0; y < header.Height; y++)
            {
                var line = file[(int)(offset + y * stride)..];
                for (var x = 0; x < header.Width; x++)
                    indices[header.Row(y) * header.Width + x] = (byte)(
                        line[x * header.Bits / 8] >> (8 - header.Bits - x * header.Bits % 8) & ((1 << header.Bits) - 1));
            }
            return Indexed(header, indices, palette!);
        }
        return header.Bits == 16 ? Words(file, header, stride, name) : Colours(file, header, stride, name);
    }

    private static PillowImage Colours(ReadOnlySpan<byte> file, Header header, long stride, string name)
    {
        var layout = (Red: 2, Green: 1, Blue: 0, Alpha: -1);
        if (header.Compression == Masks && header.Bits == 32 && !Layouts.TryGetValue(header.Mask, out layout))
            throw Layout(name);
        if (header.Compression == Masks && header.Bits == 24
            && (header.Mask.Red, header.Mask.Green, header.Mask.Blue) != (0xff0000, 0xff00, 0xff))
            throw Layout(name);
        var (step, bytes) = (header.Bits / 8, layout.Alpha < 0 ? 3 : 4);
        var pixels = new byte[header.Width * header.Height * bytes];
        for (var y = 0; y < header.Height; y++)
        {
            var line = file[(int)(header.Offset + y * stride)..];
            var o = header.Row(y) * header.Width * bytes;
            for (var x = 0; x < header.Width; x++, o += bytes)
            {
                var pixel = line.Slice(x * step, step);
                (pixels[o], pixels[o + 1], pixels[o + 2]) = (pixel[layout.Red], pixel[layout.Green], pixel[layout.Blue]);
                if (bytes == 4)
                    pixels[o + 3] = pixel[layout.Alpha];
            }
        }
        return new PillowImage(bytes == 3 ? PixelMode.Rgb : PixelMode.Rgba, header.Width, header.Height, pixels);
    }

    private static PillowImage Words(ReadOnlySpan<byte> file, Header header, long stride, string name)
    {
        var mask = (header.Mask.Red, header.Mask.Green, header.Mask.Blue);
        var sixGreens = header.Compression == Masks && mask == (0xf800, 0x7e0, 0x1f);
        if (header.Compression == Masks && !sixGreens && mask != (0x7c00, 0x3e0, 0x1f))
            throw Layout(name);
        var pixels = new byte[header.Width * header.Height * 3];
        for (var y = 0; y < header.Height; y++)
        {
            var line = file[(int)(header.Offset + y * stride)..];
            var o = header.Row(y) * header.Width * 3;
            for (var x = 0; x < header.Width; x++, o += 3)
            {
                var word = BinaryPrimitives.ReadUInt16LittleEndian(line[(x * 2)..]);
                pixels[o] = (byte)((word >> (sixGreens ? 11 : 10) & 31) * 255 / 31);
                pixels[o + 1] = (byte)(sixGreens ? (word >> 5 & 63) * 255 / 63 : (word >> 5 & 31) * 255 / 31);
                pixels[o + 2] = (byte)((word & 31) * 255 / 31);
            }
        }
        return new PillowImage(PixelMode.Rgb, header.Width, header.Height, pixels);
    }

    private static PillowImage Indexed(Header header, byte[] indices, byte[] palette)
    {
        var grey = header.Colours is > 0 and <= 256;
        for (var i = 0; i < header.Colours && grey; i++)
        {
            var value = header.Colours == 2 ? i * 255 : i;
            grey = palette[i * 4] == value && palette[i * 4 + 1] == value && palette[i * 4 + 2] == value;
        }
        if (!grey)
            return new PillowImage(PixelMode.Palette, header.Width, header.Height, indices) { Palette = palette };
        if (header.Colours > 2)
            return new PillowImage(PixelMode.Grey, header.Width, header.Height, indices);
        for (var i = 0; i < indices.Length; i++)
            indices[i] = indices[i] != 0 ? (byte)255 : (byte)0;
        return new PillowImage(PixelMode.Bilevel, header.Width, header.Height, indices);
    }

    private static byte[] Palette(ReadOnlySpan<byte> file, Header header, string name)
    {
        if (header.Colours is < 1 or > 65536)
            throw new ImageFormatException($"{name} is damaged: a BMP palette of {header.Colours} colours is not possible.");
        var (palette, step, start) = (new byte[1024], header.Size == 12 ? 3 : 4, 14 + header.Size);
        for (var i = 0; i < 256; i++)
        {
            palette[i * 4 + 3] = 255;
            if (i >= header.Colours)
                continue;
            if (start + (i + 1) * step > file.Length)
                throw Short(name);
            var colour = file.Slice(start + i * step, 3);
            (palette[i * 4], palette[i * 4 + 1], palette[i * 4 + 2]) = (colour[2], colour[1], colour[0]);
        }
        return palette;
    }

    /// <summary>Unpacks run-length coding; rows are in the order of the file. Positions that are skipped get index 0.</summary>
    private static byte[] Runs(ReadOnlySpan<byte> file, Header header, string name)
    {
        var (indices, four) = (new byte[header.Width * header.Height], header.Compression == RunLength4);
        int x = 0, y = 0, at = (int)Math.Clamp(header.Offset, 0, file.Length);
        while (true)
        {
            if (file.Length - at < 2)
                throw Short(name);
            int count = file[at], value = file[at + 1];
            at += 2;
            if (count > 0)
            {
                for (var i = 0; i < count; i++, x++)
                    Set(indices, header, x, y, four ? (i % 2 == 0 ? value >> 4 : value & 15) : value);
                continue;
            }
            switch (value)
            {
                case 0:
                    (x, y) = (0, y + 1);
                    break;
                case 1:
                    return indices;
                case 2:
                    if (file.Length - at < 2)
                        throw Short(name);
                    (x, y) = (x + file[at], y + file[at + 1]);
                    at += 2;
                    break;
                default:
                    var bytes = four ? (value + 1) / 2 : value;
                    if (file.Length - at < bytes)
                        throw Short(name);
                    for (var i = 0; i < value; i++, x++)
                        Set(indices, header, x, y, four ? file[at + i / 2] >> (i % 2 == 0 ? 4 : 0) & 15 : file[at + i]);
                    at += bytes + bytes % 2;
                    break;
            }
        }
    }

    private static void Set(byte[] indices, Header header, int x, int y, int value)
    {
        if (x < header.Width && y < header.Height)
            indices[y * header.Width + x] = (byte)value;
    }

    private static byte[] FlipRows(Header header, byte[] indices)
    {
        var flipped = new byte[indices.Length];
        for (var y = 0; y < header.Height; y++)
            indices.AsSpan(y * header.Width, header.Width).CopyTo(flipped.AsSpan(header.Row(y) * header.Width));
        return flipped;
    }

    private static ImageFormatException Short(string name) => new($"{name} is cut short: the BMP file ends before its last pixel.");

    private static ImageFormatException Layout(string name) =>
        new($"{name} is a BMP file with an unusual order of colour bits, which cannot be read: save it as PNG.");

    private sealed record Header(int Size, long Offset, int Width,
        int Height, bool TopDown, int Bits, int Compression, long Colours, (uint Red, uint Green, uint Blue, uint Alpha) Mask)
    {
        /// <summary>Row of the image for the <paramref name="y"/>-th row of the file.</summary>
        public int Row(int y) => TopDown ? y : Height - 1 - y;

        public static Header Read(ReadOnlySpan<byte> file, string name)
        {
            if (file.Length < 26)
                throw Short(name);
            var (size, offset) = (BinaryPrimitives.ReadInt32LittleEndian(file[14..]), BinaryPrimitives.ReadUInt32LittleEndian(file[10..]));
            if (size is not (12 or 40 or 52 or 56 or 64 or 108 or 124))
                throw new ImageFormatException($"{name} is damaged: a BMP header of {size} bytes is not possible.");
            if (file.Length < 14 + size)
                throw Short(name);
            var body = file[14..];
            var header = size == 12
                ? new Header(size, offset, Word(body, 4), Word(body, 6), false, Word(body, 10), Raw, 0, default)
                : Long(file, size, offset, name);
            ImageLimits.RequireDecodable(header.Width, header.Height, name);
            ImageBudget.Require((header.Width, header.Height), 7, file.Length, name);
            if (header.Bits is not (1 or 4 or 8 or 16 or 24 or 32) || header.Compression is < Raw or > Masks
                || (header.Compression is RunLength8 or RunLength4 && header.Bits > 8) || (header.Compression == Masks && header.Bits <= 8))
                throw new ImageFormatException($"{name} is a BMP file of {header.Bits} "
                    + $"bits with compression {header.Compression}, which cannot be read: save it as PNG.");
            return header with { Colours = header.Colours == 0 ? 1L << header.Bits : header.Colours };
        }

        private static Header Long(ReadOnlySpan<byte> file, int size, uint offset, string name)
        {
            var body = file[14..];
            var height = BinaryPrimitives.ReadInt32LittleEndian(body[8..]);
            var header = new Header(size, offset, BinaryPrimitives.ReadInt32LittleEndian(body[4..]),
                height == int.MinValue ? 0 : Math.Abs(height), height < 0,
                Word(body, 14), BinaryPrimitives.ReadInt32LittleEndian(body[16..]),
                BinaryPrimitives.ReadUInt32LittleEndian(body[32..]), default);
            if (header.Compression != Masks)
                return header;
            if (file.Length < 14 + 52)
                throw Short(name);
            // The masks are in the header from 52 bytes on, after it if it has 40.
            return header with { Mask = (Double(body, 40), Double(body, 44), Double(body, 48), size >= 56 ? Double(body, 52) : 0) };
        }

        private static int Word(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

        private static uint Double(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
    }
}
