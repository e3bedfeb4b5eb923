using System.Text.Json;
using Alebrije.Cli.Commands;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Imaging;

namespace Alebrije.Tests.Cli;

/// <summary>The verbs for the paper's experiments, on a tiny model.</summary>
public sealed class ExperimentVerbTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-experiment-verbs-").FullName;

    public ExperimentVerbTests()
    {
        foreach (var (name, seed) in new[] { ("a.png", 1u), ("b.png", 2u), ("c.png", 3u) })
            new RgbImage(6, 5, TestPictures.Noise(6 * 5 * 3, seed)).Resize(48, 40).SavePng(At(name));
        new RgbImage(8, 8, [.. Enumerable.Range(0, 64).SelectMany(i => Enumerable.Repeat((byte)(i % 8 < 4 ? 0 : 255), 3))])
            .SavePng(At("mask.png"));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    public static TheoryData<string, int, bool, string[]> Verbs => new()
    {
        { "vary", 3, false, ["@a.png", "--count", "3"] },
        { "interpolate", 4, true, ["@a.png", "a dog", "--frames", "4"] },
        { "mix", 2, false, ["@a.png", "a dog", "@b.png", "--weights", "2", "1", "0.5", "--count", "2"] },
        { "textdiff", 3, true, ["@a.png", "--from", "a cat", "--to", "a dog", "--count", "3"] },
        { "pca-reconstruct", 2, false, ["@a.png", "--components", "1", "2", "--images", "@a.png", "@b.png", "@c.png"] },
        { "inpaint", 2, false, ["@a.png", "--mask", "@mask.png", "--prompt", "a dog", "--count", "2"] },
        { "sweep", 4, false, ["a cat", "--guidance", "1", "2", "--prior-guidance", "1", "4"] },
    };

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Verb_WritesPicturesSheetAndRecipes_AndTellsThemAsJson(string verb, int count, bool animated, string[] args)
    {
        var (output, trace) = (At("out"), At("trace"));
        var json = (await Run([verb, .. args, "--out", output, "--trace", trace, "--json"])).Json;
        Assert.Equal(["model", "sheet", "animation", "images", "seconds"], json.Keys());
        Assert.Equal(Path.Combine(output, "sheet.png"), json.GetProperty("sheet").GetString());
        Assert.Equal(animated ? Path.Combine(output, "animation.png") : null, json.GetProperty("animation").GetString());
        var images = json.GetProperty("images").EnumerateArray().ToArray();
        Assert.Equal(count, images.Length);
        Assert.Equal(["label", "path", "seed", "width", "height", "numbers"], images[0].Keys());
        Assert.All(images, image => Assert.NotEmpty(image.GetProperty("numbers").EnumerateObject()));

        var names = Enumerable.Range(0, count).Select(i => $"{i:D4}.png").ToArray();
        string[] files = [.. names, .. animated ? ["animation.png"] : Array.Empty<string>(), "sheet.png"];
        Assert.Equal(files, Directory.GetFiles(output).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal([.. names, "trace.json"], Directory.GetFiles(trace).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        for (var i = 0; i < count; i++)
        {
            Assert.Equal(Path.Combine(output, names[i]), images[i].GetProperty("path").GetString());
            Assert.Equal((32, 32), (RgbImage.Load(Path.Combine(output, names[i])).Width, images[i].GetProperty("width").GetInt32()));
            using var recipe = JsonDocument.Parse(PngText.Read(Path.Combine(output, names[i]))["alebrije"]);
            Assert.Equal(i, recipe.RootElement.GetProperty("picture").GetInt32());
            var experiment = recipe.RootElement.GetProperty("experiment");
            Assert.Equal(verb.Replace('-', '_'),
                experiment.GetProperty("kind").GetString()!.Replace("text_diff", "textdiff", StringComparison.Ordinal));
            Assert.Equal((7, 2), (experiment.GetProperty("request").GetProperty("seed").GetInt32(),
                experiment.GetProperty("request").GetProperty("steps").GetInt32()));
        }

        using var sheet = JsonDocument.Parse(PngText.Read(Path.Combine(output, "sheet.png"))["alebrije"]);
        Assert.Equal(JsonValueKind.Null, sheet.RootElement.GetProperty("picture").ValueKind);
        if (animated) Assert.Equal(RgbImage.Load(Path.Combine(output, names[0])).Pixels,
            RgbImage.Load(Path.Combine(output, "animation.png")).Pixels);
        using var numbers = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(trace, "trace.json"),
            TestContext.Current.CancellationToken));
        Assert.Equal(names, numbers.RootElement.GetProperty("run").GetProperty("pictures")
            .EnumerateArray().Select(picture => picture.GetProperty("file").GetString()));
    }

    [Fact]
    public async Task Out_OfAFile_IsTheSheetAlone_AnApngTheAnimationWithIt()
    {
        var json = (await Run("vary", "@a.png", "--count", "2", "--out", At("new/one.png"), "--json")).Json;
        Assert.Equal([JsonValueKind.Null, JsonValueKind.Null],
            json.GetProperty("images").EnumerateArray().Select(image => image.GetProperty("path").ValueKind));
        Assert.Equal(["one.png"], Directory.GetFiles(At("new")).Select(Path.GetFileName));
        await Run("interpolate", "@a.png", "@b.png", "--frames", "2", "--out", At("film/way.apng"), "--json");
        Assert.Equal(["way.apng", "way.png"], Directory.GetFiles(At("film")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Out_OfAnApng_ReplacesNoPictureBesideIt_AndItsFirstPictureReplays()
    {
        var before = await File.ReadAllBytesAsync(At("a.png"), TestContext.Current.CancellationToken);
        var json = (await Run("interpolate", "@a.png", "@b.png", "--frames", "2", "--out", At("a.apng"), "--json")).Json;
        Assert.Equal(before, await File.ReadAllBytesAsync(At("a.png"), TestContext.Current.CancellationToken));
        Assert.Equal(At("a-2.png"), json.GetProperty("sheet").GetString());
        Assert.Equal(0, (await CommandLine.Run("replay", At("a.apng"), "--model", TestModels.StableUnClip)).Status);
    }

    [Theory]
    [InlineData("sweep", "a cat", "--guidance", "-5")]
    [InlineData("sweep", "a cat", "--guidance", "nan")]
    [InlineData("sweep", "a cat", "--prior-guidance", "1000")]
    [InlineData("mix", "a cat", "a dog", "--weights", "nan", "1")]
    public async Task Scales_OutOfTheirRange_AreRefusedBeforeAnythingIsDrawn(params string[] args)
    {
        var outcome = await Run(args);
        Assert.NotEqual(0, outcome.Status);
        Assert.NotEmpty(outcome.Refusal);
    }

    [Fact]
    public async Task Sweep_OfAPriorWithoutGuidance_HasOneRow() =>
        Assert.Equal(2, (await Run("sweep", "a cat", "--guidance", "1", "2", "--prior", "none", "--json"))
            .Json.GetProperty("images").GetArrayLength());

    [Fact]
    public async Task Components_AreNamedInWords_WithoutInternals()
    {
        string[] rebuild = ["pca-reconstruct", "@a.png", "--components", "1", "2", "--images", "@a.png", "@b.png", "@c.png"];
        var english = (await Run([.. rebuild, "--out", At("en.png")])).Output;
        Assert.Matches(@"(?m)^1 component     .*variance kept [0-9.]+ %  cosine to the whole embedding -?[01]\.[0-9]{3}$", english);
        Assert.Contains("all components  ", english, StringComparison.Ordinal);
        Assert.DoesNotContain("components 1.000", english, StringComparison.Ordinal);
        Assert.Contains("todos los componentes  ", (await Run([.. rebuild, "--out", At("es.png"), "--lang", "es"])).Output,
            StringComparison.Ordinal);
        var json = (await Run([.. rebuild, "--out", At("json.png"), "--lang", "es", "--json"])).Json;
        Assert.Equal(["1 component", "all components"],
            json.GetProperty("images").EnumerateArray().Select(image => image.GetProperty("label").GetString()));
        Assert.DoesNotContain("guidance 1.000", (await Run("sweep", "a cat",
            "--guidance", "1", "2", "--prior-guidance", "1", "--out", At("sweep.png"))).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Out_OfAFolderThatHoldsSomething_IsRefusedBeforeAnythingIsDrawn()
    {
        var refused = await Run("vary", "@a.png", "--count", "2", "--out", folder);
        Assert.Equal((1, $"--out {folder} is not empty; name a new or an empty folder, so that nothing in it is replaced."),
            (refused.Status, refused.Refusal));
    }

    [Fact]
    public async Task Trace_IntoAFolderThatHoldsSomething_IsRefusedBeforeAnythingIsDrawn()
    {
        var refused = await Run("vary", "@a.png", "--count", "1", "--trace", folder);
        Assert.Equal((1, $"--trace {folder} is not empty; name a new or an empty folder, so that nothing in it is replaced."),
            (refused.Status, refused.Refusal));
    }

    [Fact]
    public void Run_GivesEveryPictureAsItIsFinished()
    {
        using var pipeline = ImagePipeline.Load(TestModels.StableUnClip);
        var counts = new List<int>();
        var experiment = new PictureExperiment { Kind = ExperimentKind.Vary,
            Parts = [new(null, At("a.png"))], Count = 3, Request = new GenerationRequest { Prompt = "", Seed = 7, Steps = 2 } };
        ExperimentResult? last = null;
        var result = new ImageExperiments(pipeline).Run(experiment, drawn: soFar => counts.Add((last = soFar).Pictures.Count),
            cancellation: TestContext.Current.CancellationToken);
        Assert.Equal([1, 2, 3], counts);
        Assert.Equal(Recipe.Of("m", result, 2), Recipe.Of("m", last!, 2));
    }

    [Fact]
    public void Progress_CountsPictures_AndKeepsTheCountWhileATextIsEmbedded()
    {
        var progress = new StepProgress(new Alebrije.Cli.Terminal(TextWriter.Null, TextWriter.Null, TextReader.Null),
            new Alebrije.Cli.Words("en"));
        Assert.StartsWith("inversion  [", progress.Line(0, 1, new GenerationProgress("inversion", 1, 2)), StringComparison.Ordinal);
        Assert.StartsWith("0 of 4 done  decoder ", progress.Line(0, 4, new GenerationProgress("decoder", 1, 2)), StringComparison.Ordinal);
        Assert.StartsWith("3 of 4 done  decoder    [############............] 1 of 2",
            progress.Line(3, 4, new GenerationProgress("decoder", 1, 2)), StringComparison.Ordinal);
        Assert.StartsWith("3 of 4 done  prior ", progress.Line(0, 1, new GenerationProgress("prior", 1, 2)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ForPeople_SaysLabelsNumbersAndSheet_InTheirLanguage()
    {
        var english = await Run("vary", "@a.png", "--count", "2", "--out", At("en.png"));
        Assert.Equal(0, english.Status);
        Assert.Contains("cosine to a", english.Output, StringComparison.Ordinal);
        Assert.Contains("en.png  seed 7", english.Output, StringComparison.Ordinal);
        var spanish = await Run("vary", "@a.png", "--count", "1", "--out", At("es.png"), "--lang", "es");
        Assert.Contains("es.png  semilla 7", spanish.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, "There is no image nowhere.png; give the path", "vary", "nowhere.png")]
    [InlineData(1, "No existe la imagen nowhere.png; indica la ruta", "vary", "nowhere.png", "--lang", "es")]
    [InlineData(1, "There is no image nowhere.png", "interpolate", "a text", "nowhere.png")]
    [InlineData(1, "There is no image a cat", "textdiff", "a cat", "--from", "x", "--to", "y")]
    [InlineData(1, "There is no image nomask.png", "inpaint", "@a.png", "--mask", "nomask.png")]
    [InlineData(2, "--weights has 2 weights for 1 parts", "mix", "a cat", "--weights", "1", "2")]
    [InlineData(2, "--weights tiene 2 pesos para 1 partes", "mix", "a cat", "--weights", "1", "2", "--lang", "es")]
    [InlineData(2, "weights of a mixture have to sum", "mix", "a cat", "--weights", "0")]
    [InlineData(2, "The amount is 2", "textdiff", "@a.png", "--from", "x", "--to", "y", "--amount", "2")]
    [InlineData(2, "two texts have the same embedding", "textdiff", "@a.png", "--from", "A cat", "--to", "a cat")]
    [InlineData(2, "number of images is 0", "vary", "@a.png", "--count", "0")]
    [InlineData(1, "has no principal components of its own", "pca-reconstruct", "@a.png")]
    [InlineData(2, "The prompt is empty", "sweep", " ")]
    [InlineData(2, "The size 33 does not fit", "vary", "@a.png", "--size", "33")]
    [InlineData(2, "--from", "textdiff", "@a.png", "--to", "y")]
    [InlineData(2, "slerp", "interpolate", "a", "b", "--mode", "curved")]
    [InlineData(2, "written as .png", "vary", "@a.png", "--out", "one.jpg")]
    [InlineData(2, "se escriben como .png", "vary", "@a.png", "--out", "one.jpg", "--lang", "es")]
    [InlineData(2, "There is no prior 'nonsense'", "vary", "@a.png", "--prior", "nonsense")]
    public async Task BadInput_IsOneSentence(int status, string says, params string[] args)
    {
        var outcome = await Run(args);
        Assert.Contains(says, outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(status, outcome.Status);
    }

    private string At(string name) => Path.Combine(folder, name);

    /// <summary>Runs a verb; an argument that begins with @ is a file of this test.</summary>
    private Task<Outcome> Run(params string[] args) => CommandLine.Run(
        [.. args.Select(arg => arg.StartsWith('@') ? At(arg[1..]) : arg),
            "--steps", "2", "--seed", "7", "--model", TestModels.StableUnClip]);
}
