using System.Globalization;
using System.Text.RegularExpressions;

namespace Alebrije.Cli;

/// <summary>Translates frequent errors of the library (<see cref="Translations.Errors"/>); all others stay English.</summary>
internal static partial class LibraryErrors
{
    private static readonly Lazy<(Regex Pattern, string Spanish, int Holes)[]> Known = new(() =>
    [
        .. Translations.Errors.Select(error =>
            (new Regex(Pattern(error.En), RegexOptions.CultureInvariant), error.Es, Hole().Count(error.En))),
    ]);

    /// <summary>A sentence in the language; values within it are translated too if they have a translation.</summary>
    public static string In(Words words, string sentence) => words.Language == "es" ? Spanish(sentence) : sentence;

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
}
