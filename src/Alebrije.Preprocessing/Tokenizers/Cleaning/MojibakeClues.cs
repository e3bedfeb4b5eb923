using System.Numerics;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>
/// Detects text that was read in the wrong encoding by implausible neighbours: an accented letter before a currency sign, a fraction
/// after a capital with a ring. The rules are those of ftfy 6.3.1 (badness.py, Robyn Speer, Apache License 2.0).
/// </summary>
internal static class MojibakeClues
{
    private const string Common = "\u00A0\u00AD\u00B7\u00B4\u2013\u2014\u2015\u2026\u2019";
    private const string Bad = "¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰⌐◊\uFFFDªº";
    private const string Law = "¶§";
    private const string Currency = "¢£¥₧€";
    private const string Start = "¡«¿©\u0384\u0385‘‚“„•‹\uF8FF";
    private const string End = "®»˝”›™";
    private const string Numeric = "²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№";
    private const string Box = "│┌┐┘├┤┬┼═║╒╓╔╕╖╗╘╙╚╛╜╝╞╟╠╡╢╣╤╥╦╧╨╩╪╫╬▀▄█▌▐░▒▓";
    private const string Faces = "ÒÓÔÕÖÙÚÛÜòóôõöøùúûüŐŌŪŲ°";
    private const string UpperAccented =
        "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ";
    private const string LowerAccented =
        "ßàáâãäåæçèéêëìíîïðñăąāćčďđęěēėğģįīķĺľłļœŕśşšťüźżžґ\uFB01\uFB02";
    private const string UpperGreekAndCyrillic =
        "ÞΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡ\u03A2ΣΤΥΦΧΨΩΆΈΉΊΌΎΏΪΫЁЂЃЄЅІЇЈЉЊЋЌ\u040DЎЏАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ";
    private const string LowerGreekAndCyrillic = "αβγδεζηθικλμνξοπρςστυφχψωάέήίΰабвгдежзийклмнопрстуфхцчшщъыьэюяѐёђѓєѕіїјљњћќѝўџ";
    private const string AsciiLower = "abcdefghijklmnopqrstuvwxyz", AsciiUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    private const string ArabicSecond = Common + Currency + Bad + Numeric + Start + "ŸŠ®°µ»";

    private static readonly string C1 = new([.. Enumerable.Range(0x80, 0x20).Select(code => (char)code)]);
    private static readonly CharacterSet White = CharacterSet.Where(CharacterClasses.IsPythonSpace);
    private static readonly CharacterSet Word = CharacterSet.Word;
    private static readonly CharacterSet NoAsciiLetter = CharacterSet.AllBut(unit => char.IsAsciiLetter(unit));
    private static readonly CharacterSet SameLine = CharacterSet.AllBut(unit => unit == '\n');

    private static readonly CharacterSet Clues = Bad + Law + Currency + Start + End + Numeric + Box + "Œœ";

