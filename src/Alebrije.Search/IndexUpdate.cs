using System.Buffers.Binary;
using System.Collections.Concurrent;
using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Search.Vectors;

namespace Alebrije.Search;

/// <summary>
/// One pass over the files of an index: reads what is new or changed, embeds unknown contents, and drops what is gone. Each batch is one
/// change of the tables, made after its vectors are on the disk; a pass that is killed loses at most the batch that it was at.
/// </summary>
internal sealed class IndexUpdate(IndexDatabase database, IndexedSpace space, VectorFile vectors)
{
    private readonly ConcurrentDictionary<int, Outcome> outcomes = new();
    private readonly ConcurrentDictionary<UInt128, int> owners = new();
    private readonly Dictionary<UInt128, Outcome> failed = [];
    private readonly List<SkippedPicture> skipped = [];
    private readonly List<string> added = [], changed = [], lost = [];
    private Dictionary<string, KnownFile> known = new(StringComparer.Ordinal);
    private int embedded;

    /// <summary>Runs the pass.</summary>
    /// <param name="scan">The files as they are now.</param>
    /// <param name="roots">Files and folders that were listed; other files of the index are left alone.</param>
    /// <param name="model">The model of the space.</param>
    /// <param name="progress">Called after each batch.</param>
    /// <param name="cancellation">Stops between batches; what is finished stays.</param>
    public IndexReport Run(PictureScan scan, IReadOnlyList<string> roots, ClipModel model,
        Action<IndexProgress>? progress, CancellationToken cancellation)
    {
        known = Known().Where(file => roots.Any(root => RealPath.Lies(file.Path, root)))
            .ToDictionary(file => file.Path, StringComparer.Ordinal);
        var unread = Unread();
        var wanted = new List<Candidate>();
        foreach (var path in scan.Files)
        {
            if (Target(path) is not { Exists: true } file)
            {
                lost.Add(path);
                if (new FileInfo(path).LinkTarget is not null) skipped.Add(new SkippedPicture(path, "a link that leads to no file."));
                continue;
            }

            var (bytes, modified) = (file.Length, file.LastWriteTimeUtc.Ticks);
            if (known.TryGetValue(path, out var before) && before.IsSame(bytes, modified) && before.IsEmbedded) continue;
            if (unread.TryGetValue(path, out var earlier) && (earlier.Bytes, earlier.Modified) == (bytes, modified))
                skipped.Add(new SkippedPicture(path, earlier.Reason));
            else wanted.Add(new Candidate(path, bytes, modified));
        }

        if (wanted.Count > 0)
        {
            model.EmbedImages(wanted.Count, i => Read(i, wanted[i]), (from, batch) =>
            {
                Store(wanted, from, batch);
                progress?.Invoke(new IndexProgress(from + batch.Length, wanted.Count));
            }, cancellation);
        }

        var (moved, removed) = Drop(scan);
        return new IndexReport
        {
            Model = space.Model, Items = database.Value<int>("SELECT count(*) FROM files"), Added = added, Changed = changed, Moved = moved,
            Removed = removed, Embedded = embedded, MissingRoots = scan.MissingRoots, OtherKinds = scan.OtherKinds,
            Skipped = [.. skipped.Concat(scan.Unreadable).OrderBy(one => one.File, StringComparer.Ordinal)],
        };
    }

    /// <summary>Reads a file, from several threads at a time.</summary>
    /// <returns>The image to be embedded, or null where its content is known or cannot be read.</returns>
    private PillowImage? Read(int place, Candidate file)
    {
        byte[] hash = [];
        try
        {
            var content = PictureContent.Read(file.Path);
            hash = content.Hash;
            var isFirst = owners.TryAdd(KeyOf(hash), place);
            var image = isFirst && !HasVector(hash) ? content.Decode() : null;
            outcomes[place] = new Outcome(hash, image is null ? null : content.Facts(image), null, false);
            return image;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A file that may not be read now may be read again; one without an image in it has lost its image.
            var isGone = e is ImageFormatException or FileNotFoundException or DirectoryNotFoundException;
            outcomes[place] = new Outcome(hash, null, PictureReader.Reason(file.Path, e), !isGone);
            return null;
        }
    }

