using System.Text;

namespace Alebrije.Preprocessing.Imaging;

/// <summary>
/// Text chunks of PNG files (W3C PNG, section 11.3.3): tEXt for Latin-1 values, iTXt (UTF-8) for others. Other tools
/// read both: <c>Image.text</c> in Pillow, exiftool, ImageMagick's <c>identify -verbose</c>.
/// </summary>
public static class PngText
{
    /// <summary>Most bytes of packed texts that are read.</summary>
    private const int MaximumText = 16 << 20;

    /// <summary>The text chunks of a PNG file by keyword, in the order of the file; the last of equal keywords wins.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ImageFormatException">The file is not a PNG file, or it is damaged.</exception>
    public static IReadOnlyDictionary<string, string> Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
            throw new FileNotFoundException($"There is no image {path}.", path);
        return Read(RegularFile.ReadAllBytes(path), path);
    }

    /// <summary>The text chunks of a PNG file in memory, as <see cref="Read(string)"/>.</summary>
    /// <exception cref="ImageFormatException">The bytes are not a PNG file, or they are damaged.</exception>
    public static IReadOnlyDictionary<string, string> Read(ReadOnlySpan<byte> file, string name = "the image")
    {
        if (!file.StartsWith(Png.Signature))
            throw new ImageFormatException($"{name} is not a PNG file, and only PNG files carry text.");
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        var (offset, room) = (Png.Signature.Length, MaximumText);
        for (var ended = false; !ended;)
        {
            var chunk = Png.ReadChunk(file, ref offset, name);
            var body = file.Slice(chunk.Start, chunk.Length);
            var separator = body.IndexOf((byte)0);
            ended = chunk.Kind == Png.Kind("IEND"u8);
            if (separator < 1)
                continue;
            var keyword = Encoding.Latin1.GetString(body[..separator]);
            var rest = body[(separator + 1)..];
            if (chunk.Kind == Png.Kind("tEXt"u8))
                texts[keyword] = Encoding.Latin1.GetString(rest);
            else if (chunk.Kind == Png.Kind("zTXt"u8) && rest.Length > 1)
                texts[keyword] = Encoding.Latin1.GetString(Inflate(rest[1..], name, ref room));
            else if (chunk.Kind == Png.Kind("iTXt"u8) && International(rest, name, ref room) is { } value)
                texts[keyword] = value;
        }
        return texts;
    }

    /// <summary>Writes one text chunk.</summary>
    /// <exception cref="ArgumentException">A keyword that PNG does not allow.</exception>
    internal static void Write(Stream file, string keyword, string value)
    {
        // Spaces must be single and inside; other keywords are legal, but not every reader accepts them.
        if (keyword.Length is < 1 or > 79 || keyword.Trim() != keyword || keyword.Contains("  ", StringComparison.Ordinal)
            || keyword.Any(c => c is < ' ' or (> '~' and < '\u00a1') or > '\u00ff'))
            throw new ArgumentException($"\"{keyword}\" cannot name a text "
                + $"in a PNG file: 1 to 79 printable Latin-1 characters are allowed, with single spaces inside.", nameof(keyword));
        ArgumentNullException.ThrowIfNull(value);
        var start = Encoding.Latin1.GetBytes(keyword);
        var latin = value.All(c => c is '\n' or '\t' or (>= ' ' and <= '~') or (>= '\u00a0' and <= '\u00ff'));
        if (latin)
            Png.WriteChunk(file, "tEXt"u8, [.. start, 0, .. Encoding.Latin1.GetBytes(value)]);
        else
            Png.WriteChunk(file, "iTXt"u8, [.. start, 0, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(value)]);
    }

    /// <summary>Reads flag, method, language 0, translated keyword 0, text; null for another layout.</summary>
    private static string? International(ReadOnlySpan<byte> rest, string name, ref int room)
    {
        if (rest.Length < 4 || rest[2..].IndexOf((byte)0) is not (>= 0 and var language))
            return null;
        var translated = rest[(2 + language + 1)..];
        var end = translated.IndexOf((byte)0);
        if (end < 0)
            return null;
        var text = translated[(end + 1)..];
        return Encoding.UTF8.GetString(rest[0] == 0 ? text : Inflate(text, name, ref room));
    }

    /// <summary>Unpacks a text; all texts of a file together may take <see cref="MaximumText"/> bytes.</summary>
    private static ReadOnlySpan<byte> Inflate(ReadOnlySpan<byte> packed, string name, ref int room)
    {
        var text = new byte[(int)Math.Min(room + 1, packed.Length * 1032L + 1032)];
        try
        {
            using var stream = new MemoryStream(packed.ToArray());
            var length = Png.Inflate(stream, text);
            if (length > room)
                throw new ImageFormatException($"{name} holds texts of more than {MaximumText} bytes, which are not read.");
            room -= length;
            return text.AsSpan(0, length);
        }
        catch (Exception e) when (e is InvalidDataException or (IOException and not ImageFormatException))
        {
            throw new ImageFormatException($"{name} is damaged: a packed text in it cannot be unpacked.", e);
        }
    }
}