    /// <summary>Sequences of character sets.</summary>
    internal static readonly CharacterSet[][] Rules =
    [
        Rule(C1),
        Rule(Bad + LowerAccented + UpperAccented + Box + Start + End + Currency + Numeric + Law, Bad),
        Rule(AsciiLower + AsciiUpper, LowerGreekAndCyrillic + UpperGreekAndCyrillic, Bad),
        Rule(Bad, LowerAccented + UpperAccented + Box + Start + End + Currency + Numeric + Law),
        Rule(LowerAccented + LowerGreekAndCyrillic + Box + End + Currency + Numeric, UpperAccented),
        Rule(Box + End + Currency + Numeric, LowerAccented),
        Rule(LowerAccented + Box + End, Currency),
        [White, UpperAccented, Currency],
        Rule(UpperAccented + Box, Numeric + Law),
        Rule(LowerAccented + UpperAccented + Box + Currency + End, Start, Numeric),
        Rule(LowerAccented + UpperAccented + Currency + Numeric + Box + Law, End, Start),
        Rule(Currency + Numeric + Box, Start),
        Rule(AsciiLower, UpperAccented, Start + Currency),
        Rule(Box, Faces),
        Rule(LowerAccented + UpperAccented + Currency + Numeric + Start + End + Law, Box),
        Rule(Box, End),
        [LowerAccented + UpperAccented, Start + End, Word],
        ["Œœ", NoAsciiLetter],
        Rule(UpperAccented, "°"),

        // UTF-8 of Latin letters and signs, read as windows-1252.
        Rule("ÂÃÎÐ", "€œŠš¢£Ÿž\u00A0\u00AD®©°·»–—´" + Start + End),
        Rule("×", "²³"),
        Rule("Ã", "\u00A0¡"),
        Rule(AsciiLower, "ÃÂ", " "),
        [AsciiLower, White, "ÃÂ", " "],
        Rule(AsciiLower + ".,?!" + End, "Â", " " + Start + End),

        // Arabic needs common signs in the rule, so two letters have to show it; then scripts of South Asia.
        Rule("ØÙ", ArabicSecond, "ØÙ", ArabicSecond),
        Rule("à", "²µ¹¼½¾"),

        // MacRoman.
        Rule("√", "±∂†≠®™´≤≥¥µø"),
        Rule("≈", "°¢"),
        Rule("‚", "Ä", "ìîïòôúùû†°¢π"),
        Rule("‚", "âó", "àä°ê"),

        // Windows-1251 (the third is twice misread), windows-1253, windows-1257.
        Rule("в", "Ђ"),
        Rule("ВГРС", C1 + Bad + Start + End + Currency + "°µ", "ВГРС"),
        ["Г", "ў", "В", "Ђ", "В", SameLine, AsciiLower + AsciiUpper + " "],
        Rule("β", "€", "™\u00A0Ά\u00AD®°"),
        Rule("ΒΓΞΟ", C1 + Bad + Start + End + Currency + "°", "ΒΓΞΟ"),
        Rule("ā", "€"),
    ];

    private static readonly (ulong[] Distinct, byte[] ByUnit) Index = IndexRules();
    private static readonly ulong[] Begun = Index.Distinct;
    private static readonly byte[] BegunBy = Index.ByUnit;

    /// <summary>True if a character, next to letters, can be a sign of misread text; never for lower-case letters alone.</summary>
    public static bool IsClue(char unit) => Clues.Contains(unit);

    /// <summary>True if a text shows any sign of having been read in the wrong encoding.</summary>
    public static bool AreIn(ReadOnlySpan<char> text)
    {
        if (text is ['Ã' or 'Â', ' ', ..])
            return true;
        for (var place = 0; place < text.Length; place++)
        {
            // Every rule has a character beyond ASCII among its first three.
            var ahead = text[place..].IndexOfAnyExceptInRange('\0', '\x7F');
            if (ahead < 0)
                return false;
            place += Math.Max(0, ahead - 2);
            for (var left = RulesFrom(text, place); left != 0; left &= left - 1)
            {
                if (Matches(text[place..], Rules[BitOperations.TrailingZeroCount(left)]))
                    return true;
            }
        }
        return false;
    }

    /// <summary>Rules that may begin with the character at a position, one bit each; none begins beyond the basic plane.</summary>
    private static ulong RulesFrom(ReadOnlySpan<char> text, int place) =>
        place + 1 < text.Length && char.IsSurrogatePair(text[place], text[place + 1]) ? 0 : Begun[BegunBy[text[place]]];

    private static (ulong[] Distinct, byte[] ByUnit) IndexRules()
    {
        var (distinct, byUnit) = (new List<ulong>(), new byte[0x10000]);
        for (var code = 0; code < byUnit.Length; code++)
        {
            var rules = 0UL;
            for (var rule = 0; rule < Rules.Length; rule++)
                rules |= Rules[rule][0].Contains((char)code) ? 1UL << rule : 0;
            var index = distinct.IndexOf(rules);
            if (index < 0)
            {
                index = distinct.Count;
                distinct.Add(rules);
            }
            byUnit[code] = checked((byte)index);
        }
        return ([.. distinct], byUnit);
    }

    private static bool Matches(ReadOnlySpan<char> here, CharacterSet[] rule)
    {
        foreach (var set in rule)
        {
            if (here.Length == 0 || !set.Contains(here, out var units))
                return false;
            here = here[units..];
        }
        return true;
    }

    private static CharacterSet[] Rule(params ReadOnlySpan<string> sets)
    {
        var rule = new CharacterSet[sets.Length];
        for (var i = 0; i < sets.Length; i++)
            rule[i] = sets[i];
        return rule;
    }
}
