using Alebrije.Diffusion;
using Alebrije.Models.UNets;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>
/// The last stage of unCLIP (Ramesh et al., 2022, §2.1): noise becomes a large image, conditioned on the small one, which is enlarged
/// bicubically and concatenated as three more channels (diffusers, pipeline_unclip.py). No text, no guidance. Karlo has a separate
/// network for the last step.
/// </summary>
internal sealed class Upsampler : IDisposable
{
    /// <summary>The components of a pipeline's folder.</summary>
    public const string First = "super_res_first", Last = "super_res_last", Scheduler = "super_res_scheduler";

    private readonly UNet2DConfig config;
    private readonly Component<UNet2DModel> first;
    private readonly Component<UNet2DModel>? last;
    private readonly SchedulerConfig schedulerConfig;
    private readonly ScalarType type;

    /// <param name="first">The network of all steps, or of all but the last.</param>
    /// <param name="last">The network of the last step, or null.</param>
    /// <param name="schedulerConfig">The sampler.</param>
    /// <param name="type">Floating-point format of the networks; noise and sampler stay float32.</param>
    public Upsampler(UNet2DModel first, UNet2DModel? last, SchedulerConfig schedulerConfig, ScalarType type = ScalarType.Float32)
        : this(first.Config, (new(first), last is null ? null : new(last)), schedulerConfig, type)
    {
    }

    private Upsampler(UNet2DConfig config, (Component<UNet2DModel> First, Component<UNet2DModel>? Last) networks,
        SchedulerConfig schedulerConfig, ScalarType type) =>
            (this.config, (first, last), this.schedulerConfig, this.type) = (config, networks, schedulerConfig, type);

    /// <summary>
    /// Share of back-projection after the last step, 0 (none, as the reference) to 1: weight of the difference between the small image and
    /// the result reduced to its size, which is enlarged and added (Irani and Peleg, 1991). A small network may then invent edges, but
    /// changes neither colours nor positions.
    /// </summary>
    public double Fidelity { get; init; }

    /// <summary>Side of the images that it was trained to make.</summary>
    public int Side => (config.SampleSize ?? [256])[0];

    /// <summary>The folder's upsampler, or null when its index lists none.</summary>
    /// <param name="folder">A pipeline's folder.</param>
    /// <param name="type">Floating-point format of the networks.</param>
    /// <param name="keep">True if networks stay in memory between two images.</param>
    public static Upsampler? TryLoad(PipelineFolder folder, ScalarType type = ScalarType.Float32, bool keep = true) => folder.Has(First)
        ? new Upsampler(
            ConfigFile.Read<UNet2DConfig>(folder.Of(First)),
            (Network(folder, First, type, keep), folder.Has(Last) ? Network(folder, Last, type, keep) : null),
            SchedulerConfig.Load(folder.Of(Scheduler)), type) { Fidelity = GenerationDefaults.Load(folder.Path).UpsamplerFidelity }
        : null;

    /// <summary>Makes large images of small ones.</summary>
    /// <param name="small">[batch, 3, h, w] in [-1, 1]</param>
    /// <param name="height">Rows wanted.</param>
    /// <param name="width">Columns wanted.</param>
    /// <param name="steps">Steps, 2 or more.</param>
    /// <param name="noise">One draw for the beginning and one for each step but the last.</param>
    /// <param name="progress">Called after each step; sides may exceed the target.</param>
    /// <param name="cancellation">Checked before every step.</param>
    /// <returns>[batch, 3, height, width] near [-1, 1], not clamped.</returns>
    public Tensor Enlarge(
        Tensor small, int height, int width, int steps, Noise noise,
        Action<SamplingProgress>? progress = null, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var scheduler = Schedulers.Create(schedulerConfig);
        scheduler.SetTimesteps(steps);

        // Sides that the network cannot halve often enough are continued by their last pixels, and what was added is cut off again.
        var (below, beside) = (Missing(height), Missing(width));
        var given = Bicubic.Resize(small, height, width);
        if (below + beside > 0) given = nn.functional.pad(given, (0, beside, 0, below), PaddingModes.Replicate);
        var start = Sampling.Begin(scheduler, noise, given.shape);
        var end = scheduler.Timesteps[^1];
        Component<UNet2DModel>.Loan? loan = null;
        try
        {
            var large = Sampling.Run(scheduler, (x, t) =>
            {
                // Both networks may be large: the first leaves before the last one comes.
                var wanted = last is not null && t[0].ToSingle() == end ? last : first;
                if (loan is null || !wanted.Lends(loan))
                {
                    loan?.Dispose();
                    loan = wanted.Borrow();
                }

                return loan.Value.call(cat([x, given], 1).to(type), t).to(ScalarType.Float32);
            }, start, noise, new SamplingOptions { Progress = progress }, cancellation);
            large = large.narrow(2, 0, height).narrow(3, 0, width).contiguous();
            return (Fidelity > 0 ? BackProjected(large, small, Fidelity) : large).MoveToOuterDisposeScope();
        }
        finally
        {
            loan?.Dispose();
        }
    }

    /// <summary>
    /// A large image plus the enlarged difference between the small image and the large one reduced to its size (Irani and Peleg, 1991).
    /// </summary>
    /// <param name="large">[batch, 3, height, width]</param>
    /// <param name="small">[batch, 3, h, w]</param>
    /// <param name="share">Share of it, 0 to 1.</param>
    internal static Tensor BackProjected(Tensor large, Tensor small, double share)
    {
        var lacking = small - Bicubic.Resize(large, (int)small.shape[2], (int)small.shape[3]);
        return large + (share * Bicubic.Resize(lacking, (int)large.shape[2], (int)large.shape[3]));
    }

    /// <summary>The large image of a small one, traced.</summary>
    /// <param name="small">[batch, 3, h, w] in [0, 1]</param>
    /// <param name="size">Rows and columns wanted.</param>
    /// <param name="steps">Steps, 2 or more.</param>
    /// <param name="noise">Source of random numbers.</param>
    /// <param name="report">Called after each step.</param>
    /// <param name="trace">Gets the small image, the first noise's prediction and every further one.</param>
    /// <param name="cancellation">Checked before every step.</param>
    /// <returns>[batch, 3, height, width] in [0, 1]</returns>
    public Tensor Pixels(
        Tensor small, (int Height, int Width) size, int steps, Noise noise,
        Action<SamplingProgress>? report, GenerationTrace? trace, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        trace?.Add("small picture", ImageTensors.ToImages(small)[0]);
        var large = Enlarge(small.mul(2).sub(1), size.Height, size.Width, steps, noise, p =>
        {
            report?.Invoke(p);
            trace?.Add(
                $"predicted large picture {p.Step}",
                ImageTensors.ToImages(p.Original.narrow(2, 0, size.Height).narrow(3, 0, size.Width).add(1).div(2))[0], new { p.Timestep });
        }, cancellation);
        return large.add(1).div(2).clamp(0, 1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        first.Dispose();
        last?.Dispose();
    }

    private int Missing(int side) => (Factor - (side % Factor)) % Factor;

    /// <summary>Sides that the networks take are multiples of this.</summary>
    private int Factor => 1 << (config.BlockOutChannels.Length - 1);

    private static Component<UNet2DModel> Network(PipelineFolder folder, string component, ScalarType type, bool keep) =>
        new(() => folder.Load<UNet2DModel>(component, type), keep);
}
