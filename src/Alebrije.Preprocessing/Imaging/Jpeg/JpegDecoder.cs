using System.Buffers.Binary;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>
/// Reads JPEG files of four colours as Pillow does; Skia converts them to RGB, but openai/CLIP resizes them in CMYK. Huffman coding,
/// sequential and progressive, eight bits (ITU T.81); transform, upsampling and colours are libjpeg's, to the byte. JpegLibrary's transform
/// in floating point differs by 1, after conversion of colours by up to 3, and has neither upsampling nor colours.
/// </summary>
internal sealed class JpegDecoder
{
    private readonly string name;
    private readonly JpegHuffman?[] first = new JpegHuffman?[4], rest = new JpegHuffman?[4];
    private readonly int[]?[] steps = new int[]?[4];
    private JpegComponent[] components = [];
    private int width, height, restart, largestHorizontal, largestVertical;
    private bool progressive;
    private int? adobe;

    private JpegDecoder(string name) => this.name = name;

    /// <summary>Number of components of a JPEG file, 0 if its header has none.</summary>
    public static int CountComponents(ReadOnlySpan<byte> file) => FrameAt(file) is > 0 and var at ? file[at + 9] : 0;

    /// <summary>True if a JPEG file is progressive.</summary>
    public static bool IsProgressive(ReadOnlySpan<byte> file) => FrameAt(file) is > 0 and var at && file[at + 1] == 0xc2;

    /// <summary>Position of the frame header, or 0.</summary>
    private static int FrameAt(ReadOnlySpan<byte> file)
    {
        for (var at = 2; at + 9 < file.Length && file[at] == 0xff;)
        {
            if (file[at + 1] == 0xff)
                at++;
            else if (IsFrame(file[at + 1]))
                return at;
            else
                at += 2 + BinaryPrimitives.ReadUInt16BigEndian(file[(at + 2)..]);
        }
        return 0;
    }

    /// <summary>An image of mode CMYK; ink is stored inverted, as by Adobe, and inverted back.</summary>
    public static PillowImage DecodeCmyk(ReadOnlySpan<byte> file, string name)
    {
        var decoder = new JpegDecoder(name);
        var planes = decoder.Planes(file);
        if (planes.Length != 4)
            throw decoder.Damaged($"{planes.Length} colours instead of four");
        var pixels = new byte[decoder.width * decoder.height * 4];
        var converted = (decoder.adobe ?? 0) != 0;
        for (var i = 0; i < planes[0].Length; i++)
        {
            var (cyan, magenta, yellow) = (planes[0][i], planes[1][i], planes[2][i]);
            if (converted)
            {
                var (red, green, blue) = ToRgb(cyan, magenta, yellow);
                (cyan, magenta, yellow) = ((byte)(255 - red), (byte)(255 - green), (byte)(255 - blue));
            }
            (pixels[i * 4], pixels[i * 4 + 1], pixels[i * 4 + 2], pixels[i * 4 + 3]) =
                ((byte)(255 - cyan), (byte)(255 - magenta), (byte)(255 - yellow), (byte)(255 - planes[3][i]));
        }
        return new PillowImage(PixelMode.Cmyk, decoder.width, decoder.height, pixels);
    }

    /// <summary>An image of three colours (YCbCr). Skia decodes these faster; the tests compare both.</summary>
    public static RgbImage DecodeRgb(ReadOnlySpan<byte> file, string name)
    {
        var decoder = new JpegDecoder(name);
        var planes = decoder.Planes(file);
        if (planes.Length != 3)
            throw decoder.Damaged($"{planes.Length} colours instead of three");
        var image = new RgbImage(decoder.width, decoder.height);
        for (var i = 0; i < planes[0].Length; i++)
            (image.Pixels[i * 3], image.Pixels[i * 3 + 1], image.Pixels[i * 3 + 2]) = ToRgb(planes[0][i], planes[1][i], planes[2][i]);
        return image;
    }

