using System.Buffers;
using System.Text;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>Cleaning of a text in each dialect, before it is split into words.</summary>
internal static class ClipCleaning
{
    /// <summary>Characters that every dialect except <see cref="ClipDialect.OpenClipCanonicalize"/> keeps, given single spaces.</summary>
    private static readonly SearchValues<char> Clear = SearchValues.Create(
        [.. Enumerable.Range(' ', 0x7F - ' ').Select(code => (char)code).Where(unit => unit != '&' && !char.IsAsciiLetterUpper(unit))]);

    /// <summary>The cleaned text, ready to be split into words.</summary>
    public static string Clean(string text, ClipDialect dialect) => dialect switch
    {
        ClipDialect.OpenClipCanonicalize => Canonicalize(Repair(text)),
        _ when IsClear(text) => text,
        ClipDialect.Transformers => Transformers(text),
        ClipDialect.OpenAi or ClipDialect.OpenClip => PlainText.Lower(SingleSpaces(Repair(text)), finalSigma: true),
        ClipDialect.OpenClipWhitespace => SingleSpaces(Repair(text)),
        _ => throw new ArgumentOutOfRangeException(nameof(dialect), dialect, "There is no such dialect."),
    };

    private static bool IsClear(string text) =>
        text.AsSpan().IndexOfAnyExcept(Clear) < 0 && !text.Contains("  ", StringComparison.Ordinal)
        && !text.StartsWith(' ') && !text.EndsWith(' ');

    private static string Transformers(string text) =>
        PlainText.Lower(PlainText.CollapseWhiteSpace(CanonicalComposition.Normalize(text)), finalSigma: false);

    /// <summary><c>basic_clean</c> of openai/CLIP and open_clip.</summary>
    private static string Repair(string text) => PlainText.Strip(HtmlEntities.Unescape(HtmlEntities.Unescape(TextRepair.Fix(text))));

    private static string SingleSpaces(string text) => PlainText.Strip(PlainText.CollapseWhiteSpace(text));

    /// <summary><c>canonicalize_text</c> of open_clip, originally of Google's big_vision.</summary>
    private static string Canonicalize(string text)
    {
        var kept = new StringBuilder(text.Length);
        foreach (var unit in text)
        {
            if (unit == '_')
                kept.Append(' ');
            else if (!char.IsAscii(unit) || !(char.IsPunctuation(unit) || char.IsSymbol(unit)))
                kept.Append(unit);
        }
        return SingleSpaces(PlainText.Lower(kept.ToString(), finalSigma: true));
    }
}
