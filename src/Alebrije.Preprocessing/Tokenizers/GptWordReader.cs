using Alebrije.Preprocessing.Tokenizers.Cleaning;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// Splits a text into the words for BPE as GPT-2's pattern does (tokenizers, pre_tokenizers/byte_level.rs): contractions, runs of letters,
/// numbers or anything else with a space before them, and runs of white space, of which the last character goes to the next word.
/// </summary>
internal ref struct GptWordReader(ReadOnlySpan<char> text)
{
    private readonly ReadOnlySpan<char> text = text;
    private int start, end;

    /// <summary>The last word found.</summary>
    public readonly ReadOnlySpan<char> Current => text[start..end];

    /// <summary>Moves to the next word; false if there is none.</summary>
    public bool MoveNext()
    {
        start = end;
        if (start == text.Length) return false;
        if (text[start] == '\'' && ContractionLength(text[(start + 1)..]) is > 0 and var length)
        {
            end = start + 1 + length;
            return true;
        }

        var from = text[start] == ' ' ? start + 1 : start;
        if (from < text.Length && CharacterClasses.At(text, from, out _) is var run && run != CharacterClass.Space)
            end = RunEnd(from, run);
        else
            ReadSpaces();
        return true;
    }

    /// <summary>White space up to the end, or without its last character where a word follows.</summary>
    private void ReadSpaces()
    {
        end = RunEnd(start, CharacterClass.Space);
        if (end < text.Length && end - start > 1) end--;
    }

    private readonly int RunEnd(int from, CharacterClass run)
    {
        var place = from;
        while (place < text.Length && CharacterClasses.At(text, place, out var units) == run) place += units;
        return place;
    }

    private static int ContractionLength(ReadOnlySpan<char> after) =>
        after.StartsWith("re") || after.StartsWith("ve") || after.StartsWith("ll") ? 2
        : after.Length > 0 && after[0] is 's' or 't' or 'm' or 'd' ? 1 : 0;
}
