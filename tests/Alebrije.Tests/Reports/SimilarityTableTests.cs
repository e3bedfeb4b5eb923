using System.Text;
using System.Text.RegularExpressions;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;
using SkiaSharp;

namespace Alebrije.Tests.Reports;

public sealed partial class SimilarityTableTests
{
    private static readonly string[] Words = ["un león", "a cat, \"small\"", "a | dog"];
    private static readonly SimilarityTable Table = new(
        ["león_01.png", "cat.png"], Words, [[0.30, 0.28, 0.10], [0.10, 0.30, 0.29]], [Square(200, 10, 10), null]);

    [Fact]
    public void Softmax_RowsAddUpToOne_AndBestIsTheLargestCosine()
    {
        Assert.All(Table.Softmax, row => Assert.Equal(1, row.Sum(), 12));
        Assert.Equal(1 / (1 + Math.Exp(-2) + Math.Exp(-20)), Table.Softmax[0][0], 12);
        Assert.Equal([0, 1], new[] { Table.Best(0), Table.Best(1) });
    }

    [Fact]
    public void FromEmbeddings_UnitVectors_GivesTheirCosines()
    {
        var table = SimilarityTable.FromEmbeddings(["a"], [[0.6f, 0.8f]], ["x", "y"], [[1f, 0f], [0f, -2f]]);
        Assert.Equal(0.6, table.Cosine[0][0], 7);
        Assert.Equal(-0.8, table.Cosine[0][1], 7);
        Assert.Throws<ArgumentException>(() => SimilarityTable.FromEmbeddings(["a"], [[1f, 0f]], ["x"], [[1f]]));
    }

