using Alebrije.Diffusion;
using Alebrije.Tensors;
using Alebrije.Weights;

namespace Alebrije.Tests.Diffusion;

public sealed class SchedulerConfigTests
{
    public SchedulerConfigTests() => TorchRuntime.Initialize();

    [Fact]
    public void Parse_MissingAndNullKeys_TakeTheClassDefault()
    {
        var config = SchedulerConfig.Parse("""{"_class_name": "DDIMScheduler", "clip_sample": null, "beta_end": 0.012, "made_up": [1]}""");
        Assert.Equal(SchedulerConfig.For("DDIMScheduler") with { BetaEnd = 0.012 }, config);
        Assert.True(config.ClipSample);
        Assert.Equal("leading", config.TimestepSpacing);
        Assert.Equal("linspace", SchedulerConfig.Parse("""{"_class_name": "EulerDiscreteScheduler"}""").TimestepSpacing);
        Assert.False(SchedulerConfig.Parse("""{"_class_name": "PNDMScheduler"}""").SetAlphaToOne);
        Assert.Equal("squaredcos_cap_v2", SchedulerConfig.Parse("""{"_class_name": "UnCLIPScheduler"}""").BetaSchedule);
    }

    [Fact]
    public void Parse_PythonsInfinity_IsRead()
    {
        var config = SchedulerConfig.Parse(
            """{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity, "solver_order": 3}""");
        Assert.Equal((double.NegativeInfinity, 3), (config.LambdaMinClipped, config.SolverOrder));
    }

    [Fact]
    public void Parse_EveryKey_IsTaken_AndAnotherClassKeepsThoseOfTheFile()
    {
        var config = SchedulerConfig.Parse("""
            {"_class_name": "DDIMInverseScheduler", "num_train_timesteps": 500.0, "trained_betas": [0.1, 0.2],
            "prediction_type": "original_sample",
            "sigma_max": 14.5,
            "set_alpha_to_zero": false, "clip_sample_range": 2, "disable_corrector": [0, 3], "timestep_spacing": "trailing"}
            """);
        Assert.Equal((500, PredictionType.Sample, 14.5, false, 2f),
            (config.TrainTimesteps, config.PredictionType, config.SigmaMax, config.SetAlphaToOne, config.ClipSampleRange));
        Assert.Equal([0.1f, 0.2f], config.TrainedBetas);
        Assert.Equal([0, 3], config.DisableCorrector);
        var euler = config.As("EulerDiscreteScheduler");
        Assert.Equal(("EulerDiscreteScheduler", 500, "trailing", false),
            (euler.ClassName, euler.TrainTimesteps, euler.TimestepSpacing, euler.ClipSample));
        Assert.Equal("linspace",
            SchedulerConfig.Parse("""{"_class_name": "DDIMScheduler"}""").As("EulerDiscreteScheduler").TimestepSpacing);
    }

    [Theory]
    [InlineData("""{"beta_start": 0.1}""", "_class_name")]
    [InlineData("""{"_class_name": "DDIMScheduler", "beta_start": "small"}""", "beta_start")]
    [InlineData("""{"_class_name": "DDIMScheduler", "prediction_type": "flow"}""", "prediction_type")]
    [InlineData("""{"_class_name": "DDIMScheduler", "num_train_timesteps": 0}""", "num_train_timesteps")]
    [InlineData("""{"_class_name": "DDIM""", "JSON")]
    [InlineData("[]", "JSON object")]
    [InlineData("""{"_class_name": "LCMScheduler", "original_inference_steps": -1}""", "original_inference_steps")]
    public void Parse_BadText_NamesThePlace(string json, string place) =>
        Assert.Contains(place, Assert.Throws<WeightsException>(() => SchedulerConfig.Parse(json)).Message, StringComparison.Ordinal);

    [Fact]
    public void Create_UnknownClassOrValue_IsRefusedByName()
    {
        Assert.Contains(
            "DEISScheduler",
            Assert.Throws<NotSupportedException>(() => SchedulerConfig.Parse("""{"_class_name": "DEISScheduler"}""")).Message,
            StringComparison.Ordinal);
        Assert.All(
            new[]
            {
                ("UnCLIPScheduler", """ "variance_type": "learned" """), ("DDPMScheduler", """ "variance_type": "wide" """),
                ("DPMSolverMultistepScheduler", """ "algorithm_type": "dpmsolver" """),
                ("UniPCMultistepScheduler", """ "solver_order": 7 """),
                ("PNDMScheduler", """ "prediction_type": "sample" """),
            },
            wrong => Assert.Contains(
                wrong.Item1,
                Assert.Throws<NotSupportedException>(() =>
                    Schedulers.Create(SchedulerConfig.Parse($$"""{"_class_name": "{{wrong.Item1}}", {{wrong.Item2}}}"""))).Message,
                StringComparison.Ordinal));
    }

    [Fact]
    public void Create_MissingFolder_SaysWhere() =>
        Assert.Contains(
            "nowhere",
            Assert.Throws<CheckpointNotFoundException>(() => Schedulers.Create("nowhere")).Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("UnCLIPScheduler", 1)]
    [InlineData("DDIMScheduler", 0)]
    [InlineData("DDPMScheduler", 1001)]
    [InlineData("DPMSolverMultistepScheduler", -4)]
    [InlineData("LCMScheduler", 51)]
    [InlineData("PNDMScheduler", 3)]
    public void SetTimesteps_NumberThatNoGridHas_SaysTheRange(string className, int steps)
    {
        using var scheduler = Schedulers.Create(SchedulerConfig.For(className));
        Assert.Contains(
            $"The number of steps is {steps}, but {className} takes ",
            Assert.Throws<ArgumentOutOfRangeException>(() => scheduler.SetTimesteps(steps)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void SetTimesteps_OffsetBeyondTheEnd_IsRefused()
    {
        using var scheduler = Schedulers.Create(SchedulerConfig.For("DDIMScheduler") with { StepsOffset = 1 });
        Assert.Contains(
            "steps_offset 1",
            Assert.Throws<ArgumentOutOfRangeException>(() => scheduler.SetTimesteps(1000)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void SetTimesteps_OnesOwnList_MustDescendWithinTheSchedule()
    {
        using var scheduler = new DdpmScheduler(SchedulerConfig.For("DDPMScheduler"));
        scheduler.SetTimesteps([999, 800, 30, 0]);
        Assert.Equal([999f, 800f, 30f, 0f], scheduler.Timesteps);
        foreach (var wrong in new int[][] { [], [3, 5], [1000, 1], [5, -1], [4, 4] })
            Assert.Throws<ArgumentException>(() => scheduler.SetTimesteps(wrong));
    }
}
