using System.IO.Enumeration;
using Alebrije.Datasets;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary>Lists the image files of a command line: files, folders, patterns with * and ?.</summary>
internal sealed class ImageFiles
{
    private const string AnyDepth = "**";
    private static readonly char[] Wildcards = ['*', '?'];

    private readonly Words words;
    private readonly SkippedPictures? skipped;
    private readonly CancellationToken cancellation;

    private ImageFiles(Words words, SkippedPictures? skipped, CancellationToken cancellation) =>
        (this.words, this.skipped, this.cancellation) = (words, skipped, cancellation);

    private Action<string, Exception>? Unreadable => skipped is null ? null : skipped.Reader.Skip;

    /// <summary>The files in the order of the arguments; those of a folder or a pattern by name, 2 before 10, without duplicates.</summary>
    /// <param name="names">Arguments.</param>
    /// <param name="words">Language.</param>
    /// <param name="skipped">Collects folders without access and images of unsupported kinds; null throws the former and drops the
    /// latter.</param>
    /// <param name="cancellation">Stops between two folders.</param>
    /// <exception cref="FileNotFoundException">A file is missing, or a folder or pattern has no image; one sentence.</exception>
    public static IReadOnlyList<string> Expand(IEnumerable<string> names,
        Words words, SkippedPictures? skipped = null, CancellationToken cancellation = default)
    {
        var files = new ImageFiles(words, skipped, cancellation);
        return [.. VisibleFolder.EachFileOnce(names.SelectMany(files.Files))];
    }

    /// <summary>Names of rows: file names, or paths if two files have the same name.</summary>
    public static IReadOnlyList<string> Labels(IReadOnlyList<string> paths)
    {
        var count = paths.CountBy(path => Path.GetFileName(path)).ToDictionary();
        return [.. paths.Select(path => count[Path.GetFileName(path)] == 1 ? Path.GetFileName(path) : path)];
    }

    /// <summary>True for a folder of class folders: it has no images of its own, or one of its folders has the name of a class.</summary>
    /// <param name="name">Argument.</param>
    /// <param name="classes">Names of the classes; null: every folder with images is a class.</param>
    public static bool IsFolderOfClasses(string name, IReadOnlyCollection<string>? classes)
    {
        if (!Directory.Exists(name)) return false;
        var folder = VisibleFolder.Open(name);
        return folder.Folders.Count > 0 && (folder.Pictures.Count == 0
            || folder.Folders.Any(child => classes?.Contains(child.Name, StringComparer.OrdinalIgnoreCase) ?? child.Pictures.Count > 0));
    }

    private List<string> Files(string name)
    {
        if (File.Exists(name)) return [name];
        if (Directory.Exists(name)) return OfFolder(name);
        if (name.IndexOfAny(Wildcards) < 0)
            throw new FileNotFoundException(words["images.not-there", name]);
        var (matches, others) = Pictures(Match(name));
        return matches.Count > 0 ? matches : throw new FileNotFoundException(words["images.pattern-without-match", name, Unread(others)]);
    }

    private List<string> OfFolder(string name)
    {
        var folder = VisibleFolder.Open(name);
        foreach (var link in folder.Outside) skipped?.Reader.Skip(link.File, link.Reason);
        var (found, others) = Pictures(folder.Files);
        if (found.Count > 0) return found;
        var below = folder.PicturesBelow(Unreadable, cancellation).Count;
        throw new FileNotFoundException(below == 0
            ? words["images.folder-empty", name, Unread(others)]
            : words["images.folder-only-below", name, below, Path.Combine(name, AnyDepth, "*.png")]);
    }

    private string Unread(List<string> others) => others.Count == 0 ? "" : words["images.not-read-here", SkippedPictures.Kinds(others)];

    private (List<string> Pictures, List<string> Others) Pictures(IEnumerable<string> files)
    {
        var all = files.ToArray();
        List<string> others = [.. all.Where(PillowImage.HasOtherPictureName)];
        skipped?.AddOtherKinds(others);
        return ([.. all.Where(PillowImage.HasPictureName).Order(NaturalOrder.Instance)], others);
    }

    private IEnumerable<string> Match(string pattern)
    {
        var parts = pattern.Split(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar);
        var fixedParts = parts.TakeWhile(part => part.IndexOfAny(Wildcards) < 0).ToArray();
        var root = string.Join(Path.DirectorySeparatorChar, fixedParts);
        if (fixedParts.Length == 1 && root.Length == 0) root = Path.DirectorySeparatorChar.ToString();
        return Directory.Exists(root.Length == 0 ? "." : root) ? Below(VisibleFolder.Open(root), parts.AsMemory(fixedParts.Length))
            .Distinct(StringComparer.Ordinal) : [];
    }

    private IEnumerable<string> Below(VisibleFolder folder, ReadOnlyMemory<string> pattern)
    {
        cancellation.ThrowIfCancellationRequested();
        var (part, rest) = (pattern.Span[0], pattern[1..]);
        if (part == AnyDepth)
        {
            // An empty rest means every file; else this folder and all below it.
            if (rest.IsEmpty) rest = new[] { "*" };
            return folder.Tree(Unreadable, cancellation).SelectMany(place => Below(place, rest));
        }

        bool Fits(string path) => FileSystemName.MatchesSimpleExpression(part, Path.GetFileName(path), ignoreCase: false);
        return rest.IsEmpty ? folder.Files.Where(Fits) : folder.Folders.Where(child => Fits(child.Name))
            .SelectMany(child => Below(child, rest));
    }
}

/// <summary>Natural sort order: runs of digits by their value, everything else letter by letter without regard to case.</summary>
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

    /// <summary>Digits from a position on.</summary>
    private static int Digits(string text, int start)
    {
        var end = start;
        while (end < text.Length && char.IsAsciiDigit(text[end])) end++;
        return end - start;
    }

    /// <summary>Sort key of a letter: folder separators come first, so that a folder's files stay together.</summary>
    private static char Letter(char c) => c == Path.DirectorySeparatorChar ? '\0' : char.ToUpperInvariant(c);

    private static int CompareNumbers(ReadOnlySpan<char> a, ReadOnlySpan<char> b)
    {
        var x = a.TrimStart('0');
        var y = b.TrimStart('0');
        return x.Length != y.Length ? x.Length.CompareTo(y.Length) : x.SequenceCompareTo(y);
    }
}
