using System.Data.Common;
using System.Globalization;
using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace Alebrije.Search.VectorData;

/// <summary>SQLite: times as texts that sort, lists as JSON.</summary>
internal sealed class SqliteDialect : SqlDialect
{
    private const string TimeForm = "yyyy-MM-ddTHH:mm:ss.fffffff";

    public override string System => "alebrije";

    public override string ColumnType(Type type) => (Nullable.GetUnderlyingType(type) ?? type) switch
    {
        var t when t == typeof(int) || t == typeof(long) || t == typeof(bool) => "INTEGER",
        var t when t == typeof(float) || t == typeof(double) => "REAL",
        var t when t == typeof(byte[]) => "BLOB",
        _ => "TEXT",
    };

    public override object ToDatabase(object? value) => value switch
    {
        null => DBNull.Value,
        bool one => one ? 1L : 0L,
        int one => (long)one,
        float one => (double)one,
        Guid one => one.ToString("D"),
        DateTime one => one.ToString(TimeForm, CultureInfo.InvariantCulture),
        DateTimeOffset one => one.UtcDateTime.ToString(TimeForm, CultureInfo.InvariantCulture),
        IEnumerable<string> list => JsonSerializer.Serialize(list),
        _ => value,
    };

    public override object? FromDatabase(DbDataReader reader, int column, Type type)
    {
        if (reader.IsDBNull(column)) return null;
        return (Nullable.GetUnderlyingType(type) ?? type) switch
        {
            var t when t == typeof(bool) => reader.GetInt64(column) != 0,
            var t when t == typeof(int) => reader.GetInt32(column),
            var t when t == typeof(long) => reader.GetInt64(column),
            var t when t == typeof(float) => (float)reader.GetDouble(column),
            var t when t == typeof(double) => reader.GetDouble(column),
            var t when t == typeof(byte[]) => reader.GetFieldValue<byte[]>(column),
            var t when t == typeof(Guid) => Guid.Parse(reader.GetString(column)),
            var t when t == typeof(DateTime) => Time(DateTimeStyles.None),
            var t when t == typeof(DateTimeOffset) => new DateTimeOffset(Time(DateTimeStyles.None), TimeSpan.Zero),
            var t when t == typeof(string[]) => JsonSerializer.Deserialize<string[]>(reader.GetString(column)),
            var t when t == typeof(List<string>) => JsonSerializer.Deserialize<List<string>>(reader.GetString(column)),
            var t when t == typeof(string) => reader.GetString(column),
            _ => reader.GetValue(column),
        };

        DateTime Time(DateTimeStyles styles) =>
            DateTime.ParseExact(reader.GetString(column), TimeForm, CultureInfo.InvariantCulture, styles);
    }

    public override string ListContains(string column, string text) =>
        $"({column} IS NOT NULL AND EXISTS (SELECT 1 FROM json_each({column}) WHERE json_each.value = {text}))";

    public override string PositionOf(string text, string part) => $"instr({text}, {part})";

    public override string OrderTerm(string column, Type type) => column;

    public override bool IsMissingTable(DbException error) =>
        error is SqliteException { SqliteErrorCode: 1 } && error.Message.Contains("no such table", StringComparison.Ordinal);
}
