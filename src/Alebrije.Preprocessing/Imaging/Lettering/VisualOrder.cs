using System.Globalization;
using System.Text;
using Alebrije.Preprocessing.Tokenizers.Cleaning;

namespace Alebrije.Preprocessing.Imaging.Lettering;

/// <summary>A letter with its marks, or an emoji, drawn as one.</summary>
/// <param name="Text">Visible characters; at least one.</param>
/// <param name="IsEmoji">True for a coloured emoji rather than a letter.</param>
internal readonly record struct Grapheme(string Text, bool IsEmoji);

/// <summary>
/// Text in visual order, from left to right: composed (NFC), Arabic joined, right-to-left words reversed by the levels of the
/// bidirectional algorithm (UAX #9) without its embeddings and isolates. Vowel points of Hebrew and Arabic are left out, since a font's
/// own rules place them; scripts that need more shaping (those of India, ligatures of several emoji) are drawn letter by letter.
/// </summary>
internal static class VisualOrder
{
    private const string Mirrored = "()[]{}<>«»‹›";

    /// <summary>Graphemes of a text, from left to right.</summary>
    public static IReadOnlyList<Grapheme> Of(string text)
    {
        var composed = CanonicalComposition.Normalize(text);
        var isMixed = composed.EnumerateRunes().Any(IsRightToLeft);
        if (isMixed) composed = ArabicForms.Join(composed);
        var graphemes = new List<Grapheme>(composed.Length);
        foreach (var element in Elements(composed))
            if (GraphemeOf(element) is { Text.Length: > 0 } grapheme) graphemes.Add(grapheme);
        return isMixed ? Turned(graphemes) : graphemes;
    }

    private static IEnumerable<string> Elements(string text)
    {
        for (var place = 0; place < text.Length;)
        {
            var length = StringInfo.GetNextTextElementLength(text, place);
            yield return text.Substring(place, length);
            place += length;
        }
    }

    private static Grapheme GraphemeOf(string element)
    {
        var (shown, isEmoji, isFirst) = (new StringBuilder(), false, true);
        foreach (var rune in element.EnumerateRunes())
        {
            isEmoji |= rune.Value == 0xFE0F || (isFirst && rune.Value is >= 0x1F000 and < 0x20000);
            if (Rune.IsControl(rune)) shown.Append(' ');
            // Without a shaping engine a skin tone would be drawn next to its emoji as a square of colour.
            else if (!IsInvisible(rune) && !IsVowelPoint(rune) && (isFirst || rune.Value is not (>= 0x1F3FB and <= 0x1F3FF)))
                shown.Append(rune.ToString());
            isFirst = false;
        }

        return new Grapheme(shown.ToString(), isEmoji);
    }

    private static bool IsInvisible(Rune rune) => rune.Value is (>= 0xFE00 and <= 0xFE0F) or (>= 0xE0000 and <= 0xE0FFF)
        || Rune.GetUnicodeCategory(rune) == UnicodeCategory.Format;

    private static bool IsVowelPoint(Rune rune) => IsRightToLeft(rune) && Rune.GetUnicodeCategory(rune) == UnicodeCategory.NonSpacingMark;

    private static List<Grapheme> Turned(List<Grapheme> graphemes)
    {
        var levels = LevelsOf(graphemes);
        var order = Enumerable.Range(0, graphemes.Count).ToArray();
        for (var level = levels.Max(); level > 0; level--)
            for (var i = 0; i < order.Length;)
            {
                if (levels[i] < level)
                {
                    i++;
                    continue;
                }

                var end = i;
                while (end < order.Length && levels[end] >= level) end++;
                Array.Reverse(order, i, end - i);
                i = end;
            }

        return [.. order.Select(place => levels[place] % 2 == 1 ? Mirror(graphemes[place]) : graphemes[place])];
    }

    /// <summary>Even levels run to the right, odd ones to the left (UAX #9, 3.3).</summary>
    private static int[] LevelsOf(List<Grapheme> graphemes)
    {
        var strong = graphemes.Select(grapheme => DirectionOf(Rune.GetRuneAt(grapheme.Text, 0))).ToArray();
        var isBaseRight = strong.FirstOrDefault(direction => direction is Direction.Left or Direction.Right) == Direction.Right;
        var (levels, around) = (new int[strong.Length], isBaseRight ? Direction.Right : Direction.Left);
        var last = around;
        for (var i = 0; i < strong.Length; i++)
        {
            if (strong[i] is Direction.Left or Direction.Right) last = strong[i];

            // A number keeps its own order; between words it takes the direction of its neighbours.
            levels[i] = (strong[i], last) switch
            {
                (Direction.Right, _) => 1,
                (Direction.Left, _) => isBaseRight ? 2 : 0,
                (Direction.Number, Direction.Right) => 2,
                (Direction.Number, _) => isBaseRight ? 2 : 0,
                _ => -1,
            };
            if (strong[i] == Direction.Number) strong[i] = last;
        }

        for (var i = 0; i < levels.Length; i++)
        {
            if (levels[i] >= 0) continue;
            var end = i;
            while (end < levels.Length && levels[end] < 0) end++;
            var (before, behind) = (i == 0 ? around : strong[i - 1], end == levels.Length ? around : strong[end]);
            Array.Fill(levels, (before == behind ? before : around) == Direction.Right ? 1 : isBaseRight ? 2 : 0, i, end - i);
        }

        return levels;
    }

    private static Grapheme Mirror(Grapheme grapheme) =>
        grapheme.Text.Length == 1 && Mirrored.IndexOf(grapheme.Text[0], StringComparison.Ordinal) is >= 0 and var place
        ? new Grapheme(Mirrored[place ^ 1].ToString(), false) : grapheme;

    private static Direction DirectionOf(Rune rune) =>
        IsRightToLeft(rune) ? Direction.Right : Rune.IsDigit(rune) ? Direction.Number
        : Rune.IsLetter(rune) ? Direction.Left : Direction.None;

    /// <summary>Hebrew, Arabic, Syriac, Thaana, N'Ko and the other scripts that are written right to left.</summary>
    private static bool IsRightToLeft(Rune rune) =>
        rune.Value is (>= 0x0590 and <= 0x08FF) or (>= 0xFB1D and <= 0xFDFF) or (
            >= 0xFE70 and <= 0xFEFC) or (>= 0x10800 and <= 0x10FFF) or (>= 0x1E800 and <= 0x1EFFF)
        && !Rune.IsDigit(rune);

    private enum Direction
    {
        None,
        Left,
        Right,
        Number,
    }
}
