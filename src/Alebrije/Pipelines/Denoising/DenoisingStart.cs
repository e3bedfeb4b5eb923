using Alebrije.Diffusion;
using Alebrije.Models.UNets;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Denoising;

/// <summary>Start of a run.</summary>
/// <param name="Start">[batch, channels, h, w]: noise, or a noised image.</param>
/// <param name="Index">The first step.</param>
/// <param name="Noise">The noise that is in it, without the sampler's scale.</param>
internal sealed record InitialSample(Tensor Start, int Index, Tensor Noise)
{
    /// <summary>True if the start is a noised image.</summary>
    public bool IsPicture { get; init; }
}

/// <summary>Scheduler, start and step callbacks of a run.</summary>
internal static class DenoisingStart
{
    /// <summary>Predicted images in a trace.</summary>
    private const int TracedPictures = 5;

    /// <summary>The sampler of the options, or the model's own; DDIM on its schedule where there is an eta or a given start.</summary>
    public static IScheduler Scheduler(SchedulerConfig config, DrawOptions run) =>
        run.Eta is not null || run.Start is not null ? new DdimScheduler(config.ForDdim())
        : Schedulers.Create(run.Sampler is { } name ? SamplerNames.Config(config, name) : config);

    /// <summary>Start of a run, and its first step.</summary>
    /// <param name="scheduler">With its timesteps set.</param>
    /// <param name="run">Start and strength.</param>
    /// <param name="noise">One draw, unless a start is given.</param>
    /// <param name="shape">[batch, channels, h, w]</param>
    /// <param name="known">[batch, channels, h, w]: the image that was given, or null.</param>
    /// <param name="repaints">
    /// True if only a part of it is redrawn: at full strength that starts from noise alone, where an image to start from is noised as
    /// far as the schedule goes (the reference's inpainting and image-to-image pipelines).
    /// </param>
    public static InitialSample Begin(IScheduler scheduler, DrawOptions run, Noise noise, long[] shape, Tensor? known, bool repaints)
    {
        if (run.Start is { } start)
        {
            return start.shape.AsSpan()[1..].SequenceEqual(shape.AsSpan()[1..])
                ? new InitialSample(start.expand(shape).alias(), 0, start.expand(shape))
                : throw new ArgumentException($"The start is [{string.Join(", ", start.shape)}], "
                    + $"and this decoder draws [{string.Join(", ", shape)}]: invert at the size that is drawn.");
        }

        var drawn = noise.Randn(shape);
        if (known is null || (repaints && run.Strength >= 1)) return new InitialSample(drawn * scheduler.InitNoiseSigma, 0, drawn);
        var index = Sampling.FirstStep(run.Steps, run.Strength);
        return new InitialSample(scheduler.AddNoise(known, drawn, index), index, drawn) { IsPicture = true };
    }

    /// <summary>A denoiser with its conditions bound, watched for numbers that overflow; not guided.</summary>
    /// <param name="network">The denoiser, and the component that it is.</param>
    /// <param name="inputs">Conditions, one row per row of the (doubled) batch.</param>
    /// <param name="type">Floating-point format of the network.</param>
    /// <param name="run">Receives a note of an overflow.</param>
    public static Denoiser Bind((UNet2DConditionModel Network, string Name) network,
        DenoiserInputs inputs, ScalarType type, DrawOptions run)
    {
        var (bound, beside) = (inputs.Conditions, inputs.Beside);
        var numbers = new FiniteNumbers(network.Name, type, run.Note);
        return (x, t) =>
        {
            var sample = beside is null ? x
                : cat([x, beside.shape[0] == x.shape[0] ? beside : beside.repeat(x.shape[0] / beside.shape[0], 1, 1, 1)], 1);
            return numbers.Run(network.Network, kind => network.Network.call(sample.to(kind), t, bound.To(kind)));
        };
    }

    /// <summary>Progress, trace, and restoring the unmasked region after each step (RePaint's rule, as in the reference).</summary>
    /// <param name="scheduler">With its timesteps set.</param>
    /// <param name="run">Listeners.</param>
    /// <param name="begin">First step, and the noise with which the kept part is noised.</param>
    /// <param name="known">The image that was given, or null.</param>
    /// <param name="repaint">[1, 1, h, w] at the size of <paramref name="known"/>: 1 where it is redrawn; null: everywhere.</param>
    /// <param name="keepsClean">True restores the unmasked region without noise (<see cref="DrawingTraits.KeepsClean"/>).</param>
    /// <param name="picture">From a predicted sample to [batch, 3, h, w] in [0, 1], for the trace.</param>
    public static SamplingOptions Options(
        IScheduler scheduler, DrawOptions run, InitialSample begin, Tensor? known,
        Tensor? repaint, bool keepsClean, Func<Tensor, Tensor> picture)
    {
        var every = Math.Max(1, (scheduler.Timesteps.Count - begin.Index) / TracedPictures);
        var told = run.Progress(run.Stage, picture);
        return new SamplingOptions
        {
            Start = begin.Index,
            Eta = (float)(run.Eta ?? 0),
            Progress = p =>
            {
                told(p);
                if (run.Trace is { } trace && (p.Step % every == 0 || p.Step == 1))
                    trace.Add($"{(run.Stage == "decoder" ? "" : run.Stage + " ")}predicted picture {p.Step}",
                        ImageTensors.ToImages(picture(p.Original))[0], new { p.Timestep });
            },
            AfterStep = (x, done) =>
            {
                run.After?.Invoke(run.Stage, x);
                if (known is null || repaint is null) return x;
                var kept = !keepsClean && done + 1 < scheduler.Timesteps.Count ? scheduler.AddNoise(known, begin.Noise, done + 1) : known;
                return where(Resized(repaint, x).to_type(ScalarType.Bool), x, kept);
            },
        };
    }

    /// <summary>A mask at the size of latents: nearest-neighbour resampling.</summary>
    public static Tensor Resized(Tensor mask, Tensor like) =>
        mask.shape[2] == like.shape[2] && mask.shape[3] == like.shape[3]
        ? mask : nn.functional.interpolate(mask, [like.shape[2], like.shape[3]]);
}
