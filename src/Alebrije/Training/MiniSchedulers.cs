using Alebrije.Diffusion;

namespace Alebrije.Training;

/// <summary>Schedules of the embedded default, as its scheduler_config.json files hold them.</summary>
internal static class MiniSchedulers
{
    /// <summary>
    /// Prior: x0 prediction on a cosine schedule. DDPM and not UnCLIPScheduler, which the reference's Stable unCLIP pipeline steps from t to t - 1
    /// only, so that its samples fall together with the mean.
    /// </summary>
    public static SchedulerConfig Prior { get; } = SchedulerConfig.For("DDPMScheduler") with
    {
        BetaSchedule = "squaredcos_cap_v2", PredictionType = PredictionType.Sample, VarianceType = "fixed_small_log",
        ClipSample = true, ClipSampleRange = 5, TimestepSpacing = "trailing",
    };

    /// <summary>Noise on the image embedding.</summary>
    public static SchedulerConfig ImageNoising { get; } = SchedulerConfig.For("DDPMScheduler") with { BetaSchedule = "squaredcos_cap_v2" };

    /// <summary>Decoder: v prediction down to pure noise (Lin et al., 2023), so that plain backgrounds come out in any brightness.</summary>
    public static SchedulerConfig Decoder { get; } = SchedulerConfig.For("DDIMScheduler") with
    {
        BetaSchedule = "scaled_linear", BetaStart = 0.00085, BetaEnd = 0.012, PredictionType = PredictionType.VPrediction,
        ClipSample = false, SetAlphaToOne = true, RescaleBetasZeroSnr = true, TimestepSpacing = "trailing",
    };
}
