using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>DDIM (Song et al., 2021, eq. 12 and 16), after diffusers/schedulers/scheduling_ddim.py.</summary>
internal sealed class DdimScheduler : IScheduler
{
    private readonly float finalAlphaBar;
    private float[] timesteps = [];
    private int stride;

    /// <exception cref="NotSupportedException">The configuration requires a feature that this class does not support.</exception>
    public DdimScheduler(SchedulerConfig config)
    {
        (Config, Schedule) = (config, NoiseSchedule.From(config));
        finalAlphaBar = config.SetAlphaToOne ? 1 : Schedule.AlphaBar(0);
    }

    public SchedulerConfig Config { get; }
    public NoiseSchedule Schedule { get; }
    public IReadOnlyList<float> Timesteps => timesteps;

    public void SetTimesteps(int steps)
    {
        timesteps = TimestepGrid.Spaced(Config, steps);
        stride = Config.TrainTimesteps / steps;
    }

    public SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0)
    {
        using var scope = NewDisposeScope();
        var t = (int)timesteps[index];
        var (prediction, _) = Parameterisation.Split(output, x);
        var alphaBar = Schedule.AlphaBar(t);
        var alphaBarPrevious = t >= stride ? Schedule.AlphaBar(t - stride) : finalAlphaBar;

        var epsilon = Parameterisation.Epsilon(Config.PredictionType, prediction, x, alphaBar);
        var original = Parameterisation.Bound(Parameterisation.Original(Config.PredictionType, prediction, x, alphaBar), Config);

        // sigma of eq. 16
        var sigma = eta * MathF.Sqrt((1 - alphaBarPrevious) / (1 - alphaBar) * (1 - (alphaBar / alphaBarPrevious)));
        var direction = MathF.Sqrt(MathF.Max(1 - alphaBarPrevious - (sigma * sigma), 0)) * epsilon;
        var previous = (MathF.Sqrt(alphaBarPrevious) * original) + direction;
        if (eta > 0) previous = previous + (sigma * noise.RandnLike(prediction));
        return new SchedulerStep(previous, original).MoveToOuterDisposeScope();
    }

    public void Dispose() { }
}

/// <summary>Inverted DDIM, from an image to the noise that generates it, after diffusers/schedulers/scheduling_ddim_inverse.py.</summary>
internal sealed class DdimInverseScheduler : IScheduler
{
    private readonly float initialAlphaBar;
    private float[] timesteps = [];
    private int stride;

    /// <exception cref="NotSupportedException">The configuration requires a feature that this class does not support.</exception>
    public DdimInverseScheduler(SchedulerConfig config)
    {
        (Config, Schedule) = (config, NoiseSchedule.From(config));
        initialAlphaBar = config.SetAlphaToOne ? 1 : Schedule.AlphaBar(0);
    }

    public SchedulerConfig Config { get; }
    public NoiseSchedule Schedule { get; }
    public IReadOnlyList<float> Timesteps => timesteps;

    public void SetTimesteps(int steps)
    {
        if (Config.TimestepSpacing == "linspace") throw Config.Unsupported("timestep_spacing", "linspace", "leading, trailing");
        timesteps = [.. TimestepGrid.Spaced(Config, steps).Reverse()];
        stride = Config.TrainTimesteps / steps;
    }

    public SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0)
    {
        using var scope = NewDisposeScope();
        var next = (int)timesteps[index];
        var t = Math.Min(next - stride, Schedule.Length - 1);
        var (prediction, _) = Parameterisation.Split(output, x);
        var (alphaBar, alphaBarNext) = (t >= 0 ? Schedule.AlphaBar(t) : initialAlphaBar, Schedule.AlphaBar(next));

        var epsilon = Parameterisation.Epsilon(Config.PredictionType, prediction, x, alphaBar);
        var original = Parameterisation.Original(Config.PredictionType, prediction, x, alphaBar);
        if (Config.ClipSample) original = original.clamp(-Config.ClipSampleRange, Config.ClipSampleRange);
        var previous = (MathF.Sqrt(alphaBarNext) * original) + (MathF.Sqrt(1 - alphaBarNext) * epsilon);
        return new SchedulerStep(previous, original).MoveToOuterDisposeScope();
    }

    public void Dispose() { }
}
