using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// Heun's second-order method (Karras et al., 2022, algorithm 1), after diffusers/schedulers/scheduling_heun_discrete.py. The network is
/// called at both ends of a step, so all timesteps but the first stand twice in the list.
/// </summary>
internal sealed class HeunScheduler : IScheduler
{
    private float[] timesteps = [], sigmas;
    private Tensor? origin, slope;
    private int next = -1;

    /// <exception cref="NotSupportedException">The configuration asks for what this class does not have.</exception>
    public HeunScheduler(SchedulerConfig config)
    {
        (Config, Schedule) = (config, NoiseSchedule.From(config, finiteSigmas: true));
        sigmas = Schedule.Sigmas();
    }

    public SchedulerConfig Config { get; }
    public NoiseSchedule Schedule { get; }
    public IReadOnlyList<float> Timesteps => timesteps;
    public IReadOnlyList<float>? Sigmas => sigmas;
    public float InitNoiseSigma => SigmaForm.InitNoiseSigma(Config, sigmas);

    public void SetTimesteps(int steps)
    {
        var (single, levels) = SigmaGrid.Continuous(Config, Schedule, steps);
        timesteps = [single[0], .. single[1..].SelectMany(t => new[] { t, t })];
        sigmas = [levels[0], .. levels[1..^1].SelectMany(sigma => new[] { sigma, sigma }), levels[^1]];
        Forget();
    }

    public Tensor ScaleModelInput(Tensor x, int index) => SigmaForm.Scale(x, sigmas[index]);

    public SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0)
    {
        if (index != next) Forget();
        next = index + 1;
        using var scope = NewDisposeScope();
        var (prediction, _) = Parameterisation.Split(output, x);
        var original = Parameterisation.OriginalAtSigma(Config.PredictionType, prediction, x, sigmas[index]);
        if (Config.ClipSample) original = original.clamp(-Config.ClipSampleRange, Config.ClipSampleRange);
        var derivative = (x - original) / sigmas[index];
        if (slope is null)
        {
            (origin, slope) = (x.alias().DetachFromDisposeScope(), derivative.alias().DetachFromDisposeScope());
            var guess = x + (sigmas[index + 1] - sigmas[index]) * derivative;
            return new SchedulerStep(guess, original).MoveToOuterDisposeScope();
        }

        var previous = origin! + (sigmas[index] - sigmas[index - 1]) * ((slope + derivative) / 2);
        Forget();
        next = index + 1;
        return new SchedulerStep(previous, original).MoveToOuterDisposeScope();
    }

    public Tensor AddNoise(Tensor original, Tensor noise, int index) => SigmaForm.AddNoise(original, noise, sigmas[index]);

    public void Dispose() => Forget();

    private void Forget()
    {
        origin?.Dispose();
        slope?.Dispose();
        (origin, slope, next) = (null, null, -1);
    }
}
