using System.Globalization;
using System.Reflection;
using System.Text;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>Character references of HTML, resolved as Python's <c>html.unescape</c> does and, more carefully, as ftfy does.</summary>
internal static class HtmlEntities
{
    private const int LongestName = 32, LongestRepairedName = 24;

    private static readonly Dictionary<string, string> Closed = new(StringComparer.Ordinal),
        Open = new(StringComparer.Ordinal), Capitals = new(StringComparer.Ordinal);
    private static readonly Dictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> ClosedBySpan, OpenBySpan, CapitalsBySpan;

    static HtmlEntities()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("HtmlEntities.txt")!;
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
        {
            if (!line.StartsWith('#'))
                Read(line);
        }
        (ClosedBySpan, OpenBySpan, CapitalsBySpan) =
            (Closed.GetAlternateLookup<ReadOnlySpan<char>>(), Open.GetAlternateLookup<ReadOnlySpan<char>>(),
                Capitals.GetAlternateLookup<ReadOnlySpan<char>>());
    }

    /// <summary>Resolves every reference once, including the standard's names without a semicolon (Python 3, html/__init__.py).</summary>
    public static string Unescape(string text)
    {
        var place = text.IndexOf('&', StringComparison.Ordinal);
        if (place < 0)
            return text;
        var result = new StringBuilder(text.Length);
        var written = 0;
        for (; place >= 0; place = text.IndexOf('&', place))
        {
            result.Append(text, written, place - written);
            written = place + 1;
            var rest = text.AsSpan(written);
            var length = rest is ['#', ..] ? AppendNumber(rest, result) : AppendName(rest, result);
            if (length == 0)
                result.Append('&');
            written += length;
            place = written;
        }
        return result.Append(text, written, text.Length - written).ToString();
    }

    /// <summary>Resolves only references that end in a semicolon, some names in capitals too (ftfy 6.3.1, <c>unescape_html</c>).</summary>
    public static string Repair(string text)
    {
        var place = text.IndexOf('&', StringComparison.Ordinal);
        if (place < 0)
            return text;
        var result = new StringBuilder(text.Length);
        var written = 0;
        while (place >= 0)
        {
            var length = RepairableLength(text.AsSpan(place));
            if (length > 0 && Resolve(text.AsSpan(place, length)) is { } meaning)
            {
                result.Append(text, written, place - written).Append(meaning);
                written = place + length;
            }
            place = text.IndexOf('&', place + Math.Max(length, 1));
        }
        return result.Append(text, written, text.Length - written).ToString();
    }

    /// <summary>Length of <c>&amp;#?[0-9A-Za-z]{1,24};</c> at the start, or 0.</summary>
    private static int RepairableLength(ReadOnlySpan<char> text)
    {
        var start = text.Length > 1 && text[1] == '#' ? 2 : 1;
        var end = start;
        while (end < text.Length && end - start < LongestRepairedName && char.IsAsciiLetterOrDigit(text[end]))
            end++;
        return end > start && end < text.Length && text[end] == ';' ? end + 1 : 0;
    }

    private static string? Resolve(ReadOnlySpan<char> reference)
    {
        var name = reference[1..^1];
        if (name[0] != '#')
            return ClosedBySpan.TryGetValue(name, out var known) || CapitalsBySpan.TryGetValue(name, out known) ? known : null;

        // A number followed by other letters, or that is a semicolon itself, is left alone.
        var unescaped = Unescape(reference.ToString());
        return unescaped.Contains(';', StringComparison.Ordinal) ? null : unescaped;
    }

    private static int AppendNumber(ReadOnlySpan<char> text, StringBuilder result)
    {
        var hexadecimal = text.Length > 1 && text[1] is 'x' or 'X';
        var start = hexadecimal ? 2 : 1;
        var end = start;
        var value = 0L;
        for (; end < text.Length && (hexadecimal ? char.IsAsciiHexDigit(text[end]) : char.IsAsciiDigit(text[end])); end++)
            value = Math.Min((value * (hexadecimal ? 16 : 10)) + Convert.ToInt32(text[end].ToString(), 16), int.MaxValue);
        if (end == start)
            return 0;
        AppendCode((int)value, result);
        return end < text.Length && text[end] == ';' ? end + 1 : end;
    }

    private static void AppendCode(int code, StringBuilder result)
    {
        if (code is >= 0x80 and <= 0x9F)
            result.Append(CodePages.Windows1252.Decode((byte)code));
        else if (code is 0 or (>= 0xD800 and <= 0xDFFF) or > 0x10FFFF)
            result.Append('\uFFFD');
        else if (code == '\r' || !IsInvalid(code))
            result.AppendCodePoint(code);
    }

    private static bool IsInvalid(int code) =>
        code is (>= 1 and <= 8) or 0xB or (>= 0xE and <= 0x1F) or 0x7F or (>= 0xFDD0 and <= 0xFDEF) || (code & 0xFFFE) == 0xFFFE;

    private static int AppendName(ReadOnlySpan<char> text, StringBuilder result)
    {
        var end = 0;
        while (end < text.Length && end < LongestName && text[end] is not ('\t' or '\n' or '\f' or ' ' or '<' or '&' or '#' or ';'))
            end++;
        if (end == 0)
            return 0;
        if (end < text.Length && text[end] == ';' && ClosedBySpan.TryGetValue(text[..end], out var meaning))
        {
            result.Append(meaning);
            return end + 1;
        }
        for (var length = end; length > 1; length--)
        {
            if (OpenBySpan.TryGetValue(text[..length], out meaning))
            {
                result.Append(meaning);
                return length;
            }
        }
        return 0;
    }

    private static void Read(string line)
    {
        var equals = line.IndexOf('=', StringComparison.Ordinal);
        var name = line[..equals];
        var sides = line[(equals + 1)..].TrimEnd('*').Split('|');
        Closed[name] = Characters(sides[0]);
        if (line.EndsWith('*'))
            Open[name] = Closed[name];
        if (sides.Length > 1)
            Capitals[name.ToUpperInvariant()] = sides[1].Length == 0 ? Closed[name] : Characters(sides[1]);
    }

    private static string Characters(string codes)
    {
        var result = new StringBuilder();
        foreach (var code in codes.Split(' '))
            result.AppendCodePoint(int.Parse(code, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
        return result.ToString();
    }
}
