using System.Buffers;
using System.Globalization;
using System.Text;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>
/// Repairs text as <c>ftfy.fix_text</c> 6.3.1 does by default: entities, misread encodings, ligatures, full width, curly quotes,
/// line breaks, surrogates, terminal escapes, control characters, normalization form C (ftfy/__init__.py, Apache License 2.0).
/// </summary>
internal static class TextRepair
{
    private const int LongestSegment = 1_000_000;

    /// <summary>Text that no repair can change.</summary>
    private static readonly SearchValues<char> Sound = SearchValues.Create(
        [.. Enumerable.Range(' ', 0x7F - ' ').Select(code => (char)code).Where(unit => unit != '&'), '\n', '\t', '\f']);

    private static readonly Dictionary<char, string> Ligatures = new()
    {
        ['Ĳ'] = "IJ", ['ĳ'] = "ij", ['ŉ'] = "\u02BCn",
        ['Ǳ'] = "DZ", ['ǲ'] = "Dz", ['ǳ'] = "dz", ['Ǆ'] = "DŽ", ['ǅ'] = "Dž", ['ǆ'] = "dž",
        ['Ǉ'] = "LJ", ['ǈ'] = "Lj", ['ǉ'] = "lj", ['Ǌ'] = "NJ", ['ǋ'] = "Nj", ['ǌ'] = "nj",
        ['\uFB00'] = "ff", ['\uFB01'] = "fi", ['\uFB02'] = "fl", ['\uFB03'] = "ffi",
            ['\uFB04'] = "ffl", ['\uFB05'] = "ſt", ['\uFB06'] = "st",
    };

    /// <summary>Characters that only repairs of misread text, controls and normalization change; no surrogate is among them.</summary>
    private static readonly SearchValues<char> NotReplaced = SearchValues.Create(
        [.. Enumerable.Range(0, 0x10000).Select(code => (char)code)
            .Where(unit => !(char.IsSurrogate(unit) || Ligatures.ContainsKey(unit) || UnicodeFacts.OrdinaryWidth(unit) is not null
            || unit is '\r' or '\u02BC' or (>= '\u2018' and <= '\u201F') or '\u2028' or '\u2029' or '\u0085'))]);

    /// <summary>The text, repaired line by line; from the first line with a "&lt;" on, entities are kept as a part of HTML.</summary>
    public static string Fix(string text)
    {
        if (text.AsSpan().IndexOfAnyExcept(Sound) < 0)
            return text;
        if (text.Length <= LongestSegment && !text.Contains('\n', StringComparison.Ordinal))
            return FixSegment(text, entities: !text.Contains('<', StringComparison.Ordinal));
        var result = new StringBuilder(text.Length);
        var entities = true;
        for (var place = 0; place < text.Length;)
        {
            var end = SegmentEnd(text, place);
            var segment = text[place..end];
            entities &= !segment.Contains('<', StringComparison.Ordinal);
            result.Append(FixSegment(segment, entities));
            place = end;
        }
        return result.ToString();
    }

    /// <summary>True if a letter is replaced: a ligature or a variant of a quote.</summary>
    public static bool IsReplaced(char unit) => unit == '\u02BC' || Ligatures.ContainsKey(unit);

    private static string FixSegment(string text, bool entities)
    {
        while (true)
        {
            var before = text;
            if (entities)
                text = HtmlEntities.Repair(text);
            text = Mojibake.FixControls(Mojibake.Fix(text));
            text = ReplaceCharacters(text);
            text = RemoveControls(RemoveTerminalEscapes(text));
            text = CanonicalComposition.Normalize(text);
            if (text == before)
                return text;
        }
    }

    private static int SegmentEnd(string text, int place)
    {
        var lineBreak = text.IndexOf('\n', place);
        var end = lineBreak < 0 ? text.Length : lineBreak + 1;
        if (end - place <= LongestSegment)
            return end;

        // The limit counts characters, not UTF-16 units.
        end = place;
        for (var count = 0; count < LongestSegment && end < text.Length; count++)
            end += end + 1 < text.Length && char.IsSurrogatePair(text[end], text[end + 1]) ? 2 : 1;
        return lineBreak < 0 ? end : Math.Min(end, lineBreak + 1);
    }