    private void Store(List<Candidate> wanted, int from, float[]?[] batch)
    {
        var done = Enumerable.Range(from, batch.Length)
            .Select(i => (File: wanted[i], Outcome: Take(i), Embedding: batch[i - from])).ToArray();
        foreach (var (_, outcome, _) in done)
            if (outcome is { Reason: not null, Hash.Length: > 0 }) failed.TryAdd(KeyOf(outcome.Hash), outcome);
        var rows = new long[done.Length];
        for (var i = 0; i < done.Length; i++)
            if (done[i].Embedding is { } embedding) rows[i] = vectors.Append(embedding);
        if (done.Any(one => one.Embedding is not null)) vectors.Flush();
        database.Change(() =>
        {
            // Copies within a batch come after the file that their content is read from.
            foreach (var i in Enumerable.Range(0, done.Length).OrderBy(i => done[i].Embedding is null))
            {
                var (file, outcome, embedding) = done[i];
                if (Failure(outcome) is { } failure) StoreSkipped(file, failure);
                else StoreFile(file, embedding is null ? ContentOf(outcome.Hash) : StoreContent(outcome, rows[i]));
            }
        });
        foreach (var (file, outcome, embedding) in done)
        {
            if (Failure(outcome) is { } failure)
            {
                skipped.Add(new SkippedPicture(file.Path, failure.Reason!));
                if (!failure.IsKept) known.Remove(file.Path);
                continue;
            }

            if (embedding is not null) embedded++;
            if (!known.TryGetValue(file.Path, out var before)) added.Add(file.Path);
            else if (before.Content != ContentOf(outcome.Hash)) changed.Add(file.Path);
        }
    }

    /// <summary>The failure of a file, or of the copy of it that was read before; null where there is none.</summary>
    private Outcome? Failure(Outcome outcome) =>
        outcome.Reason is not null ? outcome : failed.Count > 0 ? failed.GetValueOrDefault(KeyOf(outcome.Hash)) : null;

    private Outcome Take(int place) => outcomes.TryRemove(place, out var outcome) ? outcome
        : throw new InvalidOperationException($"Image {place} was embedded, but never read.");

    private long StoreContent(Outcome outcome, long row)
    {
        var (facts, metadata) = (outcome.Facts!, outcome.Facts!.Metadata);
        database.Run("""
            INSERT INTO contents(hash, width, height, taken, latitude, longitude, camera, frequencies, colours)
            VALUES ($0, $1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT(hash) DO NOTHING
            """, outcome.Hash, facts.Width, facts.Height, metadata.Taken?.ToString("s"), metadata.Latitude, metadata.Longitude,
            metadata.Camera, unchecked((long)facts.Signature.Frequencies), facts.Signature.Colours);
        var content = ContentOf(outcome.Hash);
        database.Run("INSERT INTO vectors(space, row, content) VALUES ($0, $1, $2)", space.Id, row, content);
        return content;
    }

    private void StoreFile(Candidate file, long content)
    {
        database.Run("""
            INSERT INTO files(path, bytes, modified, content) VALUES ($0, $1, $2, $3)
            ON CONFLICT(path) DO UPDATE SET bytes = $1, modified = $2, content = $3
            """, file.Path, file.Bytes, file.Modified, content);
        database.Run("DELETE FROM skipped WHERE path = $0", file.Path);
    }

    private void StoreSkipped(Candidate file, Outcome failure)
    {
        if (failure.IsKept) return;
        database.Run("DELETE FROM files WHERE path = $0", file.Path);
        database.Run("INSERT OR REPLACE INTO skipped(path, bytes, modified, reason) VALUES ($0, $1, $2, $3)",
            file.Path, file.Bytes, file.Modified, failure.Reason);
    }

