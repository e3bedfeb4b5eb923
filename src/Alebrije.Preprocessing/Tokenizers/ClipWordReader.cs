using Alebrije.Preprocessing.Tokenizers.Cleaning;

namespace Alebrije.Preprocessing.Tokenizers;

/// <summary>Variant of the word pattern for a dialect.</summary>
/// <param name="Start">Spelling of the start token.</param>
/// <param name="End">Spelling of the end token.</param>
/// <param name="IgnoresCase">True if the pattern matches capitals as small letters, and the long s as an s.</param>
internal sealed record ClipWordRules(string Start, string End, bool IgnoresCase)
{
    public static ClipWordRules Transformers { get; } = new(BpeVocabulary.StartToken, BpeVocabulary.EndToken, IgnoresCase: false);

    public static ClipWordRules OpenAi { get; } = Transformers with { IgnoresCase = true };

    public static ClipWordRules OpenClip { get; } = new("<start_of_text>", "<end_of_text>", IgnoresCase: true);

    public static ClipWordRules Of(ClipDialect dialect) => dialect switch
    {
        ClipDialect.Transformers => Transformers,
        ClipDialect.OpenAi => OpenAi,
        _ => OpenClip,
    };
}

/// <summary>
/// Splits a cleaned text into the words for BPE, as the pattern of openai/CLIP (clip/simple_tokenizer.py) does:
/// specials, English contractions, runs of letters, single numbers, runs of anything else but white space.
/// </summary>
internal ref struct ClipWordReader(ReadOnlySpan<char> text, ClipWordRules rules)
{
    /// <summary>
    /// The one character that Python's regex, ignoring case, matches neither as a letter nor as anything else: a mark whose capital
    /// is a letter. It is skipped like white space.
    /// </summary>
    private const char IotaSubscript = '\u0345';

    private readonly ReadOnlySpan<char> text = text;
    private readonly ClipWordRules rules = rules;
    private int start, end, specialEnd;

    /// <summary>Start of the last word found.</summary>
    public readonly int Start => start;

    /// <summary>The last word found.</summary>
    public readonly ReadOnlySpan<char> Current => text[start..end];

    /// <summary>Moves to the next word; false if there is none.</summary>
    public bool MoveNext()
    {
        start = end;
        while (start < text.Length)
        {
            end = start;
            switch (ClassAt(start, out var units))
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
    /// The references of openai/CLIP and open_clip keep a special token as one word. In the transformers dialect the special tokens are
    /// extracted before; one still spelled here was typed in capitals, and GPT-2's pattern splits it: brackets, name, brackets.
    /// </summary>
    private void ReadSpecial(int length)
    {
        if (rules.IgnoresCase)
        {
            end = start + length;
            return;
        }
        specialEnd = start + length;
        ReadRun(CharacterClass.Other, specialEnd);
    }

    private void ReadRun(CharacterClass run, int limit)
    {
        while (end < limit && ClassAt(end, out var units) == run)
            end += units;
    }

    private readonly CharacterClass ClassAt(int place, out int units)
    {
        if (!rules.IgnoresCase)
            return CharacterClasses.At(text, place, out units);
        var found = CharacterClasses.NewestAt(text, place, out units);
        return text[place] == IotaSubscript ? CharacterClass.Space : found;
    }

    private readonly int ContractionLength(ReadOnlySpan<char> after)
    {
        if (after.Length == 0)
            return 0;
        var second = after.Length > 1 ? Fold(after[1]) : '\0';
        return (Fold(after[0]), second) switch
        {
            ('s' or 't' or 'm' or 'd', _) => 1,
            ('r' or 'v', 'e') or ('l', 'l') => 2,
            _ => 0,
        };
    }

    private readonly int SpecialLength(ReadOnlySpan<char> here) =>
        Spells(here, rules.Start) ? rules.Start.Length : Spells(here, rules.End) ? rules.End.Length : 0;

    private readonly bool Spells(ReadOnlySpan<char> here, string special)
    {
        if (here.Length < special.Length)
            return false;
        for (var i = 0; i < special.Length; i++)
        {
            if (Fold(here[i]) != special[i])
                return false;
        }
        return true;
    }

    private readonly char Fold(char unit) =>
        !rules.IgnoresCase ? unit : unit == '\u017F' ? 's' : char.IsAsciiLetterUpper(unit) ? (char)(unit | 0x20) : unit;
}
