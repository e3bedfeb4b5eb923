using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;

namespace Alebrije.Tests.Cli;

/// <summary>The verb classify.</summary>
public sealed class ClassifyVerbTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-classify-").FullName;

    public ClassifyVerbTests()
    {
        foreach (var (i, name) in new[] { "lion/1.png", "lion/2.png", "cat/3.png" }.Index())
        {
            var path = Path.Combine(folder, "classes", name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            new RgbImage(20, 20, [.. Enumerable.Range(0, 1200).Select(k => (byte)((k * (i + 3)) + (60 * i)))]).SavePng(path);
        }
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string Classes => Path.Combine(folder, "classes");

    [Fact]
    public async Task Json_HasTheBestLabels_AndWithFoldersTheAccuracy()
    {
        var json = (await Run("--images", Classes, "--top", "2", "--json")).Json;
        Assert.Equal(["cat", "lion"], json.GetProperty("labels").Strings());
        var results = json.GetProperty("results").EnumerateArray().ToArray();
        Assert.Equal(["3.png", "1.png", "2.png"], results.Select(r => r.GetProperty("image").GetString()));
        Assert.Equal(["cat", "lion", "lion"], results.Select(r => r.GetProperty("right").GetString()));
        var hits = 0;
        foreach (var result in results)
        {
            var top = result.GetProperty("top").EnumerateArray().ToArray();
            Assert.Equal(["label", "probability", "cosine"], top[0].Keys());
            Assert.Equal(1, top.Sum(t => t.GetProperty("probability").GetDouble()), 1e-9);
            Assert.True(top[0].GetProperty("cosine").GetDouble() >= top[1].GetProperty("cosine").GetDouble());
            if (top[0].GetProperty("label").GetString() == result.GetProperty("right").GetString()) hits++;
        }

        Assert.Equal(hits / 3.0, json.GetProperty("accuracy").GetDouble(), 1e-9);
        Assert.Equal(3, json.GetProperty("confusion").EnumerateArray().Sum(row => row.Numbers().Sum()));
    }

    [Fact]
    public async Task Labels_Background_Contrast_AndTemperature()
    {
        var file = Path.Combine(Classes, "lion", "1.png");
        var plain = (await Run("--images", file, "--labels", "a dog", "a bus", "--background", "nothing", "--json")).Json;
        Assert.Equal(["a dog", "a bus", "nothing"], plain.GetProperty("labels").Strings());
        Assert.Equal(System.Text.Json.JsonValueKind.Null, plain.GetProperty("accuracy").ValueKind);

        var contrast = (await Run("--images", file, "--labels", "dog", "bus", "--templates", "simple", "--contrast", "no {}", "--json"))
            .Json;
        Assert.All(contrast.GetProperty("results")[0].GetProperty("top").EnumerateArray(),
            t => Assert.InRange(t.GetProperty("probability").GetDouble(), 0, 1));

        var fitted = (await Run("--images", Classes, "--fit-temperature", "--json")).Json;
        Assert.InRange(fitted.GetProperty("scale").GetDouble(), 0.01, 10_000);
    }

    [Fact]
    public async Task MultiLabel_DecidesEachLabel_AndFitsThresholds()
    {
        var (csv, file) = (Path.Combine(folder, "labels.csv"), Path.Combine(folder, "thresholds.json"));
        await File.WriteAllTextAsync(csv, "image,labels\nclasses/lion/1.png,\"lion;big "
            + "cat\"\nclasses/lion/2.png,lion\nclasses/cat/3.png,cat;big cat\n", TestContext.Current.CancellationToken);
        var fitted = (await Run("--multi-label", "--fit-thresholds", csv, "--thresholds", file, "--json")).Json;
        Assert.Equal(["big cat", "cat", "lion"], fitted.GetProperty("labels").Strings());
        Assert.Equal(file, fitted.GetProperty("path").GetString());
        Assert.All(fitted.GetProperty("classes").EnumerateArray(),
            c => Assert.Equal(["label", "count", "precision", "recall", "f1"], c.Keys()));
        Assert.True(fitted.GetProperty("classes").EnumerateArray().Average(c => c.GetProperty("f1").GetDouble()) > 0.6);

        var judged = (await Run("--multi-label", "--thresholds", file, "--truth", csv, "--json")).Json;
        Assert.Equal(fitted.GetProperty("classes").ToString(), judged.GetProperty("classes").ToString());
        var results = judged.GetProperty("results").EnumerateArray().ToArray();
        Assert.Equal(["lion", "big cat"], results[0].GetProperty("right").Strings());
        Assert.All(results.SelectMany(r => r.GetProperty("labels").EnumerateArray()),
            l => Assert.True(l.GetProperty("score").GetDouble() >= l.GetProperty("threshold").GetDouble()));
        var spoken = await Run("--multi-label", "--images", Classes, "--labels", "lion", "cat", "--thresholds", file, "--lang", "es");
        Assert.Contains("umbral", spoken.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ImageBesideTheClassFolders_BelongsToNoClass_AndIsLeftOutInOneSentence()
    {
        var stray = Path.Combine(Classes, "cover.png");
        new RgbImage(20, 20).SavePng(stray);
        foreach (var labels in (string[][])[[], ["--labels", "Lion", "cat"]])
        {
            var outcome = await Run(["--images", Classes, .. labels, "--json"]);
            Assert.Equal(["3.png", "1.png", "2.png"],
                outcome.Json.GetProperty("results").EnumerateArray().Select(r => r.GetProperty("image").GetString()));
            Assert.Equal(3, outcome.Json.GetProperty("confusion").EnumerateArray().Sum(row => row.Numbers().Sum()));
            Assert.Equal(stray, Assert.Single(outcome.Json.GetProperty("skipped").EnumerateArray()).GetProperty("file").GetString());
            Assert.Equal((0, $"Left out: 1 image beside the class folders of {Classes}, because no folder names its class."),
                (outcome.Status, outcome.Error.Trim()));
        }

        Assert.Equal(1, (await Run("--images", Classes, "--strict")).Status);
        Assert.Contains($"Sin usar: 1 imagen junto a las carpetas de clases de {Classes}",
            (await Run("--images", Classes, "--lang", "es")).Error, StringComparison.Ordinal);
        Assert.Contains("Left out: 1 image beside", (await Run("--multi-label", "--truth", Classes)).Error, StringComparison.Ordinal);

        // If classes are named and no folder has the name of one, the folder is one of images.
        Assert.Equal(["cover.png"], (await Run("--images", Classes, "--labels", "a dog", "a bus", "--json"))
            .Json.GetProperty("results").EnumerateArray().Select(r => r.GetProperty("image").GetString()));
    }

    [Theory]
    [InlineData(2, "--thresholds requires --multi-label", "--thresholds", "t.json", "--images", "IMAGES")]
    [InlineData(2, "--top applies to one class", "--multi-label", "--top", "2", "--images", "IMAGES")]
    [InlineData(2, "There are no images", "--multi-label", "--labels", "a")]
    [InlineData(2, "give one of them", "--multi-label", "--truth", "IMAGES", "--images", "IMAGES")]
    [InlineData(2, "has one of the labels", "--multi-label", "--truth", "IMAGES", "--labels", "bus")]
    [InlineData(1, "no file", "--multi-label", "--images", "IMAGES", "--thresholds", "none.json")]
    [InlineData(1, "neither a file nor a folder", "--multi-label", "--truth", "none.csv")]
    public async Task MultiLabel_BadInput_IsOneSentence(int status, string says, params string[] args)
    {
        var outcome = await Run([.. args.Select(arg => arg == "IMAGES" ? Classes : arg)]);
        Assert.Contains(says, outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(status, outcome.Status);
    }

    [Theory]
    [InlineData("m.png", "\u0089PNG")]
    [InlineData("m.csv", ",cat,lion")]
    public async Task Out_WritesTheConfusionMatrix(string name, string start)
    {
        var path = Path.Combine(folder, name);
        var outcome = await Run("--images", Classes, "--out", path);
        Assert.Equal(0, outcome.Status);
        Assert.Contains("accuracy", outcome.Output, StringComparison.Ordinal);
        Assert.StartsWith(start, System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(path)), StringComparison.Ordinal);
        Assert.Contains("acierto", (await Run("--images", Classes, "--lang", "es")).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "no images", "--labels", "a", "b")]
    [InlineData(2, "--top is 0", "--images", "IMAGES", "--top", "0")]
    [InlineData(2, "twice", "--images", "IMAGES", "--labels", "a", "a")]
    [InlineData(2, "give one of them", "--images", "IMAGES", "--labels", "a", "--set", "CIFAR10")]
    [InlineData(2, "true class of every image", "--images", "IMAGES", "--labels", "a", "b", "--fit-temperature")]
    [InlineData(1, "There are no templates", "--images", "IMAGES", "--templates", "fancy")]
    [InlineData(2, "There are no class names", "--images", "IMAGES", "--set", "Nowhere")]
    public async Task BadInput_IsOneSentence(int status, string says, params string[] args)
    {
        var outcome = await Run([.. args.Select(arg => arg == "IMAGES" ? Classes : arg)]);
        Assert.Contains(says, outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(status, outcome.Status);
    }

    private static Task<Outcome> Run(params string[] args) => CommandLine.Run(["classify", .. args, "--model", TestModels.StableUnClip]);
}
