using Alebrije.Preprocessing.Tokenizers.Cleaning;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>
/// Cuts a cleaned text into the words that BPE sees, as the pattern of openai/CLIP (clip/simple_tokenizer.py) does:
/// specials, English contractions, runs of letters, single numbers, runs of anything else but white space.
/// </summary>
internal ref struct ClipWordReader(ReadOnlySpan<char> text, ClipDialect dialect)
{
    private readonly ReadOnlySpan<char> text = text;
    private readonly ClipDialect dialect = dialect;
    private int start, end, specialEnd;

    /// <summary>The word found last.</summary>
    public readonly ReadOnlySpan<char> Current => text[start..end];

    /// <summary>Goes to the next word; false when there is none.</summary>
    public bool MoveNext()
    {
        start = end;
        while (start < text.Length)
        {
            end = start;
            switch (CharacterClasses.At(text, start, out var units))
            {
                case CharacterClass.Space:
                    start += units;
                    continue;
                case CharacterClass.Number:
                    end += units;
                    return true;
                case CharacterClass.Letter:
                    ReadRun(CharacterClass.Letter, text.Length);
                    return true;
                default:
                    ReadOther();
                    return true;
            }
        }
        end = start;
        return false;
    }

    private void ReadOther()
    {
        if (start < specialEnd)
            ReadRun(CharacterClass.Other, specialEnd);
        else if (text[start] == '\'' && ContractionLength(text[(start + 1)..]) is > 0 and var length)
            end = start + 1 + length;
        else if (text[start] == '<' && SpecialLength(text[start..]) is > 0 and var special)
            ReadSpecial(special);
        else
            ReadRun(CharacterClass.Other, text.Length);
    }

    /// <summary>
    /// A special that is still spelled out here was typed in capitals. Transformers cuts it once more, by the pattern of GPT-2,
    /// into <c>&lt;|</c>, the name and <c>|&gt;</c>, and what follows starts anew.
    /// </summary>
    private void ReadSpecial(int length)
    {
        specialEnd = start + length;
        ReadRun(CharacterClass.Other, specialEnd);
    }

    private void ReadRun(CharacterClass run, int limit)
    {
        while (end < limit && CharacterClasses.At(text, end, out var units) == run)
            end += units;
    }

    private static int ContractionLength(ReadOnlySpan<char> after) => after switch
    {
        ['s' or 't' or 'm' or 'd', ..] => 1,
        ['r' or 'v', 'e', ..] or ['l', 'l', ..] => 2,
        _ => 0,
    };

    private static int SpecialLength(ReadOnlySpan<char> here) =>
        here.StartsWith(BpeVocabulary.StartToken) ? BpeVocabulary.StartToken.Length
        : here.StartsWith(BpeVocabulary.EndToken) ? BpeVocabulary.EndToken.Length
        : 0;
}
