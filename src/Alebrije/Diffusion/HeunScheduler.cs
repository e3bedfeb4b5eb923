using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// Heun's second-order method (Karras et al., 2022, algorithm 1), after diffusers/schedulers/scheduling_heun_discrete.py. The network runs
/// at both ends of a step, so every timestep except the first appears twice in the list.
/// </summary>
internal sealed class HeunScheduler(SchedulerConfig config) : KarrasScheduler(config)
{
    private Tensor? origin, slope;
    private int next = -1;

    public override void SetTimesteps(int steps)
    {
        var (single, levels) = SigmaGrid.Continuous(Config, Schedule, steps);
        Steps = [single[0], .. single[1..].SelectMany(t => new[] { t, t })];
        Levels = [levels[0], .. levels[1..^1].SelectMany(sigma => new[] { sigma, sigma }), levels[^1]];
        Forget();
    }

    public override SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0)
    {
        if (index != next) Forget();
        next = index + 1;
        using var scope = NewDisposeScope();
        var (prediction, _) = Parameterisation.Split(output, x);
        var original = Parameterisation.OriginalAtSigma(Config.PredictionType, prediction, x, Levels[index]);
        if (Config.ClipSample) original = original.clamp(-Config.ClipSampleRange, Config.ClipSampleRange);
        var derivative = (x - original) / Levels[index];
        if (slope is null)
        {
            (origin, slope) = (x.alias().DetachFromDisposeScope(), derivative.alias().DetachFromDisposeScope());
            var guess = x + (Levels[index + 1] - Levels[index]) * derivative;
            return new SchedulerStep(guess, original).MoveToOuterDisposeScope();
        }

        var previous = origin! + (Levels[index] - Levels[index - 1]) * ((slope + derivative) / 2);
        Forget();
        next = index + 1;
        return new SchedulerStep(previous, original).MoveToOuterDisposeScope();
    }

    protected override void Forget()
    {
        origin?.Dispose();
        slope?.Dispose();
        (origin, slope, next) = (null, null, -1);
    }
}
