using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Search.Vectors;

namespace Alebrije.Search;

/// <summary>
/// Search index of a person's images in a folder of its own: <c>index.db</c> (SQLite) for the files, and a memory-mapped file of vectors
/// for each embedding space. Incremental; a process that is killed at any moment loses at most the batch that it was at. Searching is safe
/// while another process changes the index; one at a time may change it. An instance is for one thread at a time.
/// </summary>
public sealed class PictureIndex : IDisposable
{
    /// <summary>Environment variable of the folder of the index.</summary>
    public const string Variable = "ALEBRIJE_INDEX";

    /// <summary>Orphan rows that a file of vectors may hold, and their share, before it is rewritten.</summary>
    private const int MostOrphans = 1024, OrphanShare = 4;

    /// <summary>Space that a new index takes at least, with the journal of its tables.</summary>
    private const long LeastBytes = 64 * DiskSpace.Block;

    private readonly IndexDatabase database;
    private readonly IndexSpaces spaces;

    private PictureIndex(string folder, IndexDatabase database)
    {
        (Folder, this.database) = (folder, database);
        spaces = new IndexSpaces(folder, database);
    }

    /// <summary>
    /// Folder of this user's index: <see cref="Variable"/>, else <c>alebrije/index</c> in the user's application data
    /// (<c>~/.local/share</c>, <c>%LOCALAPPDATA%</c>).
    /// </summary>
    public static string DefaultFolder => Environment.GetEnvironmentVariable(Variable)?.Trim() is { Length: > 0 } folder
        ? Path.GetFullPath(folder) : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData,
            Environment.SpecialFolderOption.DoNotVerify), "alebrije", "index");

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>Embedding spaces, in the order in which they were made.</summary>
    public IReadOnlyList<IndexedSpace> Spaces => spaces.All();

    /// <summary>Files and folders that are kept current, by name.</summary>
    public IReadOnlyList<string> Roots => database.Rows("SELECT path FROM roots ORDER BY path", row => row.GetString(0));

    internal IndexDatabase Database => database;

    /// <summary>Opens an index.</summary>
    /// <param name="folder">Its folder.</param>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or of a later version.</exception>
    public static PictureIndex Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        folder = Path.GetFullPath(folder);
        return new PictureIndex(folder, IndexDatabase.Open(folder, create: false));
    }

    /// <summary>Opens an index; an empty one is made where there is none.</summary>
    /// <param name="folder">Its folder.</param>
    /// <exception cref="IndexBusyException">Another process is making it.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or of a later version.</exception>
    public static PictureIndex OpenOrCreate(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        folder = Path.GetFullPath(folder);
        if (File.Exists(Path.Combine(folder, IndexDatabase.FileName)))
            return new PictureIndex(folder, IndexDatabase.Open(folder, create: true));
        DiskSpace.Require(Path.Combine(folder, IndexDatabase.FileName), LeastBytes);
        WrittenFile.MakeFolder(folder);
        using var held = IndexLock.Take(folder);
        return new PictureIndex(folder, IndexDatabase.Open(folder, create: true));
    }

    /// <summary>Adds files and folders, with all images below them, and embeds those that are new or changed.</summary>
    /// <param name="paths">Files and folders; they are kept current from now on.</param>
    /// <param name="model">The model; its space is added to the index.</param>
    /// <param name="source">Name or path that the model was loaded by, for messages; null takes its name.</param>
    /// <param name="progress">Called after each batch.</param>
    /// <param name="cancellation">Stops between batches; what is finished stays.</param>
    /// <exception cref="FileNotFoundException">There is no such file or folder.</exception>
    /// <exception cref="IndexBusyException">Another process is changing the index.</exception>
    public IndexReport Add(IReadOnlyList<string> paths, ClipModel model, string? source = null,
        Action<IndexProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(paths);
        ArgumentNullException.ThrowIfNull(model);
        var full = paths.Select(path => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))).ToArray();
        if (full.FirstOrDefault(path => !Directory.Exists(path) && !File.Exists(path)) is { } missing)
            throw new FileNotFoundException($"There is no file or folder {missing}.", missing);
        using var held = IndexLock.Take(Folder);
        database.Change(() =>
        {
            foreach (var path in full) database.Run("INSERT OR IGNORE INTO roots(path) VALUES ($0)", path);
        });
        return Run(full, model, source, progress, cancellation);
    }

    /// <summary>Brings all roots up to date: new, changed, moved and deleted files, and embeddings that the model's space lacks.</summary>
    /// <inheritdoc cref="Add"/>
    public IndexReport Update(ClipModel model, string? source = null,
        Action<IndexProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        using var held = IndexLock.Take(Folder);
        return Run(Roots, model, source, progress, cancellation);
    }

    /// <summary>Removes files and folders from the index; the files themselves are not touched.</summary>
    /// <param name="paths">Files and folders; those below a root that stays come back with the next update.</param>
    /// <returns>Removed images.</returns>
    /// <exception cref="IndexBusyException">Another process is changing the index.</exception>
    public IReadOnlyList<string> Remove(IReadOnlyList<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var full = paths.Select(path => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))).ToArray();
        using var held = IndexLock.Take(Folder);
        var removed = database.Rows("SELECT path FROM files ORDER BY path", row => row.GetString(0))
            .Where(file => full.Any(path => RealPath.Lies(file, path))).ToArray();
        database.Change(() =>
        {
            foreach (var file in removed) database.Run("DELETE FROM files WHERE path = $0", file);
            foreach (var root in Roots.Where(root => full.Any(path => RealPath.Lies(root, path))))
                database.Run("DELETE FROM roots WHERE path = $0", root);
            foreach (var file in database.Rows("SELECT path FROM skipped", row => row.GetString(0))
                .Where(file => full.Any(path => RealPath.Lies(file, path))))
                database.Run("DELETE FROM skipped WHERE path = $0", file);
            IndexUpdate.DropUnused(database);
        });
        foreach (var space in Spaces) CompactIfWorthwhile(space);
        return removed;
    }

    /// <summary>Removes an embedding space with its vectors.</summary>
    /// <exception cref="IndexBusyException">Another process is changing the index.</exception>
    public void Remove(IndexedSpace space)
    {
        ArgumentNullException.ThrowIfNull(space);
        using var held = IndexLock.Take(Folder);
        spaces.Remove(space);
    }

    /// <summary>Drops rows of vectors that no image has, left by a killed run or by removed images.</summary>
    /// <exception cref="IndexBusyException">Another process is changing the index.</exception>
    public void Compact()
    {
        using var held = IndexLock.Take(Folder);
        foreach (var space in Spaces) spaces.Compact(space);
    }

    /// <summary>State of the index.</summary>
    public IndexStatus Status() => new(Folder, database.Value<int>("SELECT count(*) FROM files"),
        database.Value<int>("SELECT count(*) FROM contents"),
        Directory.EnumerateFiles(Folder).Sum(path => new FileInfo(path).Length), Roots, Spaces,
        database.Rows("SELECT label, count(*) FROM labels JOIN files USING(content) GROUP BY label ORDER BY 2 DESC, 1",
            row => KeyValuePair.Create(row.GetString(0), row.GetInt32(1))),
        database.Rows("SELECT path, reason FROM skipped ORDER BY path", row => new SkippedPicture(row.GetString(0), row.GetString(1))));

    /// <summary>All images with an embedding in a space, by path.</summary>
    /// <param name="space">The space.</param>
    /// <param name="filter">Restriction, or null.</param>
    public IReadOnlyList<IndexedPicture> Pictures(IndexedSpace space, SearchFilter? filter = null)
    {
        ArgumentNullException.ThrowIfNull(space);
        return IndexItems.In(database, space.Id, filter);
    }

    /// <summary>The images with their vectors at one moment; a change by another process during the reading starts it again.</summary>
    internal T Read<T>(ClipModel model, Func<IndexedSpace, VectorFile, T> read)
    {
        for (var attempt = 0; ; attempt++)
        {
            var space = spaces.Require(model);
            try
            {
                using var vectors = spaces.Open(space);
                var result = read(space, vectors);
                if (spaces.All().Any(one => one.Id == space.Id && one.File == space.File) || attempt > 8) return result;
            }
            catch (FileNotFoundException) when (attempt < 8)
            {
                // The file was rewritten between the two lines above.
            }
        }
    }

    /// <summary>Runs work that writes into the index.</summary>
    /// <exception cref="IndexBusyException">Another process is changing the index.</exception>
    internal void Change(Action work)
    {
        using var held = IndexLock.Take(Folder);
        database.Change(work);
    }

    /// <inheritdoc/>
    public void Dispose() => database.Dispose();

    private IndexReport Run(IReadOnlyList<string> roots, ClipModel model, string? source,
        Action<IndexProgress>? progress, CancellationToken cancellation)
    {
        if (model.ImageProcessor is null)
            throw new InvalidOperationException($"{model.Name} embeds no images; an index needs a model with an image encoder.");
        var space = spaces.FindOrAdd(model, source ?? model.Name);
        spaces.DropUnusedFiles();
        var scan = PictureScan.Of(roots, cancellation);
        IndexReport report;
        using (var vectors = spaces.OpenForWriting(space))
            report = new IndexUpdate(database, space, vectors).Run(scan, roots, model, progress, cancellation);
        foreach (var one in Spaces) CompactIfWorthwhile(one);
        return report;
    }

    private void CompactIfWorthwhile(IndexedSpace space)
    {
        long rows;
        using (var vectors = spaces.Open(space)) rows = vectors.Count;
        var orphans = rows - database.Value<long>("SELECT count(*) FROM vectors WHERE space = $0", space.Id);
        if (orphans > MostOrphans && orphans * OrphanShare > rows) spaces.Compact(space);
    }
}
