using Spectre.Console;
using Spectre.Console.Rendering;

namespace Alebrije.Cli;

/// <summary>
/// Widths of a table's columns: cells break between words only, since names and paths in them are copied, and numbers keep their unit.
/// If the longest words exceed the terminal, so do the lines.
/// </summary>
internal static class TableWidths
{
    /// <summary>Columns that Spectre.Console adds to the cells of a column.</summary>
    private const int Padding = 2;

    /// <param name="console">Console that the table is drawn for.</param>
    /// <param name="rows">All rows, including the head.</param>
    /// <param name="width">Columns of the terminal.</param>
    /// <param name="isNumber">True for columns of numbers, which are never broken.</param>
    /// <returns>Width of every column, without its padding, and of the whole table.</returns>
    public static (int[] Columns, int Table) Of(IAnsiConsole console,
        IReadOnlyList<IReadOnlyList<string>> rows, int width, Func<int, bool> isNumber)
    {
        var options = RenderOptions.Create(console);
        var count = rows[0].Count;
        var (least, most) = (new int[count], new int[count]);
        foreach (var (number, row) in rows.Index())
        {
            for (var i = 0; i < count; i++)
            {
                var measured = ((IRenderable)new Text(row[i])).Measure(options, int.MaxValue / 2);
                (least[i], most[i]) = (Math.Max(least[i], isNumber(i) && number > 0 ? measured.Max : measured.Min),
                    Math.Max(most[i], measured.Max));
            }
        }

        // The remaining width goes to the column that lacks most, a character at a time.
        var columns = least.ToArray();
        for (var left = width - columns.Sum() - (Padding * count); left > 0; left--)
        {
            var neediest = Enumerable.Range(0, count).MaxBy(i => most[i] - columns[i]);
            if (columns[neediest] >= most[neediest]) break;
            columns[neediest]++;
        }

        return (columns, Math.Max(width, columns.Sum() + (Padding * count)));
    }
}
