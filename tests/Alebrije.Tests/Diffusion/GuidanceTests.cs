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
        Assert.Equal(0f, (Guidance.Combine(conditional, unconditional, 4) - (4 * conditional - 3 * unconditional))
            .abs().max().ToSingle(), 1e-5f);
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

    [Theory]
    [InlineData("epsilon")]
    [InlineData("v_prediction")]
    [InlineData("sample")]
    public void Pulled_WithScaleZero_ChangesNothing_AndAboveItRaisesTheScore(string prediction)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var noise = new Noise(1);
        using var scheduler = Schedulers.Create(
            SchedulerConfig.For("DDIMScheduler") with { PredictionType = Parameterisation.Parse(prediction) });
        scheduler.SetTimesteps(10);
        var (x, t, output, target) = (noise.Randn(2, 3, 4, 4), full(2, 500f), noise.Randn(2, 6, 4, 4), noise.Randn(1, 3, 4, 4));
        Denoiser plain = (_, _) => output.alias();
        Func<Tensor, Tensor> score = x0 => (x0 * target).flatten(1).sum(1);

        Assert.InRange((Guidance.Pulled(plain, scheduler, score, 0)(x, t) - output).abs().max().ToSingle(), 0, 1e-5f);

        var before = score(OriginalOf(output));
        double last = 0;
        foreach (var scale in new[] { 0.5, 2.0 })
        {
            var pulled = Guidance.Pulled(plain, scheduler, score, scale)(x, t);
            Assert.Equal(0f, (pulled.narrow(1, 3, 3) - output.narrow(1, 3, 3)).abs().max().ToSingle());
            Assert.False(pulled.requires_grad);
            var gain = (score(OriginalOf(pulled)) - before).min().ToDouble();
            Assert.True(gain > last + 1);
            last = gain;
            // x0 moves by the scale times the noise that is left, whatever the gradient's own size.
            var moved = (OriginalOf(pulled) - OriginalOf(output)).flatten(1).square().mean([1]).sqrt();
            Assert.InRange((moved - (scale * Math.Sqrt(1 - scheduler.Schedule.AlphaBar(500)))).abs().max().ToSingle(), 0, 1e-3f);
        }

        Tensor OriginalOf(Tensor both) => Parameterisation.Original(scheduler.Config.PredictionType,
            both.narrow(1, 0, 3), x, scheduler.Schedule.AlphaBar(500));
    }
}
