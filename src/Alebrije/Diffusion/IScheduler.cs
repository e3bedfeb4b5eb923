using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// A sampling method over a noise schedule, as <c>scheduler_config.json</c> names it. One object serves one run at a time: multistep
/// methods keep earlier outputs. A step that does not follow the previous one starts without them.
/// </summary>
internal interface IScheduler : IDisposable
{
    /// <summary>Configuration of the scheduler.</summary>
    SchedulerConfig Config { get; }

    /// <summary>The training-time schedule.</summary>
    NoiseSchedule Schedule { get; }

    /// <summary>
    /// Timesteps in order of use, one per call of the network; empty before <see cref="SetTimesteps"/>. Integers, except on some sigma
    /// grids.
    /// </summary>
    IReadOnlyList<float> Timesteps { get; }

    /// <summary>Noise levels, one more than timesteps; null for methods without them.</summary>
    IReadOnlyList<float>? Sigmas => null;

    /// <summary>Standard deviation of the initial sample of a run.</summary>
    float InitNoiseSigma => 1;

    /// <summary>Sets the timesteps of a run and drops the state of the previous one.</summary>
    /// <param name="steps">Number of steps, from 1 to the number of training timesteps.</param>
    void SetTimesteps(int steps);

    /// <summary>Input of the network for <paramref name="x"/> in step <paramref name="index"/>.</summary>
    Tensor ScaleModelInput(Tensor x, int index) => x.alias();

    /// <summary>Steps from x at <c>Timesteps[index]</c> to x at the next timestep.</summary>
    /// <param name="output">[batch, channels, ...] the network's output; twice the channels with a learned variance.</param>
    /// <param name="index">Index into <see cref="Timesteps"/>.</param>
    /// <param name="x">[batch, channels, ...] the sample, not scaled.</param>
    /// <param name="noise">Source of random numbers, for stochastic methods.</param>
    /// <param name="eta">Share of noise added back, from 0 (none) to 1 (as DDPM); used by DDIM only.</param>
    SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0);

    /// <summary>Noises x0 to <c>Timesteps[index]</c>, the start of a run (image to image, inpainting).</summary>
    /// <param name="original">[batch, ...] x0.</param>
    /// <param name="noise">[batch, ...] standard normal.</param>
    /// <param name="index">Index into <see cref="Timesteps"/>.</param>
    Tensor AddNoise(Tensor original, Tensor noise, int index) => Schedule.AddNoise(original, noise, (int)Timesteps[index]);
}

/// <summary>Result of a step.</summary>
/// <param name="Previous">[batch, channels, ...] x at the next, less noisy, timestep.</param>
/// <param name="Original">[batch, channels, ...] the x0 that this step predicts.</param>
internal readonly record struct SchedulerStep(Tensor Previous, Tensor Original)
{
    /// <summary>Both tensors, moved out of the current dispose scope.</summary>
    public SchedulerStep MoveToOuterDisposeScope() => new(Previous.MoveToOuterDisposeScope(), Original.MoveToOuterDisposeScope());
}
