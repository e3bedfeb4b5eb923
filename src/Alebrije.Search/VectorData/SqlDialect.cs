using System.Data.Common;

namespace Alebrije.Search.VectorData;

/// <summary>Differences between databases.</summary>
internal abstract class SqlDialect
{
    /// <summary>Name of the system in errors and telemetry.</summary>
    public abstract string System { get; }

    /// <summary>A name as an identifier.</summary>
    public static string Quote(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    /// <summary>Type of the column of a property.</summary>
    public abstract string ColumnType(Type type);

    /// <summary>A value as a parameter; never null.</summary>
    public abstract object ToDatabase(object? value);

    /// <summary>A column's value as a property's type.</summary>
    public abstract object? FromDatabase(DbDataReader reader, int column, Type type);

    /// <summary>True where a column of texts holds a text.</summary>
    public abstract string ListContains(string column, string text);

    /// <summary>Position of a text in another, from 1; 0 where it is not in it.</summary>
    public abstract string PositionOf(string text, string part);

    /// <summary>A column as a term of an order; texts by their code points.</summary>
    public abstract string OrderTerm(string column, Type type);

    /// <summary>True if an error means that there is no such table.</summary>
    public abstract bool IsMissingTable(DbException error);
}
