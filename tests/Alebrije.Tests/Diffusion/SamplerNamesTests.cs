using Alebrije.Diffusion;
using Alebrije.Tensors;

namespace Alebrije.Tests.Diffusion;

/// <summary>Samplers by name, on the schedule of a checkpoint.</summary>
public sealed class SamplerNamesTests
{
    private const string Own =
        """{ "_class_name": "PNDMScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "prediction_type": "v_prediction", "steps_offset": 1, "skip_prk_steps": true }""";

    public SamplerNamesTests() => TorchRuntime.Initialize();

    [Theory]
    [InlineData("DPM++ 2M Karras", "dpm++-2m-karras")]
    [InlineData("dpmpp_2m_karras", "dpm++-2m-karras")]
    [InlineData("Euler a", "euler-a")]
    [InlineData("EulerAncestralDiscreteScheduler", "euler-a")]
    [InlineData("EulerDiscreteScheduler", "euler")]
    [InlineData("UniPC", "unipc")]
    [InlineData("eulr", null)]
    public void Find_NamesOfOthers(string given, string? name) => Assert.Equal(name, SamplerNames.Find(given));

    [Fact]
    public void Config_TakesTheScheduleOver_AndTheDefaultsOfItsClass()
    {
        var euler = SamplerNames.Config(SchedulerConfig.Parse(Own), "euler");
        Assert.Equal(("EulerDiscreteScheduler", 0.00085, "scaled_linear", PredictionType.VPrediction, 1, "linspace"),
            (euler.ClassName, euler.BetaStart, euler.BetaSchedule, euler.PredictionType, euler.StepsOffset, euler.TimestepSpacing));
        var stochastic = SamplerNames.Config(SchedulerConfig.Parse(Own), "dpm++-2m-sde-karras");
        Assert.Equal(("sde-dpmsolver++", true, 2), (stochastic.AlgorithmType, stochastic.UseKarrasSigmas, stochastic.SolverOrder));
    }

    [Fact]
    public void Config_IsABuiltInScheduler_ForEveryName()
    {
        foreach (var name in SamplerNames.Known)
        {
            using var scheduler = Schedulers.Create(SamplerNames.Config(SchedulerConfig.Parse(Own), name));
            scheduler.SetTimesteps(10);
            Assert.True(scheduler.Timesteps.Count >= 9, name);
        }
    }
}
