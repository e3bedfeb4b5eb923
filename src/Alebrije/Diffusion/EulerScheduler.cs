using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// Euler's method on the probability flow (Karras et al., 2022, algorithm 2 without churn), after
/// diffusers/schedulers/scheduling_euler_discrete.py.
/// </summary>
internal sealed class EulerScheduler(SchedulerConfig config) : KarrasScheduler(config)
{
    public override SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0)
    {
        using var scope = NewDisposeScope();
        var (prediction, _) = Parameterisation.Split(output, x);
        var (sigma, next, wide) = (Levels[index], Levels[index + 1], x.to(ScalarType.Float32));
        var original = Parameterisation.OriginalAtSigma(Config.PredictionType, prediction, wide, sigma);
        var derivative = (wide - original) / sigma;
        var previous = wide + (next - sigma) * derivative;
        return new SchedulerStep(previous.to(x.dtype), original).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Ancestral sampling by Euler steps: a step below the next noise level, then noise up to it (after
/// diffusers/schedulers/scheduling_euler_ancestral_discrete.py and k-diffusion).
/// </summary>
internal sealed class EulerAncestralScheduler(SchedulerConfig config) : KarrasScheduler(config)
{
    // The reference's class supports no other grid, so grid keys of other classes are ignored.
    public override void SetTimesteps(int steps) => (Steps, Levels) = SigmaGrid.Continuous(
        Config with
        {
            UseKarrasSigmas = false, UseExponentialSigmas = false, UseBetaSigmas = false, UseLuLambdas = false,
            InterpolationType = "linear", TimestepType = "discrete", FinalSigmasType = "zero",
        }, Schedule, steps);

    public override SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0)
    {
        using var scope = NewDisposeScope();
        var (prediction, _) = Parameterisation.Split(output, x);
        var (from, to, wide) = (Levels[index], Levels[index + 1], x.to(ScalarType.Float32));
        var original = Parameterisation.OriginalAtSigma(Config.PredictionType, prediction, wide, from);

        var up = MathF.Sqrt(to * to * ((from * from) - (to * to)) / (from * from));
        var down = MathF.Sqrt((to * to) - (up * up));
        var derivative = (wide - original) / from;
        var previous = wide + (down - from) * derivative + up * noise.RandnLike(prediction);
        return new SchedulerStep(previous.to(x.dtype), original).MoveToOuterDisposeScope();
    }
}
