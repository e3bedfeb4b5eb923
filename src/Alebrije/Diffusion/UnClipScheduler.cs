using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// Ancestral sampling of Karlo's unCLIP (Ho et al., 2020, eq. 6 and 7, between the timesteps used), after
/// diffusers/schedulers/scheduling_unclip.py: the grid contains both 0 and T - 1, and the upper bound of a learned variance is log(beta).
/// </summary>
internal sealed class UnClipScheduler : IScheduler
{
    private float[] timesteps = [];

    /// <exception cref="NotSupportedException">The configuration requires a feature that this class does not support.</exception>
    public UnClipScheduler(SchedulerConfig config)
    {
        if (config.BetaSchedule != "squaredcos_cap_v2") throw config.Unsupported("beta_schedule", config.BetaSchedule, "squaredcos_cap_v2");
        if (config.VarianceType is not ("fixed_small_log" or "learned_range"))
            throw config.Unsupported("variance_type", config.VarianceType, "fixed_small_log, learned_range");
        if (config.PredictionType == PredictionType.VPrediction)
            throw config.Unsupported("prediction_type", "v_prediction", "epsilon, sample");
        (Config, Schedule) = (config, NoiseSchedule.From(config));
    }

    public SchedulerConfig Config { get; }
    public NoiseSchedule Schedule { get; }
    public IReadOnlyList<float> Timesteps => timesteps;

    /// <summary>
    /// True if every step goes from t to t - 1 although the grid skips timesteps, as in the reference without prev_timestep.
    /// </summary>
    public bool StepsByOne { get; init; }

    public void SetTimesteps(int steps)
    {
        TimestepGrid.Check(Config, steps, least: 2);
        var stride = (double)(Config.TrainTimesteps - 1) / (steps - 1);
        timesteps = [.. Enumerable.Range(0, steps).Reverse().Select(i => (float)Math.Round(i * stride))];
    }

    public SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0)
    {
        using var scope = NewDisposeScope();
        var t = (int)timesteps[index];
        var previous = index + 1 < timesteps.Length && !StepsByOne ? (int)timesteps[index + 1] : t - 1;
        var (prediction, learned) = Parameterisation.Split(output, x);
        var (alphaBar, alphaBarPrevious, beta) = Between(t, previous);

        var original = Parameterisation.Bound(Parameterisation.Original(Config.PredictionType, prediction, x, alphaBar), Config);
        var mean = (MathF.Sqrt(alphaBarPrevious) * beta / (1 - alphaBar) * original)
            + (MathF.Sqrt(1 - beta) * (1 - alphaBarPrevious) / (1 - alphaBar) * x);
        if (t > 0) mean = mean + (Deviation(t, previous, learned) * noise.RandnLike(prediction));
        return new SchedulerStep(mean, original).MoveToOuterDisposeScope();
    }

    /// <summary>Standard deviation of the noise added from t to previous: a scalar, or [batch, channels, ...] if it is learned.</summary>
    private Tensor Deviation(int t, int previous, Tensor? learned) =>
        Config.VarianceType == "learned_range" && learned is not null
            ? (0.5f * LogVariance(t, previous, learned)).exp()
            : tensor(SmallDeviation(t, previous));

    /// <summary>sqrt of the posterior variance (eq. 7), at least 1e-10.</summary>
    internal float SmallDeviation(int t, int previous) => MathF.Exp(0.5f * MathF.Log(MathF.Max(SmallVariance(t, previous), 1e-20f)));

    /// <summary>
    /// Learned log variance, between the posterior's (output -1) and beta's (output 1) (Nichol and Dhariwal, 2021, eq. 15).
    /// </summary>
    internal Tensor LogVariance(int t, int previous, Tensor learned)
    {
        var (least, most) = (MathF.Log(SmallVariance(t, previous)), MathF.Log(Between(t, previous).Beta));
        var share = (learned + 1) / 2;
        return (share * most) + ((1 - share) * least);
    }

    private float SmallVariance(int t, int previous)
    {
        var (alphaBar, alphaBarPrevious, beta) = Between(t, previous);
        return (1 - alphaBarPrevious) / (1 - alphaBar) * beta;
    }

    /// <summary>abar at both timesteps and the beta between them: the table's if they are adjacent.</summary>
    private (float AlphaBar, float AlphaBarPrevious, float Beta) Between(int t, int previous)
    {
        var (alphaBar, alphaBarPrevious) = (Schedule.AlphaBar(t), previous >= 0 ? Schedule.AlphaBar(previous) : 1);
        return (alphaBar, alphaBarPrevious, previous == t - 1 ? Schedule.Betas[t] : 1 - (alphaBar / alphaBarPrevious));
    }

    public void Dispose() { }
}
