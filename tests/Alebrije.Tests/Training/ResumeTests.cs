using Alebrije.Models.Guesses;
using Alebrije.Tensors;
using Alebrije.Tests.Datasets;
using Alebrije.Tests.Pipelines;
using Alebrije.Training;
using Alebrije.Weights;

namespace Alebrije.Tests.Training;

/// <summary>A run that is stopped after a few steps and resumed ends with the weights of one that was not.</summary>
public sealed class ResumeTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-resume-").FullName;
    private readonly CaptionedScenes scenes;

    public ResumeTests()
    {
        TorchRuntime.Initialize();
        scenes = new CaptionedScenes(World.Open());
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Autoencoder_StoppedAndResumed_IsBitEqual() => StopAndResume("vae", (options, token) => new AutoencoderTrainer(
        new AutoencoderTrainingConfig
        {
            Model = TinyParts.Autoencoder, Batch = 4, Samples = 40, Crop = 16,
            CropsUntil = 0.7, WarmUp = 2, Precision = Precision.Fp32, SaveMinutes = 0,
            EvaluateMinutes = 1e6, MeasuredScenes = 4,
        }, scenes).Run(options, token), "psnr_db");

    [Fact]
    public void Prior_StoppedAndResumed_IsBitEqual()
    {
        using var clip = Clip();
        StopAndResume("prior", (options, token) => new PriorTrainer(
            new PriorTrainingConfig
            {
                Clip = "", Model = TinyParts.Prior, Batch = 4, NoiseLevels = 2,
                Samples = 40, WarmUp = 2, Fitted = 64, TextDropout = 0.3, Precision = Precision.Fp32,
                SaveMinutes = 0, EvaluateMinutes = 1e6, MeasuredScenes = 4,
            }, clip, scenes).Run(options, token), "cosine_diffusion", "cosine_mean_embedding");
    }

    [Fact]
    public void AutoencoderWithFrozenEncoder_StoppedAndResumed_KeepsItsLatents()
    {
        var start = Path.Combine(folder, "autoencoder");
        TinyParts.WriteAutoencoder(start);
        StopAndResume("vae", (options, token) => new AutoencoderTrainer(
            new AutoencoderTrainingConfig
            {
                Model = TinyParts.Autoencoder, Start = start, FreezeEncoder = true,
                LatentNoise = 0.1, Batch = 4, Samples = 40, Crop = 16, CropsUntil = 0.7, WarmUp = 2,
                Precision = Precision.Fp32, SaveMinutes = 0, EvaluateMinutes = 1e6, MeasuredScenes = 4,
            }, scenes).Run(options, token), "psnr_db");

        using var before = CheckpointFolder.OpenWeights(start);
        using var after = CheckpointFolder.OpenWeights(Path.Combine(folder, "whole", "vae"));
        var changed = before.Names.Where(name => !before.Read(name).bytes.SequenceEqual(after.Read(name).bytes)).ToArray();
        Assert.NotEmpty(changed);
        Assert.All(changed, name => Assert.True(name.StartsWith("decoder.", StringComparison.Ordinal)
            || name.StartsWith("post_quant_conv.", StringComparison.Ordinal), name));
        Assert.Contains("name its folder in start",
            Assert.Throws<WeightsException>(() => new AutoencoderTrainer(new() { FreezeEncoder = true }, scenes)
                .Run(new TrainingOptions(folder), TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Guess_StoppedAndResumed_IsBitEqual()
    {
        using var clip = Clip();
        var (autoencoder, prior) = (Path.Combine(folder, "autoencoder"), Path.Combine(folder, "prior-run"));
        TinyParts.WriteAutoencoder(autoencoder);
        TinyParts.WritePrior(prior);
        StopAndResume(FirstGuessConfig.Component, (options, token) => new GuessTrainer(
            new GuessTrainingConfig
            {
                Clip = "", Autoencoder = autoencoder, Prior = prior, PriorShare = 0.5,
                PriorSteps = 2, Model = TinyParts.Guess with { Slots = 4 }, Captions = 3,
                Batch = 4, Fitted = 64, Uses = 2, Window = 12, Samples = 40,
                WarmUp = 2, TextDropout = 0.2, EmbeddingDropout = 0.2, Precision = Precision.Fp32, SaveMinutes = 0, EvaluateMinutes = 1e6,
                MeasuredScenes = 4,
                Curriculum = [new(0.5, new CaptionedScenes.Options { OneObject = 1, TwoObjects = 0, ThreeObjects = 0, Counts = 0 }),
                    new(0.5, new CaptionedScenes.Options())],
            }, clip, scenes).Run(options, token), "guess_single", "guess_two", "guess_style", "placed_two", "named_two");
    }

    [Fact]
    public void Decoder_StoppedAndResumed_IsBitEqual()
    {
        using var clip = Clip();
        var autoencoder = Path.Combine(folder, "autoencoder");
        TinyParts.WriteAutoencoder(autoencoder);
        TinyParts.WriteGuess(folder);
        StopAndResume("unet", (options, token) => new DecoderTrainer(
            new DecoderTrainingConfig
            {
                Clip = "", Autoencoder = autoencoder, Guess = folder, Model = TinyParts.Decoder with { InChannels = 2 * TinyParts.Latents },
                Batch = 4, Fitted = 64, Uses = 2, Window = 8,
                Samples = 40, WarmUp = 2, Unconditional = 0.3, Optimizer = OptimizerMethod.Muon,
                Precision = Precision.Fp32, SaveMinutes = 0, EvaluateMinutes = 1e6, MeasuredScenes = 4,
            }, clip, scenes).Run(options, token), "from_true_embedding_top1", "v999_single", "v50_two", "v400_style");
    }

    [Fact]
    public void Upsampler_StoppedAndResumed_IsBitEqual()
    {
        var autoencoder = Path.Combine(folder, "autoencoder");
        TinyParts.WriteAutoencoder(autoencoder);
        StopAndResume(Alebrije.Pipelines.Upsampler.First, (options, token) => new UpsamplerTrainer(
            new UpsamplerTrainingConfig
            {
                Autoencoder = autoencoder, Model = TinyUpsampler.Config, Batch = 4,
                CropsPerPicture = 2, Crop = 16, Samples = 40, CropsUntil = 0.7, WarmUp = 2, Steps = 2,
                Optimizer = OptimizerMethod.Muon, Precision = Precision.Fp32, SaveMinutes = 0, EvaluateMinutes = 1e6, MeasuredScenes = 4,
            }, scenes).Run(options, token), "upsampler_psnr_db", "bicubic_psnr_db", "autoencoded_upsampler_psnr_db");
    }

    private TrainedClip Clip()
    {
        var run = Path.Combine(folder, "clip");
        TinyParts.WriteClipRun(run, scenes);
        return TrainedClip.Open(run);
    }

    private void StopAndResume(string part, Func<TrainingOptions, CancellationToken, TrainingResult> train, params string[] metrics)
    {
        var (whole, halted) = (Path.Combine(folder, "whole"), Path.Combine(folder, "halted"));
        var expected = train(new TrainingOptions(whole), CancellationToken.None);
        Assert.Equal((10, true), (expected.Steps, expected.Finished));
        Assert.All(metrics, name => Assert.True(double.IsFinite(expected.Metrics[name]), name));

        var first = Checkpoints.StopAfterTheFirst(halted, halted, train);
        Assert.False(first.Finished);
        Assert.InRange(first.Steps, 1, 9);
        var second = train(new TrainingOptions(halted) { Resume = true }, CancellationToken.None);

        Assert.Equal((10, true), (second.Steps, second.Finished));
        Assert.Equal(Weights(whole, part), Weights(halted, part));
        Checkpoints.AssertEqual(whole, halted);
        Assert.Equal(expected.Metrics, second.Metrics);
        Assert.Throws<InvalidOperationException>(() => train(new TrainingOptions(whole), CancellationToken.None));
    }

    private static byte[] Weights(string run, string part) =>
        File.ReadAllBytes(Path.Combine(run, part, "diffusion_pytorch_model.safetensors"));
}

/// <summary>Compares checkpoints of two runs: every tensor's bytes, and the steps.</summary>
internal static class Checkpoints
{
    /// <summary>Trains, cancelled at the first checkpoint.</summary>
    /// <param name="folder">Folder of the training.</param>
    /// <param name="run">Folder of the checkpoint.</param>
    /// <param name="train">The training.</param>
    public static TrainingResult StopAfterTheFirst(string folder, string run, Func<TrainingOptions, CancellationToken,
        TrainingResult> train)
    {
        using var stop = new CancellationTokenSource();
        Directory.CreateDirectory(run);
        using var watcher = new FileSystemWatcher(run, "checkpoint.safetensors");
        watcher.Renamed += (_, _) => stop.Cancel();
        watcher.Created += (_, _) => stop.Cancel();
        watcher.EnableRaisingEvents = true;
        return train(new TrainingOptions(folder), stop.Token);
    }

    public static void AssertEqual(string first, string second)
    {
        using var one = new SafeTensorsFile(Path.Combine(first, "checkpoint.safetensors"));
        using var other = new SafeTensorsFile(Path.Combine(second, "checkpoint.safetensors"));
        Assert.Equal(one.Names.Order(StringComparer.Ordinal), other.Names.Order(StringComparer.Ordinal));
        Assert.Equal((one.Metadata["step"], one.Metadata["optimizer_steps"]), (other.Metadata["step"], other.Metadata["optimizer_steps"]));
        foreach (var name in one.Names)
        {
            using var mine = one.Read(name);
            using var theirs = other.Read(name);
            Assert.True(mine.bytes.SequenceEqual(theirs.bytes), $"{name} differs");
        }
    }
}
