using Alebrije.Evaluation;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Cli;

namespace Alebrije.Tests.Evaluation;

/// <summary>The variants that the benchmarks compare compute the same function.</summary>
public sealed class BenchmarkTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-bench-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Towers_EveryWayEmbedsAlike()
    {
        var rows = ClipBenchmark.Run(TestModels.StableUnClip, 3, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(["texts", "images"], rows.Select(row => row.What).Distinct());
        Assert.Equal([1, 8, 32], rows.Where(row => row.What == "images").Select(row => row.Batch).Distinct());
        Assert.All(rows.Where(row => row.Way == "fp32 plain"), row => Assert.Equal(1, row.Ratio, 1e-12));
        Assert.All(rows, row => Assert.InRange(row.Cosine, row.Way.StartsWith("fp32", StringComparison.Ordinal) ? 0.99999 : 0.99, 1.00001));
        Assert.All(rows, row => Assert.InRange(row.Ratio, row.Low, row.High));
    }

    [Fact]
    public async Task Folder_BothWaysEmbedAlike()
    {
        for (var i = 0; i < 5; i++) Save($"{i}.png", 20 + i);
        var outcome = await CommandLine.Run("bench", "--model", TestModels.StableUnClip,
            "--images", folder, "--rounds", "3", "--count", "12", "--json");
        Assert.Equal(12, outcome.Json.GetProperty("count").GetInt32());
        Assert.InRange(outcome.Json.GetProperty("cosine").GetDouble(), 0.9999, 1.00001);
        Assert.True(outcome.Json.GetProperty("peak_bytes").GetInt64() > 1 << 20);
        var said = await CommandLine.Run("bench", "--model", TestModels.StableUnClip,
            "--images", folder, "--rounds", "3", "--count", "12", "--lang", "en");
        Assert.Contains(" 12 images ", said.Output.ReplaceLineEndings(" "), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Folder_WithADamagedPicture_LeavesItOutAndNamesIt()
    {
        for (var i = 0; i < 3; i++) Save($"{i}.png", 20 + i);
        var damaged = Path.Combine(folder, "1.png");
        await File.WriteAllBytesAsync(damaged, (await File.ReadAllBytesAsync(damaged, TestContext.Current.CancellationToken))[..60],
            TestContext.Current.CancellationToken);
        string[] bench = ["bench", "--model", TestModels.StableUnClip, "--images", folder, "--rounds", "3", "--count", "12", "--json"];
        var outcome = await CommandLine.Run(bench);
        Assert.Equal((0, 8), (outcome.Status, outcome.Json.GetProperty("count").GetInt32()));
        Assert.Equal(damaged, Assert.Single(outcome.Json.GetProperty("skipped").EnumerateArray()).GetProperty("file").GetString());
        Assert.Contains($"Skipped {damaged}: ", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(1, (await CommandLine.Run([.. bench, "--strict"])).Status);
        foreach (var name in new[] { "0.png", "2.png" }) File.Delete(Path.Combine(folder, name));
        Assert.Contains("None of the 1 images can be read", (await CommandLine.Run(bench)).Refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--rounds takes a whole number", "bench", "--rounds", "2")]
    [InlineData("--count takes a whole number", "bench", "--count", "0")]
    public async Task WrongUsage_IsOneSentence(string says, params string[] args)
    {
        var outcome = await CommandLine.Run(args);
        Assert.Contains(says, outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(2, outcome.Status);
    }

    private void Save(string name, int side)
    {
        var pixels = Enumerable.Range(0, side * side * 3).Select(i => (byte)(i * 37 % 251)).ToArray();
        File.WriteAllBytes(Path.Combine(folder, name), PngEncoder.Encode(new RgbImage(side, side, pixels).ToPillow()));
    }
}
