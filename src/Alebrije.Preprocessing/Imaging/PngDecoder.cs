using System.Buffers.Binary;
using System.IO.Compression;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>
/// Reads PNG files of every colour type, bit depth and interlacing into the mode that Pillow gives them (PngImagePlugin's table of
/// modes): 16-bit colour keeps its high bytes, 16-bit grey stays 16-bit, a transparent colour is kept in addition to the pixels.
/// </summary>
internal static class PngDecoder
{
    private static readonly (int X, int Y, int StepX, int StepY)[] Adam7 =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

    public static PillowImage Decode(ReadOnlySpan<byte> file, string name)
    {
        var offset = Png.Signature.Length;
        var header = Header.Read(file, Png.ReadChunk(file, ref offset, name), name);
        using var packed = new MemoryStream();
        ReadOnlySpan<byte> colours = default, transparency = default;
        for (var ended = false; !ended;)
        {
            var chunk = Png.ReadChunk(file, ref offset, name);
            var body = file.Slice(chunk.Start, chunk.Length);
            if (chunk.Kind == Png.Kind("IDAT"u8))
                packed.Write(body);
            else if (chunk.Kind == Png.Kind("PLTE"u8))
                colours = body;
            else if (chunk.Kind == Png.Kind("tRNS"u8))
                transparency = body;
            else
                ended = chunk.Kind == Png.Kind("IEND"u8);
        }
        return Build(header, packed, colours, transparency, name);
    }

    /// <summary>Bytes of all rows (of all passes) with their filter bytes.</summary>
    private static long RowsSize(Header header, MemoryStream packed, string name)
    {
        long size = 0;
        foreach (var (columns, rows, _) in Passes(header))
            size += (long)rows * (1 + header.RowBytes(columns));
        // Deflate packs at most 1032 to 1: a header with a larger size is damaged and must not cost memory.
        if (size > packed.Length * 1032 + 1032)
            throw new ImageFormatException(
                $"{name} is cut short: {packed.Length} packed bytes cannot hold an image of {header.Width} x {header.Height}.");
        return size;
    }

    /// <summary>Inflates row by row: in addition to the pixels, two rows are in memory.</summary>
    private static PillowImage Build(Header header, MemoryStream packed,
        ReadOnlySpan<byte> colours, ReadOnlySpan<byte> transparency, string name)
    {
        var (mode, size, read) = (header.Mode, RowsSize(header, packed, name), 0L);
        if (mode == PixelMode.Palette && (colours.Length < 3 || colours.Length > 768 || colours.Length % 3 != 0))
            throw new ImageFormatException(
                $"{name} is damaged: it needs a palette of 1 to 256 colours, and has {colours.Length} bytes of one.");
        var pixels = new byte[header.Width * header.Height * PillowImage.BytesPerPixel(mode)];
        packed.Position = 0;
        using var zlib = new ZLibStream(packed, CompressionMode.Decompress);
        foreach (var (columns, count, (x, y, stepX, stepY)) in Passes(header))
        {
            var (line, previous) = (new byte[1 + header.RowBytes(columns)], new byte[1 + header.RowBytes(columns)]);
            for (var row = 0; row < count; row++)
            {
                var part = Inflate(zlib, line, name);
                read += part;
                if (part < line.Length)
                    throw new ImageFormatException($"{name} is cut short: {read} of {size} bytes of pixels are there.");
                Unfilter(line[0], line.AsSpan(1), previous.AsSpan(1), Math.Max(1, header.PixelBits / 8), name);
                header.Place(line.AsSpan(1), pixels, columns, (y + row * stepY) * header.Width + x, stepX);
                (line, previous) = (previous, line);
            }
        }
        return new PillowImage(mode, header.Width, header.Height, pixels)
        {
            Palette = mode == PixelMode.Palette ? PaletteOf(colours, transparency) : null,
            TransparentColour = Key(mode, transparency),
        };
    }

    private static int Inflate(ZLibStream zlib, byte[] line, string name)
    {
        try
        {
            return zlib.ReadAtLeast(line, line.Length, throwOnEndOfStream: false);
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new ImageFormatException($"{name} is damaged: its packed pixels cannot be unpacked.", e);
        }
    }

    private static byte[] PaletteOf(ReadOnlySpan<byte> colours, ReadOnlySpan<byte> transparency)
    {
        var palette = new byte[1024];
        for (var i = 0; i < 256; i++)
        {
            if (i * 3 < colours.Length)
                colours.Slice(i * 3, 3).CopyTo(palette.AsSpan(i * 4));
            palette[i * 4 + 3] = i < transparency.Length ? transparency[i] : (byte)255;
        }
        return palette;
    }

    private static (int, int, int)? Key(PixelMode mode, ReadOnlySpan<byte> transparency)
    {
        if (transparency.Length >= 6 && mode == PixelMode.Rgb)
            return (Word(transparency), Word(transparency[2..]), Word(transparency[4..]));
        if (transparency.Length < 2 || mode is not (PixelMode.Bilevel or PixelMode.Grey or PixelMode.Grey16))
            return null;
        var grey = mode == PixelMode.Bilevel && Word(transparency) != 0 ? 255 : Word(transparency);
        return (grey, grey, grey);
    }

