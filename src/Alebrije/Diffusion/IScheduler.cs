using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>
/// A sampling method over a noise schedule, as <c>scheduler_config.json</c> names it. One object serves one run at a time: multistep
/// methods
/// remember earlier outputs. A step that does not follow the one before starts anew.
/// </summary>
internal interface IScheduler : IDisposable
{
    /// <summary>The configuration that it was built from.</summary>
    SchedulerConfig Config { get; }

    /// <summary>The training-time schedule.</summary>
    NoiseSchedule Schedule { get; }

    /// <summary>
    /// Timesteps in order of use, one per call of the network; empty before <see cref="SetTimesteps"/>. Whole numbers but for some sigma
    /// grids.
    /// </summary>
    IReadOnlyList<float> Timesteps { get; }

    /// <summary>Noise levels, one more than timesteps, for methods that have them; null otherwise.</summary>
    IReadOnlyList<float>? Sigmas => null;

    /// <summary>Standard deviation of the sample that a run starts from.</summary>
    float InitNoiseSigma => 1;

    /// <summary>Chooses the timesteps of a run and forgets the run before.</summary>
    /// <param name="steps">Number of steps, from 1 to the number of training timesteps.</param>
    void SetTimesteps(int steps);

    /// <summary>What the network is given for <paramref name="x"/> in step <paramref name="index"/>.</summary>
    Tensor ScaleModelInput(Tensor x, int index) => x.alias();

    /// <summary>From x at <c>Timesteps[index]</c> to x at the next timestep.</summary>
    /// <param name="output">[batch, channels, ...] the network's output; twice the channels where it also gives a variance.</param>
    /// <param name="index">Which of <see cref="Timesteps"/>.</param>
    /// <param name="x">[batch, channels, ...] the sample as it is, not scaled.</param>
    /// <param name="noise">Where random numbers come from, for methods that draw.</param>
    /// <param name="eta">Share of noise put back, from 0 (none) to 1 (as DDPM); only DDIM has it.</param>
    SchedulerStep Step(Tensor output, int index, Tensor x, Noise noise, float eta = 0);

    /// <summary>The noisy sample from which a run that starts at <c>Timesteps[index]</c> begins (image to image, inpainting).</summary>
    /// <param name="original">[batch, ...] x0.</param>
    /// <param name="noise">[batch, ...] standard normal.</param>
    /// <param name="index">Which of <see cref="Timesteps"/>.</param>
    Tensor AddNoise(Tensor original, Tensor noise, int index) => Schedule.AddNoise(original, noise, (int)Timesteps[index]);
}

/// <summary>What a step gives.</summary>
/// <param name="Previous">[batch, channels, ...] x at the next, less noisy, timestep.</param>
/// <param name="Original">[batch, channels, ...] the x0 that this step aimed at.</param>
internal readonly record struct SchedulerStep(Tensor Previous, Tensor Original)
{
    /// <summary>Both tensors, moved out of the current dispose scope.</summary>
    public SchedulerStep MoveToOuterDisposeScope() => new(Previous.MoveToOuterDisposeScope(), Original.MoveToOuterDisposeScope());
}
