using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// Ancestral sampling (Ho et al., 2020, eq. 6 and 7, between the timesteps used) with fixed or learned variance
/// (Nichol and Dhariwal, 2021, §3.1), after diffusers/schedulers/scheduling_ddpm.py.
/// </summary>
internal sealed class DdpmScheduler : IScheduler
{
    private static readonly string[] VarianceTypes =
        ["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log", "learned", "learned_range"];

    private float[] timesteps = [];

    /// <exception cref="NotSupportedException">The configuration requires a feature that this class does not support.</exception>
    public DdpmScheduler(SchedulerConfig config)
    {
        if (!VarianceTypes.Contains(config.VarianceType))
            throw config.Unsupported("variance_type", config.VarianceType, string.Join(", ", VarianceTypes));
        (Config, Schedule) = (config, NoiseSchedule.From(config));
    }

    public SchedulerConfig Config { get; }
    public NoiseSchedule Schedule { get; }
    public IReadOnlyList<float> Timesteps => timesteps;

    public void SetTimesteps(int steps) => timesteps = TimestepGrid.Spaced(Config, steps);

    /// <summary>Uses a custom list of timesteps, such as DeepFloyd IF's.</summary>
    /// <exception cref="ArgumentException">The list is empty, does not descend, or leaves the schedule.</exception>
    public void SetTimesteps(IReadOnlyList<int> custom)
    {
        var descends = custom.Zip(custom.Skip(1)).All(pair => pair.Second < pair.First);
        if (custom.Count == 0 || custom[0] >= Schedule.Length || custom[^1] < 0 || !descends)
            throw new ArgumentException(
                $"Custom timesteps must descend within {Schedule.Length - 1}..0; these do not: {string.Join(", ", custom)}.",
                nameof(custom));
        timesteps = [.. custom.Select(t => (float)t)];
    }

    public SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0)
    {
        using var scope = NewDisposeScope();
        var t = (int)timesteps[index];
        var (prediction, learned) = Parameterisation.Split(output, x);
        var alphaBar = Schedule.AlphaBar(t);
        var alphaBarPrevious = index + 1 < timesteps.Length ? Schedule.AlphaBar((int)timesteps[index + 1]) : 1;
        var alpha = alphaBar / alphaBarPrevious;
        var beta = 1 - alpha;

        var original = Parameterisation.Bound(Parameterisation.Original(Config.PredictionType, prediction, x, alphaBar), Config);
        var mean = (MathF.Sqrt(alphaBarPrevious) * beta / (1 - alphaBar) * original)
            + (MathF.Sqrt(alpha) * (1 - alphaBarPrevious) / (1 - alphaBar) * x);
        if (t > 0)
        {
            var small = MathF.Max((1 - alphaBarPrevious) / (1 - alphaBar) * beta, 1e-20f);
            mean = mean + (Deviation(small, beta, learned) * noise.RandnLike(prediction));
        }

        return new SchedulerStep(mean, original).MoveToOuterDisposeScope();
    }

    /// <summary>Standard deviation of the added noise, between the two bounds of the variance: the posterior's and beta.</summary>
    private Tensor Deviation(float small, float beta, Tensor? learned) => Config.VarianceType switch
    {
        "fixed_large" or "fixed_large_log" => tensor(MathF.Sqrt(beta)),
        "learned" => Required(learned).sqrt(),
        "learned_range" => Between(MathF.Log(small), MathF.Log(beta), (Required(learned) + 1) / 2),
        _ => tensor(MathF.Sqrt(small)),
    };

    private static Tensor Between(float least, float most, Tensor share) => (0.5f * ((share * most) + ((1 - share) * least))).exp();

    private Tensor Required(Tensor? learned) => learned ?? throw new ArgumentException(
        $"variance_type \"{Config.VarianceType}\" needs an output with twice the sample's channels, and this one has no variance: "
        + "the scheduler_config.json belongs to another network.");

    public void Dispose() { }
}
