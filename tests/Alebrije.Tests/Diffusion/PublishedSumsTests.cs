using Alebrije.Diffusion;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Diffusion;

/// <summary>
/// The weight-free sums of diffusers' own tests (tests/schedulers/): betas linear 1e-4..0.02, network x t / (t + 1), sample
/// arange(768) / 768; sum and mean of |x| after the loop.
/// </summary>
public sealed class PublishedSumsTests
{
    public PublishedSumsTests() => TorchRuntime.Initialize();

    [Fact]
    public void UnClip_Variances_ArePublishedOnes()
    {
        using var scheduler = new UnClipScheduler(SchedulerConfig.For("UnCLIPScheduler"));
        Assert.Equal(1.0e-10f, scheduler.SmallDeviation(0, -1), 1e-5f);
        Assert.Equal(0.0549625f, scheduler.SmallDeviation(487, 486), 1e-5f);
        Assert.Equal(0.9994987f, scheduler.SmallDeviation(999, 998), 1e-5f);
        using var half = tensor(0.5f);
        Assert.Equal(-10.171279f, scheduler.LogVariance(1, 0, half).ToSingle(), 2e-4f);
        Assert.Equal(-5.7998052f, scheduler.LogVariance(487, 486, half).ToSingle(), 1e-4f);
        Assert.Equal(-0.0010011f, scheduler.LogVariance(999, 998, half).ToSingle(), 1e-5f);
    }

    [Theory]
    [InlineData(1000, 252.2682, 0.32847)]
    [InlineData(25, 258.2045, 0.33620)]
    public void UnClip_Loop_GivesPublishedSum(int steps, double sum, double mean) =>
        AssertSum(SchedulerConfig.For("UnCLIPScheduler") with { ClipSample = true }, steps, sum, mean);

    [Fact]
    public void Ddpm_Loop_GivesPublishedSums()
    {
        var config = SchedulerConfig.For("DDPMScheduler");
        AssertSum(config, 1000, 258.9606, 0.3372);
        AssertSum(config with { PredictionType = PredictionType.VPrediction }, 1000, 202.0296, 0.2631);
    }

    [Fact]
    public void Ddim_Loop_GivesPublishedSums()
    {
        var config = SchedulerConfig.For("DDIMScheduler");
        AssertSum(config, 10, 172.0067, 0.223967);
        AssertSum(config with { PredictionType = PredictionType.VPrediction }, 10, 52.5302, 0.0684);
        AssertSum(config with { BetaStart = 0.01 }, 10, 149.8295, 0.1951);
        AssertSum(config with { BetaStart = 0.01, SetAlphaToOne = false }, 10, 149.0784, 0.1941);
    }

    [Fact]
    public void Euler_Loop_GivesPublishedSums()
    {
        var config = SchedulerConfig.For("EulerDiscreteScheduler") with { TrainTimesteps = 1100 };
        AssertSum(config, 10, 10.0807, 0.0131);
        AssertSum(config with { PredictionType = PredictionType.VPrediction }, 10, 0.0002, 2.2676e-06);
        AssertSum(config with { UseKarrasSigmas = true }, 10, 124.5230, 0.16214);
    }

    [Fact]
    public void EulerAncestral_Loop_GivesPublishedSums()
    {
        var config = SchedulerConfig.For("EulerAncestralDiscreteScheduler") with { TrainTimesteps = 1100 };
        AssertSum(config, 10, 152.3192, 0.1983);
        AssertSum(config with { PredictionType = PredictionType.VPrediction }, 10, 108.4439, 0.1412);
    }

    [Fact]
    public void DpmSolver_Loop_GivesPublishedMeans()
    {
        var config = SchedulerConfig.For("DPMSolverMultistepScheduler") with { LowerOrderFinal = false, FinalSigmasType = "sigma_min" };
        AssertMean(config, 0.3301);
        AssertMean(config with { Thresholding = true, DynamicThresholdingRatio = 0.87, SampleMaxValue = 0.5 }, 1.1364);
        AssertMean(config with { PredictionType = PredictionType.VPrediction }, 0.2251);
        AssertMean(config with { PredictionType = PredictionType.VPrediction, UseKarrasSigmas = true }, 0.2096);
    }

    [Fact]
    public void Pndm_Loop_GivesPublishedSums()
    {
        var config = SchedulerConfig.For("PNDMScheduler");
        AssertSum(config, 10, 198.1318, 0.2580);
        AssertSum(config with { PredictionType = PredictionType.VPrediction }, 10, 67.3986, 0.0878);
        AssertSum(config with { BetaStart = 0.01, SetAlphaToOne = true }, 10, 230.0399, 0.2995);
        AssertSum(config with { BetaStart = 0.01 }, 10, 186.9482, 0.2434);
    }

    [Fact]
    public void Lms_Loop_GivesPublishedSums()
    {
        var config = SchedulerConfig.For("LMSDiscreteScheduler") with { TrainTimesteps = 1100 };
        AssertSum(config, 10, 1006.388, 1.31);
        AssertSum(config with { UseKarrasSigmas = true }, 10, 3812.9927, 4.9648, tolerance: 2e-2);
    }

    private static void AssertSum(SchedulerConfig config, int steps, double sum, double mean, double tolerance = 1e-2)
    {
        using var result = Loop(config, steps);
        Assert.Equal(sum, result.sum().ToSingle(), tolerance);
        Assert.Equal(mean, result.mean().ToSingle(), 1e-3);
    }

    private static void AssertMean(SchedulerConfig config, double mean)
    {
        using var result = Loop(config, 10);
        Assert.Equal(mean, result.mean().ToSingle(), 1e-3);
    }

    /// <summary>|x| after the loop of diffusers' tests, which also pass the scaled sample to the step of the Euler family.</summary>
    private static Tensor Loop(SchedulerConfig config, int steps)
    {
        using var scope = NewDisposeScope();
        using var scheduler = Schedulers.Create(config);
        using var noise = new Noise(0);
        scheduler.SetTimesteps(steps);
        var x = (arange(768, ScalarType.Float32).reshape(3, 8, 8, 4) / 768).permute(3, 0, 1, 2) * scheduler.InitNoiseSigma;
        for (var index = 0; index < scheduler.Timesteps.Count; index++)
        {
            x = scheduler.ScaleModelInput(x, index);
            var t = scheduler.Timesteps[index];
            x = scheduler.Step(x * (t / (t + 1)), index, x, noise).Previous;
        }

        return x.abs().MoveToOuterDisposeScope();
    }
}
