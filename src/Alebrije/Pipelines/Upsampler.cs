using Alebrije.Diffusion;
using Alebrije.Models.UNets;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>
/// The last stage of unCLIP (Ramesh et al., 2022, §2.1): noise becomes a large picture beside the small one, which is enlarged bicubically and given as
/// three channels more (diffusers, pipeline_unclip.py). No text, no guidance. Karlo has a network of its own for the last step.
/// </summary>
internal sealed class Upsampler : IDisposable
{
    /// <summary>The components of a pipeline's folder.</summary>
    public const string First = "super_res_first", Last = "super_res_last", Scheduler = "super_res_scheduler";

    private readonly UNet2DModel first;
    private readonly UNet2DModel? last;
    private readonly SchedulerConfig schedulerConfig;
    private readonly ScalarType type;

    /// <param name="first">The network of all steps, or of all but the last.</param>
    /// <param name="last">The network of the last step, or null.</param>
    /// <param name="schedulerConfig">The sampler.</param>
    /// <param name="type">What the networks compute in; noise and sampler stay float32.</param>
    public Upsampler(UNet2DModel first, UNet2DModel? last, SchedulerConfig schedulerConfig, ScalarType type = ScalarType.Float32) =>
        (this.first, this.last, this.schedulerConfig, this.type) = (first, last, schedulerConfig, type);

    /// <summary>Side of the pictures that it was trained to make.</summary>
    public int Side => (first.Config.SampleSize ?? [256])[0];

    /// <summary>Numbers that it has learnt.</summary>
    public long Parameters => first.parameters().Sum(p => p.numel()) + (last?.parameters().Sum(p => p.numel()) ?? 0);

    /// <summary>The folder's upsampler, or null when its index lists none.</summary>
    public static Upsampler? TryLoad(PipelineFolder folder)
    {
        if (!folder.Has(First)) return null;
        var config = SchedulerConfig.Load(folder.Of(Scheduler));
        return new Upsampler(Network(folder, First), folder.Has(Last) ? Network(folder, Last) : null, config);
    }

    /// <summary>Makes large pictures of small ones.</summary>
    /// <param name="small">[batch, 3, h, w] in [-1, 1]</param>
    /// <param name="height">Rows wanted.</param>
    /// <param name="width">Columns wanted.</param>
    /// <param name="steps">Steps, 2 or more.</param>
    /// <param name="noise">One draw for the beginning and one for each step but the last.</param>
    /// <param name="progress">Called after each step; sides may exceed what is wanted.</param>
    /// <param name="cancellation">Looked at before every step.</param>
    /// <returns>[batch, 3, height, width] near [-1, 1], not clamped.</returns>
    public Tensor Enlarge(
        Tensor small, int height, int width, int steps, Noise noise, Action<SamplingProgress>? progress = null, CancellationToken cancellation = default)
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
        Denoiser denoiser = (x, t) =>
        {
            var network = last is not null && t[0].ToSingle() == end ? last : first;
            return network.call(cat([x, given], 1).to(type), t).to(ScalarType.Float32);
        };
        var large = Sampling.Run(scheduler, denoiser, start, noise, new SamplingOptions { Progress = progress }, cancellation);
        return large.narrow(2, 0, height).narrow(3, 0, width).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>The large picture of a small one, traced.</summary>
    /// <param name="small">[1, 3, h, w] in [0, 1]</param>
    /// <param name="size">Rows and columns wanted.</param>
    /// <param name="steps">Steps, 2 or more.</param>
    /// <param name="noise">Where random numbers come from.</param>
    /// <param name="report">Told the steps done, and of how many.</param>
    /// <param name="trace">Gets the small picture, the first noise's prediction and every further one.</param>
    /// <param name="cancellation">Looked at before every step.</param>
    public RgbImage Picture(
        Tensor small, (int Height, int Width) size, int steps, Noise noise, Action<int, int>? report, GenerationTrace? trace, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        trace?.Add("small picture", ToPicture(small));
        var large = Enlarge(small.mul(2).sub(1), size.Height, size.Width, steps, noise, p =>
        {
            report?.Invoke(p.Step, p.Of);
            trace?.Add($"predicted large picture {p.Step}", ToPicture(p.Original.narrow(2, 0, size.Height).narrow(3, 0, size.Width).add(1).div(2)), new { p.Timestep });
        }, cancellation);
        return ToPicture(large.add(1).div(2));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        first.Dispose();
        last?.Dispose();
    }

    /// <param name="pixels">[1, 3, h, w] in [0, 1]; what lies outside is clamped.</param>
    private static RgbImage ToPicture(Tensor pixels) =>
        RgbImage.FromPlanes(pixels[0].contiguous().data<float>().ToArray(), (int)pixels.shape[3], (int)pixels.shape[2]);

    private int Missing(int side) => (first.Factor - (side % first.Factor)) % first.Factor;

    private static UNet2DModel Network(PipelineFolder folder, string component) =>
        folder.Load(component, new UNet2DModel(ConfigFile.Read<UNet2DConfig>(folder.Of(component))));
}
