using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>Progress of a run after a step. The tensors are valid only during the call: clone any that outlive it.</summary>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="Of">Total steps of this run.</param>
/// <param name="Timestep">The timestep of the step.</param>
/// <param name="Sample">[batch, channels, ...] x after the step.</param>
/// <param name="Original">[batch, channels, ...] the x0 that the step predicts.</param>
internal readonly record struct SamplingProgress(int Step, int Of, float Timestep, Tensor Sample, Tensor Original);

/// <summary>Options of a sampling run.</summary>
internal sealed record SamplingOptions
{
    /// <summary>Index of the first timestep used; above 0 for runs that start from a noised image.</summary>
    public int Start { get; init; }

    /// <summary>DDIM's eta, from 0 to 1.</summary>
    public float Eta { get; init; }

    /// <summary>Called after each step with its progress.</summary>
    public Action<SamplingProgress>? Progress { get; init; }

    /// <summary>
    /// Changes x after a step, for example to restore the unmasked region of an image; called with x and the index of the step.
    /// </summary>
    public Func<Tensor, int, Tensor>? AfterStep { get; init; }
}

/// <summary>The denoising loop of all pipelines.</summary>
internal static class Sampling
{
    /// <summary>Initial sample of a run from pure noise, at the scale of the first step.</summary>
    public static Tensor Begin(IScheduler scheduler, Noise noise, params long[] shape)
    {
        using var scope = NewDisposeScope();
        return (noise.Randn(shape) * scheduler.InitNoiseSigma).MoveToOuterDisposeScope();
    }

    /// <summary>Index of the first step of a run from a noised sample: the last <paramref name="strength"/> of the steps run.</summary>
    /// <param name="steps">Steps of a full run.</param>
    /// <param name="strength">Share of the steps, from 0 to 1; at least one step runs.</param>
    public static int FirstStep(int steps, double strength) => Math.Min(steps - Math.Min((int)(steps * strength), steps), steps - 1);

    /// <summary>Denoises <paramref name="start"/> along the scheduler's timesteps, with one dispose scope per step.</summary>
    /// <param name="scheduler">Scheduler with its timesteps set.</param>
    /// <param name="denoiser">The network, guided or not.</param>
    /// <param name="start">[batch, channels, ...] the noisy sample at the scale of the first step used; the caller keeps it.</param>
    /// <param name="noise">Source of random numbers, for stochastic methods.</param>
    /// <param name="options">Start, eta, progress.</param>
    /// <param name="cancellation">Checked before every step.</param>
    /// <returns>[batch, channels, ...]</returns>
    /// <exception cref="InvalidOperationException">No timesteps were set, or none is left after the start.</exception>
    /// <exception cref="OperationCanceledException">Cancellation was requested.</exception>
    public static Tensor Run(
        IScheduler scheduler, Denoiser denoiser, Tensor start, Noise noise, SamplingOptions? options = null,
        CancellationToken cancellation = default)
    {
        options ??= new SamplingOptions();
        var count = scheduler.Timesteps.Count;
        if (options.Start < 0 || options.Start >= count)
            throw new InvalidOperationException(
                $"A run cannot start at step {options.Start} of {count}: set the timesteps first and start within them.");

        var x = start.alias();
        try
        {
            for (var index = options.Start; index < count; index++)
            {
                cancellation.ThrowIfCancellationRequested();
                var next = Step(scheduler, denoiser, x, index, noise, options);
                x.Dispose();
                x = next;
            }
        }
        catch
        {
            x.Dispose();
            throw;
        }

        return x;
    }

    private static Tensor Step(IScheduler scheduler, Denoiser denoiser, Tensor x, int index, Noise noise, SamplingOptions options)
    {
        using var scope = NewDisposeScope();
        var timestep = scheduler.Timesteps[index];
        var t = full(x.shape[0], timestep, dtype: ScalarType.Float32, device: x.device);
        var (previous, original) = scheduler.Step(denoiser(scheduler.ScaleModelInput(x, index), t), index, x, noise, options.Eta);
        if (options.AfterStep is { } change) previous = change(previous, index);
        options.Progress?.Invoke(new SamplingProgress(
            index - options.Start + 1, scheduler.Timesteps.Count - options.Start, timestep, previous, original));
        return previous.MoveToOuterDisposeScope();
    }
}
