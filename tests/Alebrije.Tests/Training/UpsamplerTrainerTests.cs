using Alebrije.Diffusion;
using Alebrije.Evaluation;
using Alebrije.Models.UNets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Tests.Datasets;
using Alebrije.Tests.Pipelines;
using Alebrije.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

/// <summary>Training examples of the upsampler, and that the network learns from them.</summary>
public sealed class UpsamplerTrainerTests
{
    private readonly CaptionedScenes scenes;
    private readonly UpsamplerTrainingConfig config = new() { Model = TinyUpsampler.Config,
        Batch = 4, CropsPerPicture = 2, Crop = 16, Samples = 8 };

    public UpsamplerTrainerTests()
    {
        TorchRuntime.Initialize();
        scenes = new CaptionedScenes(World.Open());
    }

    [Fact]
    public void Batch_HasScenesMadeSmallAndSquaresOnTheSmallGrid()
    {
        using var scope = NewDisposeScope();
        var batch = UpsamplerBatch.Make(config, scenes, 3, config.Crop);
        Assert.Equal((2 * 3 * 64 * 64, 2 * 3 * 32 * 32), (batch.Large.Length, batch.Small.Length));
        Assert.Equal([0, 0, 1, 1], batch.Crops.Select(c => c.Picture));
        Assert.All(batch.Crops, c => Assert.Equal((0, 0), (c.Left % 2, c.Top % 2)));
        Assert.All(batch.Crops, c => Assert.InRange(Math.Max(c.Left, c.Top), 0, 48));
        var picture = scenes.Train(config.Seed, 6, config.Scenes, 64).Picture;
        var large = tensor(batch.Large).reshape(2, 3, 64, 64);
        Assert.True(large[0].allclose(AutoencoderEvaluation.Pixels([picture])[0], 1e-6, 1e-6));
        Assert.True(tensor(batch.Small).reshape(2, 3, 32, 32)[0]
            .allclose(AutoencoderEvaluation.Pixels([picture.Resize(32, 32)])[0], 1e-6, 1e-6));
        var cut = batch.Cut(large, 16);
        var (which, left, top) = batch.Crops[2];
        Assert.True(cut[2].allclose(large[which].slice(1, top, top + 16, 1).slice(2, left, left + 16, 1), 0, 0));
        Assert.Equal(batch.Large, UpsamplerBatch.Make(config, scenes, 3, config.Crop).Large);
        Assert.NotEqual(batch.Large, UpsamplerBatch.Make(config, scenes, 4, config.Crop).Large);
        Assert.Equal([(0, 0, 0)], UpsamplerBatch.Make(config, scenes, 3, 64).Crops);
    }

    [Fact]
    public void Faults_AreThoseThatWereAskedFor()
    {
        using var scope = NewDisposeScope();
        var small = AutoencoderEvaluation.Pixels([scenes.Train(1, 0, config.Scenes, 32).Picture]);
        Assert.True(Faulty(config with { Autoencoder = null, Blurred = 0 }).allclose(small, 0, 0));
        var blurred = Faulty(config with { Autoencoder = null, Blurred = 1, Blur = 3 });
        Assert.False(blurred.allclose(small));
        Assert.InRange((blurred - small).mean().item<float>(), -0.02f, 0.02f);
        Assert.True((blurred.diff(1, 3).abs().sum() < small.diff(1, 3).abs().sum()).item<bool>());

        var folder = Directory.CreateTempSubdirectory("alebrije-faults-").FullName;
        TinyParts.WriteAutoencoder(folder);
        using var vae = new Alebrije.Models.Autoencoders.AutoencoderKL(TinyParts.Autoencoder);
        using (var weights = Alebrije.Weights.CheckpointFolder.OpenWeights(folder)) Alebrije.Weights.StateDict.Load(vae, weights);
        Directory.Delete(folder, recursive: true);
        var faults = new UpsamplerFaults(config with { Autoencoded = 1, LatentNoise = 0 }, vae, ScalarType.Float32);
        Assert.True(faults.Apply(small, 7).allclose(vae.call(small).clamp(-1, 1), 1e-5, 1e-5));
        Assert.False(new UpsamplerFaults(config with { Autoencoded = 1, LatentNoise = 2 }, vae, ScalarType.Float32)
            .Apply(small, 7).allclose(faults.Apply(small, 7), 1e-3, 1e-3));

        Tensor Faulty(UpsamplerTrainingConfig c) => new UpsamplerFaults(c, null, ScalarType.Float32).Apply(small, 7);
    }

    [Fact]
    public void Network_OfOneScene_LearnsToBeatBicubic()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(2);
        using var network = new UNet2DModel(UNet2DConfig.Upsampler(16, 16) with { NormNumGroups = 4, SampleSize = [32] });
        SeededInit.Apply(network, 1);
        using var optimizer = new Optimizer(network.named_parameters(),
            new OptimizerConstants { Method = OptimizerMethod.Muon, Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = 0 });
        var picture = scenes.Train(5, 2, config.Scenes, 32).Picture;
        var (truth, small) = (AutoencoderEvaluation.Pixels([picture]), AutoencoderEvaluation.Pixels([picture.Resize(16, 16)]));
        var given = Bicubic.Resize(small, 32, 32);
        var schedule = NoiseSchedule.From(MiniSchedulers.Upsampler);
        for (var step = 0; step < 250; step++)
        {
            using var inner = NewDisposeScope();
            var timesteps = step % 2 == 0 ? full(2, schedule.Length - 1, dtype: ScalarType.Int64) : noise.Integers(schedule.Length, 2);
            var original = truth.expand(2, 3, 32, 32);
            var noisy = schedule.AddNoise(original, noise.Randn(2, 3, 32, 32), timesteps);
            var loss = AutoencoderTrainer.Reconstruction(network.call(cat([noisy, given.expand(2, 3, 32, 32)], 1), timesteps), original);
            loss.backward();
            optimizer.Step(3e-3);
        }

        using var guard = no_grad();
        var large = new Upsampler(network, null, MiniSchedulers.Upsampler)
            .Enlarge(small, 32, 32, 2, noise, cancellation: TestContext.Current.CancellationToken).clamp(-1, 1);
        var (ours, bicubic) = (AutoencoderEvaluation.SignalToNoise(large, truth)[0],
            AutoencoderEvaluation.SignalToNoise(given.clamp(-1, 1), truth)[0]);
        Assert.True(ours > bicubic + 1, $"{ours:F1} dB and bicubic {bicubic:F1} dB");
    }

    [Theory]
    [InlineData(18, 4, 2, "multiples of 4")]
    [InlineData(16, 4, 8, "crops_per_picture is 8 and batch 4")]
    public void Config_ThatDoesNotFit_IsOneSentence(int crop, int batch, int crops, string says)
    {
        var wrong = config with { Model = UNet2DConfig.Upsampler(4, 4, 4) with { NormNumGroups = 2, SampleSize = [64] },
            Crop = crop, Batch = batch, CropsPerPicture = crops };
        Assert.Contains(says, Assert.Throws<ArgumentException>(wrong.Check).Message, StringComparison.Ordinal);
        Assert.Contains("6 in_channels", Assert.Throws<ArgumentException>(
            (config with { Model = config.Model with { InChannels = 3 } }).Check).Message, StringComparison.Ordinal);
    }
}
