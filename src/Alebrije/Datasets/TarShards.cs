using System.IO.Enumeration;
using System.Text.RegularExpressions;

namespace Alebrije.Datasets;

/// <summary>
/// Names of WebDataset's shards: an archive, a folder, <c>*</c> and <c>?</c>, and ranges: <c>data-{000000..000009}.tar</c>.
/// </summary>
internal static partial class TarShards
{
    private const int MostShards = 1_000_000;

    /// <summary>True if the path names archives rather than a folder of images or a table.</summary>
    public static bool Means(string path) => path.EndsWith(".tar", StringComparison.OrdinalIgnoreCase)
        || (Directory.Exists(path) && Directory.EnumerateFiles(path, "*.tar").Any());

    /// <returns>Paths, in the order of a range or by name.</returns>
    /// <exception cref="FileNotFoundException">One of them is missing, or none is there.</exception>
    /// <exception cref="InvalidDataException">A range that cannot be.</exception>
    public static string[] Find(string path)
    {
        if (Directory.Exists(path)) path = Path.Combine(path, "*.tar");
        var found = Expand(path).SelectMany(Match).ToArray();
        if (found.Length == 0) throw new FileNotFoundException($"No archive matches {path}.");
        return found.FirstOrDefault(file => !File.Exists(file)) is { } missing
            ? throw new FileNotFoundException($"There is no archive {missing} (of {found.Length} in {path}).") : found;
    }

    private static List<string> Expand(string pattern)
    {
        List<string> names = [pattern];
        while (Range().Match(names[0]) is { Success: true } range)
        {
            var (first, last) = (range.Groups[1].Value, range.Groups[2].Value);
            if (!int.TryParse(first, out var from) || !int.TryParse(last, out var to)
                || to < from || (to - from + 1L) * names.Count > MostShards)
                throw new InvalidDataException($"{pattern}: the range {range.Value} "
                    + $"should go from a number to one that is not smaller, {MostShards:N0} archives at most.");
            names = [.. names.SelectMany(name => Enumerable.Range(from, to - from + 1)
                .Select(i => Range().Replace(name, i.ToString($"D{first.Length}"), 1)))];
        }

        return names;
    }

    private static IEnumerable<string> Match(string name)
    {
        var (folder, file) = (Path.GetDirectoryName(name), Path.GetFileName(name));
        if (file.IndexOfAny(['*', '?']) < 0) return [name];
        return !Directory.Exists(string.IsNullOrEmpty(folder) ? "." : folder)
            ? [] : Directory.EnumerateFiles(string.IsNullOrEmpty(folder) ? "." : folder)
            .Where(path => FileSystemName.MatchesSimpleExpression(file, Path.GetFileName(path), ignoreCase: false))
            .Order(StringComparer.Ordinal);
    }

    [GeneratedRegex(@"\{(\d{1,9})\.\.(\d{1,9})\}")]
    private static partial Regex Range();
}
