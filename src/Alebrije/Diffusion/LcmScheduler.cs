using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// Multistep sampling of latent consistency models (Luo et al., 2023, algorithm 3; boundary scalings of Song et al., 2023, appendix C),
/// after diffusers/schedulers/scheduling_lcm.py: predict x0, then noise it to the next timestep. The timesteps are the distillation's.
/// </summary>
internal sealed class LcmScheduler : IScheduler
{
    private const double SigmaData = 0.5;
    private float[] timesteps = [];

    /// <exception cref="NotSupportedException">The configuration requires a feature that this class does not support.</exception>
    public LcmScheduler(SchedulerConfig config) => (Config, Schedule) = (config, NoiseSchedule.From(config));

    public SchedulerConfig Config { get; }
    public NoiseSchedule Schedule { get; }
    public IReadOnlyList<float> Timesteps => timesteps;

    public void SetTimesteps(int steps)
    {
        var distilled = Config.OriginalInferenceSteps;
        if (steps < 1 || steps > distilled || distilled > Config.TrainTimesteps)
            throw new ArgumentOutOfRangeException(
                nameof(steps), $"The number of steps is {steps}, but {Config.ClassName} "
                    + $"takes 1 to {distilled}, its original_inference_steps.");
        var stride = Config.TrainTimesteps / distilled;
        timesteps = [.. Enumerable.Range(0, steps)
            .Select(i => (float)(((distilled - (int)Math.Floor(i * ((double)distilled / steps))) * stride) - 1))];
    }

    public SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0)
    {
        using var scope = NewDisposeScope();
        var t = (int)timesteps[index];
        var (prediction, _) = Parameterisation.Split(output, x);
        var aimed = Parameterisation.Original(Config.PredictionType, prediction, x, Schedule.AlphaBar(t));
        var original = Parameterisation.Bound(aimed, Config);

        var scaled = t * Config.TimestepScaling;
        var skip = SigmaData * SigmaData / ((scaled * scaled) + (SigmaData * SigmaData));
        var share = scaled / Math.Sqrt((scaled * scaled) + (SigmaData * SigmaData));
        var denoised = share * original + skip * x;
        if (index + 1 == timesteps.Length) return new SchedulerStep(denoised, denoised.alias()).MoveToOuterDisposeScope();

        var alphaBarNext = Schedule.AlphaBar((int)timesteps[index + 1]);
        var previous = MathF.Sqrt(alphaBarNext) * denoised + MathF.Sqrt(1 - alphaBarNext) * noise.RandnLike(prediction);
        return new SchedulerStep(previous, denoised).MoveToOuterDisposeScope();
    }

    public void Dispose() { }
}
