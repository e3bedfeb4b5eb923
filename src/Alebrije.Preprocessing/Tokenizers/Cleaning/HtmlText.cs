using System.Text;
using System.Text.RegularExpressions;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>
/// Text of a fragment of HTML as Beautiful Soup gives it with Python's own parser (bs4, builder/_htmlparser.py; Python 3,
/// html/parser.py): without tags, comments, declarations, scripts and style sheets; text that only resembles a tag stays.
/// </summary>
internal static partial class HtmlText
{
    private static readonly string[] Raw = ["script", "style"];

    /// <summary>The text of a fragment.</summary>
    public static string Of(string html)
    {
        if (html.AsSpan().IndexOfAny('<', '&') < 0) return html;
        var text = new StringBuilder(html.Length);
        for (var place = 0; place < html.Length;)
        {
            var next = html.AsSpan(place).IndexOfAny('<', '&');
            if (next < 0)
            {
                text.Append(html, place, html.Length - place);
                break;
            }

            text.Append(html, place, next);
            place += next;
            place += html[place] == '&' ? AppendReference(html, place, text) : AppendMarkup(html, place, text);
        }

        return text.ToString();
    }

    /// <summary>Appends the character of a reference, or the reference without its semicolon if unknown; returns its length.</summary>
    private static int AppendReference(string html, int place, StringBuilder text)
    {
        if (Number().Match(html, place) is { Success: true } number)
        {
            text.Append(HtmlEntities.Unescape(number.Value.TrimEnd(';') + ";"));
            return number.Length;
        }

        if (Name().Match(html, place) is not { Success: true } name)
        {
            text.Append('&');
            return 1;
        }

        var closed = $"&{name.Groups[1].Value};";
        var meaning = HtmlEntities.Unescape(closed);
        text.Append(meaning == closed ? closed[..^1] : meaning);
        return 1 + name.Groups[1].Length + (html.AsSpan(place + 1 + name.Groups[1].Length) is [';', ..] ? 1 : 0);
    }

    /// <summary>Length of a tag, comment or declaration; if there is none, the bracket is appended.</summary>
    private static int AppendMarkup(string html, int place, StringBuilder text)
    {
        var rest = html.AsSpan(place);
        if (rest.StartsWith("<!--", StringComparison.Ordinal)) return Until(html, place + 4, "-->", place);
        if (rest.StartsWith("<!", StringComparison.Ordinal) || rest.StartsWith("<?", StringComparison.Ordinal))
            return Until(html, place + 2, ">", place);
        if (rest.Length > 2 && rest[1] == '/' && char.IsAsciiLetter(rest[2])) return Until(html, place + 2, ">", place);
        if (rest.StartsWith("</", StringComparison.Ordinal) && rest.Length > 2)
            return rest[2] == '>' ? 3 : Until(html, place + 2, ">", place);
        if (rest.Length > 1 && char.IsAsciiLetter(rest[1]) && rest.Contains('>') && Tag().Match(html, place) is { Success: true } tag)
        {
            var name = tag.Groups[1].Value.ToLowerInvariant();
            if (!Raw.Contains(name) || tag.Value.EndsWith("/>", StringComparison.Ordinal)) return tag.Length;
            var end = html.IndexOf("</" + name, place + tag.Length, StringComparison.OrdinalIgnoreCase);
            return end < 0 ? html.Length - place : Until(html, end, ">", place);
        }

        text.Append('<');
        return 1;
    }

    private static int Until(string html, int from, string end, int place)
    {
        var at = html.IndexOf(end, from, StringComparison.Ordinal);
        return at < 0 ? html.Length - place : at + end.Length - place;
    }

    [GeneratedRegex(@"\G&#(?:[0-9]+|[xX][0-9a-fA-F]+);?", RegexOptions.CultureInvariant)]
    private static partial Regex Number();

    [GeneratedRegex(@"\G&([a-zA-Z][-.a-zA-Z0-9]*)", RegexOptions.CultureInvariant)]
    private static partial Regex Name();

    /// <summary>Matches a start tag whose quotes close, with atomic attributes as in Python's parser: linear time.</summary>
    [GeneratedRegex("""\G<([a-zA-Z][^\t\n\r\f />\x00]*)(?>(?:[\s/]*(?>(?:(?<=['"\s/])[^\s/>][^\s/=>]*(?:\s*=+\s*(?:'[^']*'|"[^"]*"|(?!['"])[^>\s]*)(?:\s*,)*)?(?:\s|/(?!>))*)*))?\s*)/?>""", RegexOptions.CultureInvariant)]
    private static partial Regex Tag();
}