    [Fact]
    public void SortedBy_Column_PutsTheBestFirstAndKeepsRowsTogether()
    {
        var sorted = Table.SortedBy(1);
        Assert.Equal(["cat.png", "león_01.png"], sorted.Images);
        Assert.Equal(Table.Cosine[1], sorted.Cosine[0]);
        Assert.NotNull(sorted.Thumbnails[1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => Table.SortedBy(3));
    }

    [Fact]
    public void BluesGradient_IsMatplotlibsTableWithPandasText()
    {
        // matplotlib 3.8: colormaps["Blues"](0), (0.25), (0.5), (0.75), (1.0), as pandas writes them.
        Assert.Equal("#f7fbff", BluesGradient.Background(BluesGradient.Level(0)).Hex);
        Assert.Equal("#c6dbef", BluesGradient.Background(BluesGradient.Level(0.25)).Hex);
        Assert.Equal("#6aaed6", BluesGradient.Background(BluesGradient.Level(0.5)).Hex);
        Assert.Equal("#2070b4", BluesGradient.Background(BluesGradient.Level(0.75)).Hex);
        Assert.Equal("#08306b", BluesGradient.Background(BluesGradient.Level(1)).Hex);
        Assert.Equal("#000000", BluesGradient.Foreground(0).Hex);
        Assert.Equal("#f1f1f1", BluesGradient.Foreground(255).Hex);
        var flips = Enumerable.Range(1, 255).Count(i => BluesGradient.Foreground(i) != BluesGradient.Foreground(i - 1));
        Assert.Equal(1, flips);
        Assert.Equal(0, BluesGradient.Level(double.NaN));
    }

    [Fact]
    public void Csv_SpecialCharacters_AreQuotedAsRfc4180Says()
    {
        var lines = Table.ToCsv().Split("\r\n");
        Assert.Equal("image,un león,\"a cat, \"\"small\"\"\",a | dog", lines[0]);
        Assert.StartsWith("león_01.png,0.880797,", lines[1], StringComparison.Ordinal);
        Assert.Equal("", lines[3]);
        Assert.StartsWith("imagen,", Table.ToCsv(new() { Language = "es" }), StringComparison.Ordinal);
        Assert.Contains("cat.png,0.100000,0.300000,0.290000", Table.ToCsv(new() { Measure = SimilarityMeasure.Cosine }),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Markdown_EscapesBarsAndMarksTheBest() => Assert.Equal(
        "| image | un león | a cat, \"small\" | a \\| dog |\n| :-- | --: | --: | --: |\n"
        + "| león\\_01.png | **0.88** | 0.12 | 0.00 |\n| cat.png | 0.00 | **0.73** | 0.27 |\n", Table.ToMarkdown());

    [Fact]
    public void Terminal_Plain_HasNoEscapesAndAlignsColumns()
    {
        var lines = Table.ToTerminal(80, colour: false).TrimEnd('\n').Split('\n');
        Assert.DoesNotContain('\u001b', string.Concat(lines));
        Assert.Equal(lines[^1].Length, lines[^2].Length);
        Assert.EndsWith("0.88    0.12    0.00", lines[^2], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(24)]
    [InlineData(40)]
    [InlineData(80)]
    [InlineData(200)]
    public void Terminal_AnyWidth_StaysInsideAndShowsEveryValue(int width)
    {
        var texts = Enumerable.Range(0, 12).Select(j => $"una fotografía de la cosa número {j} extraordinariamente").ToArray();
        var images = new[] { "a_very_long_file_name_from_a_camera_2024_00017.jpeg", "猫の写真.png", "b\u001b[2J.png" };
        var cosine = images.Select((_, i) => texts.Select((_, j) => 0.01 * (i * 12 + j)).ToArray()).ToArray();
        var table = new SimilarityTable(images, texts, cosine);
        var options = new ReportOptions { Measure = SimilarityMeasure.Cosine };
        var plain = table.ToTerminal(width, colour: false, options);
        foreach (var line in plain.Split('\n')) Assert.True(line.EnumerateRunes().Sum(r => r.Value >= 0x2E80 ? 2 : 1) <= width, line);
        foreach (var value in cosine.SelectMany(row => row))
            Assert.Contains(SimilarityTable.Number(value, 2), plain, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', plain);

        var coloured = AnsiColour().Replace(table.ToTerminal(width, colour: true, options), "");
        foreach (var line in coloured.Split('\n'))
            Assert.True(line.EnumerateRunes().Sum(r => r.Value >= 0x2E80 ? 2 : 1) <= width + 1, line);
    }

    [Fact]
    public void Terminal_Colour_UsesTheGradient()
    {
        var text = new SimilarityTable(["a"], ["x"], [[0.5]]).ToTerminal(80);
        Assert.Contains("\u001b[48;2;8;48;107m\u001b[38;2;241;241;241m", text, StringComparison.Ordinal);
        Assert.EndsWith("\u001b[0m\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Html_IsSelfContainedEscapedAndInTheLanguageAsked()
    {
        var table = new SimilarityTable(["<b>.png"], ["a & b"], [[0.2]], [Square(10, 20, 30)]);
        var page = table.ToHtml(new() { Language = "es", Model = "mini" });
        Assert.StartsWith("<!DOCTYPE html>\n<html lang=\"es\">", page, StringComparison.Ordinal);
        Assert.Contains("&lt;b&gt;.png", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>", page, StringComparison.Ordinal);
        Assert.Contains("a &amp; b", page, StringComparison.Ordinal);
        Assert.Contains("1 imagen × 1 texto", page, StringComparison.Ordinal);
        Assert.Contains("Orden original", page, StringComparison.Ordinal);
        Assert.Contains("name=\"viewport\"", page, StringComparison.Ordinal);
        Assert.Contains("data:image/png;base64,", page, StringComparison.Ordinal);
        Assert.Contains("<td class=\"b255 best\" data-s=\"1\" data-c=\"0.2\">1.00</td>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("http", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("src=\"/", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Png_CellsHaveTheColoursOfTheirValues()
    {
        using var bitmap = SKBitmap.Decode(new SimilarityTable(["a", "b"], ["x", "y"], [[0.9, 0.1], [0.1, 0.9]]).ToPng());
        var colours = new HashSet<SKColor>();
        for (var y = 0; y < bitmap.Height; y += 2)
            for (var x = 0; x < bitmap.Width; x += 2) colours.Add(bitmap.GetPixel(x, y));
        Assert.Contains(new SKColor(247, 251, 255), colours);
        Assert.Contains(new SKColor(8, 48, 107), colours);
    }

    [Fact]
    public void Png_SameTableTwice_IsTheSameFile() =>
        Assert.Equal(Table.ToPng(new() { Model = "mini" }), Table.ToPng(new() { Model = "mini" }));

    [Fact]
    public void Png_EndlessAndForeignLabels_AreShortenedNotRefused()
    {
        var endless = string.Concat(Enumerable.Repeat("palabra🐨", 20_000));
        var table = new SimilarityTable([endless, "猫\u0001.png"], [endless, ""], [[0.1, 0.2], [0.2, 0.1]]);
        using var bitmap = SKBitmap.Decode(table.ToPng());
        Assert.InRange(bitmap.Width, 800, 1600);
        Assert.InRange(table.ToTerminal(80, colour: false).Length, 100, 2000);
    }

    [Fact]
    public void Png_FarTooManyRows_IsRefusedWithAWayOut()
    {
        var images = Enumerable.Range(0, 5000).Select(i => $"{i}.png").ToArray();
        var table = new SimilarityTable(images, ["x"], [.. images.Select(_ => new double[1])]);
        Assert.Contains(".html or .csv", Assert.Throws<ArgumentException>(() => table.ToPng()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Save_ByEnding_WritesOrRefuses()
    {
        var folder = Directory.CreateTempSubdirectory("alebrije-table-").FullName;
        try
        {
            foreach (var (name, starts) in new[] { ("t.html", "<!DOCTYPE"),
                ("t.csv", "image,"), ("t.md", "| image"), ("t.PNG", "\u0089PNG") })
            {
                Table.Save(Path.Combine(folder, name));
                Assert.StartsWith(starts, Encoding.Latin1.GetString(File.ReadAllBytes(Path.Combine(folder, name))),
                    StringComparison.Ordinal);
            }

            Assert.Contains(".html, .png, .csv or .md",
                Assert.Throws<ArgumentException>(() => Table.Save(Path.Combine(folder, "t.xlsx"))).Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Constructor_BadSizes_SaysWhichDoNotFit()
    {
        Assert.Throws<ArgumentException>(() => new SimilarityTable([], ["x"], []));
        Assert.Throws<ArgumentException>(() => new SimilarityTable(["a"], ["x"], [[0.1, 0.2]]));
        Assert.Throws<ArgumentException>(() => new SimilarityTable(["a"], ["x"], [[0.1]], [null, null]));
        Assert.Throws<ArgumentException>(() => new SimilarityTable(["a"], ["x"], [[double.NaN]]));
        Assert.Contains("choose en or es", Assert.Throws<ArgumentException>(() => Table.ToHtml(new() { Language = "fr" })).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-0.001, "0.00")]
    [InlineData(-0.006, "-0.01")]
    [InlineData(0.995, "0.99")] // 0.995 lies below its decimal spelling, as printf and pandas show it
    [InlineData(1, "1.00")]
    public void Number_TwoDecimals_NeverShowsMinusZero(double value, string shown) => Assert.Equal(shown, SimilarityTable.Number(value, 2));

    [GeneratedRegex("\u001b\\[[0-9;]*m")]
    private static partial Regex AnsiColour();

    private static RgbImage Square(byte r, byte g, byte b)
    {
        var pixels = new byte[16 * 12 * 3];
        for (var i = 0; i < pixels.Length; i += 3) (pixels[i], pixels[i + 1], pixels[i + 2]) = (r, g, b);
        return new RgbImage(16, 12, pixels);
    }
}
