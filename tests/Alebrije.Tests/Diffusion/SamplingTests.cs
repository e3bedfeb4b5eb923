using Alebrije.Diffusion;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Diffusion;

public sealed class SamplingTests
{
    public SamplingTests() => TorchRuntime.Initialize();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> Deterministic
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var name in new[]
            {
                "DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler", "PNDMScheduler", "LMSDiscreteScheduler",
                "HeunDiscreteScheduler", "UniPCMultistepScheduler",
            })
            {
                data.Add(name, "epsilon");

                // PNDM mixes predictions of several timesteps, which keeps constant noise but not constant x0 seen as v.
                if (name == "PNDMScheduler") continue;
                data.Add(name, "v_prediction");
                data.Add(name, "sample");
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Deterministic))]
    public void Run_PerfectDenoiser_ReturnsOriginal(string className, string prediction)
    {
        using var scope = NewDisposeScope();
        var config = SchedulerConfig.For(className) with
        {
            PredictionType = Parameterisation.Parse(prediction), ClipSample = false, SetAlphaToOne = true, SkipPrkSteps = true,
        };
        using var scheduler = Schedulers.Create(config);
        using var noise = new Noise(3);
        scheduler.SetTimesteps(20);
        var original = noise.Randn(2, 3, 4, 4).clamp(-1, 1);
        var start = scheduler.AddNoise(original, noise.Randn(2, 3, 4, 4), 0);
        var result = Sampling.Run(scheduler, Perfect(scheduler, original), start, noise, cancellation: Cancellation);
        Assert.Equal(0, (result - original).abs().max().ToSingle(), 2e-3f);
    }

    [Theory]
    [InlineData("UnCLIPScheduler")]
    [InlineData("DDPMScheduler")]
    [InlineData("EulerAncestralDiscreteScheduler")]
    [InlineData("LCMScheduler")]
    public void Run_PerfectDenoiserThatDraws_ReturnsOriginal(string className)
    {
        using var scope = NewDisposeScope();
        var config = SchedulerConfig.For(className) with { ClipSample = false };
        using var scheduler = Schedulers.Create(config);
        using var noise = new Noise(3);
        scheduler.SetTimesteps(20);
        var original = noise.Randn(2, 3, 4, 4).clamp(-1, 1);
        var result = Sampling.Run(
            scheduler, Perfect(scheduler, original), Sampling.Begin(scheduler, noise, 2, 3, 4, 4), noise, cancellation: Cancellation);
        Assert.Equal(0, (result - original).abs().max().ToSingle(), 2e-3f);
    }

    [Theory]
    [InlineData("DPMSolverMultistepScheduler")]
    [InlineData("PNDMScheduler")]
    [InlineData("LMSDiscreteScheduler")]
    [InlineData("HeunDiscreteScheduler")]
    [InlineData("UniPCMultistepScheduler")]
    public void Run_TwiceWithOneScheduler_GivesTheSameTwice(string className)
    {
        using var scope = NewDisposeScope();
        using var scheduler = Schedulers.Create(SchedulerConfig.For(className));
        using var noise = new Noise(5);
        scheduler.SetTimesteps(8);
        var start = Sampling.Begin(scheduler, noise, 1, 3, 4, 4);
        Denoiser denoiser = (x, t) => x.tanh() + t[0] / 1000;
        var first = Sampling.Run(scheduler, denoiser, start, noise, cancellation: Cancellation);
        var second = Sampling.Run(scheduler, denoiser, start, noise, cancellation: Cancellation);
        Assert.Equal(first.data<float>().ToArray(), second.data<float>().ToArray());
    }

    [Fact]
    public void Run_EachStep_TellsProgressAndLeavesNoTensorBehind()
    {
        var config = SchedulerConfig.For("DPMSolverMultistepScheduler") with { AlgorithmType = "sde-dpmsolver++" };
        using var scheduler = Schedulers.Create(config);
        using var noise = new Noise(5);
        scheduler.SetTimesteps(6);
        var seen = new List<(int Step, int Of, float Timestep, bool Shapes)>();
        var statistics = DisposeScopeManager.Statistics;
        using var start = Sampling.Begin(scheduler, noise, 2, 3, 4, 4);
        long[] live = [0, 0];
        for (var run = 0; run < 2; run++)
        {
            var options = new SamplingOptions
            {
                Start = 2,
                Progress = p => seen.Add((p.Step, p.Of, p.Timestep, p.Sample.shape.SequenceEqual(p.Original.shape))),
            };
            using var result = Sampling.Run(scheduler, (x, t) => x * 0.5f, start, noise, options, Cancellation);
            live[run] = statistics.ThreadTotalLiveCount;
        }

        Assert.Equal(live[0], live[1]);
        Assert.Equal([1, 2, 3, 4, 1, 2, 3, 4], seen.Select(step => step.Step));
        Assert.All(seen, step => Assert.True(step is { Of: 4, Shapes: true }));
        Assert.Equal(scheduler.Timesteps.Skip(2), seen.Take(4).Select(step => step.Timestep));
    }

    [Fact]
    public void Run_Cancelled_StopsBeforeTheNextStep()
    {
        using var scheduler = Schedulers.Create(SchedulerConfig.For("DDIMScheduler"));
        using var noise = new Noise(1);
        using var source = new CancellationTokenSource();
        scheduler.SetTimesteps(10);
        using var start = noise.Randn(1, 1, 2, 2);
        var calls = 0;
        Assert.Throws<OperationCanceledException>(() => Sampling.Run(scheduler, (x, t) =>
        {
            if (++calls == 3) source.Cancel();
            return x.alias();
        }, start, noise, cancellation: source.Token));
        Assert.Equal(3, calls);
        Assert.Equal(4, start.numel());
    }

    [Fact]
    public void Run_WithoutTimesteps_SaysSo()
    {
        using var scheduler = Schedulers.Create(SchedulerConfig.For("DDIMScheduler"));
        using var noise = new Noise(1);
        using var start = noise.Randn(1, 1, 2, 2);
        Assert.Contains(
            "set the timesteps",
            Assert.Throws<InvalidOperationException>(() => Sampling.Run(scheduler, (x, t) => x, start, noise, cancellation: Cancellation))
            .Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Run_Learned_VarianceBoundsLieBetweenPosteriorAndBeta()
    {
        using var scope = NewDisposeScope();
        var config = SchedulerConfig.For("DDPMScheduler") with { VarianceType = "learned_range", ClipSample = false };
        using var scheduler = Schedulers.Create(config);
        scheduler.SetTimesteps(50);
        using var unit = Noise.Replay(Enumerable.Repeat(ones(1, 1, 1, 1), 3));
        float Spread(float share) =>
            scheduler.Step(tensor([0f, share]).reshape(1, 2, 1, 1), 10, zeros(1, 1, 1, 1), unit).Previous.ToSingle();
        var (small, large) = (Spread(-1), Spread(1));
        var alphaBar = scheduler.Schedule.AlphaBar((int)scheduler.Timesteps[10]);
        var alphaBarNext = scheduler.Schedule.AlphaBar((int)scheduler.Timesteps[11]);
        var beta = 1 - (alphaBar / alphaBarNext);
        Assert.Equal(MathF.Sqrt(beta), large, 1e-5f);
        Assert.Equal(MathF.Sqrt((1 - alphaBarNext) / (1 - alphaBar) * beta), small, 1e-5f);
        Assert.InRange(Spread(0), small, large);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(7)]
    public void Run_DdimBackwardsAndForwards_ReturnsToTheStart(int steps)
    {
        using var scope = NewDisposeScope();
        var config = (SchedulerConfig.For("UnCLIPScheduler") with { PredictionType = PredictionType.Epsilon,
            BetaSchedule = "squaredcos_cap_v2", Thresholding = true }).ForDdim();
        using var back = new DdimInverseScheduler(config);
        using var forth = new DdimScheduler(config);
        back.SetTimesteps(steps);
        forth.SetTimesteps(steps);
        Assert.Equal(forth.Timesteps.Reverse(), back.Timesteps);
        Assert.Equal(999, forth.Timesteps[0]);
        using var noise = new Noise(3);
        // Outside of [-1, 1], to detect clipping; with a network of constant noise the result is known exactly.
        var (picture, constant) = (3 * noise.Randn(2, 3, 4, 4), noise.Randn(2, 3, 4, 4));
        Denoiser denoiser = (_, _) => constant.alias();
        var start = Sampling.Run(back, denoiser, picture, noise, cancellation: Cancellation);
        Assert.InRange((start - picture).abs().max().ToSingle(), 0.5f, 100);
        var again = Sampling.Run(forth, denoiser, start, noise, cancellation: Cancellation);
        // The last step divides by a signal close to 0, and float32 has seven digits.
        Assert.InRange((again - picture).abs().max().ToSingle(), 0, 2e-2f);
    }

    [Theory]
    [InlineData(10, 1, 0)]
    [InlineData(10, 0.5, 5)]
    [InlineData(10, 0.29, 8)]
    [InlineData(10, 0, 9)]
    [InlineData(3, 0.1, 2)]
    [InlineData(1, 1, 0)]
    public void FirstStep_LeavesTheShareOfTheStepsThatIsAsked_AndAtLeastOne(int steps, double strength, int first) =>
        Assert.Equal(first, Sampling.FirstStep(steps, strength));

    [Theory]
    [InlineData("epsilon")]
    [InlineData("sample")]
    [InlineData("v_prediction")]
    public void Predict_IsTheInverseOfOriginal(string prediction)
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(3);
        var type = Parameterisation.Parse(prediction);
        var (x, output) = (noise.Randn(2, 3, 4), noise.Randn(2, 3, 4));
        foreach (var alphaBar in new[] { 0.01f, 0.5f, 0.99f })
        {
            var original = Parameterisation.Original(type, output, x, alphaBar);
            Assert.InRange((Parameterisation.Predict(type, original, x, alphaBar) - output).abs().max().ToSingle(), 0, 1e-4f);
            // The prediction and its noise reproduce x.
            var epsilon = Parameterisation.Epsilon(type, Parameterisation.Predict(type, original, x, alphaBar), x, alphaBar);
            Assert.InRange((MathF.Sqrt(alphaBar) * original + MathF.Sqrt(1 - alphaBar) * epsilon - x).abs().max().ToSingle(), 0, 1e-4f);
        }
    }

    /// <summary>
    /// A network that returns the true x0: the sigma family gets x / sqrt(sigma² + 1), so both kinds use the variance-preserving form.
    /// </summary>
    private static Denoiser Perfect(IScheduler scheduler, Tensor original) => (x, t) =>
    {
        var alphaBar = AlphaBarAt(scheduler, t[0].ToSingle());
        var (alpha, sigma) = (MathF.Sqrt(alphaBar), MathF.Sqrt(1 - alphaBar));
        var noise = (x - alpha * original) / sigma;
        return scheduler.Config.PredictionType switch
        {
            PredictionType.Epsilon => noise,
            PredictionType.Sample => original.alias(),
            _ => alpha * noise - sigma * original,
        };
    };

    private static float AlphaBarAt(IScheduler scheduler, float t)
    {
        if (t == MathF.Truncate(t)) return scheduler.Schedule.AlphaBar((int)t);
        var sigma = (float)SigmaGrid.Interpolate([t], scheduler.Schedule.Sigmas())[0];
        return 1 / ((sigma * sigma) + 1);
    }
}
