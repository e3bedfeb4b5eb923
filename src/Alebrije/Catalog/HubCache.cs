using Alebrije.Preprocessing;

namespace Alebrije.Catalog;

/// <summary>
/// The hub's cache on the user's disk, in the layout that all its tools share: <c>models--OWNER--NAME</c> with <c>blobs/HASH</c>,
/// <c>refs/REVISION</c> (a commit) and <c>snapshots/COMMIT/PATH</c> (links to blobs). Looks at the disk at every call.
/// </summary>
/// <param name="root">Folder of the cache; it need not exist.</param>
internal sealed class HubCache(string root)
{
    public const string MainRevision = "main";
    private const string Blobs = "blobs", References = "refs", Snapshots = "snapshots", Locks = ".locks";

    public string Root { get; } = Path.GetFullPath(root);

    public string FolderOf(HubRepository repository) => Path.Combine(Root, repository.Folder);

    public string BlobOf(HubRepository repository, HubFile file) => Path.Combine(FolderOf(repository), Blobs, file.Hash);

    public string SnapshotOf(HubRepository repository, string commit) => Path.Combine(FolderOf(repository), Snapshots, commit);

    /// <summary>The commit that a revision stood for when it was fetched last, or null.</summary>
    public string? CommitOf(HubRepository repository, string revision)
    {
        if (RelativePath.IsCommit(revision)) return revision;
        if (!RelativePath.IsSafe(revision)) return null;
        var file = Path.Combine([FolderOf(repository), References, .. revision.Split('/')]);
        return File.Exists(file) && RegularFile.ReadAllText(file).Trim() is var commit && RelativePath.IsCommit(commit) ? commit : null;
    }

    /// <summary>The folder of a revision, or null: nothing of it is here.</summary>
    public string? Find(HubRepository repository, string revision) =>
        CommitOf(repository, revision) is { } commit && SnapshotOf(repository, commit) is var folder
        && Directory.Exists(folder) ? folder : null;

    /// <summary>Repositories of models in the cache.</summary>
    public IEnumerable<HubRepository> Repositories() => !Directory.Exists(Root) ? [] :
        Directory.EnumerateDirectories(Root).Select(folder => HubRepository.FromFolder(Path.GetFileName(folder)))
        .OfType<HubRepository>().OrderBy(r => r.ToString(), StringComparer.OrdinalIgnoreCase);

    /// <summary>Commits whose folders are here.</summary>
    public IReadOnlyList<string> CommitsOf(HubRepository repository) =>
        Path.Combine(FolderOf(repository), Snapshots) is var folder && Directory.Exists(folder)
        ? [.. Directory.EnumerateDirectories(folder).Select(path => Path.GetFileName(path))
            .Where(RelativePath.IsCommit).Order(StringComparer.Ordinal)] : [];

    /// <summary>Bytes of a file that are here: all, those of an interrupted run, or none.</summary>
    public long BytesOf(HubRepository repository, string commit, HubFile file)
    {
        var blob = BlobOf(repository, file);
        if (File.Exists(blob)) return file.Bytes;
        // Where a system has no links, the file itself lies in the snapshot.
        if (Path.Combine(SnapshotOf(repository, commit), file.Path) is var kept && SizeOf(kept) == file.Bytes) return file.Bytes;
        return File.Exists(blob + ".incomplete") ? Math.Min(file.Bytes, new FileInfo(blob + ".incomplete").Length) : 0;
    }