    /// <summary>libjpeg's conversion with 16 fractional bits (jdcolor.c).</summary>
    private static (byte Red, byte Green, byte Blue) ToRgb(int y, int cb, int cr)
    {
        (cb, cr) = (cb - 128, cr - 128);
        return (Clip(y + ((91881 * cr + 32768) >> 16)), Clip(y + ((-22554 * cb - 46802 * cr + 32768) >> 16)),
            Clip(y + ((116130 * cb + 32768) >> 16)));
    }

    private static byte Clip(int value) => (byte)Math.Clamp(value, 0, 255);

    private static bool IsFrame(byte marker) => marker is >= 0xc0 and <= 0xcf and not (0xc4 or 0xc8 or 0xcc);

    private byte[][] Planes(ReadOnlySpan<byte> file)
    {
        var scans = 0;
        for (var at = 2; ;)
        {
            while (at + 1 < file.Length && (file[at] != 0xff || file[at + 1] is 0 or 0xff))
                at++;
            if (at + 1 >= file.Length)
                throw new ImageFormatException($"{name} is cut short: the JPEG file ends before its end mark.");
            var marker = file[at + 1];
            at += 2;
            if (marker is 0xd9)
                break;
            if (marker is (>= 0xd0 and <= 0xd8) or 1)
                continue;
            var length = at + 2 <= file.Length ? BinaryPrimitives.ReadUInt16BigEndian(file[at..]) : 0;
            if (length < 2 || length > file.Length - at)
                throw new ImageFormatException(
                    $"{name} is cut short: a part of the JPEG file needs {length} bytes and {file.Length - at} are left.");
            var body = file.Slice(at + 2, length - 2);
            at += length;
            if (IsFrame(marker))
                Frame(marker, body, file.Length);
            else if (marker == 0xda)
                (at, scans) = (Scan(file, at, body), scans + 1);
            else
                Table(marker, body);
            // Progressive files have some ten scans; thousands of empty ones over a large image would only cost time.
            if (scans > 200)
                throw Damaged("more than 200 scans");
        }
        if (scans == 0)
            throw Damaged("no image");
        return [.. components.Select(c => c.Samples(width, height, largestHorizontal, largestVertical))];
    }

    private void Table(byte marker, ReadOnlySpan<byte> body)
    {
        switch (marker)
        {
            case 0xee when body.Length >= 12 && body.StartsWith("Adobe"u8):
                adobe = body[11];
                break;
            case 0xdd when body.Length >= 2:
                restart = BinaryPrimitives.ReadUInt16BigEndian(body);
                break;
            case 0xdb:
                while (body.Length > 0)
                    body = body[Quantization(body)..];
                break;
            case 0xc4:
                while (body.Length > 0)
                    body = body[Huffman(body)..];
                break;
        }
    }

    private int Quantization(ReadOnlySpan<byte> body)
    {
        var (wide, index) = (body[0] >> 4 == 1, body[0] & 15);
        var length = 1 + (wide ? 128 : 64);
        if (index > 3 || body.Length < length)
            throw Damaged("an incomplete quantization table");
        var table = steps[index] = new int[64];
        for (var k = 0; k < 64; k++)
            table[JpegScan.Natural(k)] = wide ? BinaryPrimitives.ReadUInt16BigEndian(body[(1 + k * 2)..]) : body[1 + k];
        return length;
    }

    private int Huffman(ReadOnlySpan<byte> body)
    {
        var count = 0;
        for (var i = 1; i <= 16 && i < body.Length; i++)
            count += body[i];
        if ((body[0] & 15) > 3 || count is 0 or > 256 || body.Length < 17 + count)
            throw Damaged("an incomplete Huffman table");
        (body[0] >> 4 == 0 ? first : rest)[body[0] & 15] = new JpegHuffman(body.Slice(1, 16), body.Slice(17, count).ToArray());
        return 17 + count;
    }