    /// <summary>Replaces ligatures, width, quotes, line breaks and lone surrogates, by single characters; a line break has two.</summary>
    private static string ReplaceCharacters(string text)
    {
        var start = FirstToReplace(text);
        if (start == text.Length)
            return text;
        var result = new StringBuilder(text, 0, start, text.Length + 8);
        for (var i = start; i < text.Length; i++)
        {
            var unit = text[i];
            if (unit < 0x80 && unit != '\r')
                result.Append(unit);
            else if (Ligatures.TryGetValue(unit, out var letters))
                result.Append(letters).Replace('\u02BC', '\'', result.Length - letters.Length, letters.Length);
            else if (UnicodeFacts.OrdinaryWidth(unit) is { } ordinary)
                result.Append(ordinary);
            else if (unit is '\u02BC' or (>= '\u2018' and <= '\u201B'))
                result.Append('\'');
            else if (unit is >= '\u201C' and <= '\u201F')
                result.Append('"');
            else if (unit is '\r' or '\u2028' or '\u2029' or '\u0085')
                AppendBreak(text, ref i, result);
            else if (i + 1 < text.Length && char.IsSurrogatePair(unit, text[i + 1]))
                result.Append(unit).Append(text[++i]);
            else
                result.Append(char.IsSurrogate(unit) ? '\uFFFD' : unit);
        }
        return result.ToString();
    }

    private static int FirstToReplace(string text)
    {
        for (var place = 0; ; place += 2)
        {
            var next = text.AsSpan(place).IndexOfAnyExcept(NotReplaced);
            if (next < 0)
                return text.Length;
            place += next;
            if (place + 1 == text.Length || !char.IsSurrogatePair(text[place], text[place + 1]))
                return place;
        }
    }

    private static void AppendBreak(string text, ref int place, StringBuilder result)
    {
        result.Append('\n');
        if (text[place] == '\r' && place + 1 < text.Length && text[place + 1] == '\n')
            place++;
    }

    /// <summary>Removes <c>ESC [ digits and semicolons, letter</c>, which colours text on a terminal.</summary>
    private static string RemoveTerminalEscapes(string text)
    {
        if (!text.Contains("\x1B[", StringComparison.Ordinal))
            return text;
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length;)
        {
            var length = EscapeLength(text.AsSpan(i));
            if (length == 0)
                result.Append(text[i]);
            i += Math.Max(length, 1);
        }
        return result.ToString();
    }

    private static int EscapeLength(ReadOnlySpan<char> here)
    {
        if (here is not ['\x1B', '[', ..])
            return 0;
        var end = 2;
        while (end < here.Length)
        {
            var units = end + 1 < here.Length && char.IsSurrogatePair(here[end], here[end + 1]) ? 2 : 1;
            var code = units == 2 ? char.ConvertToUtf32(here[end], here[end + 1]) : here[end];
            if (code != ';' && CharUnicodeInfo.GetUnicodeCategory(code) != UnicodeCategory.DecimalDigitNumber)
                break;
            end += units;
        }
        return end < here.Length && char.IsAsciiLetter(here[end]) ? end + 1 : 0;
    }

    private static string RemoveControls(string text)
    {
        StringBuilder? kept = null;
        for (var i = 0; i < text.Length; i++)
        {
            var removed = text[i] is (<= '\u0008') or '\u000B' or (>= '\u000E' and <= '\u001F') or '\u007F'
                or (>= '\u206A' and <= '\u206F') or '\uFEFF' or (>= '\uFFF9' and <= '\uFFFC');
            if (removed)
                kept ??= new StringBuilder(text, 0, i, text.Length);
            else
                kept?.Append(text[i]);
        }
        return kept?.ToString() ?? text;
    }
}
