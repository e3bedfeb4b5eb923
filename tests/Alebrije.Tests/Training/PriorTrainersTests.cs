using Alebrije.Models.Priors;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Priors;
using Alebrije.Tensors;
using Alebrije.Tests.Datasets;
using Alebrije.Training;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

/// <summary>Every kind of prior is trained for a few steps on the world, and the result is loaded as a prior.</summary>
public sealed class PriorTrainersTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-priors-").FullName;

    public PriorTrainersTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData(PriorKind.Linear, "prior_linear")]
    [InlineData(PriorKind.OneStep, "prior_one_step")]
    [InlineData(PriorKind.Autoregressive, "prior_autoregressive")]
    [InlineData(PriorKind.Diffusion, "prior")]
    public void Run_OfAFewSteps_LeavesAPriorOfItsKindAndSpace(PriorKind kind, string part)
    {
        TinyParts.WriteClipRun(Path.Combine(folder, "clip"), new CaptionedScenes(World.Open()));
        var file = Path.Combine(folder, "run.json");
        var model = kind switch
        {
            PriorKind.Linear => "",
            PriorKind.OneStep => $$"""
                "model": { "num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 1, "embedding_dim": 16, "num_embeddings": 16, "additional_embeddings": 3 },
                """,
            PriorKind.Autoregressive => """
                "model": { "num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 1, "embedding_dim": 16, "num_embeddings": 16, "num_codes": 4, "num_buckets": 8 }, "target_spread": 1,
                """,
            _ => """
                "model": { "num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 1, "embedding_dim": 16, "num_embeddings": 16 },
                """,
        };
        File.WriteAllText(file, $$"""
            { {{model}} "clip": {{System.Text.Json.JsonSerializer.Serialize(Path.Combine(folder, "clip"))}}, "batch": 8, "samples": 32, "warm_up": 2, "fitted": 40, "precision": "fp32" }
            """);
        var result = Trainers.RunPrior(kind, file, new TrainingOptions(Path.Combine(folder, "out")), TestContext.Current.CancellationToken);
        Assert.True(result.Finished);
        Assert.Equal(kind == PriorKind.Linear ? 1 : 4, result.Steps);
        Assert.InRange(result.Metrics["cosine_" + PriorNames.Of(kind).Replace('-', '_')], -1, 1);
        Assert.All(result.Metrics.Values, value => Assert.True(double.IsFinite(value)));

        var exported = Path.Combine(folder, "out", part);
        Assert.Equal(kind, PriorFolder.KindOf(exported));
        using var prior = PriorFolder.Load(exported, () => throw new InvalidOperationException(), ScalarType.Float32);
        using var clip = TrainedClip.Open(Path.Combine(folder, "clip"));
        Assert.Equal(new PriorSpaces(16, 16, PriorSpaces.FingerprintOf(clip.Network.TextProjection)), prior.Spaces);
    }

    [Fact]
    public void Diffusion_WithAStart_BeginsWhereThatEnded_AndRefusesAnotherSpace()
    {
        TinyParts.WriteClipRun(Path.Combine(folder, "clip"), new CaptionedScenes(World.Open()));
        var file = Path.Combine(folder, "run.json");
        TrainingResult Run(string name, string? start, string rate)
        {
            File.WriteAllText(file, $$"""
                { "model": { "num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 1, "embedding_dim": 16, "num_embeddings": 16 }, "start": {{System.Text.Json.JsonSerializer.Serialize(start)}},
                  "clip": {{System.Text.Json.JsonSerializer.Serialize(Path.Combine(folder, "clip"))}}, "batch": 8, "samples": 8, "warm_up": 0, "learning_rate": {{rate}}, "fitted": 16, "precision": "fp32" }
                """);
            return Trainers.RunPrior(PriorKind.Diffusion, file, new TrainingOptions(Path.Combine(folder, name)),
                TestContext.Current.CancellationToken);
        }

        float Distance(string name, string other)
        {
            using var scope = NewDisposeScope();
            using TensorSource one = CheckpointFolder.OpenWeights(Path.Combine(folder, name, "prior")),
                two = CheckpointFolder.OpenWeights(Path.Combine(folder, other, "prior"));
            return one.Names.Max(tensor => (one.Read(tensor) - two.Read(tensor)).abs().max().item<float>());
        }

        Run("first", null, "0.01");
        Run("second", Path.Combine(folder, "first"), "0");
        Run("fresh", null, "0");
        Assert.InRange(Distance("first", "second"), 0, 1e-6f);
        Assert.InRange(Distance("first", "fresh"), 1e-4f, 1);

        var config = Path.Combine(folder, "first", "prior", "config.json");
        ConfigFile.Write(config, PriorTransformerConfig.Read(Path.GetDirectoryName(config)!) with { EmbeddingSpace = "0123456789abcdef" },
            "PriorTransformer");
        Assert.Contains("another embedding space (0123456789abcdef)",
            Assert.Throws<WeightsException>(() => Run("third", Path.Combine(folder, "first"), "0")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OneStep_FourPairs_AreLearnt()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(5);
        var config = new OneStepPriorTrainingConfig { Clip = "", Model = TinyParts.Prior with { AdditionalEmbeddings = 3 },
            Precision = Precision.Fp32 };
        using var network = new PriorTransformer(config.Model);
        SeededInit.Apply(network, 1);
        var task = new OneStepPriorTask(network, config, "0");
        using (no_grad()) task.Fit(noise.Randn(64, 16), noise.Randn(64, 16), folder);
        var images = noise.Randn(4, 16);
        var batch = new PriorBatch(images, new PriorConditions(images + (0.5 * noise.Randn(4, 16)),
            noise.Randn(4, 16, 16), ones(4, 16, dtype: ScalarType.Bool)), new bool[4], arange(4).unsqueeze(1));
        using var optimizer = new Optimizer(network.named_parameters().Where(p => !task.IsFixed(p.name)).Select(p => (p.name, p.parameter)),
            new OptimizerConstants { Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = 0 });
        using var generator = new Generator(1);
        double Step()
        {
            using var inner = NewDisposeScope();
            var loss = task.Loss(batch, generator);
            loss.backward();
            optimizer.Step(1e-2);
            return loss.item<float>();
        }

        var losses = Enumerable.Range(0, 150).Select(_ => Step()).ToArray();
        Assert.True(losses[^10..].Average() < 0.2 * losses[0], $"the loss went from {losses[0]} to {losses[^10..].Average()}");
        using var prior = new OneStepPrior(network) { OwnsNetwork = false };
        using var guard = no_grad();
        var drawn = prior.Draw(new PriorText(batch.Conditions, () => batch.Conditions), new PriorOptions(1, 1), noise)[0];
        Assert.InRange(nn.functional.cosine_similarity(drawn, images, dim: 1).min().item<float>(), 0.9f, 1);
    }

    [Fact]
    public void OneStep_WithATimeToken_IsRefused()
    {
        var config = new OneStepPriorTrainingConfig { Clip = "", Model = TinyParts.Prior };
        Assert.Contains("additional_embeddings", Assert.Throws<ArgumentException>(() => new OneStepPriorTrainer(config, null!, null!)
            .Run(new TrainingOptions(folder), TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void None_CannotBeTrained() =>
        Assert.Contains("none", Assert.Throws<ArgumentException>(() => Trainers.RunPrior(PriorKind.None,
            "x.json", new TrainingOptions(folder), TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);

    [Fact]
    public void Key_OfAnotherKind_IsAnError()
    {
        var file = Path.Combine(folder, "run.json");
        File.WriteAllText(file, """{ "clip": "x", "noise_levels": 2 }""");
        Assert.Contains("noise_levels", Assert.Throws<WeightsException>(() => Trainers.RunPrior(PriorKind.OneStep,
            file, new TrainingOptions(folder), TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }
}
