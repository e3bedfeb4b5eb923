using System.Globalization;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>Class of a character in the CLIP word pattern: <c>\s</c>, <c>\p{L}</c>, <c>\p{N}</c> or none of them.</summary>
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

    /// <summary>Class of the character at a position, and its number of UTF-16 units.</summary>
    public static CharacterClass At(ReadOnlySpan<char> text, int place, out int units)
    {
        var unit = text[place];
        units = 1;
        if (!char.IsHighSurrogate(unit) || place + 1 >= text.Length || !char.IsLowSurrogate(text[place + 1]))
            return BasicPlane[unit];
        units = 2;
        return Classify(char.ConvertToUtf32(unit, text[place + 1]));
    }

    /// <summary>
    /// As <see cref="At"/>, with the characters of Python's regex, which follows Unicode closely, that .NET 10
    /// (Unicode 16) lacks: those of Unicode 17, and U+058C.
    /// </summary>
    public static CharacterClass NewestAt(ReadOnlySpan<char> text, int place, out int units)
    {
        var known = At(text, place, out units);
        if (known != CharacterClass.Other || text[place] < 0x58C)
            return known;
        var code = units == 2 ? char.ConvertToUtf32(text[place], text[place + 1]) : text[place];
        var (low, high) = (0, Newer.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (code < Newer[middle].First)
                high = middle - 1;
            else if (code > Newer[middle].Last)
                low = middle + 1;
            else
                return Newer[middle].Class;
        }
        return known;
    }

    /// <summary>White_Space of Unicode: <c>\s</c> of Oniguruma and of Python's <c>regex</c>.</summary>
    public static bool IsWhiteSpace(char unit) => BasicPlane[unit] == CharacterClass.Space;

    /// <summary><c>str.isspace</c> and <c>\s</c> of Python's <c>re</c>: the above and the four separators U+001C to U+001F.</summary>
    public static bool IsPythonSpace(char unit) => BasicPlane[unit] == CharacterClass.Space || unit is >= '\u001C' and <= '\u001F';

    private static readonly (int First, int Last, CharacterClass Class)[] Newer =
    [
        (0x58C, 0x58C, CharacterClass.Letter), (0x88F, 0x88F, CharacterClass.Letter), (0xC5C, 0xC5C, CharacterClass.Letter),
        (0xCDC, 0xCDC, CharacterClass.Letter), (0xA7CE, 0xA7CF, CharacterClass.Letter), (0xA7D2, 0xA7D2, CharacterClass.Letter),
        (0xA7D4, 0xA7D4, CharacterClass.Letter), (0xA7F1, 0xA7F1, CharacterClass.Letter), (0x10940, 0x10959, CharacterClass.Letter),
        (0x10EC5, 0x10EC7, CharacterClass.Letter), (0x11DB0, 0x11DDB, CharacterClass.Letter), (0x11DE0, 0x11DE9, CharacterClass.Number),
        (0x16EA0, 0x16EB8, CharacterClass.Letter), (0x16EBB, 0x16ED3, CharacterClass.Letter), (0x16FF2, 0x16FF3, CharacterClass.Letter),
        (0x16FF4, 0x16FF6, CharacterClass.Number), (0x187F8, 0x187FF, CharacterClass.Letter), (0x18D09, 0x18D1E, CharacterClass.Letter),
        (0x18D80, 0x18DF2, CharacterClass.Letter), (0x1E6C0, 0x1E6DE, CharacterClass.Letter), (0x1E6E0, 0x1E6E2, CharacterClass.Letter),
        (0x1E6E4, 0x1E6E5, CharacterClass.Letter), (0x1E6E7, 0x1E6ED, CharacterClass.Letter), (0x1E6F0, 0x1E6F4, CharacterClass.Letter),
        (0x1E6FE, 0x1E6FF, CharacterClass.Letter), (0x2B73A, 0x2B73F, CharacterClass.Letter), (0x2CEA2, 0x2CEAD, CharacterClass.Letter),
        (0x323B0, 0x33479, CharacterClass.Letter),
    ];

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
