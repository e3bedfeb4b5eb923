using Alebrije.Diffusion;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Diffusion;

public sealed class GuidanceTests
{
    public GuidanceTests() => TorchRuntime.Initialize();

    [Fact]
    public void Combine_ScaleOneAndZero_AreConditionalAndUnconditional()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(1);
        var (conditional, unconditional) = (noise.Randn(2, 3, 4), noise.Randn(2, 3, 4));
        Assert.Equal(0f, (Guidance.Combine(conditional, unconditional, 1) - conditional).abs().max().ToSingle(), 1e-6f);
        Assert.Equal(0f, (Guidance.Combine(conditional, unconditional, 0) - unconditional).abs().max().ToSingle(), 1e-6f);
        Assert.Equal(0f, (Guidance.Combine(conditional, unconditional, 4) - (4 * conditional - 3 * unconditional)).abs().max().ToSingle(), 1e-5f);
    }

    [Fact]
    public void ClassifierFree_OutputWithVariance_GuidesThePredictionOnly()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(1);
        var (x, t, output) = (noise.Randn(2, 3, 4, 4), full(2, 500f), noise.Randn(4, 6, 4, 4));
        long[]? seen = null;
        var guided = Guidance.ClassifierFree((both, steps) =>
        {
            seen = [both.shape[0], steps.shape[0]];
            return output.alias();
        }, 8)(x, t);
        Assert.Equal([4L, 4L], seen!);
        Assert.Equal([2L, 6L, 4L, 4L], guided.shape);
        var (unconditional, conditional) = (output[..2], output[2..]);
        var expected = unconditional.narrow(1, 0, 3) + 8 * (conditional.narrow(1, 0, 3) - unconditional.narrow(1, 0, 3));
        Assert.Equal(0f, (guided.narrow(1, 0, 3) - expected).abs().max().ToSingle(), 1e-5f);
        Assert.Equal(0f, (guided.narrow(1, 3, 3) - conditional.narrow(1, 3, 3)).abs().max().ToSingle());

        var twice = Guidance.ClassifierFree((_, _) => conditional.alias(), (_, _) => unconditional.alias(), 8)(x, t);
        Assert.Equal(0f, (guided - twice).abs().max().ToSingle());
    }

    [Fact]
    public void Rescale_Wholly_HasTheConditionalDeviation()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(1);
        var (conditional, guided) = (noise.Randn(2, 3, 4, 4), 5 * noise.Randn(2, 3, 4, 4));
        var rescaled = Guidance.Rescale(guided, conditional, 1);
        Assert.Equal(0f, (rescaled.flatten(1).std(1) - conditional.flatten(1).std(1)).abs().max().ToSingle(), 1e-5f);
        Assert.Equal(0f, (Guidance.Rescale(guided, conditional, 0) - guided).abs().max().ToSingle(), 1e-6f);
    }
}
