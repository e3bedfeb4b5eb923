using System.Globalization;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>Kind of a character next to a capital sigma, for the end of the word.</summary>
internal enum CasedNeighbour
{
    None,
    Cased,
    Ignorable,
}

/// <summary>Cased and Case_Ignorable of Unicode's DerivedCoreProperties, by general category and the few other characters.</summary>
internal static class SigmaContext
{
    /// <summary>Kind of a character; one that is both ignorable and cased counts as ignorable, as in Python.</summary>
    public static CasedNeighbour Of(int code)
    {
        var category = CharUnicodeInfo.GetUnicodeCategory(code);
        if (category is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format
                or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol
            || code is '\'' or '.' or ':' or 0xB7 or 0x387 or 0x55F or 0x5F4 or 0x2018 or 0x2019 or 0x2024 or 0x2027
                or 0xFE13 or 0xFE52 or 0xFE55 or 0xFF07 or 0xFF0E or 0xFF1A)
            return CasedNeighbour.Ignorable;
        return category is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            || code is 0xAA or 0xBA or (>= 0x2160 and <= 0x217F) or (>= 0x24B6 and <= 0x24E9)
                or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189)
            ? CasedNeighbour.Cased
            : CasedNeighbour.None;
    }
}
