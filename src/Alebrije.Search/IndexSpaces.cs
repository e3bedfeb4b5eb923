using System.Globalization;
using Alebrije.Pipelines;
using Alebrije.Search.Vectors;

namespace Alebrije.Search;

/// <summary>A query was made with a model of another space than the index; the message names both and the ways out.</summary>
public sealed class OtherSpaceException : InvalidOperationException
{
    internal OtherSpaceException(string message, string model, IReadOnlyList<IndexedSpace> spaces) : base(message) =>
        (Model, Spaces) = (model, spaces);

    /// <summary>Name of the model of the query.</summary>
    public string Model { get; }

    /// <summary>Spaces of the index.</summary>
    public IReadOnlyList<IndexedSpace> Spaces { get; }
}

/// <summary>Embedding spaces of an index, each with a file of vectors.</summary>
internal sealed class IndexSpaces(string folder, IndexDatabase database)
{
    /// <summary>All spaces, in the order in which they were made.</summary>
    public IReadOnlyList<IndexedSpace> All() => database.Rows("""
        SELECT id, model, dimensions, weights, source, preprocessing, file,
            (SELECT count(*) FROM vectors JOIN files ON files.content = vectors.content WHERE space = id)
        FROM spaces ORDER BY id
        """, row => new IndexedSpace(row.GetInt64(0), row.GetString(1), row.GetInt32(2), row.GetString(3),
            row.GetString(4), row.GetInt32(7))
    {
        Preprocessing = row.IsDBNull(5) ? null : row.GetString(5), File = Plain(row.GetString(6)),
    });

    /// <summary>The name of a file of vectors, which lies in the folder of the index.</summary>
    private string Plain(string file) => VectorFile.IsName(file) ? file
        : throw IndexDatabase.Unsound(Path.Combine(folder, IndexDatabase.FileName));

    /// <summary>The space of a model, or null.</summary>
    public IndexedSpace? Find(ClipModel model)
    {
        var (space, weights) = (model.Space, ModelIdentity.Of(model, database));
        return All().FirstOrDefault(one => one.Weights == weights
            && new EmbeddingSpace(one.Model, one.Dimensions, one.Preprocessing).IsSame(space));
    }

    /// <summary>The space of a model.</summary>
    /// <exception cref="OtherSpaceException">The index has none of it.</exception>
    public IndexedSpace Require(ClipModel model)
    {
        if (Find(model) is { } found) return found;
        var all = All();
        if (all.Count == 0)
            throw new InvalidOperationException($"The index {folder} is empty; add images with 'alebrije index add FOLDER'.");
        var made = string.Join(", ", all.Select(one => one.Model).Distinct(StringComparer.Ordinal));
        throw new OtherSpaceException(all.Any(one => one.Model == model.Name)
            ? $"The index was made with {made} of other weights or another preparation than this {model.Name}; "
                + "rebuild it with 'alebrije index update --model', or search with the weights that made it."
            : $"The index was made with {made}; rebuild it with 'alebrije index update --model {model.Name}', "
                + $"or search with --model {all[0].Source}.", model.Name, all);
    }

    /// <summary>The space of a model; made where there is none. For the holder of the lock.</summary>
    public IndexedSpace FindOrAdd(ClipModel model, string source)
    {
        if (Find(model) is { } found) return found;
        var (space, weights) = (model.Space, ModelIdentity.Of(model, database));
        var number = (database.Value<long?>("SELECT max(id) FROM spaces") ?? 0) + 1;
        var file = NewFile(number);
        using (var vectors = VectorFile.Create(Path.Combine(folder, file), space.Dimensions)) vectors.Flush();
        database.Run("INSERT INTO spaces(id, model, dimensions, preprocessing, weights, source, file) VALUES ($0, $1, $2, $3, $4, $5, $6)",
            number, space.Model, space.Dimensions, space.Preprocessing, weights, source, file);
        return Find(model)!;
    }

    /// <summary>The vectors of a space, for reading.</summary>
    public VectorFile Open(IndexedSpace space) => VectorFile.Open(Path.Combine(folder, space.File), writable: false);

    /// <summary>The vectors of a space, for appending. For the holder of the lock.</summary>
    public VectorFile OpenForWriting(IndexedSpace space) => VectorFile.Open(Path.Combine(folder, space.File), writable: true);

    /// <summary>Drops a space and its vectors. For the holder of the lock.</summary>
    public void Remove(IndexedSpace space)
    {
        database.Change(() =>
        {
            database.Run("DELETE FROM vectors WHERE space = $0", space.Id);
            database.Run("DELETE FROM spaces WHERE id = $0", space.Id);
        });
        DropUnusedFiles();
    }

    /// <summary>
    /// Writes the vectors that the tables name into a new file, without rows that a killed run or removed images left; the tables change
    /// to it at once. For the holder of the lock.
    /// </summary>
    public void Compact(IndexedSpace space)
    {
        var rows = database.Rows("SELECT row FROM vectors WHERE space = $0 ORDER BY row", row => row.GetInt64(0), space.Id);
        var file = NewFile(space.Id, space.File);
        using (var from = Open(space))
        using (var to = VectorFile.Create(Path.Combine(folder, file), space.Dimensions))
        {
            var vector = new float[space.Dimensions];
            foreach (var row in rows)
            {
                from.Row(row, vector);
                to.Append(vector);
            }

            to.Flush();
        }

        database.Change(() =>
        {
            // New numbers are at most the old ones, so that in ascending order none is taken.
            foreach (var (number, row) in rows.Index())
                if (number != row) database.Run("UPDATE vectors SET row = $0 WHERE space = $1 AND row = $2", (long)number, space.Id, row);
            database.Run("UPDATE spaces SET file = $0 WHERE id = $1", file, space.Id);
        });
        DropUnusedFiles();
    }

    /// <summary>Deletes files of vectors that no space has, left by a killed run. For the holder of the lock.</summary>
    public void DropUnusedFiles()
    {
        var used = All().Select(space => space.File).ToArray();
        foreach (var path in Directory.EnumerateFiles(folder, "vectors-*"))
            if (!used.Any(file => Path.GetFileName(path).StartsWith(file, StringComparison.Ordinal))) File.Delete(path);
    }

    /// <summary>A file name that the space has not had: a reader may still have the former file open.</summary>
    private string NewFile(long space, string? former = null)
    {
        for (var n = former is null ? 1 : Number(former) + 1; ; n++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"vectors-{space}-{n}.bin");
            if (!File.Exists(Path.Combine(folder, name))) return name;
        }

        static int Number(string file) =>
            int.Parse(Path.GetFileNameWithoutExtension(file).Split('-')[^1], NumberStyles.None, CultureInfo.InvariantCulture);
    }
}
