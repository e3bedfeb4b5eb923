using System.Globalization;
using System.Text.Json;
using Alebrije.Preprocessing;
using Alebrije.Search.Vectors;
using Microsoft.Data.Sqlite;

namespace Alebrije.Search.VectorData;

/// <summary>Folder of a local vector store: <c>store.db</c> with a table a collection, and files of vectors.</summary>
internal sealed class LocalVectorFolder : IDisposable
{
    private readonly string connection;
    private readonly Dictionary<string, (VectorFile File, ApproximateIndex? Graph)> open = new(StringComparer.Ordinal);
    private readonly Lock gate = new(), building = new();
    private bool isDisposed;

    public LocalVectorFolder(string path)
    {
        Path = path;
        WrittenFile.MakeFolder(path);
        connection = new SqliteConnectionStringBuilder
        {
            DataSource = System.IO.Path.Combine(path, "store.db"), Mode = SqliteOpenMode.ReadWriteCreate, DefaultTimeout = 30,
        }.ConnectionString;
        using var made = Connect();
        SqliteTables.RequirePlain(made);
        using var command = made.CreateCommand();
        command.CommandText = """
            PRAGMA journal_mode = WAL;
            CREATE TABLE IF NOT EXISTS collections(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, schema TEXT NOT NULL);
            CREATE TABLE IF NOT EXISTS files(collection INTEGER NOT NULL REFERENCES collections(id) ON DELETE CASCADE,
                property TEXT NOT NULL, file TEXT NOT NULL, PRIMARY KEY(collection, property));
            """;
        command.ExecuteNonQuery();
    }

    public string Path { get; }

    /// <summary>A new connection, open.</summary>
    public SqliteConnection Connect()
    {
        var made = new SqliteConnection(connection);
        made.Open();
        return made;
    }

    /// <summary>Names of the collections, in order.</summary>
    public IReadOnlyList<string> Names()
    {
        using var connected = Connect();
        using var command = connected.CreateCommand();
        command.CommandText = "SELECT name FROM collections ORDER BY name";
        using var reader = command.ExecuteReader();
        var names = new List<string>();
        while (reader.Read()) names.Add(reader.GetString(0));
        return names;
    }

    /// <summary>Table of a collection.</summary>
    public static string TableOf(string name) => SqlDialect.Quote($"records of {name}");

    /// <summary>Makes a collection where there is none.</summary>
    /// <param name="name">The collection.</param>
    /// <param name="schema">Its columns; those of an existing collection have to be the same.</param>
    /// <param name="statements">SQL that makes its table.</param>
    /// <param name="vectors">Vector properties, with the width and the type of their files.</param>
    /// <exception cref="InvalidDataException">There is one of other properties.</exception>
    public void Create(string name, IReadOnlyList<string> schema, IEnumerable<string> statements,
        IReadOnlyList<(string Property, int Width, VectorType Type)> vectors)
    {
        using var connected = Connect();
        using var transaction = connected.BeginTransaction();
        var text = JsonSerializer.Serialize(schema);
        if (Value(connected, "SELECT schema FROM collections WHERE name = $0", name) is string known)
        {
            if (known == text) return;
            throw new InvalidDataException($"The collection '{name}' was made with other properties; delete it, or take another name. "
                + $"It has: {string.Join(", ", JsonSerializer.Deserialize<string[]>(known)!)}. Requested: {string.Join(", ", schema)}.");
        }

        foreach (var statement in statements) Run(connected, statement);
        Run(connected, "INSERT INTO collections(name, schema) VALUES ($0, $1)", name, text);
        var id = (long)Value(connected, "SELECT id FROM collections WHERE name = $0", name)!;
        foreach (var (i, (property, width, type)) in vectors.Index())
        {
            var file = NameOf(id, i, 1);
            using (var made = VectorFile.Create(System.IO.Path.Combine(Path, file), width, type)) made.Flush();
            Run(connected, "INSERT INTO files(collection, property, file) VALUES ($0, $1, $2)", id, property, file);
        }

        transaction.Commit();
    }

