using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Diffusion;

public sealed class NoiseTests
{
    public NoiseTests() => TorchRuntime.Initialize();

    [Fact]
    public void Noise_SeedZero_IsTorchsStream()
    {
        using var noise = new Noise(0);
        float[] torchsOwn = [1.5410f, -0.2934f, -2.1788f, 0.5684f, -1.0845f, -1.3986f, 0.4033f, 0.8380f, -0.7193f, -0.4033f];
        var ours = noise.Randn(10).data<float>().ToArray();
        Assert.All(torchsOwn.Zip(ours), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(-3)]
    [InlineData(long.MaxValue)]
    public void Noise_SameSeed_SameStreamWhateverElseIsDrawn(long seed)
    {
        using var first = new Noise(seed);
        var expected = first.Randn(3, 5).data<float>().ToArray();
        using var other = new Noise(seed + 1);
        using var second = new Noise(seed);
        _ = other.Randn(100);
        _ = randn(50);
        Assert.Equal(expected, second.Randn(3, 5).data<float>().ToArray());
        Assert.NotEqual(expected, second.Randn(3, 5).data<float>().ToArray());
    }

    [Fact]
    public void Noise_SavedAndRestored_GoesOnBitEqual()
    {
        using var noise = new Noise(11);
        _ = noise.Randn(17);
        var state = noise.Save();
        var expected = noise.Randn(40).data<float>().ToArray();
        var (uniform, whole) = (noise.Uniform(5).data<float>().ToArray(), noise.Integers(1000, 9).data<long>().ToArray());
        using var resumed = new Noise(99);
        resumed.Restore(state);
        Assert.Equal(expected, resumed.Randn(40).data<float>().ToArray());
        Assert.Equal(uniform, resumed.Uniform(5).data<float>().ToArray());
        Assert.Equal(whole, resumed.Integers(1000, 9).data<long>().ToArray());
        Assert.All(whole, value => Assert.InRange(value, 0, 999));
    }

    [Fact]
    public void Noise_Replayed_GivesDrawsInOrderAndRefusesOthers()
    {
        using var noise = Noise.Replay([full(2, 3, 1f), full(4, 2f)]);
        Assert.Equal(1f, noise.Randn(2, 3).mean().ToSingle());
        Assert.Contains("[5]", Assert.Throws<InvalidOperationException>(() => noise.Randn(5)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OneStreamForEachSample_GivesEachTheNumbersItGetsAlone()
    {
        TorchRuntime.Initialize();
        using var scope = NewDisposeScope();
        using var both = new Noise([3L, 8L]);
        var (first, second, third) = (both.Randn(2, 4, 5), both.Uniform(2), both.Integers(100, 4, 3));
        foreach (var (seed, row) in new[] { (3L, 0), (8L, 1) })
        {
            using var alone = new Noise(seed);
            Assert.Equal(alone.Randn(1, 4, 5).data<float>().ToArray(), first.narrow(0, row, 1).contiguous().data<float>().ToArray());
            Assert.Equal(alone.Uniform(1).data<float>().ToArray(), second.narrow(0, row, 1).contiguous().data<float>().ToArray());
            Assert.Equal(alone.Integers(100, 2, 3).data<long>().ToArray(), third.narrow(0, 2 * row, 2).contiguous().data<long>().ToArray());
        }

        Assert.Contains("cannot be shared by 2 samples", Assert.Throws<InvalidOperationException>(() => both.Randn(3, 4)).Message,
            StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(both.Save);
    }
}
