using System.Text;
using Alebrije.Preprocessing;
using Sylvan.Data.Csv;

namespace Alebrije.Datasets;

/// <summary>
/// Rows of a table (RFC 4180, by Sylvan): fields in quotes may hold separators, line ends and doubled quotes; a quote within a field
/// without quotes is a character like any other. Tabs separate the fields of a <c>.tsv</c>; elsewhere it is the separator that the first
/// line has most of.
/// </summary>
internal sealed class CsvReader : IDisposable
{
    /// <summary>Characters of a row; more is a quote that was never closed.</summary>
    private const int LongestRow = 1 << 20;

    private readonly StreamReader text;
    private CsvDataReader? rows;
    private int nextLine = 1;

    private CsvReader(string path) =>
        (Path, text) = (path, new StreamReader(RegularFile.Open(path), new UTF8Encoding(false), detectEncodingFromByteOrderMarks: true));

    public string Path { get; }

    /// <summary>Names of the columns.</summary>
    public string[] Header { get; private set; } = [];

    /// <summary>Line on which the last row began, from 1.</summary>
    public int Line { get; private set; }

    /// <exception cref="InvalidDataException">The file is empty, or a quoted field does not end.</exception>
    public static CsvReader Open(string path)
    {
        var table = new CsvReader(path);
        try
        {
            table.Header = table.Read() ?? throw new InvalidDataException($"{path} is empty; its first line should name the columns.");
            return table;
        }
        catch
        {
            table.Dispose();
            throw;
        }
    }

    /// <returns>The fields of the next row, a single empty one of an empty line, or null at the end.</returns>
    /// <exception cref="InvalidDataException">A quoted field does not end, or the row is too long.</exception>
    public string[]? Read()
    {
        Line = nextLine;
        try
        {
            rows ??= CsvDataReader.Create(text, new CsvDataReaderOptions
            {
                HasHeaders = false, Comment = '\0', MaxBufferSize = LongestRow,
                Delimiter = Path.EndsWith(".tsv", StringComparison.OrdinalIgnoreCase) ? '\t' : null,
            });
            if (!rows.Read()) return null;
            string[] fields = rows.RowFieldCount == 0 ? [""] : [.. Enumerable.Range(0, rows.RowFieldCount).Select(rows.GetString)];
            nextLine += 1 + fields.Sum(field => field.AsSpan().Count('\n'));
            return fields;
        }
        catch (Exception e) when (e is CsvFormatException or CsvInvalidCharacterException or CsvRecordTooLargeException)
        {
            throw new InvalidDataException(
                $"{Path}, line {Line}: a field in quotes does not end or goes on behind its closing quote, "
                + $"or the row has more than {LongestRow:N0} characters.", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        rows?.Dispose();
        text.Dispose();
    }
}
