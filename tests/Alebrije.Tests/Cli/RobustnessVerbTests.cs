using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;

namespace Alebrije.Tests.Cli;

/// <summary>The verb robustness.</summary>
public sealed class RobustnessVerbTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-robustness-").FullName;

    public RobustnessVerbTests()
    {
        for (var i = 0; i < 8; i++)
        {
            var path = Path.Combine(Classes, i % 2 == 0 ? "banana" : "lion", $"{i}.png");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            new RgbImage(24, 24, [.. Enumerable.Range(0, 24 * 24 * 3).Select(k => (byte)((k * (1 + (i % 2))) + i))]).SavePng(path);
        }
    }

    private string Classes => Path.Combine(folder, "classes");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Json_HasAConditionForEachStyleAndCorruption_AndThePageIsWritten()
    {
        var path = Path.Combine(folder, "report.html");
        var json = (await Run("--images", Classes, "--severity", "2", "--epochs", "1", "--out", path, "--json")).Json;
        Assert.Equal(["banana", "lion"], json.GetProperty("labels").Strings());
        var conditions = json.GetProperty("conditions").EnumerateArray().ToArray();
        Assert.Equal("plain", conditions[0].GetProperty("name").GetString());
        Assert.Equal(["name", "severity", "count", "zero_shot", "probe", "supervised"], conditions[0].Keys()[..6]);
        Assert.Contains(conditions, c => c.GetProperty("name").GetString() == "night");
        Assert.Equal(2, conditions.Single(c => c.GetProperty("name").GetString() == "fog").GetProperty("severity").GetInt32());
        Assert.All(conditions, c => Assert.InRange(c.GetProperty("supervised").GetDouble(), 0, 1));
        Assert.Equal(4, json.GetProperty("test").GetInt32());
        Assert.StartsWith("<!DOCTYPE html>", await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task ImageBesideTheClassFolders_IsLeftOutInOneSentence()
    {
        new RgbImage(20, 20).SavePng(Path.Combine(Classes, "cover.png"));
        var outcome = await Run("--images", Classes, "--severity", "1", "--minutes", "0", "--json");
        Assert.Equal(Path.Combine(Classes, "cover.png"),
            Assert.Single(outcome.Json.GetProperty("skipped").EnumerateArray()).GetProperty("file").GetString());
        Assert.Contains("Left out: 1 image beside the class folders of", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutMinutes_ThereIsNoBaseline_AndWordsAreSpanish()
    {
        var outcome = await Run("--images", Classes, "--severity", "1-2", "--minutes", "0", "--lang", "es");
        Assert.Equal(0, outcome.Status);
        Assert.Contains("sonda lineal", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("niebla", outcome.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("red supervisada", outcome.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "takes 1 to 5", "--severity", "6")]
    [InlineData(2, "takes 1 to 5", "--severity", "4-2")]
    [InlineData(2, "from 0 to 10000", "--minutes", "-1")]
    [InlineData(2, "--labels requires --images", "--labels", "banana")]
    [InlineData(2, "give one of them", "--images", "IMAGES", "--concepts", "lion")]
    [InlineData(2, "twice", "--images", "IMAGES", "--labels", "lion", "lion")]
    [InlineData(2, "must end in .html, .png or .csv", "--out", "report.pdf")]
    [InlineData(1, "no folder 'dog'", "--images", "IMAGES", "--labels", "lion", "dog")]
    [InlineData(1, "There is no folder", "--images", "nowhere-at-all")]
    [InlineData(1, "There are no templates", "--images", "IMAGES", "--templates", "fancy")]
    public async Task BadInput_IsOneSentence(int status, string says, params string[] args)
    {
        var outcome = await Run([.. args.Select(arg => arg == "IMAGES" ? Classes : arg)]);
        Assert.Contains(says, outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(status, outcome.Status);
    }

    private static Task<Outcome> Run(params string[] args) => CommandLine.Run(["robustness", .. args, "--model", TestModels.StableUnClip]);
}