    /// <summary>Drops the files that are gone; those of folders that cannot be read now stay.</summary>
    private (List<MovedPicture> Moved, List<string> Removed) Drop(PictureScan scan)
    {
        var there = scan.Files.Except(lost).ToHashSet(StringComparer.Ordinal);
        var closed = scan.Unreadable.Select(folder => folder.File).Concat(scan.MissingRoots).ToArray();
        var gone = known.Values.Where(file => !there.Contains(file.Path) && !closed.Any(folder => RealPath.Lies(file.Path, folder)))
            .OrderBy(file => file.Path, StringComparer.Ordinal).ToArray();
        var sources = gone.GroupBy(file => file.Content)
            .ToDictionary(group => group.Key, group => new Queue<string>(group.Select(f => f.Path)));
        var moved = new List<MovedPicture>();
        foreach (var path in added.Where(_ => sources.Count > 0))
        {
            var content = database.Value<long>("SELECT content FROM files WHERE path = $0", path);
            if (sources.TryGetValue(content, out var from) && from.TryDequeue(out var source)) moved.Add(new MovedPicture(source, path));
        }

        added.RemoveAll(moved.Select(move => move.To).ToHashSet(StringComparer.Ordinal).Contains);
        database.Change(() =>
        {
            foreach (var file in gone) database.Run("DELETE FROM files WHERE path = $0", file.Path);
            foreach (var path in Unread().Keys.Where(path => !File.Exists(path))) database.Run("DELETE FROM skipped WHERE path = $0", path);
            DropUnused(database);
        });
        return (moved, [.. gone.Select(file => file.Path).Except(moved.Select(move => move.From))]);
    }

    /// <summary>Drops contents that no file has; part of a change.</summary>
    public static void DropUnused(IndexDatabase database)
    {
        const string unused = "content NOT IN (SELECT content FROM files)";
        database.Run($"DELETE FROM vectors WHERE {unused}");
        database.Run($"DELETE FROM labels WHERE {unused}");
        database.Run("DELETE FROM contents WHERE id NOT IN (SELECT content FROM files)");
    }

    /// <summary>The file that a path leads to; null for links in a circle.</summary>
    private static FileInfo? Target(string path)
    {
        try
        {
            return ImageFile.Target(path);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static UInt128 KeyOf(byte[] hash) => BinaryPrimitives.ReadUInt128LittleEndian(hash);

    private bool HasVector(byte[] hash) => database.Value<long?>(
        "SELECT 1 FROM contents JOIN vectors ON content = id AND space = $1 WHERE hash = $0", hash, space.Id) is not null;

    private long ContentOf(byte[] hash) => database.Value<long>("SELECT id FROM contents WHERE hash = $0", hash);

    private List<KnownFile> Known() => database.Rows("""
        SELECT path, bytes, modified, files.content, row IS NOT NULL FROM files
        LEFT JOIN vectors ON vectors.content = files.content AND space = $0
        """, row => new KnownFile(row.GetString(0), row.GetInt64(1), row.GetInt64(2), row.GetInt64(3), row.GetBoolean(4)), space.Id);

    private Dictionary<string, (long Bytes, long Modified, string Reason)> Unread() => database.Rows(
        "SELECT path, bytes, modified, reason FROM skipped",
        row => (Path: row.GetString(0), Value: (row.GetInt64(1), row.GetInt64(2), row.GetString(3))))
        .ToDictionary(row => row.Path, row => row.Value, StringComparer.Ordinal);

    private sealed record Candidate(string Path, long Bytes, long Modified);

    private sealed record KnownFile(string Path, long Bytes, long Modified, long Content, bool IsEmbedded)
    {
        public bool IsSame(long bytes, long modified) => (Bytes, Modified) == (bytes, modified);
    }

    /// <summary>Result of reading a file: its hash with the facts of a new content, or the reason why there is none.</summary>
    private sealed record Outcome(byte[] Hash, PictureFacts? Facts, string? Reason, bool IsKept);
}
