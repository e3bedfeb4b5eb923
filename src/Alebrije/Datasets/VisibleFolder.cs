using System.IO.Enumeration;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Datasets;

/// <summary>
/// A folder without its hidden files and folders. Links inside it are followed, and every real folder and file comes once, however many
/// links lead to it; links that lead out of the folder are left out with a reason. The only code that lists images.
/// </summary>
public sealed class VisibleFolder
{
    private static readonly EnumerationOptions Visible = new() { AttributesToSkip = FileAttributes.Hidden | FileAttributes.System,
        IgnoreInaccessible = false };

    private readonly string real, root;
    private readonly bool isLink;
    private readonly Lazy<(Entry[] Files, VisibleFolder[] Folders, string[] Outside)> entries;

    private VisibleFolder(string path, string real, string root, bool isLink)
    {
        (Path, this.real, this.root, this.isLink) = (path, real, root, isLink);
        entries = new Lazy<(Entry[], VisibleFolder[], string[])>(Read, LazyThreadSafetyMode.PublicationOnly);
    }

    /// <summary>The path as it was given, or reached from the folder that was.</summary>
    public string Path { get; }

    /// <summary>The folder's own name.</summary>
    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>Paths of its files, in ordinal order.</summary>
    /// <exception cref="UnauthorizedAccessException">The folder may not be read.</exception>
    public IReadOnlyList<string> Files => [.. entries.Value.Files.Select(file => file.Path)];

    /// <summary>Paths of its images of the kinds that are read, in ordinal order.</summary>
    /// <exception cref="UnauthorizedAccessException">The folder may not be read.</exception>
    public IReadOnlyList<string> Pictures => [.. Files.Where(PillowImage.HasPictureName)];

    /// <summary>The folders in it, in ordinal order.</summary>
    /// <exception cref="UnauthorizedAccessException">The folder may not be read.</exception>
    public IReadOnlyList<VisibleFolder> Folders => entries.Value.Folders;

    /// <summary>Links that lead out of the folder that was opened, in ordinal order; they are not followed.</summary>
    /// <exception cref="UnauthorizedAccessException">The folder may not be read.</exception>
    public IReadOnlyList<SkippedPicture> Outside => [.. entries.Value.Outside.Select(path =>
        new SkippedPicture(path, $"a link that leads out of {root}, and such links are not followed."))];

