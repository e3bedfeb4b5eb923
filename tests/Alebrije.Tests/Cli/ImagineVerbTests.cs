using System.Text.Json;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;

namespace Alebrije.Tests.Cli;

/// <summary>The main verb: texts to images, on a tiny model and on the default.</summary>
public sealed class ImagineVerbTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-imagine-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("en", @"About (?<s>[0-9.]+) s per image")]
    [InlineData("es", @"Unos (?<s>[0-9.]+) s por imagen")]
    public async Task Estimate_OfASmallModel_IsMoreThanNothing(string language, string pattern)
    {
        var said = System.Text.RegularExpressions.Regex.Match((await CommandLine.Run("imagine", "a lion", "--estimate", "--lang", language))
            .Output, pattern);
        Assert.True(said.Success);
        var seconds = double.Parse(said.Groups["s"].Value, System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(seconds, 0.3, 60);
        if (seconds < 10) Assert.Contains('.', said.Groups["s"].Value);
    }

    [Theory]
    [InlineData(true, "\"a dinosaur\" names no concept that tiny draws; this image is nearest to lion (")]
    [InlineData(false, "\"a dinosaur\" names no concept that tiny draws (")]
    public async Task PromptWithoutAKnownConcept_IsNoted_WithWhatTheImageShows(bool hasImageEncoder, string note)
    {
        var model = TestModels.Copy(hasImageEncoder ? TestModels.StableUnClip : TestModels.Karlo, At("tiny"));
        await File.WriteAllTextAsync(Path.Combine(model, "evaluation.json"),
            """{"model":"tiny","seed":1,"metrics":{},"concepts":[{"name":"lion","emoji":"🦁","right":2,"of":2}]}""",
            TestContext.Current.CancellationToken);
        string[] rest = ["--model", model, "--steps", "2", "--prior-steps", "2", "--out", At("x.png")];
        Assert.Contains($"{note}alebrije world --known --model {model} lists all).",
            (await CommandLine.Run(["imagine", "a dinosaur", .. rest])).Error, StringComparison.Ordinal);
        Assert.Equal(0, (await CommandLine.Run(["world", "--known", "--model", model])).Status);
        Assert.DoesNotContain("names no concept", (await CommandLine.Run(["imagine", "a lion", .. rest])).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Default_SameSeed_GivesTheSameFileAndAWholeTrace()
    {
        var (first, second, trace) = (At("first.png"), At("second.png"), At("trace"));
        string[] ask = ["imagine", "a koala riding a motorcycle", "--seed", "7", "--steps", "3", "--prior-steps", "3"];
        var json = (await CommandLine.Run([.. ask, "--out", first, "--trace", trace, "--json"])).Json;
        Assert.Equal(["model", "images", "seconds"], json.Keys());
        Assert.Equal("mini", json.GetProperty("model").GetString());
        var image = json.GetProperty("images")[0];
        Assert.Equal(["prompt", "path", "seed", "width", "height", "clip_score"], image.Keys());
        Assert.Equal((7, 128, 128),
            (image.GetProperty("seed").GetInt32(), image.GetProperty("width").GetInt32(), image.GetProperty("height").GetInt32()));
        Assert.InRange(image.GetProperty("clip_score").GetDouble(), -1, 1);
        Assert.Equal(["load", "text", "prior", "decoder", "total"], json.GetProperty("seconds").Keys());

        Assert.Equal(0, (await CommandLine.Run([.. ask, "--out", second])).Status);
        Assert.Equal(File.ReadAllBytes(first), File.ReadAllBytes(second));

        using var written = JsonDocument.Parse(File.ReadAllText(Path.Combine(trace, "trace.json")));
        var stages = written.RootElement.GetProperty("stages").EnumerateArray().ToArray();
        string[] chain = ["tokens", "token ids", "text embedding", "prior trajectory", "image embedding", "latents", "picture"];
        Assert.Equal(chain, stages.Select(stage => stage.GetProperty("name").GetString()).Intersect(chain));
        foreach (var stage in stages)
        {
            Assert.True(File.Exists(Path.Combine(trace, stage.GetProperty("file").GetString()!)));
            Assert.All(stage.GetProperty("shape").EnumerateArray(), size => Assert.True(size.GetInt64() > 0));
            Assert.Equal(64, stage.GetProperty("hash").GetString()!.Length);
        }

        Assert.Equal(RgbImage.Load(first).Pixels, RgbImage.Load(Path.Combine(trace, stages[^1].GetProperty("file").GetString()!)).Pixels);
        var again = await CommandLine.Run([.. ask, "--out", second, "--trace", trace]);
        Assert.Equal((1, $"--trace {trace} is not empty; name a new or an empty folder, so that nothing in it is replaced."),
            (again.Status, again.Refusal));
    }

    /// <summary>libtorch writes to the process's standard error if a convolution requests NNPACK on an unsupported processor.</summary>
    [Fact]
    public async Task ClipGuidance_WritesNoWarningsOfTheNativeLibrary()
    {
        var cancellation = TestContext.Current.CancellationToken;
        string[] args = ["imagine", "a lion", "--seed", "1", "--steps",
            "2", "--prior-steps", "2", "--threads", "1", "--clip-guidance", "1", "--out", At("g.png"), "--lang", "en", "--quiet"];
        using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "Alebrije.Cli"), args) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(cancellation), process.StandardError.ReadToEndAsync(cancellation));
        await process.WaitForExitAsync(cancellation);
        Assert.Equal((0, At("g.png"), ""), (process.ExitCode, (await output).Trim(), await error));
    }

    [Fact]
    public async Task Prompts_EachWithItsSeeds_AreNumberedFiles()
    {
        var list = At("prompts.txt");
        await File.WriteAllTextAsync(list, "a cat\n\n  a dog\n", TestContext.Current.CancellationToken);
        var json = (await Run("imagine", "a lion", "--prompts-file", list, "--count", "2", "--seed", "10", "--out", At("all"), "--json"))
            .Json;
        var images = json.GetProperty("images").EnumerateArray().ToArray();
        Assert.Equal(["a lion", "a lion", "a cat", "a cat", "a dog", "a dog"], images.Select(i => i.GetProperty("prompt").GetString()));
        Assert.Equal([10, 11, 12, 13, 14, 15], images.Select(i => i.GetProperty("seed").GetInt32()));
        Assert.Equal(Enumerable.Range(0, 6).Select(i => $"{i:D4}.png"),
            Directory.GetFiles(At("all")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task ForPeople_SaysSeedAndSeconds_InTheirLanguage()
    {
        var english = await Run("imagine", "a lion", "--seed", "4", "--out", At("a.png"));
        Assert.Contains("a.png  seed 4", english.Output, StringComparison.Ordinal);
        Assert.Contains("decoder", english.Output, StringComparison.Ordinal);
        var spanish = await Run("imagine", "un león", "--seed", "4", "--out", At("b.png"), "--lang", "es");
        Assert.Contains("b.png  semilla 4", spanish.Output, StringComparison.Ordinal);
        Assert.Contains("carga", spanish.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "No prompt was given", "imagine")]
    [InlineData(2, "No se dio ningún texto", "imagine", "--lang", "es")]
    [InlineData(2, "name a folder", "imagine", "a", "b", "--out", "one.png")]
    [InlineData(2, "written as .png", "imagine", "a", "--out", "one.jpg")]
    [InlineData(2, "--count is 0", "imagine", "a", "--count", "0")]
    [InlineData(2, "There is no prior 'nonsense'; --prior takes diffusion, autoregressive, one-step, linear, none",
        "imagine", "a", "--prior", "nonsense")]
    [InlineData(2, "No hay ningún prior", "imagine", "a", "--prior", "nonsense", "--lang", "es")]
    [InlineData(1, "has no autoregressive prior; it has diffusion, none", "imagine", "a", "--prior", "autoregressive")]
    [InlineData(2, "The prompt is empty", "imagine", " ")]
    [InlineData(2, "number of steps is 0", "imagine", "a", "--steps", "0")]
    [InlineData(2, "multiple", "imagine", "a", "--size", "33")]
    [InlineData(1, "There is no file", "imagine", "--prompts-file", "nowhere.txt")]
    public async Task BadInput_IsOneSentence(int status, string says, params string[] args)
    {
        var outcome = await Run(args);
        Assert.Contains(says, outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(status, outcome.Status);
    }

    [Fact]
    public async Task StandardInput_GivesPrompts_AsTextAndAsJsonLines()
    {
        const string lines = "a cat\n{\"prompt\": \"a dog\", \"seed\": 40, \"steps\": 1}\r\n\n{\"prompt\": \"a bird\"}\n";
        var json = (await CommandLine.RunWithInput(lines, "imagine", "a lion", "-",
            "--seed", "3", "--steps", "2", "--prior-steps", "2", "--model", TestModels.StableUnClip, "--out", At("all"), "--json")).Json;
        var images = json.GetProperty("images").EnumerateArray().ToArray();
        Assert.Equal(["a lion", "a cat", "a dog", "a bird"], images.Select(i => i.GetProperty("prompt").GetString()));
        Assert.Equal([3, 4, 40, 6], images.Select(i => i.GetProperty("seed").GetInt32()));
        Assert.Equal([2, 2, 1, 2], images.Select(i => Recipe.Read(i.GetProperty("path").GetString()!).Request!.Steps));
    }

    [Fact]
    public async Task Prompts_OfWindowsAndOldMacs_AreThoseOfTheirLines()
    {
        var json = (await CommandLine.RunWithInput("\uFEFFa lion\ra cat\r",
            "imagine", "-", "--steps", "1", "--prior-steps", "2", "--model", TestModels.StableUnClip, "--out", At("all"), "--json")).Json;
        Assert.Equal(["a lion", "a cat"], json.GetProperty("images").EnumerateArray().Select(i => i.GetProperty("prompt").GetString()));
    }

    [Fact]
    public async Task MoreImagesThanARunHas_AreRefused()
    {
        var file = At("many.txt");
        await File.WriteAllTextAsync(file, string.Concat(Enumerable.Repeat("a\n", 1_000_001)), TestContext.Current.CancellationToken);
        var outcome = await CommandLine.Run("imagine", "--prompts-file", file);
        Assert.Equal((2, $"{file} has 1000001 lines, and at most 1000000 are read; split it into several files."),
            (outcome.Status, outcome.Refusal));
        await File.WriteAllTextAsync(file, string.Concat(Enumerable.Repeat("a\n", 1001)), TestContext.Current.CancellationToken);
        outcome = await CommandLine.Run("imagine", "--prompts-file", file, "--count", "100");
        Assert.Equal("1001 prompts with --count 100 are more than the 100000 images of one run; split the prompts into several files.",
            outcome.Refusal);
    }

    [Theory]
    [InlineData("{\"prompt\": \"a dog\", \"sead\": 3}")]
    [InlineData("{\"seed\": 3}")]
    [InlineData("{a dog}")]
    public async Task JsonLine_ThatIsNone_IsRefused(string line)
    {
        var outcome = await CommandLine.RunWithInput(line, "imagine", "--prompts-file", "-", "--model", TestModels.StableUnClip);
        Assert.Contains("is not a JSON object with a prompt", outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(2, outcome.Status);
    }

    [Fact]
    public async Task Resume_DrawsWhatAKilledRunLacks_ByteForByte()
    {
        string[] command = ["imagine", "a lion", "a cat", "a dog", "--seed", "1", "--out", At("all")];
        Assert.Equal(0, (await Run(command)).Status);
        var whole = Directory.GetFiles(At("all")).Order(StringComparer.Ordinal).ToDictionary(file => file, File.ReadAllBytes);
        File.Delete(Path.Combine(At("all"), "0001.png"));
        File.WriteAllText(Path.Combine(At("all"), ".0002.png.alebrije"), "half");
        Assert.Contains("0000.png already exists", (await Run(command)).Refusal, StringComparison.Ordinal);

        var outcome = await Run([.. command, "--resume"]);
        Assert.True(outcome.Status == 0, outcome.Error);
        Assert.Contains("2 of 3 images are in", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(whole.Keys, Directory.GetFiles(At("all")).Order(StringComparer.Ordinal));
        foreach (var (file, bytes) in whole) Assert.Equal(bytes, File.ReadAllBytes(file));
        Assert.Equal(0, (await Run([.. command, "--resume"])).Status);
        Assert.Contains("was drawn with another prompt or seed",
            (await Run("imagine", "a lion", "a cat", "a dog", "--seed", "2", "--out", At("all"), "--resume")).Refusal,
            StringComparison.Ordinal);
        Assert.Contains("--resume continues a folder", (await Run("imagine", "a lion", "--resume")).Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Resume_NumbersTracesAsTheImages()
    {
        string[] command = ["imagine", "a lion", "a cat", "a dog", "--seed", "1", "--out", At("all")];
        Assert.Equal(0, (await Run(command)).Status);
        File.Delete(Path.Combine(At("all"), "0001.png"));
        var outcome = await Run([.. command, "--resume", "--trace", At("trace")]);
        Assert.True(outcome.Status == 0, outcome.Error);
        Assert.Equal(["0001"], Directory.GetDirectories(At("trace")).Select(Path.GetFileName));
        Assert.True(File.Exists(Path.Combine(At("all"), "0001.png")));
    }

    [Fact]
    public async Task FailureInTheMiddle_NamesWhatIsFinished()
    {
        Directory.CreateDirectory(Path.Combine(At("all"), "0001.png"));
        var outcome = await Run("imagine", "a", "b", "c", "--seed", "1", "--out", At("all"), "--json");
        Assert.Equal(1, outcome.Status);
        Assert.Equal(Path.Combine(At("all"), "0000.png"),
            Assert.Single(outcome.Json.GetProperty("images").EnumerateArray()).GetProperty("path").GetString());
        Assert.NotEmpty(outcome.Json.GetProperty("stopped").GetString()!);
        Assert.NotEmpty(outcome.Error);
    }

    [Fact]
    public async Task ManyPrompts_AreDrawnInABatch_EachAsItIsAlone()
    {
        await Run("imagine", "a lion", "a cat", "a red dog on a mat", "--seed", "5", "--out", At("all"));
        for (var i = 0; i < 3; i++)
        {
            await Run("imagine", new[] { "a lion", "a cat", "a red dog on a mat" }[i], "--seed", $"{5 + i}", "--out", At("alone.png"));
            var (together, alone) = (RgbImage.Load(Path.Combine(At("all"), $"{i:D4}.png")), RgbImage.Load(At("alone.png")));
            Assert.All(together.Pixels.Zip(alone.Pixels), pair => Assert.InRange(pair.First - pair.Second, -1, 1));
        }
    }

    [Fact]
    public async Task DamagedWeights_AreOneSentence()
    {
        var model = TestModels.Copy(TestModels.StableUnClip, At("model"));
        var weights = Directory.GetFiles(Path.Combine(model, "unet"), "*.safetensors").Single();
        File.WriteAllBytes(weights, File.ReadAllBytes(weights)[..1000]);
        var outcome = await CommandLine.Run("imagine", "a lion", "--model", model, "--out", At("x.png"));
        Assert.NotEmpty(outcome.Refusal);
        Assert.Equal(1, outcome.Status);
        Assert.False(File.Exists(At("x.png")));
        Assert.Equal(1, (await CommandLine.Run("imagine", "a lion", "--model", "nothing-of-that-name")).Status);
    }

    private string At(string name) => Path.Combine(folder, name);

    private static Task<Outcome> Run(params string[] args) =>
        CommandLine.Run([.. args, .. args.Contains("--steps") ? [] : (string[])["--steps", "2"],
            "--prior-steps", "2", "--model", TestModels.StableUnClip]);
}
