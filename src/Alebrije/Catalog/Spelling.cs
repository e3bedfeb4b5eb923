namespace Alebrije.Catalog;

/// <summary>Distance between names and mistyped ones.</summary>
public static class Spelling
{
    private const int LongestName = 200;

    /// <summary>
    /// Letters to change, insert or delete to turn one text into the other, ignoring case (Levenshtein, 1966). A text of more than 200
    /// letters is no mistyped name: its distance is the length of the longer one.
    /// </summary>
    public static int Distance(string a, string b)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        if (Math.Max(a.Length, b.Length) is > LongestName and var length) return length;
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1,
                    diagonal + (char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1)));
        }

        return row[^1];
    }

    /// <summary>
    /// The name nearest to a typed one, or null if none is near: at most a third of its letters differ, or it continues the typed one.
    /// </summary>
    /// <param name="typed">The typed name.</param>
    /// <param name="names">Names to choose from; of equally near ones the first.</param>
    public static string? Nearest(string typed, IEnumerable<string> names)
    {
        ArgumentException.ThrowIfNullOrEmpty(typed);
        ArgumentNullException.ThrowIfNull(names);
        return names
            .Select(name => (Name: name, Distance: Distance(typed, name),
                GoesOn: typed.Length > 2 && name.StartsWith(typed, StringComparison.OrdinalIgnoreCase)))
            .Where(near => near.GoesOn || near.Distance <= Math.Max(1, Math.Min(typed.Length, near.Name.Length) / 3))
            .OrderBy(near => near.GoesOn ? 0 : near.Distance)
            .Select(near => near.Name).FirstOrDefault();
    }
}