    /// <summary>Opens a folder.</summary>
    /// <param name="path">The folder; empty is the current one.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    public static VisibleFolder Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var place = path.Length == 0 ? "." : path;
        return Directory.Exists(place) && RealPath.Of(place) is var real ? new VisibleFolder(path, real, real, isLink: false)
            : throw new DirectoryNotFoundException($"There is no folder {path}.");
    }

    /// <summary>This folder and all below it, nearest first. A link to a folder above or already visited is not followed.</summary>
    /// <param name="unreadable">Given each folder below that may not be read, with the error; null throws it.</param>
    /// <param name="cancellation">Stops between two folders.</param>
    public IEnumerable<VisibleFolder> Tree(Action<string, Exception>? unreadable = null, CancellationToken cancellation = default)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal) { real };
        var waiting = new Queue<VisibleFolder>([this]);
        while (waiting.TryDequeue(out var folder))
        {
            cancellation.ThrowIfCancellationRequested();
            if (!folder.IsReadable(folder == this ? null : unreadable)) continue;
            foreach (var link in folder.Outside)
                if (new IOException($"{link.File} is {link.Reason}") is var error && unreadable is null) throw error;
                else unreadable(link.File, error);
            yield return folder;

            // A real folder comes before links to it.
            foreach (var child in folder.Folders.OrderBy(child => child.isLink))
                if (!(child.isLink && folder.IsWithin(child.real)) && seen.Add(child.real)) waiting.Enqueue(child);
        }
    }

    /// <summary>
    /// Paths of the images of supported kinds in and below it, in ordinal order; a real file with several links comes once.
    /// </summary>
    /// <param name="unreadable">Given each folder below that may not be read, with the error; null throws it.</param>
    /// <param name="cancellation">Stops between two folders.</param>
    public IReadOnlyList<string> PicturesBelow(Action<string, Exception>? unreadable = null, CancellationToken cancellation = default) =>
        FilesBelow(PillowImage.HasPictureName, unreadable, cancellation);

    /// <summary>Paths of the wanted files in and below it, in ordinal order; a real file with several links comes once.</summary>
    /// <param name="isWanted">True for the path of a wanted file.</param>
    /// <param name="unreadable">Given each folder below that may not be read, with the error; null throws it.</param>
    /// <param name="cancellation">Stops between two folders.</param>
    internal IReadOnlyList<string> FilesBelow(Func<string, bool> isWanted,
        Action<string, Exception>? unreadable = null, CancellationToken cancellation = default)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return [.. Tree(unreadable, cancellation).SelectMany(folder => folder.entries.Value.Files)
            .Where(file => isWanted(file.Path)).OrderBy(file => file.IsLink)
            .ThenBy(file => file.Path, StringComparer.Ordinal).Where(file => seen.Add(file.Real))
            .Select(file => file.Path).Order(StringComparer.Ordinal)];
    }

    /// <summary>The paths without those that lead to a real file that an earlier one leads to.</summary>
    public static IEnumerable<string> EachFileOnce(IEnumerable<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var (seen, folders) = (new HashSet<string>(StringComparer.Ordinal), new Dictionary<string, string>(StringComparer.Ordinal));
        foreach (var path in paths)
            if (seen.Add(RealFile(path, folders))) yield return path;
    }

    private static string RealFile(string path, Dictionary<string, string> folders)
    {
        var full = System.IO.Path.GetFullPath(path);
        if (System.IO.Path.GetDirectoryName(full) is not { } folder) return full;
        if (!folders.TryGetValue(folder, out var place)) folders[folder] = place = RealPath.Of(folder);
        var file = System.IO.Path.Combine(place, System.IO.Path.GetFileName(full));
        return new FileInfo(file).LinkTarget is null ? file : RealPath.Of(file);
    }

    private bool IsReadable(Action<string, Exception>? unreadable)
    {
        try
        {
            _ = entries.Value;
            return true;
        }
        catch (Exception e) when (unreadable is not null && e is IOException or UnauthorizedAccessException)
        {
            unreadable!(Path, e);
            return false;
        }
    }

    /// <summary>True if this is the other folder, or lies below it.</summary>
    private bool IsWithin(string other) => RealPath.Lies(real, other);

    private (Entry[] Files, VisibleFolder[] Folders, string[] Outside) Read()
    {
        var all = new FileSystemEnumerable<(string Name, bool IsFolder, bool IsLink)>(
            real, (ref entry) => (entry.FileName.ToString(), entry.IsDirectory, entry.Attributes.HasFlag(FileAttributes.ReparsePoint)),
            Visible)
            .OrderBy(entry => entry.Name, StringComparer.Ordinal)
            .Select(entry => (entry.Name, entry.IsFolder, entry.IsLink, Real: Real(entry.Name, entry.IsLink))).ToArray();
        var inside = all.Where(entry => !entry.IsLink || RealPath.Lies(entry.Real, root)).ToArray();
        return ([.. inside.Where(entry => !entry.IsFolder).Select(entry => new Entry(Below(entry.Name), entry.Real, entry.IsLink))],
            [.. inside.Where(entry => entry.IsFolder)
                .Select(entry => new VisibleFolder(Below(entry.Name), entry.Real, root, entry.IsLink))],
            [.. all.Where(entry => entry.IsLink && !RealPath.Lies(entry.Real, root)).Select(entry => Below(entry.Name))]);
    }

    private string Below(string name) => System.IO.Path.Combine(Path, name);

    private string Real(string name, bool isLink)
    {
        var place = System.IO.Path.Combine(real, name);
        return isLink ? RealPath.Of(place) : place;
    }

    private sealed record Entry(string Path, string Real, bool IsLink);
}
