namespace Alebrije.Datasets.Words;

internal static partial class CuratedWords
{
    /// <summary>The terms of one concept in one language: the name first. Null where CLDR's own name serves.</summary>
    internal sealed record Entry(string? English, string? Spanish);

    /// <summary>All lines, by CLDR's English name.</summary>
    public static IReadOnlyDictionary<string, Entry> ByName { get; } = Read();

    /// <summary>The names and synonyms, with their grammar marks, that a field stands for.</summary>
    /// <param name="field">A field of the table, or null.</param>
    /// <param name="standard">CLDR's name, or null if CLDR has none.</param>
    public static IReadOnlyList<string> Expand(string? field, string? standard)
    {
        var terms = new List<string>();
        var keepsName = field is null || field.StartsWith('+');
        var dropsName = field is not null && field.StartsWith('=');
        if (keepsName && standard is not null)
            terms.Add(standard);
        if (field is not null)
            terms.AddRange(field.TrimStart('+', '=').Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        if (!dropsName && standard is not null && !terms.Any(term => Bare(term).Equals(standard, StringComparison.OrdinalIgnoreCase)))
            terms.Add(standard);
        return [.. terms.DistinctBy(term => Bare(term), StringComparer.OrdinalIgnoreCase)];
    }

    private static string Bare(string term) => term.Split('/')[0].TrimEnd('~', '!');

    private static Dictionary<string, Entry> Read()
    {
        var entries = new Dictionary<string, Entry>(StringComparer.Ordinal);
        foreach (var line in (Nature + "\n" + Things + "\n" + People).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var fields = line.Split('|', StringSplitOptions.TrimEntries);
            entries.Add(fields[0], new Entry(Given(fields[1]), Given(fields[2])));
        }
        return entries;

        static string? Given(string field) => field is "" or "+" ? null : field;
    }
}
