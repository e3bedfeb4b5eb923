using System.Buffers;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>A set of characters; of those beyond the basic plane it contains all, none, or letters and numbers.</summary>
internal sealed class CharacterSet
{
    private readonly SearchValues<char> units;
    private readonly Func<ReadOnlySpan<char>, bool> beyond;

    private CharacterSet(ReadOnlySpan<char> units, Func<ReadOnlySpan<char>, bool> beyond) =>
        (this.units, this.beyond) = (SearchValues.Create(units), beyond);

    /// <summary>Characters of Python's <c>\w</c>: letters, numbers and the underscore.</summary>
    public static CharacterSet Word { get; } = new(
        [.. Enumerable.Range(0, 0x10000).Select(code => (char)code)
            .Where(unit => unit == '_' || CharacterClasses.Of(unit) is CharacterClass.Letter or CharacterClass.Number)],
        static pair => CharacterClasses.At(pair, 0, out _) is CharacterClass.Letter or CharacterClass.Number);

    public static implicit operator CharacterSet(string members) => new(members, static _ => false);

    public static CharacterSet Where(Func<char, bool> belongs) =>
        new([.. Enumerable.Range(0, 0x10000).Select(code => (char)code).Where(belongs)], static _ => false);

    public static CharacterSet AllBut(Func<char, bool> excluded) =>
        new([.. Enumerable.Range(0, 0x10000).Select(code => (char)code).Where(unit => !excluded(unit))], static _ => true);

    /// <summary>True if the set contains the first character of a text that is not empty; also its number of units.</summary>
    public bool Contains(ReadOnlySpan<char> here, out int length)
    {
        length = here.Length > 1 && char.IsSurrogatePair(here[0], here[1]) ? 2 : 1;
        return length == 2 ? beyond(here) : units.Contains(here[0]);
    }

    /// <summary>True if the set contains a UTF-16 unit.</summary>
    public bool Contains(char unit) => units.Contains(unit);
}