    private static int Word(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16BigEndian(bytes);

    private static IEnumerable<(int Columns, int Rows, (int X, int Y, int StepX, int StepY) Grid)> Passes(Header header)
    {
        if (!header.Interlaced)
        {
            yield return (header.Width, header.Height, (0, 0, 1, 1));
            yield break;
        }
        foreach (var grid in Adam7)
        {
            var columns = (header.Width - grid.X + grid.StepX - 1) / grid.StepX;
            var rows = (header.Height - grid.Y + grid.StepY - 1) / grid.StepY;
            if (columns > 0 && rows > 0)
                yield return (columns, rows, grid);
        }
    }

    /// <summary>Undoes the row filters (W3C PNG, section 9).</summary>
    private static void Unfilter(byte filter, Span<byte> line, ReadOnlySpan<byte> above, int step, string name)
    {
        switch (filter)
        {
            case 0:
                break;
            case 1:
                for (var i = step; i < line.Length; i++)
                    line[i] += line[i - step];
                break;
            case 2:
                for (var i = 0; i < line.Length; i++)
                    line[i] += above[i];
                break;
            case 3:
                for (var i = 0; i < line.Length; i++)
                    line[i] += (byte)(((i < step ? 0 : line[i - step]) + above[i]) / 2);
                break;
            case 4:
                for (var i = 0; i < Math.Min(step, line.Length); i++)
                    line[i] += above[i];
                for (var i = step; i < line.Length; i++)
                    line[i] += Paeth(line[i - step], above[i], above[i - step]);
                break;
            default:
                throw new ImageFormatException($"{name} is damaged: there is no row filter {filter} in PNG files.");
        }
    }

    /// <summary>The neighbour nearest to left + above - corner; ties go left, then above.</summary>
    internal static byte Paeth(byte left, byte above, byte corner)
    {
        var estimate = left + above - corner;
        var (toLeft, toAbove, toCorner) = (Math.Abs(estimate - left), Math.Abs(estimate - above), Math.Abs(estimate - corner));
        if (toLeft <= toAbove && toLeft <= toCorner)
            return left;
        return toAbove <= toCorner ? above : corner;
    }

    private readonly record struct Header(int Width, int Height, int Depth, int ColourType, bool Interlaced)
    {
        private int Channels => ColourType switch { 0 or 3 => 1, 4 => 2, 2 => 3, _ => 4 };

        public int PixelBits => Depth * Channels;

        public PixelMode Mode => (ColourType, Depth) switch
        {
            (0, 1) => PixelMode.Bilevel,
            (0, 16) => PixelMode.Grey16,
            (0, _) => PixelMode.Grey,
            (2, _) => PixelMode.Rgb,
            (3, _) => PixelMode.Palette,
            (4, 8) => PixelMode.GreyAlpha,
            _ => PixelMode.Rgba,
        };

        public static Header Read(ReadOnlySpan<byte> file, PngChunk chunk, string name)
        {
            if (chunk.Kind != Png.Kind("IHDR"u8) || chunk.Length < 13)
                throw new ImageFormatException($"{name} is damaged: a PNG file starts with a header of 13 bytes.");
            var body = file.Slice(chunk.Start, chunk.Length);
            long width = BinaryPrimitives.ReadUInt32BigEndian(body), height = BinaryPrimitives.ReadUInt32BigEndian(body[4..]);
            ImageLimits.RequireDecodable(width, height, name);
            int depth = body[8], colourType = body[9];
            var allowed = colourType switch
            {
                0 => depth is 1 or 2 or 4 or 8 or 16,
                3 => depth is 1 or 2 or 4 or 8,
                2 or 4 or 6 => depth is 8 or 16,
                _ => false,
            };
            if (!allowed || body[10] != 0 || body[11] != 0 || body[12] > 1)
                throw new ImageFormatException($"{name} is damaged: its header "
                    + $"(colour type {colourType}, {depth} bits, methods {body[10]}, {body[11]}, {body[12]}) is not valid in PNG.");
            var read = new Header((int)width, (int)height, depth, colourType, body[12] == 1);
            ImageBudget.Require((width, height), PillowImage.BytesPerPixel(read.Mode) + 3, file.Length, name);
            return read;
        }

        public int RowBytes(int columns) => (int)(((long)columns * PixelBits + 7) / 8);

        /// <summary>Writes one unfiltered row: pixels <paramref name="first"/>, then every <paramref name="step"/>-th.</summary>
        public void Place(ReadOnlySpan<byte> line, Span<byte> pixels, int columns, int first, int step)
        {
            var bytes = PillowImage.BytesPerPixel(Mode);
            if (Depth == 8 && step == 1)
            {
                line.CopyTo(pixels[(first * bytes)..]);
                return;
            }
            for (int i = 0, o = first * bytes; i < columns; i++, o += step * bytes)
            {
                if (Depth < 8)
                    pixels[o] = Spread(line[i * Depth / 8] >> (8 - Depth - i * Depth % 8));
                else if (Depth == 8)
                    line.Slice(i * bytes, bytes).CopyTo(pixels[o..]);
                else if (ColourType == 0)
                    (pixels[o], pixels[o + 1]) = (line[i * 2 + 1], line[i * 2]);
                else if (ColourType == 4)
                    (pixels[o], pixels[o + 1], pixels[o + 2], pixels[o + 3]) = (line[i * 4], line[i * 4], line[i * 4], line[i * 4 + 2]);
                else
                    for (var c = 0; c < bytes; c++)
                        pixels[o + c] = line[(i * bytes + c) * 2];
            }
        }

        /// <summary>A sample below eight bits: grey over the whole range, indices as they are.</summary>
        private byte Spread(int sample)
        {
            var largest = (1 << Depth) - 1;
            return (byte)(ColourType == 0 ? (sample & largest) * (255 / largest) : sample & largest);
        }
    }
}