    /// <summary>Deletes a collection with its vectors; nothing where there is none.</summary>
    public void Delete(string name)
    {
        using var connected = Connect();
        using var transaction = connected.BeginTransaction();
        var files = FilesOf(connected, name);
        Run(connected, $"DROP TABLE IF EXISTS {TableOf(name)}");
        Run(connected, "DELETE FROM files WHERE collection = (SELECT id FROM collections WHERE name = $0)", name);
        Run(connected, "DELETE FROM collections WHERE name = $0", name);
        transaction.Commit();
        foreach (var file in files) Drop(file);
    }

    /// <summary>Name of the file of a property's vectors.</summary>
    /// <exception cref="SqliteException">There is no such collection.</exception>
    public static string FileOf(SqliteConnection connected, string name, string property) =>
        Value(connected, "SELECT file FROM files JOIN collections ON id = collection WHERE name = $0 AND property = $1", name, property)
            is string file ? Plain(connected, file) : throw new SqliteException("no such table: " + name, 1);

    /// <summary>The name of a file of vectors, which lies in the folder of the store.</summary>
    private static string Plain(SqliteConnection connected, string file) => VectorFile.IsName(file) ? file
        : throw new InvalidDataException($"{connected.DataSource} names '{file}' as a file of vectors; such a file lies beside it.");

    /// <summary>A file of vectors, for appending, within a transaction that writes.</summary>
    public VectorFile OpenForWriting(string file) => VectorFile.Open(System.IO.Path.Combine(Path, file), writable: true);

