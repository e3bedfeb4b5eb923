using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Alebrije.Search;

/// <summary>Image files of an index with their facts.</summary>
internal static class IndexItems
{
    private const string Columns = """
        SELECT path, files.content, taken, modified, width, height, latitude, longitude, camera, label, row FROM files
        JOIN contents ON id = files.content LEFT JOIN labels ON labels.content = files.content
        """;

    /// <summary>All files with a vector in a space, by path.</summary>
    public static List<IndexedPicture> In(IndexDatabase database, long space, SearchFilter? filter = null)
    {
        var all = database.Rows($"{Columns} JOIN vectors ON vectors.content = files.content AND space = $0 ORDER BY path", Read, space);
        if (filter is { IsEmpty: false }) all.RemoveAll(picture => !filter.Fits(picture));
        return all;
    }

    /// <summary>The files of a row of vectors, by path; none if the row is an orphan.</summary>
    public static List<IndexedPicture> OfRow(IndexDatabase database, long space, long row) => database.Rows(
        $"{Columns} JOIN vectors ON vectors.content = files.content AND space = $0 WHERE row = $1 ORDER BY path", Read, space, row);

    private static IndexedPicture Read(SqliteDataReader row)
    {
        var date = row.IsDBNull(2) ? new DateTime(row.GetInt64(3), DateTimeKind.Utc).ToLocalTime()
            : DateTime.Parse(row.GetString(2), CultureInfo.InvariantCulture);
        return new IndexedPicture(row.GetString(0), row.GetInt64(1), date, row.GetInt32(4), row.GetInt32(5),
            row.IsDBNull(6) ? null : row.GetDouble(6), row.IsDBNull(7) ? null : row.GetDouble(7),
            row.IsDBNull(8) ? null : row.GetString(8), row.IsDBNull(9) ? null : row.GetString(9)) { Row = row.GetInt64(10) };
    }
}