    private void Frame(byte marker, ReadOnlySpan<byte> body, int fileLength)
    {
        if (marker > 0xc2)
            throw new ImageFormatException(
                $"{name} is a JPEG file of a rare kind (arithmetic coding or lossless), which cannot be read: save it as PNG.");
        if (components.Length > 0 || body.Length < 6 || body.Length < 6 + 3 * body[5] || body[0] != 8 || body[5] is 0 or > 4)
            throw Damaged("an invalid frame header");
        (height, width) = (BinaryPrimitives.ReadUInt16BigEndian(body[1..]), BinaryPrimitives.ReadUInt16BigEndian(body[3..]));
        ImageLimits.RequireDecodable(width, height, name);
        progressive = marker == 0xc2;
        var found = new JpegComponent[body[5]];
        for (var i = 0; i < found.Length; i++)
        {
            var part = body.Slice(6 + i * 3, 3);
            found[i] = new JpegComponent(part[0], part[1] >> 4, part[1] & 15, part[2]);
            if (found[i].Horizontal is < 1 or > 4 || found[i].Vertical is < 1 or > 4 || found[i].Quantizer > 3)
                throw Damaged("an invalid component");
        }
        (largestHorizontal, largestVertical) = (found.Max(c => c.Horizontal), found.Max(c => c.Vertical));
        if (found.Any(c => largestHorizontal % c.Horizontal != 0 || largestVertical % c.Vertical != 0))
            throw new ImageFormatException($"{name} is a JPEG file whose "
                + $"colours have sizes that are not multiples of each other, which cannot be read: save it as PNG.");
        // Every block takes at least one bit, so a header cannot make the program allocate much more than the file.
        if ((long)width * height / 64 > fileLength * 8L)
            throw new ImageFormatException($"{name} is cut short: {fileLength} bytes cannot hold an image of {width} x {height}.");
        ImageBudget.Require((width, height), 21, fileLength, name);
        foreach (var component in found)
            component.Allocate(width, height, largestHorizontal, largestVertical);
        components = found;
    }

    private int Scan(ReadOnlySpan<byte> file, int at, ReadOnlySpan<byte> body)
    {
        if (body.Length < 1 || body[0] is 0 or > 4 || body.Length < 4 + 2 * body[0])
            throw Damaged("an incomplete scan header");
        var (used, dc, ac) = (new JpegComponent[body[0]], new JpegHuffman?[body[0]], new JpegHuffman?[body[0]]);
        for (var i = 0; i < used.Length; i++)
        {
            int id = body[1 + i * 2], tables = body[2 + i * 2];
            used[i] = Array.Find(components, c => c.Id == id) ?? throw Damaged("a scan of a missing component");
            (dc[i], ac[i]) = (first[tables >> 4 & 3], rest[tables & 3]);
            used[i].Predictor = 0;
            used[i].Steps ??= steps[used[i].Quantizer];
        }
        var tail = body[(1 + 2 * used.Length)..];
        var (start, end, high, low) = progressive ? (tail[0], tail[1], tail[2] >> 4, tail[2] & 15) : (0, 63, 0, 0);
        if (start > end || end > 63 || low > 13 || (progressive && start == 0 && end != 0) || (start > 0 && used.Length > 1))
            throw Damaged("a scan of invalid coefficients");
        var bits = new JpegBits(file, at);
        var (across, down) = ((width + 8 * largestHorizontal - 1) / (8 * largestHorizontal),
            (height + 8 * largestVertical - 1) / (8 * largestVertical));
        new JpegScan(used, dc, ac, progressive, start, end, high, low).Read(ref bits, across, down, restart);
        if (bits.Ended)
            throw new ImageFormatException($"{name} is cut short: the JPEG file ends before its last row.");
        return bits.Position;
    }

    private ImageFormatException Damaged(string what) => new($"{name} is damaged: {what} in the JPEG file.");
}
