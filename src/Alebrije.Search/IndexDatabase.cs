using System.Globalization;
using Alebrije.Preprocessing;
using Microsoft.Data.Sqlite;

namespace Alebrije.Search;

/// <summary>The table file of an index: files, their contents, embedding spaces, rows of vectors. Safe from several threads.</summary>
internal sealed class IndexDatabase : IDisposable
{
    /// <summary>Name of the file in the folder of an index.</summary>
    public const string FileName = "index.db";

    private const int Version = 1;

    /// <summary>Codes of SQLite. The statements are fixed: an error in one is an error in the tables.</summary>
    private const int Unfit = 1, ReadOnly = 8, Damaged = 11, Full = 13, NoDatabase = 26;

    private const string Schema = """
        CREATE TABLE roots(path TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE spaces(id INTEGER PRIMARY KEY, model TEXT NOT NULL, dimensions INTEGER NOT NULL, preprocessing TEXT,
            weights TEXT NOT NULL, source TEXT NOT NULL, file TEXT NOT NULL);
        CREATE TABLE contents(id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, width INTEGER NOT NULL, height INTEGER NOT NULL,
            taken TEXT, latitude REAL, longitude REAL, camera TEXT, frequencies INTEGER NOT NULL, colours BLOB NOT NULL);
        CREATE TABLE files(path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, modified INTEGER NOT NULL,
            content INTEGER NOT NULL REFERENCES contents(id)) WITHOUT ROWID;
        CREATE INDEX files_by_content ON files(content);
        CREATE TABLE vectors(space INTEGER NOT NULL REFERENCES spaces(id), row INTEGER NOT NULL,
            content INTEGER NOT NULL REFERENCES contents(id), PRIMARY KEY(space, row)) WITHOUT ROWID;
        CREATE UNIQUE INDEX vectors_by_content ON vectors(space, content);
        CREATE TABLE skipped(path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, modified INTEGER NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE labels(content INTEGER PRIMARY KEY REFERENCES contents(id), label TEXT NOT NULL, probability REAL NOT NULL);
        CREATE TABLE weights(path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, modified INTEGER NOT NULL, hash TEXT NOT NULL) WITHOUT ROWID;
        """;

    private readonly SqliteConnection connection;
    private readonly Dictionary<string, SqliteCommand> commands = new(StringComparer.Ordinal);
    private readonly Lock gate = new();

    private IndexDatabase(SqliteConnection connection) => this.connection = connection;

