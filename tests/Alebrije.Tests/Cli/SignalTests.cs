using System.Diagnostics;
using System.Text.Json;
using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Datasets;
using Alebrije.Tests.Imaging;

namespace Alebrije.Tests.Cli;

/// <summary>The command as a process of its own, stopped by signals.</summary>
public sealed class SignalTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-signal-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("-TERM")]
    [InlineData("-INT")]
    public async Task Signal_StopsCleanly_AndWhatIsWrittenIsWhole(string signal)
    {
        World.Open();
        var outcome = await Stop(signal, () => Directory.EnumerateFiles(folder, "0001-*.png").Any(),
            "world", "--count", "5000", "--export", folder);
        Assert.Equal((1, "", "Stopped."), (outcome.Status, outcome.Output, outcome.Error.Trim()));
        Assert.All(Directory.EnumerateFiles(folder, "*.png"), file => Assert.Equal(128, RgbImage.Load(file).Width));
    }

    [Fact]
    public async Task World_Stopped_NamesItsFinishedPictures_AndWritesTheirCaptions()
    {
        World.Open();
        var outcome = await Stop("-INT", () => Directory.EnumerateFiles(folder, "0001-*.png").Any(),
            "world", "--count", "5000", "--export", folder, "--json");
        Assert.Equal((1, "Stopped."), (outcome.Status, outcome.Json.GetProperty("stopped").GetString()));
        var named = outcome.Json.GetProperty("scenes").EnumerateArray().Select(scene => scene.GetProperty("path").GetString()!).ToArray();
        Assert.InRange(named.Length, 1, 4999);
        Assert.Equal(Directory.GetFiles(folder, "*.png").Order(StringComparer.Ordinal), named);
        Assert.Equal(2 * named.Length, ImageFolder.Read(folder).Count);
    }

    [Fact]
    public async Task Experiment_Stopped_NamesItsFinishedPictures_EachWithItsRecipe()
    {
        var (picture, target) = (Path.Combine(folder, "a.png"), Path.Combine(folder, "out"));
        new RgbImage(48, 40, TestPictures.Noise(48 * 40 * 3, 1)).SavePng(picture);
        var outcome = await Stop(
            "-INT", () => File.Exists(Path.Combine(target, "0001.png")), "vary",
            picture, "--count", "1000", "--steps", "4", "--seed", "7", "--model", TestModels.StableUnClip, "--out", target, "--json");
        Assert.Equal((1, "Stopped."), (outcome.Status, outcome.Json.GetProperty("stopped").GetString()));
        Assert.Equal(JsonValueKind.Null, outcome.Json.GetProperty("sheet").ValueKind);
        var named = outcome.Json.GetProperty("images").EnumerateArray().Select(image => image.GetProperty("path").GetString()!).ToArray();
        Assert.InRange(named.Length, 2, 999);
        Assert.Equal(Directory.GetFiles(target).Order(StringComparer.Ordinal), named);
        Assert.Equal(Enumerable.Range(0, named.Length).Select(i => (int?)i), named.Select(file => Recipe.Read(file).Picture));
    }

    [Fact]
    public async Task Evaluate_Stopped_NamesItsSheets()
    {
        World.Open();
        var target = Path.Combine(folder, "sheets");
        var outcome = await Stop(
            "-INT", () => Directory.Exists(target) && Directory.EnumerateFiles(target, "*.png").Any(), "evaluate", "--only",
            "autoencoder,decoder", "--count", "2000", "--seed", "9", "--model", TestModels.StableUnClip, "--out", target, "--json");
        Assert.Equal((1, "Stopped."), (outcome.Status, outcome.Json.GetProperty("stopped").GetString()));
        Assert.Equal(Directory.GetFiles(target).Order(StringComparer.Ordinal), outcome.Json.GetProperty("sheets").Strings());
        Assert.NotEmpty(outcome.Json.GetProperty("sheets").Strings());
    }

    [Fact]
    public async Task Embed_Stopped_NamesTheFileOfWhatIsFinished()
    {
        var (pictures, file) = (Path.Combine(folder, "pictures"), Path.Combine(folder, "e.npy"));
        Directory.CreateDirectory(pictures);
        new RgbImage(1024, 1024).SavePng(Path.Combine(pictures, "0.png"));
        for (var i = 1; i < 600; i++) File.Copy(Path.Combine(pictures, "0.png"), Path.Combine(pictures, $"{i}.png"));
        var outcome = await Stop("-INT", () => File.Exists(file + ".journal") && new FileInfo(file + ".journal").Length > 4096,
            "embed", "--images", pictures, "--model", TestModels.StableUnClip, "--out", file, "--json");
        Assert.Equal((1, "Stopped."), (outcome.Status, outcome.Json.GetProperty("stopped").GetString()));
        Assert.Equal(file + ".journal", outcome.Json.GetProperty("journal").GetString());
        Assert.InRange(outcome.Json.GetProperty("images").GetInt32(), 1, 599);
        Assert.False(File.Exists(file));
    }

    /// <summary>Runs the command as a process and sends it a signal once a condition holds.</summary>
    private static async Task<Outcome> Stop(string signal, Func<bool> isThere, params string[] args)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such signals.");
        var cancellation = TestContext.Current.CancellationToken;
        var program = Path.Combine(AppContext.BaseDirectory, "Alebrije.Cli");
        using var process = Process.Start(Interruptible.Start(program, [.. args, "--lang", "en"]))!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(cancellation), process.StandardError.ReadToEndAsync(cancellation));
        while (!process.HasExited && !isThere()) await Task.Delay(20, cancellation);
        using (var kill = Process.Start("kill", [signal, process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
            await kill.WaitForExitAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        return new Outcome(process.ExitCode, await output, await error);
    }
}
