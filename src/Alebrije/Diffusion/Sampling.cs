using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Diffusion;

/// <summary>What a run tells after each step. The tensors are valid during the call only: clone what is to be kept.</summary>
/// <param name="Step">Steps done, from 1.</param>
/// <param name="Of">Steps of this run.</param>
/// <param name="Timestep">The timestep that was just left.</param>
/// <param name="Sample">[batch, channels, ...] x after the step.</param>
/// <param name="Original">[batch, channels, ...] the x0 that the step aimed at.</param>
internal readonly record struct SamplingProgress(int Step, int Of, float Timestep, Tensor Sample, Tensor Original);

/// <summary>How a run goes.</summary>
internal sealed record SamplingOptions
{
    /// <summary>Index of the first timestep used; above 0 for runs that start from a noised picture.</summary>
    public int Start { get; init; }

    /// <summary>DDIM's eta, from 0 to 1.</summary>
    public float Eta { get; init; }

    /// <summary>Called after each step.</summary>
    public Action<SamplingProgress>? Progress { get; init; }

    /// <summary>
    /// Changes x after a step, for example to keep the known part of a picture; it is given x and the index of the step done.
    /// </summary>
    public Func<Tensor, int, Tensor>? AfterStep { get; init; }
}

/// <summary>The denoising loop that all pipelines share.</summary>
internal static class Sampling
{
    /// <summary>What a run from pure noise starts with, at the scale of the first step.</summary>
    public static Tensor Begin(IScheduler scheduler, Noise noise, params long[] shape)
    {
        using var scope = NewDisposeScope();
        return (noise.Randn(shape) * scheduler.InitNoiseSigma).MoveToOuterDisposeScope();
    }

    /// <summary>Index of the step from which a run that starts from a noised sample goes on: the last <paramref name="strength"/> of the steps are taken.</summary>
    /// <param name="steps">Steps of a whole run.</param>
    /// <param name="strength">From 0 to 1; at least one step is taken.</param>
    public static int FirstStep(int steps, double strength) => Math.Min(steps - Math.Min((int)(steps * strength), steps), steps - 1);

    /// <summary>Denoises <paramref name="start"/> along the scheduler's timesteps, with one dispose scope per step.</summary>
    /// <param name="scheduler">With its timesteps set.</param>
    /// <param name="denoiser">The network, guided or not.</param>
    /// <param name="start">[batch, channels, ...] the noisy sample at the scale of the first step used; it stays the caller's.</param>
    /// <param name="noise">Random numbers for the steps that draw.</param>
    /// <param name="options">Start, eta, progress.</param>
    /// <param name="cancellation">Looked at before every step.</param>
    /// <returns>[batch, channels, ...]</returns>
    /// <exception cref="InvalidOperationException">No timesteps were set, or none is left after the start.</exception>
    /// <exception cref="OperationCanceledException">Cancellation was asked.</exception>
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
