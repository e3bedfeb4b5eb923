using System.Text.Json.Nodes;
using Alebrije.Cli;
using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Evaluation;
using Alebrije.Pipelines;
using Alebrije.Tests.Datasets;
using Alebrije.Tests.Pipelines;
using TorchSharp;

namespace Alebrije.Tests.Evaluation;

/// <summary>The whole evaluation on a tiny model with random weights: every figure must be present and in its range.</summary>
public sealed class ModelEvaluationTests : IDisposable
{
    private static readonly string Model = Path.Combine(AppContext.BaseDirectory, "Fixtures", "stable-unclip-euler", "model");
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-evaluate-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Evaluation_OfATinyModel_SaysEveryFigureOfTheContract()
    {
        var world = World.Open();
        using var pipeline = ImagePipeline.Load(Model);

        // The prior is loaded on first use, and stays.
        pipeline.Generate(new GenerationRequest { Prompt = "a lion", Steps = 1, PriorSteps = 2, PriorGuidance = 2 },
            cancellation: TestContext.Current.CancellationToken);
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var told = new List<EvaluationProgress>();
        var result = ModelEvaluation.Run(pipeline, world, new EvaluationOptions { Count = 20, Folder = folder, OnProgress = told.Add },
            TestContext.Current.CancellationToken);
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        var metrics = result.Metrics.Groups;
        Assert.Equal(["clip", "autoencoder", "prior", "decoder"], metrics.Keys);
        foreach (var name in new[]
            { "zero_shot_top1_en", "zero_shot_top1_es", "zero_shot_top5_en",
                "zero_shot_top5_es", "retrieval_r1_en", "retrieval_r1_es", "modality_gap" })
            Assert.Contains(name, metrics["clip"].Figures.Keys);
        Assert.Equal(["psnr_db", "psnr_db_linear"], metrics["autoencoder"].Figures.Keys);
        Assert.Equal(["diffusion", "mean_embedding", "text_as_is", "nearest_training_text"], metrics["prior"].Groups.Keys);
        Assert.Equal(0, metrics["prior"].Groups["text_as_is"].Figures["gap_closed"].Value, 1e-9);
        Assert.InRange(metrics["prior"].Groups["mean_embedding"].Figures["gap_closed"].Value, 0.9, 1.1);
        Assert.Equal(
            ["concept_top1", "concept_top5", "concept_top1_all", "colour", "pairs_both", "pairs_both_in_windows", "pairs_one_in_windows",
                "from_true_embedding_top1", "with_none_top1"],
            metrics["decoder"].Figures.Keys);
        var truth = metrics["decoder"].Groups["same_on_true_pictures"];
        Assert.Equal(truth.Own, truth.Figures["concept_top1"]);
        Assert.Equal(1, truth.Figures["colour"].Value); // the border of a plain scene shows its colour, whoever looks
        Assert.All(Figures(result.Metrics), figure =>
        {
            Assert.True(double.IsFinite(figure.Value) && figure.Count > 0);
            Assert.InRange(figure.Value, figure.Low, figure.High);
        });
        Assert.Equal(3, result.Left.Count);
        Assert.Contains("upsampler: the model has none", result.Left[^1], StringComparison.Ordinal);
        Assert.Equal(4, told.Select(p => p.Part).Distinct().Count());
        Assert.All(told, p => Assert.InRange(p.Done, 1, p.Of));
        foreach (var sheet in new[] { "autoencoder", "decoder-core",
            "decoder-all", "decoder-pairs", "decoder-true-embedding", "decoder-none", "true-core", "true-pairs" })
            Assert.True(File.Exists(Path.Combine(folder, sheet + ".png")), sheet);
    }