    /// <summary>Opens the file; with <paramref name="create"/> an empty one is made where there is none.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is not such a file, or it is damaged or of a later version.</exception>
    public static IndexDatabase Open(string folder, bool create)
    {
        var path = Path.Combine(folder, FileName);
        if (!create && !File.Exists(path))
            throw new FileNotFoundException($"There is no index in {folder}; make one with 'alebrije index add FOLDER'.", path);
        var settings = new SqliteConnectionStringBuilder
        {
            DataSource = path, Mode = create ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadWrite, Pooling = false,
        };
        var database = new IndexDatabase(new SqliteConnection(settings.ConnectionString));
        try
        {
            database.connection.Open();
            database.Prepare(folder, create);
            return database;
        }
        catch (SqliteException e)
        {
            database.Dispose();
            throw Meaning(path, e) ?? new IOException($"{path} cannot be opened: {e.Message.Split('\n')[0]}", e);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Runs statements as one change: all of them or, where the process ends before the last, none.</summary>
    public void Change(Action work)
    {
        lock (gate)
        {
            Run("BEGIN IMMEDIATE");
            try
            {
                work();
                Run("COMMIT");
            }
            catch
            {
                try
                {
                    Run("ROLLBACK");
                }
                catch (Exception e) when (e is SqliteException or InvalidDataException)
                {
                    // SQLite itself took back a change that had no space on the disk.
                }

                throw;
            }
        }
    }

    /// <summary>Runs a statement.</summary>
    /// <param name="sql">SQL with parameters <c>$0</c>, <c>$1</c>, ...</param>
    /// <param name="values">Their values; null is NULL.</param>
    /// <returns>Changed rows.</returns>
    /// <exception cref="UnwritableFileException">The disk is full or read-only.</exception>
    public int Run(string sql, params ReadOnlySpan<object?> values)
    {
        lock (gate)
        {
            try
            {
                return Command(sql, values).ExecuteNonQuery();
            }
            catch (SqliteException e) when (Meaning(connection.DataSource, e) is { } meaning)
            {
                throw meaning;
            }
        }
    }

    /// <summary>The first value of the first row, or null.</summary>
    public T? Value<T>(string sql, params ReadOnlySpan<object?> values)
    {
        lock (gate)
        {
            try
            {
                return Command(sql, values).ExecuteScalar() is { } value and not DBNull ? Sound(() => (T)Convert.ChangeType(
                    value, Nullable.GetUnderlyingType(typeof(T)) ?? typeof(T), CultureInfo.InvariantCulture)) : default;
            }
            catch (SqliteException e) when (Meaning(connection.DataSource, e) is { } meaning)
            {
                throw meaning;
            }
        }
    }

    /// <summary>All rows of a query.</summary>
    public List<T> Rows<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<object?> values)
    {
        var rows = new List<T>();
        lock (gate)
        {
            try
            {
                using var reader = Command(sql, values).ExecuteReader();
                while (reader.Read()) rows.Add(Sound(() => read(reader)));
            }
            catch (SqliteException e) when (Meaning(connection.DataSource, e) is { } meaning)
            {
                throw meaning;
            }
        }

        return rows;
    }

    public void Dispose()
    {
        foreach (var command in commands.Values) command.Dispose();
        connection.Dispose();
    }

    private void Prepare(string folder, bool create)
    {
        Run("PRAGMA busy_timeout = 10000");
        var version = Value<long>("PRAGMA user_version");
        if (version > Version)
            throw new InvalidDataException($"The index {folder} was made by a later version of Alebrije (format {version}); update it.");
        if (version == Version)
        {
            if (!SqliteTables.AreThoseOf(connection, Schema)) throw Unsound(connection.DataSource);
            return;
        }

        if (!create)
            throw new FileNotFoundException($"There is no index in {folder}; make one with 'alebrije index add FOLDER'.");
        Run("PRAGMA journal_mode = WAL");
        Change(() =>
        {
            if (Value<long>("PRAGMA user_version") == Version) return;
            using var command = connection.CreateCommand();
            command.CommandText = Schema + string.Create(CultureInfo.InvariantCulture, $"\nPRAGMA user_version = {Version};");
            command.ExecuteNonQuery();
        });
    }

    /// <summary>The error that an error of SQLite stands for: a damaged file, or a disk that takes nothing; null for others.</summary>
    private static Exception? Meaning(string path, SqliteException error) => error.SqliteErrorCode switch
    {
        Damaged or NoDatabase or Unfit => Unsound(path, error),
        Full => new UnwritableFileException(path, UnwritableReason.Full, error.Message, error),
        ReadOnly => new UnwritableFileException(path, UnwritableReason.ReadOnly, error.Message, error),
        _ => null,
    };

    /// <summary>The error of a file that is damaged, or whose tables are not those of an index.</summary>
    public static InvalidDataException Unsound(string path, Exception? error = null) =>
        new($"{path} is damaged or not an index; move it away and build the index again.", error);

    /// <summary>A value that a damaged table may hold as another type or as NULL: SQLite has no types that are checked.</summary>
    private T Sound<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is InvalidOperationException or InvalidCastException or FormatException or OverflowException
            or ArgumentException)
        {
            throw Unsound(connection.DataSource, e);
        }
    }

    private SqliteCommand Command(string sql, ReadOnlySpan<object?> values)
    {
        if (!commands.TryGetValue(sql, out var command))
        {
            commands[sql] = command = connection.CreateCommand();
            command.CommandText = sql;
            for (var i = 0; i < values.Length; i++)
                command.Parameters.Add(new SqliteParameter(string.Create(CultureInfo.InvariantCulture, $"${i}"), null));
        }

        for (var i = 0; i < values.Length; i++) command.Parameters[i].Value = values[i] ?? DBNull.Value;
        return command;
    }
}