    /// <summary>Keeps other processes from fetching the same file; the hub's other tools take the same lock.</summary>
    /// <exception cref="HubException">One of them does.</exception>
    public IDisposable Lock(HubRepository repository, HubFile file)
    {
        var path = Path.Combine(Root, Locks, repository.Folder, file.Hash + ".lock");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new HubException($"The cache {Root} cannot be written: "
                + $"{e.Message.TrimEnd('.')}; set HF_HUB_CACHE to a folder of your own.", e);
        }
        catch (IOException e) when (File.Exists(path))
        {
            throw new HubException($"Another process is fetching {file.Path} of {repository}; wait for it, then try again.", e);
        }
        catch (IOException e)
        {
            throw new HubException($"The cache {Root} cannot be written: "
                + $"{e.Message.TrimEnd('.')}; set HF_HUB_CACHE to a folder of your own.", e);
        }
    }

    /// <summary>Makes fetched files the folder of a commit and lets a revision stand for it.</summary>
    public void Publish(HubRepository repository, string revision, string commit, IEnumerable<HubFile> files)
    {
        foreach (var file in files) Link(SnapshotOf(repository, commit), file.Path, BlobOf(repository, file));
        if (RelativePath.IsCommit(revision)) return;
        var reference = Path.Combine([FolderOf(repository), References, .. revision.Split('/')]);
        Weights.AtomicFile.Write(reference, stream => stream.Write(System.Text.Encoding.ASCII.GetBytes(commit)));
    }

    /// <summary>
    /// Removes a revision and the blobs that only it uses; the last revision takes the repository's folder and partial files along.
    /// </summary>
    /// <param name="repository">The repository.</param>
    /// <param name="commit">The revision's commit.</param>
    /// <param name="pretend">True only counts, and removes nothing.</param>
    /// <returns>Bytes that are freed.</returns>
    public long Remove(HubRepository repository, string commit, bool pretend = false)
    {
        var (folder, snapshot) = (FolderOf(repository), SnapshotOf(repository, commit));
        if (CommitsOf(repository).All(other => other == commit))
        {
            var all = Occupied(folder);
            if (pretend) return all;
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
            if (Path.Combine(Root, Locks, repository.Folder) is var locks && Directory.Exists(locks))
                Directory.Delete(locks, recursive: true);
            return all;
        }

        var needed = CommitsOf(repository).Where(other => other != commit)
            .SelectMany(other => Directory.EnumerateFiles(SnapshotOf(repository, other), "*", SearchOption.AllDirectories))
            .Select(Target).ToHashSet(StringComparer.Ordinal);
        // A running fetch of another revision may need an incomplete part: those stay.
        var blobs = Directory.Exists(snapshot)
            ? Directory.EnumerateFiles(snapshot, "*", SearchOption.AllDirectories)
            .Where(path => File.ResolveLinkTarget(path, returnFinalTarget: true) is not null)
                .Select(Target).Where(blob => IsBelow(folder, blob) && File.Exists(blob) && !needed.Contains(blob))
                .Distinct(StringComparer.Ordinal).ToArray() : [];
        var bytes = Occupied(snapshot) + blobs.Sum(blob => new FileInfo(blob).Length);
        if (pretend) return bytes;
        if (Directory.Exists(snapshot)) Directory.Delete(snapshot, recursive: true);
        foreach (var blob in blobs) File.Delete(blob);
        var references = Path.Combine(folder, References);
        if (Directory.Exists(references))
            foreach (var file in Directory.EnumerateFiles(references, "*", SearchOption.AllDirectories).ToArray())
                if (RegularFile.ReadAllText(file).Trim() == commit) File.Delete(file);
        return bytes;
    }

    /// <summary>Bytes that the files of a folder take, links not counted.</summary>
    private static long Occupied(string folder) => Directory.Exists(folder)
        ? new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories)
        .Where(file => file.LinkTarget is null).Sum(file => file.Length) : 0;

    private static bool IsBelow(string folder, string path) =>
        path.StartsWith(Path.GetFullPath(folder) + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    /// <summary>Size of a file or of a link's target; -1 where there is none.</summary>
    public static long SizeOf(string path) => new FileInfo(Target(path)) is { Exists: true } file ? file.Length : -1;

    /// <summary>Final target of a link; the path itself if it is not a link, or part of a cycle.</summary>
    private static string Target(string path)
    {
        try
        {
            return Path.GetFullPath(Path.Exists(path) ? File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path : path);
        }
        catch (IOException)
        {
            return Path.GetFullPath(path);
        }
    }

    private static void Link(string snapshot, string path, string blob)
    {
        var place = Path.Combine(snapshot, path);
        if (!File.Exists(blob) && File.Exists(place)) return;
        var folder = Path.GetDirectoryName(place)!;
        Directory.CreateDirectory(folder);
        if (Path.Exists(place) || new FileInfo(place).LinkTarget is not null) File.Delete(place);
        try
        {
            File.CreateSymbolicLink(place, Path.GetRelativePath(folder, blob));
        }
        catch (Exception e) when (OperatingSystem.IsWindows() && e is IOException or UnauthorizedAccessException)
        {
            // Windows gives links to administrators and developers only; the hub's own tools then keep the file in the snapshot too.
            File.Move(blob, place);
        }
    }
}
