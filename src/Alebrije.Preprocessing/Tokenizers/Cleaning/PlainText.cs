using System.Text;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>White space and lower case as in the reference tokenizers.</summary>
internal static class PlainText
{
    /// <summary>Replaces every run of white space by one space (<c>\s+</c> of Python's <c>regex</c> and of Oniguruma).</summary>
    public static string CollapseWhiteSpace(string text)
    {
        var place = FirstToCollapse(text);
        if (place == text.Length)
            return text;
        var result = new StringBuilder(text, 0, place, text.Length);
        while (place < text.Length)
        {
            if (!CharacterClasses.IsWhiteSpace(text[place]))
            {
                result.Append(text[place++]);
                continue;
            }
            result.Append(' ');
            while (place < text.Length && CharacterClasses.IsWhiteSpace(text[place]))
                place++;
        }
        return result.ToString();
    }

    /// <summary><c>str.strip()</c> of Python.</summary>
    public static string Strip(string text)
    {
        var (start, end) = (0, text.Length);
        while (start < end && CharacterClasses.IsPythonSpace(text[start]))
            start++;
        while (end > start && CharacterClasses.IsPythonSpace(text[end - 1]))
            end--;
        return text[start..end];
    }

    /// <summary><c>str.lower()</c> of Python if <paramref name="finalSigma"/>, else Rust's <c>char::to_lowercase</c>.</summary>
    public static string Lower(string text, bool finalSigma)
    {
        var place = text.AsSpan().IndexOfAnyExcept(LowerAscii);
        if (place < 0)
            return text;
        var result = new StringBuilder(text, 0, place, text.Length + 4);
        for (; place < text.Length; place++)
        {
            // Runs that are in lower case already are copied whole.
            var unchanged = text.AsSpan(place).IndexOfAnyExcept(LowerAscii);
            if (unchanged != 0)
            {
                unchanged = unchanged < 0 ? text.Length - place : unchanged;
                result.Append(text, place, unchanged);
                place += unchanged - 1;
                continue;
            }
            var unit = text[place];
            if (unit < 0x80)
                result.Append(char.ToLowerInvariant(unit));
            else if (unit == '\u0130')
                result.Append("i\u0307");
            else if (unit == '\u03A3')
                result.Append(finalSigma && EndsWord(text, place) ? '\u03C2' : '\u03C3');
            else if (char.IsHighSurrogate(unit) && place + 1 < text.Length && char.IsLowSurrogate(text[place + 1]))
                result.AppendCodePoint(UnicodeFacts.Lower(char.ConvertToUtf32(unit, text[++place])));
            else
                result.Append((char)UnicodeFacts.Lower(unit));
        }
        return result.ToString();
    }

    private static readonly System.Buffers.SearchValues<char> LowerAscii = System.Buffers.SearchValues.Create(
        [.. Enumerable.Range(0, 0x80).Select(code => (char)code).Where(unit => unit is < 'A' or > 'Z')]);

    private static int FirstToCollapse(string text)
    {
        for (var place = 0; place < text.Length; place++)
        {
            if (CharacterClasses.IsWhiteSpace(text[place])
                && (text[place] != ' ' || (place + 1 < text.Length && CharacterClasses.IsWhiteSpace(text[place + 1]))))
                return place;
        }
        return text.Length;
    }

    /// <summary>Final_Sigma of Unicode's SpecialCasing: a cased letter before, none after, case-ignorable characters skipped.</summary>
    private static bool EndsWord(string text, int place)
    {
        var before = place;
        CasedNeighbour neighbour;
        do
            neighbour = before == 0 ? CasedNeighbour.None : SigmaContext.Of(CodeBefore(text, ref before));
        while (neighbour == CasedNeighbour.Ignorable);
        if (neighbour != CasedNeighbour.Cased)
            return false;

        var after = place + 1;
        do
            neighbour = after >= text.Length ? CasedNeighbour.None : SigmaContext.Of(CodeAt(text, ref after));
        while (neighbour == CasedNeighbour.Ignorable);
        return neighbour != CasedNeighbour.Cased;
    }

    private static int CodeBefore(string text, ref int place)
    {
        place--;
        return char.IsLowSurrogate(text[place]) && place > 0 && char.IsHighSurrogate(text[place - 1])
            ? char.ConvertToUtf32(text[--place], text[place + 1])
            : text[place];
    }

    private static int CodeAt(string text, ref int place)
    {
        var unit = text[place++];
        return char.IsHighSurrogate(unit) && place < text.Length && char.IsLowSurrogate(text[place])
            ? char.ConvertToUtf32(unit, text[place++])
            : unit;
    }
}
