using System.Data.Common;
using Alebrije.Search.VectorData;
using Npgsql;

namespace Alebrije.Search.PostgreSql;

/// <summary>PostgreSQL: its own types of times, identifiers and lists.</summary>
internal sealed class PostgreSqlDialect : SqlDialect
{
    public override string System => "postgresql";

    public override string ColumnType(Type type) => (Nullable.GetUnderlyingType(type) ?? type) switch
    {
        var t when t == typeof(bool) => "boolean",
        var t when t == typeof(int) => "integer",
        var t when t == typeof(long) => "bigint",
        var t when t == typeof(float) => "real",
        var t when t == typeof(double) => "double precision",
        var t when t == typeof(byte[]) => "bytea",
        var t when t == typeof(Guid) => "uuid",
        var t when t == typeof(DateTime) => "timestamp without time zone",
        var t when t == typeof(DateTimeOffset) => "timestamp with time zone",
        var t when t == typeof(string[]) || t == typeof(List<string>) => "text[]",
        _ => "text",
    };

    public override object ToDatabase(object? value) => value switch
    {
        null => DBNull.Value,
        DateTime one => DateTime.SpecifyKind(one, DateTimeKind.Unspecified),
        DateTimeOffset one => one.ToUniversalTime(),
        List<string> list => list.ToArray(),
        _ => value,
    };

    public override object? FromDatabase(DbDataReader reader, int column, Type type)
    {
        if (reader.IsDBNull(column)) return null;
        return (Nullable.GetUnderlyingType(type) ?? type) switch
        {
            var t when t == typeof(DateTimeOffset) => reader.GetFieldValue<DateTimeOffset>(column),
            var t when t == typeof(string[]) => reader.GetFieldValue<string[]>(column),
            var t when t == typeof(List<string>) => reader.GetFieldValue<List<string>>(column),
            _ => reader.GetValue(column),
        };
    }

    public override string ListContains(string column, string text) => $"({text} = ANY ({column}))";

    public override string PositionOf(string text, string part) => $"strpos({text}, {part})";

    public override string OrderTerm(string column, Type type) => type == typeof(string) ? $"{column} COLLATE \"C\"" : column;

    public override bool IsMissingTable(DbException error) => error is PostgresException { SqlState: PostgresErrorCodes.UndefinedTable };
}
