using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Alebrije.Reports;

/// <summary>
/// Translations of frequent errors of the library, for programs that show them: the embedded <c>library-errors.json</c>. All others stay
/// English.
/// </summary>
public static partial class LibraryErrors
{
    private static readonly Lazy<Text[]> Read = new(() =>
    {
        using var stream = typeof(LibraryErrors).Assembly.GetManifestResourceStream("library-errors.json")!;
        return JsonSerializer.Deserialize<Text[]>(stream, JsonSerializerOptions.Web)!;
    });

    private static readonly Lazy<(Regex Pattern, string Spanish, int Holes)[]> Known = new(() =>
    [
        .. All.Select(error =>
            (new Regex(Pattern(error.En), RegexOptions.CultureInvariant), error.Es, Hole().Count(error.En))),
    ]);

    /// <summary>Sentences in both languages, with {0} for values; the first that matches an error is its translation.</summary>
    internal static IReadOnlyList<Text> All => Read.Value;

    /// <summary>A sentence in a language; values within it are translated too if they have a translation.</summary>
    /// <param name="language"><c>en</c> or <c>es</c>.</param>
    /// <param name="sentence">Message of an error, without the name of a parameter.</param>
    /// <returns>The translation; the sentence itself in English, or where there is none.</returns>
    public static string In(string language, string sentence)
    {
        ArgumentNullException.ThrowIfNull(sentence);
        return language == "es" ? Spanish(sentence) : sentence;
    }

    private static string Spanish(string sentence)
    {
        foreach (var (pattern, spanish, holes) in Known.Value)
        {
            if (pattern.Match(sentence) is not { Success: true } match) continue;
            return string.Format(CultureInfo.InvariantCulture, spanish,
                [.. Enumerable.Range(0, holes).Select(i => (object)Spanish(match.Groups[$"hole{i}"].Value))]);
        }

        return sentence;
    }

    /// <summary>"{0} is empty" as a pattern.</summary>
    private static string Pattern(string english) =>
        "^" + Hole().Replace(
            Regex.Escape(english).Replace(@"\{", "{", StringComparison.Ordinal),
            hole => $"(?<hole{hole.Groups["number"].Value}>.+?)") + "$";

    [GeneratedRegex(@"\{(?<number>[0-9])\}")]
    private static partial Regex Hole();

    /// <summary>A sentence in both languages.</summary>
    internal sealed record Text(string En, string Es);
}
