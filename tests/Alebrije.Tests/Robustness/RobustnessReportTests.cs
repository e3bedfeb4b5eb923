using Alebrije.Embeddings;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;
using Alebrije.Robustness;

namespace Alebrije.Tests.Robustness;

/// <summary>Reports on robustness.</summary>
public sealed class RobustnessReportTests
{
    private static readonly RobustnessReport Report = new(
        ["a <banana>", "a lion"], ["zero_shot", "probe", "supervised"],
        [
            new("plain", [], 64, [Figure.Proportion(64, 64), Figure.Proportion(60, 64), Figure.Proportion(64, 64)]),
            new("pencil_sketch", [], 64, [Figure.Proportion(48, 64), Figure.Proportion(32, 64), Figure.Proportion(16, 64)]),
            new("held_out_styles", [], 10, [Figure.Proportion(0, 10), Figure.Proportion(0, 10), Figure.Proportion(0, 10)]),
            new("fog", [1, 2, 3], 64, [Figure.Proportion(32, 64), Figure.Proportion(16, 64), Figure.Proportion(0, 64)]),
        ],
        [new("plain", new RgbImage(30, 30), 0, [0, 0, 1]), new("fog", new RgbImage(30, 30), 0, [1, 0, 1]),
            new("fog", new RgbImage(30, 30), 1, [1, 1, 1])])
    {
        Model = "mini",
    };

    [Fact]
    public void Sentence_SaysHowFarEachFalls() => Assert.Equal(
        "Accuracy on plain images → on average over the styles → over the corruptions: "
            + "zero-shot 100.0 % → 75.0 % → 50.0 %; linear probe 93.8 % → 50.0 % → 25.0 %; supervised baseline 100.0 % → 25.0 % → 0.0 %.",
        Report.Sentence());

    [Fact]
    public void Intervals_AreWilsons()
    {
        // Wilson (1927) by hand, z = 1.96: 64 of 64 from 0.9434 to 1, 16 of 64 from 0.1601 to 0.3682.
        Assert.Equal((0.9434, 1.0), (Math.Round(Report.Conditions[0].Accuracy[0].Low, 4), Report.Conditions[0].Accuracy[0].High));
        Assert.Equal((0.1601, 0.3682),
            (Math.Round(Report.Conditions[1].Accuracy[2].Low, 4), Math.Round(Report.Conditions[1].Accuracy[2].High, 4)));
    }

    [Fact]
    public void Csv_HasARowForEachConditionAndClassifier()
    {
        var lines = Report.ToCsv().Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(13, lines.Length);
        Assert.Equal("condition,severity,count,classifier,accuracy,low,high,drop", lines[0]);
        Assert.Equal("fog,1 2 3,64,supervised,0.0000,0.0000,0.0566,1.0000", lines[^1]);
    }

    [Theory]
    [InlineData("en", "Accuracy by condition", "pencil sketch")]
    [InlineData("es", "Acierto por condición", "dibujo a lápiz")]
    public void Html_NeedsNothingElse(string language, string title, string condition)
    {
        var page = Report.ToHtml(new ReportOptions { Language = language, Model = "mini" });
        Assert.Contains($"<h1>{System.Net.WebUtility.HtmlEncode(title)}</h1>", page, StringComparison.Ordinal);
        Assert.Contains(System.Net.WebUtility.HtmlEncode(condition), page, StringComparison.Ordinal);
        Assert.Contains("a &lt;banana&gt;", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<banana>", page, StringComparison.Ordinal);
        foreach (var outside in new[] { "http:", "https:", "src=\"/", "href=", "@import", "url(" })
            Assert.DoesNotContain(outside, page, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(4, page.Split("src=\"data:image/png;base64,").Length - 1);
    }

    [Fact]
    public void Png_IsDrawn_WithAndWithoutExamples()
    {
        var whole = RgbImage.FromBytes(Report.ToPng(new ReportOptions { Model = "mini" }));
        var bare = RgbImage.FromBytes((Report with { Examples = [] }).ToPng());
        Assert.Equal(whole.Width, bare.Width);
        Assert.True(whole.Height > bare.Height + 200);
        Assert.Contains(".html, .png or .csv", Assert.Throws<ArgumentException>(() => Report.Save("report.pdf")).Message,
            StringComparison.Ordinal);
    }
}
