using Microsoft.Data.Sqlite;

namespace Alebrije.Search;

/// <summary>
/// Tables of a database file that may come from elsewhere. A view, a trigger or a virtual table in the place of a table computes what is
/// read, without end where it is recursive.
/// </summary>
internal static class SqliteTables
{
    private const string Objects = "SELECT type, name, coalesce(sql, '') FROM sqlite_master WHERE substr(name, 1, 7) <> 'sqlite_'";

    /// <summary>Columns whose values are expressions: 2 virtual, 3 stored.</summary>
    private const string ComputedColumns = """
        SELECT 'column', column.name, '' FROM sqlite_master AS one, pragma_table_xinfo(one.name) AS column
        WHERE one.type = 'table' AND column.hidden IN (2, 3)
        """;

    /// <summary>Refuses a file that has anything but tables and their indexes.</summary>
    /// <param name="connection">The open file.</param>
    /// <exception cref="InvalidDataException">It has a view, a trigger, a virtual table or a computed column.</exception>
    public static void RequirePlain(SqliteConnection connection)
    {
        foreach (var (type, name, sql) in Read(connection, Objects))
        {
            if (type is not ("table" or "index") || sql.StartsWith("CREATE VIRTUAL", StringComparison.OrdinalIgnoreCase))
                throw Refusal(connection, type, name);
        }

        foreach (var (type, name, _) in Read(connection, ComputedColumns)) throw Refusal(connection, type, name);
    }

    private static InvalidDataException Refusal(SqliteConnection connection, string type, string name) =>
        new($"{connection.DataSource} has the {type} '{name}', which computes its content; a store has plain tables alone.");

    /// <summary>True if a file has exactly the tables and indexes of a schema.</summary>
    /// <param name="connection">The open file.</param>
    /// <param name="schema">Statements that create them.</param>
    public static bool AreThoseOf(SqliteConnection connection, string schema)
    {
        using var memory = new SqliteConnection("Data Source=:memory:");
        memory.Open();
        using var command = memory.CreateCommand();
        command.CommandText = schema;
        command.ExecuteNonQuery();
        return Read(memory, Objects).ToHashSet().SetEquals(Read(connection, Objects));
    }

    private static List<(string Type, string Name, string Sql)> Read(SqliteConnection connection, string query)
    {
        using var command = connection.CreateCommand();
        command.CommandText = query;
        using var reader = command.ExecuteReader();
        var found = new List<(string, string, string)>();
        while (reader.Read()) found.Add((reader.GetString(0), reader.GetString(1), OneLine(reader.GetString(2))));
        return found;
    }

    /// <summary>A statement with single spaces: the line ends of a schema are those of the sources that it was compiled from.</summary>
    private static string OneLine(string sql) =>
        string.Join(' ', sql.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
