using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Pipelines;

namespace Alebrije.Tests.Cli;

/// <summary>The verbs caption and ask, and the benchmark of text generation.</summary>
public sealed class FlamingoVerbTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-caption-").FullName;

    public FlamingoVerbTests()
    {
        Tensors.TorchRuntime.Initialize();
        FlamingoFiles.Write(Model, FlamingoFiles.Mpt, maxImages: 3);
        Directory.CreateDirectory(Shots);
        for (var i = 0; i < 3; i++) FlamingoFiles.Picture(i).SavePng(Path.Combine(Shots, $"{i}.png"));
        File.WriteAllLines(Path.Combine(Shots, "captions.jsonl"), Enumerable.Range(0, 3).Select(i =>
            $$"""{ "image": "{{i}}.png", "caption": "picture {{i}}" }"""));
        File.WriteAllText(Path.Combine(Shots, "questions.jsonl"),
            """{ "image": "1.png", "question": "How many?", "answer": "two" }""");
    }

    private string Model => Path.Combine(folder, "model");

    private string Shots => Path.Combine(folder, "shots");

    private string Picture => Path.Combine(Shots, "2.png");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Caption_WithRetrievedShots_TakesTheNearestAndDrawsTheAttention()
    {
        var trace = Path.Combine(folder, "trace");
        var json = (await CommandLine.Run("caption", Picture, "--model", Model, "--shots", Shots, "--retrieve", "2", "--max-tokens", "4",
            "--trace", trace, "--json")).Json;
        var result = json.GetProperty("results")[0];

        // The image itself is among the examples, and the nearest stands last.
        Assert.Equal(2, result.GetProperty("shots").Numbers()[^1]);
        Assert.Equal(2, result.GetProperty("shots").GetArrayLength());
        Assert.InRange(result.GetProperty("tokens").GetArrayLength(), 1, 4);
        Assert.Single(result.GetProperty("gates").EnumerateArray());
        var drawn = RgbImage.Load(result.GetProperty("trace").GetString()!);
        Assert.True(drawn.Width > 300 && drawn.Height > 300);
        var spoken = await CommandLine.Run("caption", Picture, "--model", Model, "--max-tokens", "3", "--trace", trace, "--lang", "es");
        Assert.Contains("compuerta de atención", spoken.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Caption_OfAFolder_SkipsADamagedImageAndNamesIt()
    {
        var damaged = Path.Combine(Shots, "damaged.png");
        File.WriteAllText(damaged, "no image");
        string[] command = ["caption", Picture, damaged, "--model", Model, "--max-tokens", "2", "--beams", "1", "--json"];
        var run = await CommandLine.Run(command);
        Assert.Equal(Picture, Assert.Single(run.Json.GetProperty("results").EnumerateArray()).GetProperty("image").GetString());
        Assert.Equal(damaged, Assert.Single(run.Json.GetProperty("skipped").EnumerateArray()).GetProperty("file").GetString());
        Assert.Equal(0, run.Status);
        Assert.Equal(1, (await CommandLine.Run([.. command, "--strict"])).Status);
    }

    [Fact]
    public async Task Ask_WithAnsweredQuestions_Answers()
    {
        var json = (await CommandLine.Run("ask", Picture, "How many cats?", "--model", Model, "--max-tokens", "3", "--beams", "1",
            "--shots", Path.Combine(Shots, "questions.jsonl"), "--json")).Json;
        Assert.InRange(json.GetProperty("results")[0].GetProperty("log_probability").GetDouble(), -100, 0);
    }

    [Fact]
    public async Task Wrong_Usage_IsOneSentence()
    {
        async Task Refused(int code, string sentence, params string[] arguments)
        {
            var run = await CommandLine.Run([.. arguments, "--model", Model]);
            Assert.Equal(code, run.Status);
            Assert.Contains(sentence, run.Error.ReplaceLineEndings(" "), StringComparison.Ordinal);
        }

        await Refused(2, "the image comes first", "ask", "How many?", Picture);
        await Refused(2, "The question is empty", "ask", Picture, " ");
        await Refused(2, "give both", "caption", Picture, "--retrieve", "2");
        await Refused(1, "There is no list of examples", "caption", Picture, "--shots", Path.Combine(folder, "none"));
        await Refused(2, "has 4 images", "caption", Picture, "--shots", Shots);
        await Refused(2, "above 0", "caption", Picture, "--temperature", "0");
        Assert.Equal(2, (await CommandLine.Run("caption", "--model", Model)).Status);
        var mini = await CommandLine.Run("caption", Picture, "--model", "mini");
        Assert.Equal(2, mini.Status);
        Assert.Contains("mini is not a Flamingo", mini.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bench_OfAFlamingo_ComparesBothWays()
    {
        var json = (await CommandLine.Run("bench", "--model", Model, "--rounds", "3", "--json")).Json;
        Assert.True(json.GetProperty("same").GetBoolean());
        Assert.True(json.GetProperty("ratio").GetDouble() > 1);
    }
}
