using Alebrije.Models.Autoencoders;
using Alebrije.Nn;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

public sealed class AutoencoderKLTests
{
    private static readonly AutoencoderKLConfig Tiny = new()
    {
        BlockOutChannels = [4, 8],
        DownBlockTypes = ["DownEncoderBlock2D", "DownEncoderBlock2D"],
        UpBlockTypes = ["UpDecoderBlock2D", "UpDecoderBlock2D"],
        NormNumGroups = 2,
    };

    public AutoencoderKLTests() => TorchRuntime.Initialize();

    public static TheoryData<string> Goldens => NetworkGolden.Of("AutoencoderKL");

    [Theory]
    [MemberData(nameof(Goldens))]
    public void Golden_EncodesAndDecodesAsTheReference(string name)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var golden = new NetworkGolden(name);
        using var network = new AutoencoderKL(ConfigFile.Read<AutoencoderKLConfig>(golden.ModelFolder));
        using (var weights = CheckpointFolder.OpenWeights(golden.ModelFolder))
            StateDict.Load(network, weights, new StateDictOptions { Renames = AutoencoderKeyMap.FromOldAttention });
        foreach (var c in golden.Cases)
        {
            if (c.Call == "decode")
            {
                c.Check("sample", network.Decode(c.Input("z")));
                continue;
            }

            Assert.Equal("encode", c.Call);
            var (mean, logVariance) = network.Encode(c.Input("x"));
            c.Check("mean", mean);
            c.Check("mode", mean);
            c.Check("logvar", logVariance);
            c.Check("sample", AutoencoderKL.Sample(mean, logVariance, c.Input("noise")));
        }
    }

    [Fact]
    public void Backward_ReachesEveryWeight()
    {
        using var scope = NewDisposeScope();
        using var network = new AutoencoderKL(Tiny);
        network.call(rand(2, 3, 8, 8)).square().mean().backward();
        var untouched = network.named_parameters().Where(p => p.parameter.grad is null).Select(p => p.name);
        Assert.Empty(untouched);
    }

    /// <summary>
    /// A decoder of SD's size holds 1.1 GB a map at 1024 pixels. Before, every map of a level stayed until its end.
    /// </summary>
    [Fact]
    public void Decode_FreesEachMapAsSoonAsTheNextIsComputed()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new AutoencoderKL(Tiny with { LayersPerBlock = 3 });
        var (latents, calls, most) = (rand(1, 4, 8, 8), 0, 0L);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        foreach (var layer in network.modules().OfType<ConvolutionLayer>())
            layer.register_forward_hook((_, _, output) =>
            {
                (calls, most) = (calls + 1, Math.Max(most, DisposeScopeManager.Statistics.ThreadTotalLiveCount - before));
                return output;
            });
        network.Decode(latents);

        Assert.True(calls > 16);
        Assert.InRange(most, 2, 6);
    }

    [Fact]
    public void Forward_OfBFloat16_StaysCloseToFloat32()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new AutoencoderKL(Tiny);
        var pixels = rand(1, 3, 8, 8);
        var exact = network.call(pixels);
        var rough = network.call(pixels.to(ScalarType.BFloat16));
        Assert.Equal(ScalarType.BFloat16, rough.dtype);
        Assert.InRange((rough.to(ScalarType.Float32) - exact).abs().max().item<float>(), 0, 0.1f);
    }

    [Fact]
    public void Scale_WithChannelStatistics_IsUndoneByUnscale()
    {
        using var scope = NewDisposeScope();
        using var skip = WeightInit.OnMeta();
        using var plain = new AutoencoderKL(Tiny with { ShiftFactor = 0.5, ScalingFactor = 2 });
        using var perChannel = new AutoencoderKL(Tiny with { ScalingFactor = 2, LatentsMean = [1, 2, 3, 4], LatentsStd = [1, 2, 4, 8] });
        var latents = ones(1, 4, 1, 1) * 5;
        Assert.Equal([9f, 9, 9, 9], plain.Scale(latents).data<float>().ToArray());
        Assert.Equal([8f, 3, 1, 0.25f], perChannel.Scale(latents).data<float>().ToArray());
        Assert.Equal([5f, 5, 5, 5], perChannel.Unscale(perChannel.Scale(latents)).data<float>().ToArray());
        Assert.Equal([5f, 5, 5, 5], plain.Unscale(plain.Scale(latents)).data<float>().ToArray());
    }

    [Fact]
    public void Constructor_OfAnUnknownBlock_NamesIt()
    {
        var e = Assert.Throws<ArgumentException>(() =>
            new AutoencoderKL(Tiny with { DownBlockTypes = ["DownEncoderBlock2D", "DownBlock2D"] }));
        Assert.Contains("\"DownBlock2D\"", e.Message, StringComparison.Ordinal);
    }
}
