using Alebrije.Models.Autoencoders;
using Alebrije.Tensors;
using Alebrije.Training;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

public sealed class LatentScalingTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-vae-").FullName;

    public LatentScalingTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Export_KeepsPictures_AndGivesChannelsMeanZeroAndDeviationOne()
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        using var noise = new Noise(4);
        using var network = new AutoencoderKL(TinyParts.Autoencoder);
        SeededInit.Apply(network, 6);
        var pixels = noise.Randn(8, 3, 32, 32).tanh();
        var before = network.Encode(pixels);
        var weights = network.state_dict().ToDictionary(p => p.Key, p => p.Value.detach().clone());

        LatentScaling.Export(folder, network, (Doubles(before.Mean.mean([0, 2, 3])), Doubles(before.Mean.std([0, 2, 3]))));

        Assert.All(network.state_dict(), p => Assert.True(p.Value.eq(weights[p.Key]).all().ToBoolean(), $"{p.Key} was changed"));
        var config = ConfigFile.Read<AutoencoderKLConfig>(folder);
        Assert.Equal(1, config.ScalingFactor);
        using var exported = new AutoencoderKL(config);
        using (var file = CheckpointFolder.OpenWeights(folder)) StateDict.Load(exported, file);
        var after = exported.Encode(pixels);
        Assert.All(Doubles(after.Mean.mean([0, 2, 3])), mean => Assert.Equal(0, mean, 1e-4));
        Assert.All(Doubles(after.Mean.std([0, 2, 3])), deviation => Assert.Equal(1, deviation, 1e-4));
        AssertClose(network.Decode(before.Mean), exported.Decode(after.Mean), 1e-4);

        // Samples too: the same standard noise gives the same image.
        var draw = noise.Randn(before.Mean.shape);
        AssertClose(
            network.Decode(AutoencoderKL.Sample(before.Mean, before.LogVariance, draw)),
            exported.Decode(AutoencoderKL.Sample(after.Mean, after.LogVariance, draw)), 1e-3);
    }

    private static double[] Doubles(Tensor values) => values.to(ScalarType.Float64).data<double>().ToArray();

    private static void AssertClose(Tensor expected, Tensor actual, double tolerance) =>
        Assert.InRange((expected - actual).abs().max().ToDouble(), 0, tolerance);
}
