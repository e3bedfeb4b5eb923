using System.Text;
using SkiaSharp;

namespace Alebrije.Preprocessing.Imaging.Lettering;

/// <summary>
/// One typeface at one size: measures, wraps, shortens and draws. Characters that the embedded typeface lacks are taken from the system's
/// fonts, if any.
/// </summary>
internal sealed class TextFace : IDisposable
{
    private const int Longest = 400; // characters looked at: far more than any label can show

    private readonly SKFont main;
    private readonly Dictionary<SKTypeface, SKFont> others = [];

    private readonly SystemFonts system;
    private readonly bool bold;

    /// <param name="size">Height of the letters, in pixels.</param>
    /// <param name="bold">True for bold letters.</param>
    /// <param name="system">Fonts for characters that the embedded typeface lacks; null: those of this system.</param>
    public TextFace(float size, bool bold = false, SystemFonts? system = null)
    {
        (main, this.bold, this.system) = (FontOf(bold ? Fonts.Bold : Fonts.Regular, size), bold, system ?? SystemFonts.Default);
    }

    public float Size => main.Size;

    /// <summary>Distance between baselines, in pixels.</summary>
    public float LineHeight => MathF.Ceiling(main.Size * 1.22f);

    /// <summary>Distance from the top of a line to its baseline; centres capitals and descenders in <see cref="LineHeight"/>.</summary>
    public float Baseline => LineHeight * 0.5f + main.Size * 0.36f;

    public void Dispose()
    {
        main.Dispose();
        foreach (var font in others.Values) font.Dispose();
    }

    public float Measure(string text) => Runs(text).Sum(run => run.Font.MeasureText(run.Text));

    /// <param name="canvas">Canvas to draw on.</param>
    /// <param name="text">One line.</param>
    /// <param name="x">Left edge, middle or right edge, by <paramref name="align"/>.</param>
    /// <param name="baseline">Height of the baseline.</param>
    /// <param name="paint">Colour.</param>
    /// <param name="align">-1 left, 0 middle, 1 right.</param>
    public void Draw(SKCanvas canvas, string text, float x, float baseline, SKPaint paint, int align = -1)
    {
        var at = x - Measure(text) * (align + 1) / 2;
        foreach (var run in Runs(text))
        {
            canvas.DrawText(run.Text, at, baseline, SKTextAlign.Left, run.Font, paint);
            at += run.Font.MeasureText(run.Text);
        }
    }

    /// <summary>
    /// Lines no wider than <paramref name="width"/>, broken at spaces, inside words only if a word is wider; the last ends in an ellipsis
    /// if text is left.
    /// </summary>
    public IReadOnlyList<string> Wrap(string text, float width, int maxLines)
    {
        var lines = new List<string>();
        var line = "";
        foreach (var word in Beginning(text).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            .SelectMany(word => Pieces(word, width)))
        {
            var joined = line.Length == 0 ? word : $"{line} {word}";
            if (Measure(joined) <= width)
            {
                line = joined;
                continue;
            }

            if (line.Length > 0) lines.Add(line);
            line = word;
        }

        lines.Add(line);
        if (lines.Count <= maxLines) return lines;
        var kept = lines.GetRange(0, maxLines);
        kept[^1] = Shorten($"{kept[^1]} {lines[maxLines]}", width, tail: 0);
        return kept;
    }

    /// <summary>The text, or if it is too wide its beginning, an ellipsis and the last <paramref name="tail"/> characters.</summary>
    public string Shorten(string text, float width, int tail = 8)
    {
        if (text.Length <= Longest && Measure(text) <= width) return text;
        var runes = text.EnumerateRunes().Select(rune => rune.ToString()).ToArray();
        var end = string.Concat(runes.TakeLast(tail));
        for (var keep = Math.Min(runes.Length, Longest) - tail - 1; keep > 0; keep--)
        {
            var shorter = string.Concat(runes.Take(keep)).TrimEnd() + "…" + end;
            if (Measure(shorter) <= width) return shorter;
        }

        return tail > 0 ? Shorten(text, width, 0) : "…";
    }

    private static string Beginning(string text) =>
        text.Length <= Longest ? text : string.Concat(text.EnumerateRunes().Take(Longest).Select(rune => rune.ToString()));

    private IEnumerable<string> Pieces(string word, float width)
    {
        var piece = "";
        foreach (var rune in word.EnumerateRunes())
        {
            if (piece.Length > 0 && Measure(piece + rune) > width)
            {
                yield return piece;
                piece = "";
            }

            piece += rune.ToString();
        }

        if (piece.Length > 0) yield return piece;
    }

    /// <summary>Runs of one font, from left to right.</summary>
    private IEnumerable<(string Text, SKFont Font)> Runs(string text)
    {
        // Text of the embedded typeface alone needs no order and no other font; most labels are of this kind.
        if (!text.Any(c => c is >= '\u0300' or < ' ' || (c >= '\u007F' && !main.ContainsGlyph(c))))
        {
            if (text.Length > 0) yield return (text, main);
            yield break;
        }

        var (run, font) = (new StringBuilder(), main);
        foreach (var grapheme in VisualOrder.Of(text))
        {
            var (shown, needed) = Shown(grapheme);
            if (needed != font && run.Length > 0)
            {
                yield return (run.ToString(), font);
                run.Clear();
            }

            font = needed;
            run.Append(shown);
        }

        if (run.Length > 0) yield return (run.ToString(), font);
    }

    /// <summary>A grapheme as a font shows it; the embedded typeface's box if none does.</summary>
    private (string Text, SKFont Font) Shown(Grapheme grapheme)
    {
        var text = grapheme.Text;
        if (!grapheme.IsEmoji && Shows(main, text)) return (text, main);
        if (FontFor(text, grapheme.IsEmoji) is { } font) return (Known(font, text), font);
        if (ArabicForms.LettersOf(text[0]) is { } letters && FontFor(letters, emoji: false) is { } plain)
            return (Known(plain, string.Concat(letters.Reverse()) + text[1..]), plain);
        return (Known(main, text), main);
    }

    /// <summary>A font that shows all of a grapheme, else one that shows its first character, else null.</summary>
    private SKFont? FontFor(string text, bool emoji)
    {
        var code = Rune.GetRuneAt(text, 0).Value;
        if (text.Length > 1 && text.EnumerateRunes().Select(rune => Font(rune.Value))
            .FirstOrDefault(font => font is not null && Shows(font, text)) is { } whole) return whole;
        return !emoji && main.ContainsGlyph(code) ? main : Font(code) ?? (main.ContainsGlyph(code) ? main : null);

        SKFont? Font(int wanted)
        {
            if (system.Find(wanted, emoji, bold) is not { } face) return null;
            if (!others.TryGetValue(face, out var font)) others[face] = font = FontOf(face, main.Size);
            return font;
        }
    }

    /// <summary>The first character and the following ones that the font shows: a missing mark is left out, not drawn as a box.</summary>
    private static string Known(SKFont font, string text) => Shows(font, text) ? text
        : string.Concat(text.EnumerateRunes().Where((rune, i) => i == 0 || font.ContainsGlyph(rune.Value)).Select(rune => rune.ToString()));

    private static bool Shows(SKFont font, string text) => text.EnumerateRunes().All(rune => font.ContainsGlyph(rune.Value));

    private static SKFont FontOf(SKTypeface face, float size) =>
        new(face, size) { Subpixel = true, Edging = SKFontEdging.Antialias, Hinting = SKFontHinting.None };
}
