using Alebrije.Diffusion;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Diffusion;

public sealed class NoiseScheduleTests
{
    public NoiseScheduleTests() => TorchRuntime.Initialize();

    [Theory]
    [InlineData("linear", 1000)]
    [InlineData("scaled_linear", 1000)]
    [InlineData("squaredcos_cap_v2", 1000)]
    [InlineData("squaredcos_cap_v2", 50)]
    [InlineData("sigmoid", 400)]
    public void AlphasCumprod_AnySchedule_DescendWithinZeroToOne(string betas, int steps)
    {
        var schedule = NoiseSchedule.From(SchedulerConfig.For("DDPMScheduler") with { BetaSchedule = betas, TrainTimesteps = steps });
        Assert.Equal(steps, schedule.Length);
        Assert.All(schedule.AlphasCumprod, alphaBar => Assert.InRange(alphaBar, float.Epsilon, 1f));
        Assert.All(schedule.AlphasCumprod.Zip(schedule.AlphasCumprod.Skip(1)), pair => Assert.True(pair.Second < pair.First));
    }

    [Fact]
    public void ZeroTerminalSnr_EndsAtZeroAndKeepsTheStart()
    {
        var config = SchedulerConfig.For("DDIMScheduler") with { BetaSchedule = "scaled_linear", RescaleBetasZeroSnr = true };
        var (plain, rescaled) = (NoiseSchedule.From(config with { RescaleBetasZeroSnr = false }), NoiseSchedule.From(config));
        Assert.Equal(plain.AlphaBar(0), rescaled.AlphaBar(0), 1e-6f);
        Assert.Equal(0f, rescaled.AlphaBar(999), 1e-12f);
        Assert.Equal(MathF.Pow(2, -24), NoiseSchedule.From(config, finiteSigmas: true).AlphaBar(999));
    }

