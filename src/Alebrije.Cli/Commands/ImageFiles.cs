using System.IO.Enumeration;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary>Turns what users type for pictures (files, folders, patterns with * and ?) into a list of files.</summary>
internal static class ImageFiles
{
    private const string AnyDepth = "**";
    private static readonly char[] Wildcards = ['*', '?'];
    private static readonly EnumerationOptions Visible = new() { AttributesToSkip = FileAttributes.Hidden | FileAttributes.System };

    /// <summary>The files in the order in which they were named; those of a folder or a pattern by name, 2 before 10. None comes twice.</summary>
    /// <exception cref="FileNotFoundException">A file is missing, or a folder or pattern gives no picture; one sentence.</exception>
    public static IReadOnlyList<string> Expand(IEnumerable<string> names, Words words)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return [.. names.SelectMany(name => Files(name, words)).Where(path => seen.Add(Path.GetFullPath(path)))];
    }

    /// <summary>What rows are called: file names, or paths where two files have one name.</summary>
    public static IReadOnlyList<string> Labels(IReadOnlyList<string> paths)
    {
        var count = paths.CountBy(path => Path.GetFileName(path)).ToDictionary();
        return [.. paths.Select(path => count[Path.GetFileName(path)] == 1 ? Path.GetFileName(path) : path)];
    }

    private static List<string> Files(string name, Words words)
    {
        if (File.Exists(name)) return [name];
        if (Directory.Exists(name))
        {
            var found = Pictures(Directory.EnumerateFiles(name, "*", Visible));
            if (found.Count > 0) return found;
            var below = Pictures(Directory.EnumerateFiles(name, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = Visible.AttributesToSkip })).Count;
            throw new FileNotFoundException(below == 0
                ? words.In(
                    $"The folder {name} has no images; PNG, JPEG, GIF, BMP and WebP files are read.",
                    $"La carpeta {name} no contiene imágenes; se leen archivos PNG, JPEG, GIF, BMP y WebP.")
                : words.In(
                    $"The folder {name} itself has no images, folders below it have {below}; name one of those, or write '{Path.Combine(name, AnyDepth, "*.png")}'.",
                    $"La carpeta {name} no contiene imágenes, pero sus subcarpetas tienen {below}; indica una de ellas o escribe '{Path.Combine(name, AnyDepth, "*.png")}'."));
        }

        if (name.IndexOfAny(Wildcards) < 0)
            throw new FileNotFoundException(words.In($"There is no image {name}: neither a file nor a folder has this name.", $"No existe la imagen {name}: ni archivo ni carpeta se llaman así."));
        var matches = Pictures(Match(name));
        return matches.Count > 0 ? matches
            : throw new FileNotFoundException(words.In($"No image matches the pattern {name}.", $"Ninguna imagen coincide con el patrón {name}."));
    }

    private static List<string> Pictures(IEnumerable<string> files) =>
        [.. files.Where(PillowImage.HasPictureName).Order(NaturalOrder.Instance)];

    private static IEnumerable<string> Match(string pattern)
    {
        var parts = pattern.Split(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar);
        var fixedParts = parts.TakeWhile(part => part.IndexOfAny(Wildcards) < 0).ToArray();
        var root = string.Join(Path.DirectorySeparatorChar, fixedParts);
        if (fixedParts.Length == 1 && root.Length == 0) root = Path.DirectorySeparatorChar.ToString();
        return Below(root, parts.AsMemory(fixedParts.Length)).Distinct(StringComparer.Ordinal);
    }

    private static IEnumerable<string> Below(string folder, ReadOnlyMemory<string> pattern)
    {
        var place = folder.Length == 0 ? "." : folder;
        if (!Directory.Exists(place)) return [];
        var (part, rest) = (pattern.Span[0], pattern[1..]);
        if (part == AnyDepth)
        {
            // Nothing behind it means every file; else this folder and all below it.
            if (rest.IsEmpty) rest = new[] { "*" };
            return Below(folder, rest).Concat(Directory.EnumerateDirectories(place, "*", Visible).SelectMany(child => Below(Path.Combine(folder, Path.GetFileName(child)), pattern)));
        }

        bool Fits(string path) => FileSystemName.MatchesSimpleExpression(part, Path.GetFileName(path), ignoreCase: false);
        return rest.IsEmpty
            ? Directory.EnumerateFiles(place, "*", Visible).Where(Fits).Select(file => Path.Combine(folder, Path.GetFileName(file)))
            : Directory.EnumerateDirectories(place, "*", Visible).Where(Fits).SelectMany(child => Below(Path.Combine(folder, Path.GetFileName(child)), rest));
    }
}

/// <summary>Names as people sort them: runs of digits by their value, everything else letter by letter without regard to case.</summary>
internal sealed class NaturalOrder : IComparer<string>
{
    public static NaturalOrder Instance { get; } = new();

    public int Compare(string? x, string? y)
    {
        if (x is null || y is null) return string.CompareOrdinal(x, y);
        var (i, j) = (0, 0);
        while (i < x.Length && j < y.Length)
        {
            var (a, b) = (Digits(x, i), Digits(y, j));
            var order = a > 0 && b > 0 ? CompareNumbers(x.AsSpan(i, a), y.AsSpan(j, b)) : Letter(x[i]).CompareTo(Letter(y[j]));
            if (order != 0) return order;
            (i, j) = a > 0 && b > 0 ? (i + a, j + b) : (i + 1, j + 1);
        }

        var rest = (x.Length - i).CompareTo(y.Length - j);
        return rest != 0 ? rest : x.Length != y.Length ? x.Length.CompareTo(y.Length) : string.CompareOrdinal(x, y);
    }

    /// <summary>Digits from a place on.</summary>
    private static int Digits(string text, int start)
    {
        var end = start;
        while (end < text.Length && char.IsAsciiDigit(text[end])) end++;
        return end - start;
    }

    /// <summary>A folder's files stand together: what separates folders comes before every letter.</summary>
    private static char Letter(char c) => c == Path.DirectorySeparatorChar ? '\0' : char.ToUpperInvariant(c);

    private static int CompareNumbers(ReadOnlySpan<char> a, ReadOnlySpan<char> b)
    {
        var x = a.TrimStart('0');
        var y = b.TrimStart('0');
        return x.Length != y.Length ? x.Length.CompareTo(y.Length) : x.SequenceCompareTo(y);
    }
}
