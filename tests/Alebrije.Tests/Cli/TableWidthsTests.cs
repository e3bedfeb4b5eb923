using Alebrije.Cli;
using Spectre.Console;

namespace Alebrije.Tests.Cli;

/// <summary>Tables break between words only.</summary>
public sealed class TableWidthsTests
{
    private static readonly string[][] Rows = [["name", "kind", "runs"],
        ["kandinsky-2.2-controlnet-depth", "depth to image", "imagine, vary"], ["clip", "text and image embeddings", "yes"]];

    [Theory]
    [InlineData(100, new[] { 30, 25, 13 }, 100)]
    [InlineData(60, new[] { 30, 14, 10 }, 60)]
    [InlineData(20, new[] { 30, 10, 13 }, 59)]
    public void Columns_AreNeverNarrowerThanTheirLongestWord(int width, int[] columns, int table)
    {
        using var output = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No,
            Interactive = InteractionSupport.No, Out = new AnsiConsoleOutput(output) });
        var (found, whole) = TableWidths.Of(console, Rows, width, i => i == 2);
        Assert.Equal(table, whole);
        Assert.Equal(columns[0], found[0]);
        Assert.True(found[1] >= 10 && found[2] == 13, string.Join(' ', found));
        Assert.True(found.Sum() + 6 <= whole);
        if (width != 60) Assert.Equal(columns, found);
    }
}
