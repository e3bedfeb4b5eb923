using System.Globalization;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>What the CLIP word pattern asks of a character: <c>\s</c>, <c>\p{L}</c>, <c>\p{N}</c> or none of them.</summary>
internal enum CharacterClass : byte
{
    Other,
    Letter,
    Number,
    Space,
}

/// <summary>Classes of characters, from a table for the basic plane and from the runtime's Unicode data beyond it.</summary>
internal static class CharacterClasses
{
    private static readonly CharacterClass[] BasicPlane = BuildBasicPlane();

    /// <summary>Class of one UTF-16 unit; a lone surrogate is <see cref="CharacterClass.Other"/>.</summary>
    public static CharacterClass Of(char unit) => BasicPlane[unit];

    /// <summary>Class of the character at a place, and how many UTF-16 units it takes.</summary>
    public static CharacterClass At(ReadOnlySpan<char> text, int place, out int units)
    {
        var unit = text[place];
        units = 1;
        if (!char.IsHighSurrogate(unit) || place + 1 >= text.Length || !char.IsLowSurrogate(text[place + 1]))
            return BasicPlane[unit];
        units = 2;
        return Classify(char.ConvertToUtf32(unit, text[place + 1]));
    }

    /// <summary>White_Space of Unicode: <c>\s</c> of Oniguruma and of Python's <c>regex</c>.</summary>
    public static bool IsWhiteSpace(char unit) => BasicPlane[unit] == CharacterClass.Space;

    /// <summary><c>str.isspace</c> and <c>\s</c> of Python's <c>re</c>: the above and the four separators U+001C to U+001F.</summary>
    public static bool IsPythonSpace(char unit) => BasicPlane[unit] == CharacterClass.Space || unit is >= '\u001C' and <= '\u001F';

    private static CharacterClass[] BuildBasicPlane()
    {
        var classes = new CharacterClass[0x10000];
        for (var code = 0; code < classes.Length; code++)
            classes[code] = Classify(code);
        return classes;
    }

    private static CharacterClass Classify(int code) => CharUnicodeInfo.GetUnicodeCategory(code) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => CharacterClass.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharacterClass.Number,
        UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => CharacterClass.Space,
        _ => code is (>= '\t' and <= '\r') or 0x85 ? CharacterClass.Space : CharacterClass.Other,
    };
}
