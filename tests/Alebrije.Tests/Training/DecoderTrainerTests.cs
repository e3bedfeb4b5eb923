using Alebrije.Models.Guesses;
using Alebrije.Models.UNets;
using Alebrije.Tensors;
using Alebrije.Tests.Datasets;
using Alebrije.Training;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

/// <summary>Initial weights of a decoder's run, and errors of runs on latents.</summary>
public sealed class DecoderTrainerTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-decoder-").FullName;
    private readonly CaptionedScenes scenes;

    public DecoderTrainerTests()
    {
        TorchRuntime.Initialize();
        scenes = new CaptionedScenes(World.Open());
        TinyParts.WriteClipRun(Path.Combine(folder, "clip"), scenes);
        TinyParts.WriteAutoencoder(Path.Combine(folder, "autoencoder"));
        TinyParts.WriteGuess(folder);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Start_OfADecoderWithoutGuess_PredictsAtFirstAsItDid()
    {
        using var scope = NewDisposeScope();
        using var earlier = new UNet2DConditionModel(TinyParts.Decoder);
        SeededInit.Apply(earlier, 8);
        PriorExport.Write(Path.Combine(folder, "earlier"), earlier, TinyParts.Decoder, "UNet2DConditionModel");
        Train(Config with { Start = Path.Combine(folder, "earlier"), LearningRate = 0, Samples = 4 });

        using var network = new UNet2DConditionModel(ConfigFile.Read<UNet2DConditionConfig>(Path.Combine(folder, "run", "unet")));
        CheckpointFolder.Load(network, Path.Combine(folder, "run", "unet"));
        using var noise = new Noise(1);
        var (x, hint) = (noise.Randn(2, TinyParts.Latents, 16, 16), noise.Randn(2, TinyParts.Latents, 16, 16));
        var conditions = new UNetConditions(noise.Randn(2, TinyParts.Tokens,
            TinyParts.Features)) { ClassLabels = noise.Randn(2, 2 * TinyParts.Features) };
        Assert.Equal(2 * TinyParts.Latents, network.Config.InChannels);
        Assert.True((network.call(cat([x, hint], 1), tensor(500), conditions) - earlier.call(x, tensor(500), conditions))
            .abs().max().ToDouble() < 1e-5);
    }

    [Fact]
    public void Start_OfADecoderWithAMiddle_LeavesTheMiddleOut()
    {
        using var scope = NewDisposeScope();
        using var earlier = new UNet2DConditionModel(TinyParts.Decoder);
        SeededInit.Apply(earlier, 8);
        PriorExport.Write(Path.Combine(folder, "earlier"), earlier, TinyParts.Decoder, "UNet2DConditionModel");
        Train(Config with { Model = Config.Model with { MidBlockType = null },
            Start = Path.Combine(folder, "earlier"), LearningRate = 0, Samples = 4 });

        using var weights = CheckpointFolder.OpenWeights(Path.Combine(folder, "run", "unet"));
        var before = earlier.state_dict();
        Assert.All(weights.Names.Where(name => name != "conv_in.weight"),
            name => Assert.True((weights.Read(name) - before[name]).abs().max().ToDouble() < 1e-6, name));
        Assert.Equal(before.Keys.Where(name => !name.StartsWith("mid_block", StringComparison.Ordinal)).Order(), weights.Names.Order());
    }

    [Theory]
    [InlineData("in_channels", "set it to 8")]
    [InlineData("fitted", "two scenes or more")]
    [InlineData("uses", "it must divide the batch of 4")]
    [InlineData("window", "hold a batch of 4")]
    [InlineData("curriculum", "they must add up to 1")]
    [InlineData("guess_strength", "above 0 and at most 1")]
    [InlineData("guess_share", "from 0 to 1")]
    public void Run_WithSizesThatDoNotFit_IsRefused(string key, string way)
    {
        var config = key switch
        {
            "in_channels" => Config with { Model = TinyParts.Decoder },
            "fitted" => Config with { Fitted = 1 },
            "uses" => Config with { Uses = 3 },
            "window" => Config with { Window = 2 },
            "guess_strength" => Config with { GuessStrength = 0 },
            "guess_share" => Config with { GuessShare = 1.5 },
            _ => Config with { Curriculum = [new(0.5, new CaptionedScenes.Options())] },
        };
        Assert.Contains(way, Assert.Throws<WeightsException>(() => Train(config)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_WithAPriorOfAnotherSpace_IsRefused()
    {
        TinyParts.WritePrior(folder);
        var file = Path.Combine(folder, "prior", "config.json");
        ConfigFile.Write(file, TinyParts.Prior with { EmbeddingSpace = "0123456789abcdef" }, "PriorTransformer");
        Assert.Contains("another embedding space", Assert.Throws<WeightsException>(() => Train(Config with { Prior = folder })).Message,
            StringComparison.Ordinal);
    }

    private DecoderTrainingConfig Config => new()
    {
        Clip = "", Autoencoder = Path.Combine(folder, "autoencoder"),
        Guess = folder, Model = TinyParts.Decoder with { InChannels = 2 * TinyParts.Latents }, Batch = 4, Fitted = 64, Uses = 2,
        Window = 8, Samples = 8, WarmUp = 2, Precision = Precision.Fp32, SaveMinutes = 1e6, EvaluateMinutes = 1e6,
    };

    private void Train(DecoderTrainingConfig config)
    {
        using var clip = TrainedClip.Open(Path.Combine(folder, "clip"));
        new DecoderTrainer(config, clip, scenes).Run(new TrainingOptions(Path.Combine(folder, "run")),
            TestContext.Current.CancellationToken);
    }
}