    /// <summary>A file of vectors, for reading; kept open for the next search.</summary>
    /// <exception cref="FileNotFoundException">The vectors are in a new file by now.</exception>
    public VectorFile Open(string file)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isDisposed, this);
            if (open.TryGetValue(file, out var known)) return known.File;
            var made = VectorFile.Open(System.IO.Path.Combine(Path, file));

            // Another process may have rewritten the vectors: the former file is no longer used.
            var property = file[..(file.LastIndexOf('-') + 1)];
            foreach (var former in open.Keys.Where(name => name.StartsWith(property, StringComparison.Ordinal)).ToArray()) Close(former);
            open[file] = (made, null);
            return made;
        }
    }

    /// <summary>The graph of a file, or null where none was built.</summary>
    public ApproximateIndex? Graph(string file)
    {
        lock (gate)
        {
            var vectors = Open(file);
            var graph = open[file].Graph;
            if (ApproximateIndex.TryOpen(vectors, moreThan: graph?.Rows ?? -1) is not { } larger) return graph;
            graph?.Dispose();
            open[file] = (vectors, larger);
            return larger;
        }
    }

    /// <summary>Builds or extends the graph of a file with so many rows, where it lacks more than a quarter of them.</summary>
    public void BuildGraph(string file, long least, CancellationToken cancellation)
    {
        lock (building)
        {
            try
            {
                using var vectors = VectorFile.Open(System.IO.Path.Combine(Path, file));
                var rows = vectors.Count;
                if (rows < least || (Graph(file)?.Rows ?? 0) >= rows - (rows / 4)) return;
                ApproximateIndex.Build(vectors, null, cancellation).Dispose();
            }
            catch (FileNotFoundException)
            {
                // Another process has written the vectors into a new file; its next records build the graph.
            }
        }
    }

    /// <summary>Writes the vectors of a property into a new file, in order of their rows, without those that no record has.</summary>
    public void Compact(SqliteConnection connected, string name, string property, string column)
    {
        var former = FileOf(connected, name, property);
        var parts = System.IO.Path.GetFileNameWithoutExtension(former).Split('-').Skip(1)
            .Select(part => long.Parse(part, NumberStyles.None, CultureInfo.InvariantCulture)).ToArray();
        var file = NameOf(parts[0], (int)parts[1], parts[2] + 1);
        using (var from = VectorFile.Open(System.IO.Path.Combine(Path, former)))
        using (var to = VectorFile.Create(System.IO.Path.Combine(Path, file), from.Width, from.Type))
        {
            var (vector, rows) = (new float[from.Width], new List<long>());
            using (var command = connected.CreateCommand())
            {
                command.CommandText = $"SELECT {column} FROM {TableOf(name)} WHERE {column} IS NOT NULL ORDER BY {column}";
                using var reader = command.ExecuteReader();
                while (reader.Read()) rows.Add(reader.GetInt64(0));
            }

            foreach (var row in rows)
            {
                from.Row(row, vector);
                var moved = to.Append(vector);
                // New rows are at most the old ones, so that in ascending order none is taken.
                if (moved != row) Run(connected, $"UPDATE {TableOf(name)} SET {column} = $0 WHERE {column} = $1", moved, row);
            }

            to.Flush();
        }

        Run(connected, "UPDATE files SET file = $0 WHERE file = $1", file, former);
    }

    /// <summary>Deletes files that no collection names, left by a killed process or rewritten. For a transaction that writes.</summary>
    public void DropUnused(SqliteConnection connected)
    {
        var used = FilesOf(connected, null).ToHashSet(StringComparer.Ordinal);
        foreach (var path in Directory.EnumerateFiles(Path, "vectors-*.bin"))
            if (!used.Contains(System.IO.Path.GetFileName(path))) Drop(System.IO.Path.GetFileName(path));
    }

    /// <summary>Deletes a file of vectors with its graph.</summary>
    private void Drop(string file)
    {
        lock (gate)
        {
            Close(file);
        }

        foreach (var path in Directory.EnumerateFiles(Path, $"{file}*")) File.Delete(path);
    }

    public void Dispose()
    {
        lock (gate)
        {
            isDisposed = true;
            foreach (var file in open.Keys.ToArray()) Close(file);
        }

        using var any = new SqliteConnection(connection);
        SqliteConnection.ClearPool(any);
    }

    /// <summary>Closes a file with its graph. Within <see cref="gate"/>.</summary>
    private void Close(string file)
    {
        if (!open.Remove(file, out var known)) return;
        known.Graph?.Dispose();
        known.File.Dispose();
    }

    /// <summary>Files of a collection, or of all.</summary>
    private static List<string> FilesOf(SqliteConnection connected, string? name)
    {
        using var command = connected.CreateCommand();
        command.CommandText = "SELECT file FROM files JOIN collections ON id = collection WHERE $0 IS NULL OR name = $0";
        command.Parameters.AddWithValue("$0", (object?)name ?? DBNull.Value);
        using var reader = command.ExecuteReader();
        var files = new List<string>();
        while (reader.Read()) files.Add(Plain(connected, reader.GetString(0)));
        return files;
    }

    private static string NameOf(long collection, int property, long generation) =>
        string.Create(CultureInfo.InvariantCulture, $"vectors-{collection}-{property}-{generation}.bin");

    private static void Run(SqliteConnection connected, string sql, params ReadOnlySpan<object> values)
    {
        using var command = connected.CreateCommand();
        command.CommandText = sql;
        for (var i = 0; i < values.Length; i++)
            command.Parameters.AddWithValue(string.Create(CultureInfo.InvariantCulture, $"${i}"), values[i]);
        command.ExecuteNonQuery();
    }

    private static object? Value(SqliteConnection connected, string sql, params ReadOnlySpan<object> values)
    {
        using var command = connected.CreateCommand();
        command.CommandText = sql;
        for (var i = 0; i < values.Length; i++)
            command.Parameters.AddWithValue(string.Create(CultureInfo.InvariantCulture, $"${i}"), values[i]);
        return command.ExecuteScalar();
    }
}