    [Fact]
    public void Priors_SideBySide_HaveTheirPicturesJudgedAndShown()
    {
        var world = World.Open();
        using var pipeline = ImagePipeline.Load(Model);
        var options = new EvaluationOptions { Count = 20, Parts = [EvaluationPart.Prior], DrawsByPrior = true, Folder = folder };
        var groups = ModelEvaluation.Run(pipeline, world, options, TestContext.Current.CancellationToken).Metrics.Groups["prior"].Groups;
        Assert.Equal(["diffusion", "mean_embedding", "text_as_is", "nearest_training_text", "true_embedding"], groups.Keys);
        foreach (var drawn in new[] { "diffusion", "text_as_is", "true_embedding" })
            Assert.All(new[] { "drawn_top1", "drawn_top5" }, name => Assert.InRange(groups[drawn].Figures[name].Value, 0, 1));
        var sheet = Alebrije.Preprocessing.Imaging.RgbImage.Load(Path.Combine(folder, PriorGallery.SheetName + ".png"));
        Assert.True(sheet.Width > 4 * 176 && sheet.Height > 8 * 176, $"{sheet.Width} x {sheet.Height}");
    }

    [Fact]
    public void Upsampler_IsMeasuredBesideBicubicEnlargement()
    {
        var world = World.Open();
        using var tiny = new TinyPipeline();
        TinyUpsampler.AddTo(tiny.Folder);
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        var result = ModelEvaluation.Run(
            pipeline, world, new EvaluationOptions { Count = 10, Folder = folder, Parts = [EvaluationPart.Upsampler] },
            TestContext.Current.CancellationToken);
        var group = result.Metrics.Groups["upsampler"];
        Assert.Equal(["upsampler_psnr_db", "bicubic_psnr_db", "back_projected_psnr_db"], group.Figures.Keys);
        Assert.Equal(["upsampler_psnr_db", "bicubic_psnr_db", "back_projected_psnr_db"], group.Groups["autoencoded"].Figures.Keys);

        // Random weights draw nothing; bicubic enlargement is close to the original, less so after the autoencoder's loss.
        Assert.InRange(group.Figures["bicubic_psnr_db"].Value, 20, 60);
        Assert.True(group.Figures["upsampler_psnr_db"].Value < group.Figures["bicubic_psnr_db"].Value - 5);
        Assert.True(group.Groups["autoencoded"].Figures["bicubic_psnr_db"].Value < group.Figures["bicubic_psnr_db"].Value);
        Assert.True(group.Figures["back_projected_psnr_db"].Value > group.Figures["bicubic_psnr_db"].Value);
        Assert.Equal(8, group.Figures["bicubic_psnr_db"].Count);
        Assert.True(File.Exists(Path.Combine(folder, "upsampler.png")));
        Assert.Empty(result.Left);
    }

    [Fact]
    public void Evaluation_WithTheSameSeed_SaysTheSame()
    {
        var world = World.Open();
        using var pipeline = ImagePipeline.Load(Model);
        string Run(ulong seed) => ModelEvaluation.Run(
            pipeline, world, new EvaluationOptions { Count = 10, Seed = seed,
                Parts = [EvaluationPart.Clip, EvaluationPart.Autoencoder, EvaluationPart.Prior] },
            TestContext.Current.CancellationToken).Metrics.ToJson().ToJsonString();
        var first = Run(4);
        Assert.Equal(first, Run(4));
        Assert.NotEqual(first, Run(5));
    }

    [Fact]
    public void Pictures_WithTheSameSeed_AreTheSame()
    {
        using var pipeline = ImagePipeline.Load(Model);
        using var scope = torch.NewDisposeScope();
        string[] prompts = [.. Enumerable.Range(0, 9).Select(i => $"number {i}")];
        byte[][] Draw(ulong seed, int count)
        {
            var painter = new TextToPictures(pipeline, seed);
            return [.. painter.Draw(prompts[..count], painter.By(PriorKind.None)).Select(p => p.Pixels)];
        }

        var first = Draw(1, 9);
        Assert.Equal(first, Draw(1, 9));
        Assert.NotEqual(first[0], Draw(2, 8)[0]);
        Assert.NotEqual(first[0], first[8]); // every batch has noise of its own
    }

