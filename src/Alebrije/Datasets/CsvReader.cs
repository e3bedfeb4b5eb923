using System.Text;

namespace Alebrije.Datasets;

/// <summary>
/// Reads a table row by row: fields in quotes may hold separators, line ends and doubled quotes (RFC 4180); rows end in LF, CRLF or CR. Tabs separate
/// the fields of a <c>.tsv</c>; elsewhere it is the one of comma, semicolon and tab that the header has most of.
/// </summary>
internal sealed class CsvReader : IDisposable
{
    /// <summary>Characters of a field; more is a quote that was never closed.</summary>
    private const int LongestField = 1 << 20;

    private readonly StreamReader reader;
    private char separator;
    private int nextLine = 1;

    private CsvReader(string path)
    {
        Path = path;
        reader = new StreamReader(path, new UTF8Encoding(false), detectEncodingFromByteOrderMarks: true);
        separator = path.EndsWith(".tsv", StringComparison.OrdinalIgnoreCase) ? '\t' : '\0';
    }

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
            if (table.separator == '\0') table.separator = Separator(path);
            table.Header = table.Read() ?? throw new InvalidDataException($"{path} is empty; its first line should name the columns.");
            return table;
        }
        catch
        {
            table.Dispose();
            throw;
        }
    }

    /// <returns>The fields of the next row, or null at the end.</returns>
    /// <exception cref="InvalidDataException">A quoted field does not end.</exception>
    public string[]? Read()
    {
        if (reader.Peek() < 0) return null;
        Line = nextLine;
        var fields = new List<string>();
        var field = new StringBuilder();
        while (true)
        {
            var end = reader.Peek() == '"' ? Quoted(field) : Plain(field);
            fields.Add(field.ToString());
            field.Clear();
            if (end != separator) return [.. fields];
        }
    }

    /// <inheritdoc/>
    public void Dispose() => reader.Dispose();

    /// <summary>Reads a field without quotes at its start, and what ended it.</summary>
    private int Plain(StringBuilder field)
    {
        for (var c = reader.Read(); ; c = reader.Read())
        {
            if (c == separator || EndsRow(c)) return c;
            Append(field, c);
        }
    }

    private int Quoted(StringBuilder field)
    {
        reader.Read();
        while (true)
        {
            var c = reader.Read();
            if (c < 0) throw Unended();
            if (c == '"')
            {
                // A doubled quote stands for one; any other ends the field, and what follows up to the separator belongs to it as it is.
                if (reader.Peek() != '"') return Plain(field);
                reader.Read();
            }
            else if (c == '\n')
            {
                nextLine++;
            }

            Append(field, c);
        }
    }

    private bool EndsRow(int c)
    {
        if (c is not ('\n' or '\r' or < 0)) return false;
        if (c == '\r' && reader.Peek() == '\n') reader.Read();
        nextLine++;
        return true;
    }

    private void Append(StringBuilder field, int c)
    {
        if (field.Length >= LongestField) throw Unended();
        field.Append((char)c);
    }

    private InvalidDataException Unended() => new($"{Path}, line {Line}: a field in quotes does not end, or has more than {LongestField:N0} characters.");

    private static char Separator(string path)
    {
        using var first = new StreamReader(path, Encoding.UTF8);
        var (counts, quoted) = (new Dictionary<char, int> { [','] = 0, [';'] = 0, ['\t'] = 0 }, false);
        for (var (c, left) = (first.Read(), LongestField); c >= 0 && left > 0 && (quoted || c is not ('\n' or '\r')); c = first.Read(), left--)
        {
            if (c == '"') quoted = !quoted;
            else if (!quoted && counts.TryGetValue((char)c, out var count)) counts[(char)c] = count + 1;
        }

        return counts.OrderByDescending(pair => pair.Value).First().Key;
    }
}
