using Alebrije.Datasets;
using Alebrije.Evaluation;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Tests.Datasets;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Evaluation;

/// <summary>Each figure on inputs with a known result.</summary>
public sealed class FormulaTests
{
    public FormulaTests() => TorchRuntime.Initialize();

    [Theory]
    [InlineData(0.1, 20)]
    [InlineData(0.01, 40)]
    [InlineData(1, 0)]
    public void SignalToNoise_OfAKnownError_IsMinusTwentyLogarithms(double error, double expected)
    {
        using var scope = NewDisposeScope();
        var pixels = zeros(2, 3, 4, 4).sub(0.5f);
        // Pixels span two units, so an error of e on [0, 1] is one of 2 e.
        Assert.All(AutoencoderEvaluation.SignalToNoise(pixels + (2 * error), pixels), value => Assert.Equal(expected, value, 1e-4));
    }

    [Fact]
    public void SignalToNoise_OfSeveralPictures_IsOneFigureEach()
    {
        using var scope = NewDisposeScope();
        var pixels = zeros(2, 3, 4, 4);
        var decoded = cat([full([1, 3, 4, 4], 0.2f), full([1, 3, 4, 4], 0.02f)]);
        var values = AutoencoderEvaluation.SignalToNoise(decoded, pixels);
        Assert.Equal([20, 40], values.Select(value => Math.Round(value, 3)));
    }

    [Fact]
    public void SignalToNoise_OfEqualPictures_IsFinite()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(100, AutoencoderEvaluation.SignalToNoise(zeros(1, 3, 2, 2), zeros(1, 3, 2, 2))[0], 1e-9);
    }

    [Fact]
    public void Pixels_ThereAndBack_AreTheSameBytes()
    {
        var bytes = new byte[5 * 4 * 3];
        new Random(3).NextBytes(bytes);
        using var scope = NewDisposeScope();
        var pixels = AutoencoderEvaluation.Pixels([new RgbImage(5, 4, bytes)]);
        Assert.Equal([1, 3, 4, 5], pixels.shape);
        Assert.Equal((bytes[1] / 127.5f) - 1, pixels[0, 1, 0, 0].ToSingle(), 1e-6f);
        Assert.Equal(bytes, AutoencoderEvaluation.Pictures(pixels)[0].Pixels);
    }

    [Fact]
    public void Baseline_WithMoreComponents_LosesLessAndWithAllNothing()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(5);
        var pixels = noise.Randn(60, 3, 8, 8).cumsum(3).cumsum(2).div(20).clamp(-1, 1);
        var figures = new[] { 1, 2, 4, 8, 24, 48 }.Select(components =>
        {
            using var baseline = PatchBaseline.Fit([pixels.clone()], 4, components);
            return AutoencoderEvaluation.SignalToNoise(baseline.Reconstruct(pixels), pixels).Average();
        }).ToArray();
        Assert.All(figures.Zip(figures.Skip(1)), pair => Assert.True(pair.Second > pair.First, $"{pair.First} then {pair.Second}"));
        Assert.True(figures[^1] > 80, $"all 48 of 48 components leave {figures[^1]} dB");
    }

    [Fact]
    public void Baseline_OfPatchesOnALine_NeedsOneComponentOnly()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(6);
        var pattern = noise.Randn(1, 3, 4, 4).div(4);
        var pixels = cat([pattern * 0.2f, pattern * -0.9f, pattern * 0.5f]) + 0.1f;
        using var baseline = PatchBaseline.Fit([pixels.narrow(0, 0, 1).clone(), pixels.narrow(0, 1, 2).clone()], 4, 1);
        Assert.Equal(0, (baseline.Reconstruct(pixels) - pixels).abs().max().ToDouble(), 1e-5);
    }

    [Fact]
    public void Clip_ThatKnowsEverything_IsRightEverywhere()
    {
        var world = World.Open();
        var scenes = new EvaluationScenes(world, 3);
        using var scope = NewDisposeScope();
        var metrics = ClipEvaluation.Measure(Oracle(world, scenes, 150), scenes, 150, 150);
        Assert.All(metrics.Figures.Where(figure => figure.Key.Contains("zero_shot")), figure => Assert.Equal(1, figure.Value.Value));
        // Even a whole caption may match two scenes, and one with omissions ("a fruit") more often.
        Assert.All(metrics.Figures.Where(figure => figure.Key.Contains("complete")), figure => Assert.InRange(figure.Value.Value, 0.97, 1));
        Assert.All(metrics.Figures.Where(figure => figure.Key is "retrieval_r1_en" or "retrieval_r1_es"),
            figure => Assert.InRange(figure.Value.Value, 0.7, 1));
        Assert.Equal(150, metrics.Figures["zero_shot_top1_en"].Count);
    }

    [Fact]
    public void Clip_ThatGivesEveryTextTheSameEmbedding_IsRightNowhere()
    {
        var world = World.Open();
        var scenes = new EvaluationScenes(world, 3);
        using var scope = NewDisposeScope();
        var space = new JointSpace(pictures => ones(pictures.Length, 4), texts => ones(texts.Length, 4));
        var metrics = ClipEvaluation.Measure(space, scenes, 10, 100);
        Assert.All(metrics.Figures, figure => Assert.Equal(0, figure.Value.Value, 1e-6));
    }

    /// <summary>Encoders that look up the scene or concept, with a direction of its own for each.</summary>
    private static JointSpace Oracle(EmojiWorld world, EvaluationScenes scenes, int count)
    {
        var directions = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var concept in world.Concepts)
            foreach (var language in Enum.GetValues<Language>()) directions[concept.Label(language)] = concept.Index;
        var pictures = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var scene in scenes.Draw(EvaluationScenes.Singles, count))
            pictures[Key(scenes.Picture(scene))] = scene.Objects[0].Concept.Index;
        var next = world.Concepts.Count;
        foreach (var scene in scenes.Draw(EvaluationScenes.Mixture, count))
        {
            var direction = pictures[Key(scenes.Picture(scene))] = next++;
            foreach (var language in Enum.GetValues<Language>())
                foreach (var options in new[] { CaptionOptions.Training, CaptionOptions.Complete })
                    directions.TryAdd(world.Caption(scene, language, options), direction);
        }

        return new JointSpace(some => Rows(some.Select(p => pictures[Key(p)])), some => Rows(some.Select(t => directions[t])));

        Tensor Rows(IEnumerable<int> hot) => eye(next)[tensor(hot.Select(i => (long)i).ToArray())];
    }

    private static string Key(RgbImage picture) => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(picture.Pixels));
}
