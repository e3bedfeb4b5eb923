using System.Buffers;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>
/// Characters that cleaning changes only by ASCII lower case and white space, in any order, so that texts of them alone take a shorter
/// path to the same ids. In ASCII: all printable ones except those that may begin an entity or a special token; beyond it: the letters of
/// the basic plane without another case, width, composition or part in ligatures, and the small ones of scripts that have two cases.
/// </summary>
internal sealed class PlainAlphabet
{
    private static readonly bool[] Letters = BuildLetters();

    private readonly SearchValues<char> ascii;
    private readonly bool hasLetters;

    /// <param name="initials">First characters of special tokens that are searched in texts.</param>
    public PlainAlphabet(IEnumerable<char> initials)
    {
        var stops = initials.SelectMany(unit => new[] { unit, char.ToUpperInvariant(unit), char.ToLowerInvariant(unit) })
            .Append('&').Append('<').ToHashSet();
        ascii = SearchValues.Create([.. Enumerable.Range(' ', 0x7F - ' ')
            .Select(code => (char)code).Append('\n').Append('\t').Where(unit => !stops.Contains(unit))]);
        hasLetters = stops.All(char.IsAscii);
    }

    /// <summary>True if a character beyond ASCII is a plain letter.</summary>
    public static bool IsPlainLetter(char unit) => Letters[unit];

    /// <summary>True if a text has no other characters.</summary>
    public bool Spells(ReadOnlySpan<char> text)
    {
        while (true)
        {
            var other = text.IndexOfAnyExcept(ascii);
            if (other < 0) return true;
            if (!hasLetters || !Letters[text[other]]) return false;
            text = text[(other + 1)..];
        }
    }

    private static bool[] BuildLetters()
    {
        var letters = new bool[0x10000];
        for (var code = 0x80; code < letters.Length; code++)
        {
            var unit = (char)code;
            letters[code] = CharacterClasses.Of(unit) == CharacterClass.Letter
                && UnicodeFacts.Lower(code) == code && !UnicodeFacts.IsUnstable(unit)
                && UnicodeFacts.OrdinaryWidth(unit) is null && !TextRepair.IsReplaced(unit)
                // a long s counts as an s, and two letters change with their neighbours
                && !MojibakeClues.IsClue(unit) && unit is not ('\u017F' or '\u0130' or '\u03A3');
        }

        return letters;
    }
}
