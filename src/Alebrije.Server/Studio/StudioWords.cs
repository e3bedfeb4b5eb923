using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;
using Alebrije.Preprocessing;
using Alebrije.Reports;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http;

namespace Alebrije.Server.Studio;

/// <summary>Words of the pages in the language of the address, <c>/en/...</c> or <c>/es/...</c>.</summary>
internal sealed class StudioWords(NavigationManager navigation)
{
    /// <summary>Languages of the pages, the default first.</summary>
    public static readonly IReadOnlyList<string> Languages = ["en", "es"];

    /// <summary>Texts by key: [English, Spanish].</summary>
    internal static readonly IReadOnlyDictionary<string, string[]> All = Read();

    private static readonly string[] Pages =
        ["imagine", "compare", "zero-shot", "describe", "world", "map", "play", "search", "lesson"];

    /// <summary>Code of the language.</summary>
    public string Language => navigation.ToBaseRelativePath(navigation.Uri) is var path && path.StartsWith("es", StringComparison.Ordinal)
        && (path.Length == 2 || path[2] is '/' or '?') ? "es" : "en";

    public bool IsSpanish => Language == "es";

    /// <summary>The text of a key.</summary>
    public string this[string key] => All[key][IsSpanish ? 1 : 0];

    /// <summary>The text of a key with values at {0}, {1}, ...</summary>
    public string this[string key, params object?[] values] => string.Format(CultureInfo.InvariantCulture, this[key], values);

    /// <summary>Message of an error, in Spanish where it has a translation.</summary>
    public string Sentence(Exception error) => LibraryErrors.In(Language, ErrorSentence.Of(error));

    /// <summary>True for errors whose message is for the reader of a page; all others end the page.</summary>
    public static bool IsForUser(Exception error) => error is ApiException or InvalidOperationException or ArgumentException
        or IOException or FormatException or NotSupportedException or Weights.WeightsException;

    /// <summary>Pages in the order of the navigation, with their addresses.</summary>
    public IEnumerable<(string Key, string Address)> Navigation => Pages.Select(page => (page, Address(page)));

    /// <summary>Address of a page in this language, relative to the base.</summary>
    public string Address(string page) => $"{Language}/{page}";

    /// <summary>Address of the current page in the other language.</summary>
    public string Elsewhere(string language)
    {
        var path = navigation.ToBaseRelativePath(navigation.Uri);
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        return language + (slash < 0 ? "/imagine" : path[slash..]);
    }

    /// <summary>A number with a fixed number of decimals, in the notation of both languages of the pages.</summary>
    public static string Number(double value, int decimals = 3) =>
        value.ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    /// <summary>
    /// A token of CLIP as text: its symbols stand for bytes, so that "Ã³n" is "ón"; bytes of an incomplete character stay symbols.
    /// </summary>
    public static string Token(string token)
    {
        var symbols = token.Replace("</w>", "", StringComparison.Ordinal);
        var bytes = new byte[symbols.Length];
        for (var i = 0; i < symbols.Length; i++)
        {
            if (symbols[i] is not (>= '!' and <= '~' or >= '\u00a1' and <= '\u00ac' or >= '\u00ae' and <= '\u00ff')) return symbols;
            bytes[i] = (byte)symbols[i];
        }

        var text = Encoding.UTF8.GetString(bytes);
        return text.Contains('\ufffd', StringComparison.Ordinal) ? symbols : text;
    }

    /// <summary>Lines of a text field: trimmed, without empty ones, each once.</summary>
    public static string[] Lines(string text, int most) =>
        [.. text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Distinct(StringComparer.Ordinal).Take(most)];

    /// <summary>The preferred language of a browser.</summary>
    public static string Preferred(HttpRequest request) => request.Headers.AcceptLanguage.ToString().Split(',')
        .Select(part => part.Trim().ToLowerInvariant()).Select(part => Languages.FirstOrDefault(code =>
            part.StartsWith(code, StringComparison.Ordinal))).FirstOrDefault(code => code is not null) ?? Languages[0];

    private static Dictionary<string, string[]> Read()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("studio/words.json")!;
        return JsonSerializer.Deserialize<Dictionary<string, string[]>>(stream)!;
    }
}