    [Fact]
    public void Survey_OfAFewConcepts_CountsEachPicture()
    {
        var world = World.Open();
        using var pipeline = ImagePipeline.Load(Model);
        using var scope = torch.NewDisposeScope();
        var judge = new PictureJudge(JointSpace.Of(pipeline.Embedder), world);
        var drawn = new ConceptSurvey(new TextToPictures(pipeline, 1), judge, new EvaluationScenes(world, 1))
            .Draw([World.Concept("lion"), World.Concept("car")], 2);
        Assert.Equal(["lion", "car"], drawn.Select(concept => concept.Name));
        Assert.All(drawn, concept =>
        {
            Assert.Equal(2, concept.Of);
            Assert.InRange(concept.Right, 0, 2);
            Assert.Equal(concept.Right < 2, concept.TakenFor is not null);
        });
    }

    [Fact]
    public void Record_WrittenAndRead_IsTheSame()
    {
        var metrics = new MetricGroup();
        var clip = new MetricGroup { Own = new Figure(0.5, 2, 0.1, 0.9) };
        clip.Add("zero_shot_top1_en", Figure.Proportion(3, 4));
        metrics.Add("clip", clip);
        var record = ModelRecord.Of(new EvaluationResult("mini", ulong.MaxValue,
            metrics, [], [new("lion", "🦁", 1, 2, "tiger"), new("cat", "🐈", 2, 2)], 3));
        var path = Path.Combine(folder, "beside", ModelRecord.FileName);
        record.Write(path);
        var read = ModelRecord.Read(Path.GetDirectoryName(path)!)!;
        Assert.Equal(("mini", ulong.MaxValue), (read.Model, read.Seed));
        Assert.Equal(record.Concepts, read.Concepts);
        Assert.True(JsonNode.DeepEquals(record.Metrics, read.Metrics));
        Assert.Equal(0.75, (double)read.Metrics["clip"]!["zero_shot_top1_en"]!["value"]!);
        Assert.Equal(0.5, (double)read.Metrics["clip"]!["value"]!);
        Assert.Null(ModelRecord.Read(Path.Combine(folder, "nothing.json")));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("{}")]
    [InlineData("[1]")]
    public void Record_ThatIsNone_IsRefused(string text)
    {
        var path = Path.Combine(folder, "broken.json");
        File.WriteAllText(path, text);
        Assert.Contains(path, Assert.Throws<InvalidDataException>(() => ModelRecord.Read(path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100_001)]
    public void Count_OutOfRange_IsRefused(int count) =>
        Assert.Contains("100,000", Assert.Throws<ArgumentException>(() => new EvaluationOptions { Count = count }.Check()).Message,
            StringComparison.Ordinal);

    [Fact]
    public async Task Command_WithJson_SaysOneDocument()
    {
        World.Open();
        var (output, error) = (new StringWriter(), new StringWriter());
        var status = await CommandLineApp.RunAsync(["evaluate", "--model",
            Model, "--only", "autoencoder", "--count", "60", "--seed", "9", "--json"], output, error);
        Assert.Equal((0, ""), (status, error.ToString()));
        var json = JsonNode.Parse(output.ToString())!;
        Assert.Equal(9, (int)json["seed"]!);
        Assert.Equal(["autoencoder"], json["metrics"]!.AsObject().Select(part => part.Key));
        Assert.Equal(["value", "count", "low", "high"],
            json["metrics"]!["autoencoder"]!["psnr_db"]!.AsObject().Select(member => member.Key));
    }

    [Theory]
    [InlineData("--only", "clip,decodr", "decodr")]
    [InlineData("--count", "0", "--count")]
    public async Task Command_WithAWrongOption_SaysWhich(string option, string value, string expected)
    {
        var error = new StringWriter();
        Assert.Equal(2, await CommandLineApp.RunAsync(["evaluate", option, value], new StringWriter(), error));
        Assert.Contains(expected, error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Command_WithPriorsAndParts_IsRefused()
    {
        var error = new StringWriter();
        Assert.Equal(2, await CommandLineApp.RunAsync(["evaluate", "--priors", "--only", "clip", "--lang", "es"],
            new StringWriter(), error));
        Assert.Contains("omite --only", error.ToString(), StringComparison.Ordinal);
    }

    private static IEnumerable<Figure> Figures(MetricGroup group) =>
        group.Figures.Values.Concat(group.Own is { } own ? [own] : []).Concat(group.Groups.Values.SelectMany(Figures));
}
