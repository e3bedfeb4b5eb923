using System.Text;
using System.Text.RegularExpressions;

namespace Alebrije.Preprocessing.Tokenizers.Cleaning;

/// <summary>
/// DeepFloyd IF's cleaning of captions for T5 (diffusers, pipelines/deepfloyd_if/pipeline_if.py, _clean_caption): rules for the captions
/// of its training images, with addresses, article numbers and shop texts. Character classes are Python's.
/// </summary>
internal static class CaptionCleaning
{
    private const RegexOptions Options = RegexOptions.CultureInvariant;

    /// <summary>The reference cleans twice.</summary>
    private const int Rounds = 2;

    private const string TopLevel = "com|co|ru|net|org|edu|gov|it", Files = "png|jpg|jpeg|bmp|webp|eps|pdf|apk|mp4";

    /// <summary>Rules before characters are repaired.</summary>
    private static readonly (Regex Pattern, string By)[] Before = Compile(
        ($@"\b((?:https?:(?:/{{1,3}}|[a-zA-Z0-9%])|[a-zA-Z0-9.\-]+[.](?:{TopLevel})[\w/-]*\b/?(?!@)))", ""),
        ($@"\b((?:www:(?:/{{1,3}}|[a-zA-Z0-9%])|[a-zA-Z0-9.\-]+[.](?:{TopLevel})[\w/-]*\b/?(?!@)))", ""));

    private static readonly (Regex Pattern, string By)[] Within = Compile(
        (@"@[\w\d]+\b", ""),
        (@"[\u31C0-\u31EF]+", ""), (@"[\u31F0-\u31FF]+", ""), (@"[\u3200-\u32FF]+", ""),
        (@"[\u3300-\u33FF]+", ""), (@"[\u3400-\u4DBF]+", ""), (@"[\u4DC0-\u4DFF]+", ""),
        (@"[\u4E00-\u9FFF]+", ""),
        (@"[\u002D\u058A\u05BE\u1400\u1806\u2010-\u2015\u2E17\u2E1A\u2E3A\u2E3B\u2E40\u301C\u3030\u30A0\uFE31\uFE32\uFE58\uFE63\uFF0D]+",
            "-"),
        ("[`´«»“”¨]", "\""), ("[‘’]", "'"),
        ("&quot;?", ""), ("&amp", ""),
        (@"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}", " "), (@"\d:\d\d\s+$", ""), (@"\\n", " "),
        (@"#\d{1,3}\b", ""), (@"#\d{5,}\b", ""), (@"\b\d{6,}\b", ""),
        ($@"[\S]+\.(?:{Files})", ""),
        (@"[\""\']{2,}", "\""), (@"[\.]{2,}", " "), (@"[#®•©™&@·º½¾¿¡§~\)\(\]\[\}\{\|\\/\*]{1,}", " "), (@"\s+\.\s+", " "));

    private static readonly (Regex Pattern, string By)[] After = Compile(
        (@"\b[a-zA-Z]{1,3}\d{3,15}\b", ""), (@"\b[a-zA-Z]+\d+[a-zA-Z]+\b", ""), (@"\b\d+[a-zA-Z]+\d+\b", ""),
        (@"(worldwide\s+)?(free\s+)?shipping", ""), (@"(free\s)?download(\sfree)?", ""),
        (@"\bclick\b\s(?:for|on)\s\w+", ""), ($@"\b(?:{Files})(\simage[s]?)?", ""), (@"\bpage\s+\d+\b", ""),
        (@"\b\d*[a-zA-Z]+\d+[a-zA-Z]+\d+[a-zA-Z\d]*\b", " "), (@"\b\d+\.?\d*[xх×]\d+\.?\d*\b", ""),
        (@"\b\s+\:\s+", ": "), (@"(\D[,\./])\b", "$1 "), (@"\s+", " "),
        (@"^[\""\']([\w\W]+)[\""\']$", "$1"), (@"^[\'_,\-\:;]", ""), (@"[\'_,\-\:\-\+]$", ""), (@"^\.\S+$", ""));

    /// <summary>Part of every match of <see cref="Before"/>: those take quadratic time in texts of words joined by full stops.</summary>
    private static readonly Regex Address = new($@"[.](?:{TopLevel})|https?:|www:", Options);

    private static readonly Regex Joined = new("[-_]", Options);

    /// <summary>A caption cleaned for T5.</summary>
    public static string Clean(string text)
    {
        for (var round = 0; round < Rounds; round++) text = Once(text);
        return PlainText.Strip(PlainText.Lower(text, finalSigma: true));
    }

    private static string Once(string text)
    {
        text = PlainText.Lower(PlainText.Strip(Unquote(text)), finalSigma: true).Replace("<person>", "person", StringComparison.Ordinal);
        text = Apply(Within, HtmlText.Of(Address.IsMatch(text) ? Apply(Before, text) : text));

        // this-is-my-cute-cat
        if (Joined.Count(text) > 3) text = Joined.Replace(text, " ");
        text = HtmlEntities.Unescape(HtmlEntities.Unescape(TextRepair.Fix(text)));
        return PlainText.Strip(Apply(After, text));
    }

    private static string Apply((Regex Pattern, string By)[] rules, string text)
    {
        foreach (var (pattern, by) in rules) text = pattern.Replace(text, by);
        return text;
    }

    /// <summary>Unescapes an address, plus signs as spaces (Python, urllib.parse.unquote_plus); invalid UTF-8 becomes U+FFFD.</summary>
    private static string Unquote(string text)
    {
        text = text.Replace('+', ' ');
        if (!text.Contains('%', StringComparison.Ordinal)) return text;
        var result = new StringBuilder(text.Length);
        var bytes = new List<byte>();
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '%' && i + 2 < text.Length && char.IsAsciiHexDigit(text[i + 1]) && char.IsAsciiHexDigit(text[i + 2]))
            {
                bytes.Add(Convert.FromHexString(text.AsSpan(i + 1, 2))[0]);
                i += 2;
                continue;
            }

            Flush();
            result.Append(text[i]);
        }

        Flush();
        return result.ToString();

        void Flush()
        {
            result.Append(Encoding.UTF8.GetString([.. bytes]));
            bytes.Clear();
        }
    }

    /// <summary>Compiles rules with \w, \W, \s, \S, \d, \D and \b as in Python, and $ before a final line break too.</summary>
    private static (Regex, string)[] Compile(params (string Pattern, string By)[] rules) =>
        [.. rules.Select(rule => (new Regex(Python(rule.Pattern), Options), rule.By))];

    private static string Python(string pattern)
    {
        const string word = @"\p{L}\p{N}_", space = @"\s\x1C-\x1F";
        var (result, inClass) = (new StringBuilder(), false);
        for (var i = 0; i < pattern.Length; i++)
        {
            if (pattern[i] == '[' && !inClass) inClass = true;
            else if (pattern[i] == ']' && inClass) inClass = false;
            if (pattern[i] != '\\')
            {
                result.Append(pattern[i]);
                continue;
            }

            var escaped = pattern[++i];
            result.Append(escaped switch
            {
                'w' => inClass ? word : $"[{word}]",
                'W' => inClass ? @"\W\w" : $"[^{word}]",
                's' => inClass ? space : $"[{space}]",
                'S' => inClass ? @"\S-[\x1C-\x1F]" : $"[^{space}]",
                'b' => $"(?:(?<![{word}])(?=[{word}])|(?<=[{word}])(?![{word}]))",
                _ => "\\" + escaped,
            });
        }

        return result.ToString();
    }
}