    [Fact]
    public void AlphaBar_OutsideTheSchedule_SaysTheRange()
    {
        var schedule = NoiseSchedule.From(SchedulerConfig.For("DDPMScheduler"));
        Assert.Contains(
            "0..999",
            Assert.Throws<ArgumentOutOfRangeException>(() => schedule.AlphaBar(1000)).Message,
            StringComparison.Ordinal);
        using var scope = NewDisposeScope();
        Assert.Throws<ArgumentOutOfRangeException>(() => schedule.AddNoise(zeros(2, 3), zeros(2, 3), tensor(new long[] { 0, 1000 })));
        Assert.Contains(
            "cubic",
            Assert.Throws<NotSupportedException>(() =>
                NoiseSchedule.From(SchedulerConfig.For("DDPMScheduler") with { BetaSchedule = "cubic" })).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void AddNoise_PerSampleTimesteps_IsTheForwardProcess()
    {
        using var scope = NewDisposeScope();
        using var source = new Noise(2);
        var schedule = NoiseSchedule.From(SchedulerConfig.For("UnCLIPScheduler"));
        var (original, noise) = (source.Randn(3, 2, 4, 4), source.Randn(3, 2, 4, 4));
        int[] steps = [0, 300, 999];
        var noisy = schedule.AddNoise(original, noise, tensor(steps.Select(t => (long)t).ToArray()));
        for (var i = 0; i < steps.Length; i++)
        {
            var alphaBar = schedule.AlphaBar(steps[i]);
            var expected = MathF.Sqrt(alphaBar) * original[i] + MathF.Sqrt(1 - alphaBar) * noise[i];
            Assert.Equal(0f, (expected - noisy[i]).abs().max().ToSingle(), 1e-6f);
            Assert.Equal(0f, (schedule.AddNoise(original, noise, steps[i])[i] - noisy[i]).abs().max().ToSingle(), 1e-6f);
        }
    }

    [Fact]
    public void Target_OfEachKind_LeadsBackToTheOriginal()
    {
        using var scope = NewDisposeScope();
        using var source = new Noise(4);
        var schedule = NoiseSchedule.From(SchedulerConfig.For("LCMScheduler"));
        var (original, noise, t) = (source.Randn(4, 3, 5), source.Randn(4, 3, 5), tensor(new long[] { 1, 250, 600, 998 }));
        var x = schedule.AddNoise(original, noise, t);
        foreach (var type in Enum.GetValues<PredictionType>())
        {
            var recovered = schedule.Original(type, schedule.Target(type, original, noise, t), x, t);
            Assert.Equal(0f, (recovered - original).abs().max().ToSingle(), 1e-4f);
        }
    }

    [Fact]
    public void MinSnrWeights_OfEachKind_WeighTheOriginalAlike()
    {
        using var scope = NewDisposeScope();
        var schedule = NoiseSchedule.From(SchedulerConfig.For("DDPMScheduler"));
        var t = tensor(new long[] { 0, 100, 500, 999 });
        var snr = tensor(new[] { 0, 100, 500, 999 }.Select(i => schedule.AlphaBar(i) / (1 - schedule.AlphaBar(i))).ToArray());

        // An error d in x0 is an error d sqrt(snr) in the noise and d sqrt(snr + 1) in v.
        var sample = schedule.MinSnrWeights(PredictionType.Sample, t);
        Assert.Equal(0f, (sample - snr.clamp_max(5)).abs().max().ToSingle(), 1e-5f);
        Assert.Equal(0f, (schedule.MinSnrWeights(PredictionType.Epsilon, t) * snr - sample).abs().max().ToSingle(), 1e-5f);
        Assert.Equal(0f, (schedule.MinSnrWeights(PredictionType.VPrediction, t) * (snr + 1) - sample).abs().max().ToSingle(), 1e-5f);

        var zeroSnr = NoiseSchedule.From(SchedulerConfig.For("DDIMScheduler") with { RescaleBetasZeroSnr = true });
        Assert.Equal(1f, zeroSnr.MinSnrWeights(PredictionType.Epsilon, tensor(new long[] { 999 })).ToSingle());
    }

    [Fact]
    public void BetaQuantile_MatchesTheArcsineLawAndItsOwnInverse()
    {
        for (var p = 0.01; p < 1; p += 0.07)
        {
            Assert.Equal(Math.Pow(Math.Sin(Math.PI * p / 2), 2), BetaDistribution.Quantile(p, 0.5), 1e-10);
            Assert.Equal(p, BetaDistribution.Cumulative(BetaDistribution.Quantile(p, 0.6), 0.6), 1e-10);
            Assert.Equal(p, BetaDistribution.Quantile(p, 1), 1e-12);
        }

        Assert.Equal((0, 1), (BetaDistribution.Quantile(0, 0.6), BetaDistribution.Quantile(1, 0.6)));
    }

    [Theory]
    [InlineData("karras")]
    [InlineData("exponential")]
    [InlineData("beta")]
    public void SigmaGrid_OfEachKind_RunsFromMostToZero(string kind)
    {
        using var scheduler = Schedulers.Create(SchedulerConfig.For("EulerDiscreteScheduler") with
        {
            UseKarrasSigmas = kind == "karras", UseExponentialSigmas = kind == "exponential", UseBetaSigmas = kind == "beta",
        });
        scheduler.SetTimesteps(12);
        var table = scheduler.Schedule.Sigmas();
        Assert.Equal(13, scheduler.Sigmas!.Count);
        Assert.Equal(table[^1], scheduler.Sigmas[0], 1e-3f);
        Assert.Equal(table[0], scheduler.Sigmas[^2], 1e-5f);
        Assert.Equal(0f, scheduler.Sigmas[^1]);
        Assert.All(scheduler.Sigmas.Zip(scheduler.Sigmas.Skip(1)), pair => Assert.True(pair.Second < pair.First));
        Assert.All(scheduler.Timesteps.Zip(scheduler.Timesteps.Skip(1)), pair => Assert.True(pair.Second < pair.First));
    }
}
