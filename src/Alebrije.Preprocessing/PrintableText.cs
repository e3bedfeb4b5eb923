using System.Buffers;
using System.Globalization;
using System.Text;

namespace Alebrije.Preprocessing;

/// <summary>
/// Text from outside - names, prompts, answers of hubs, errors - as it may be printed: characters that command a terminal, reorder a line
/// or break it are written as escapes of JSON, such as <c>\u001b</c>.
/// </summary>
internal static class PrintableText
{
    private static readonly SearchValues<char> Hidden = SearchValues.Create(
        [.. Enumerable.Range(0, char.MaxValue + 1).Select(code => (char)code).Where(IsHidden)]);

    /// <summary>The text, every such character visible; the same object if there is none.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="keepLines">True if the text has several lines of its own.</param>
    public static string Of(string text, bool keepLines = false)
    {
        if (text.AsSpan().IndexOfAny(Hidden) < 0) return text;
        var visible = new StringBuilder(text.Length + 16);
        foreach (var c in text)
            if (!IsHidden(c) || (keepLines && c == '\n')) visible.Append(c);
            else visible.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
        return visible.ToString();
    }

    /// <summary>Controls except the tab, separators of lines, and marks, embeddings, overrides and isolates of direction.</summary>
    private static bool IsHidden(char c) => (char.IsControl(c) && c != '\t')
        || c is '\u2028' or '\u2029' or '\u061c' or '\u200e' or '\u200f' or (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u206f');
}
