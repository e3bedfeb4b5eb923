using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>State of the methods over noise levels: the schedule, and the grid of a run.</summary>
internal abstract class SigmaScheduler : IScheduler
{
    protected SigmaScheduler(SchedulerConfig config)
    {
        (Config, Schedule) = (config, NoiseSchedule.From(config, finiteSigmas: true));
        Levels = Schedule.Sigmas();
    }

    public SchedulerConfig Config { get; }
    public NoiseSchedule Schedule { get; }
    public IReadOnlyList<float> Timesteps => Steps;
    public IReadOnlyList<float>? Sigmas => Levels;

    /// <summary>Timesteps of the run.</summary>
    protected float[] Steps { get; set; } = [];

    /// <summary>Noise levels of the run, one more than steps.</summary>
    protected float[] Levels { get; set; }

    public abstract void SetTimesteps(int steps);

    public abstract SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0);

    public abstract Tensor AddNoise(Tensor original, Tensor noise, int index);

    public void Dispose() => Forget();

    /// <summary>Drops the method's state of earlier steps.</summary>
    protected virtual void Forget() { }
}

/// <summary>
/// Methods on x = x0 + sigma noise (Karras et al., 2022, table 1, VP): the network's input is scaled, and a run starts at the largest
/// sigma.
/// </summary>
internal abstract class KarrasScheduler(SchedulerConfig config) : SigmaScheduler(config), IScheduler
{
    public float InitNoiseSigma => SigmaForm.InitNoiseSigma(Config, Levels);

    public override void SetTimesteps(int steps)
    {
        (Steps, Levels) = SigmaGrid.Continuous(Config, Schedule, steps);
        Forget();
    }

    public Tensor ScaleModelInput(Tensor x, int index) => SigmaForm.Scale(x, Levels[index]);

    public override Tensor AddNoise(Tensor original, Tensor noise, int index) => SigmaForm.AddNoise(original, noise, Levels[index]);
}
