using System.Buffers;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>
/// Characters of which no cleaning changes more than ASCII's capitals and white space, in whatever order they stand, so that texts of them
/// alone go a shorter way to the same ids. In ASCII all that prints but those that may begin an entity or a special token; beyond it the
/// letters of the basic plane without another case, width, composition or part in ligatures, the small ones of scripts that have two cases.
/// </summary>
internal sealed class PlainAlphabet
{
    private static readonly bool[] Letters = BuildLetters();

    private readonly SearchValues<char> ascii;
    private readonly bool hasLetters;

    /// <param name="initials">Characters that begin special tokens which are looked for in texts.</param>
    public PlainAlphabet(IEnumerable<char> initials)
    {
        var stops = initials.SelectMany(unit => new[] { unit, char.ToUpperInvariant(unit), char.ToLowerInvariant(unit) }).Append('&').Append('<').ToHashSet();
        ascii = SearchValues.Create([.. Enumerable.Range(' ', 0x7F - ' ').Select(code => (char)code).Append('\n').Append('\t').Where(unit => !stops.Contains(unit))]);
        hasLetters = stops.All(char.IsAscii);
    }

    /// <summary>Whether a character beyond ASCII is a plain letter.</summary>
    public static bool IsPlainLetter(char unit) => Letters[unit];

    /// <summary>Whether a text has no other characters.</summary>
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
            letters[code] = CharacterClasses.Of(unit) == CharacterClass.Letter && UnicodeFacts.Lower(code) == code && !UnicodeFacts.IsUnstable(unit)
                && UnicodeFacts.OrdinaryWidth(unit) is null && !TextRepair.IsReplaced(unit)
                && !MojibakeClues.IsClue(unit) && unit is not ('\u017F' or '\u0130' or '\u03A3'); // a long s counts as an s, and two letters change with their neighbours
        }

        return letters;
    }
}
