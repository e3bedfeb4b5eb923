using Alebrije.Diffusion;
using Alebrije.Models.UNets;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Imagen;

/// <summary>What a stage of DeepFloyd IF is to draw, one picture for each prompt.</summary>
/// <param name="Prompts">The texts.</param>
internal sealed record ImagenConditions(IReadOnlyList<string> Prompts)
{
    /// <summary>Texts of the unguided half, one for each picture.</summary>
    public IReadOnlyList<string> Negatives { get; init; } = [.. Prompts.Select(_ => "")];

    /// <summary>Whether texts are cleaned as those were that it was trained on.</summary>
    public bool Cleans { get; init; } = true;

    /// <summary>[batch or 1, 3, h, w] in [-1, 1]: a picture to start from, or for a later stage the small one.</summary>
    public Tensor? Picture { get; init; }
}

/// <summary>
/// A stage of DeepFloyd IF, the open form of Imagen (Saharia et al., 2022): pixels drawn from a text, or from a text and a small picture (diffusers,
/// pipelines/deepfloyd_if; the order of random draws is theirs).
/// </summary>
internal sealed class ImagenDecoder : IDisposable
{
    private const int Channels = 3;

    private readonly ImagenTexts texts;
    private readonly Component<UNet2DConditionModel> unet;
    private readonly SchedulerConfig schedulerConfig;
    private readonly NoiseSchedule? pictureSchedule;
    private readonly UNet2DConditionConfig config;
    private readonly ScalarType type;

    /// <param name="folder">An IFPipeline, or an IFSuperResolutionPipeline.</param>
    /// <param name="type">Type in which the networks compute.</param>
    /// <param name="keep">Whether networks stay in memory between two calls.</param>
    public ImagenDecoder(PipelineFolder folder, ScalarType type, bool keep)
    {
        this.type = type;
        texts = new ImagenTexts(folder, keep, type);
        config = ConfigFile.Read<UNet2DConditionConfig>(folder.Of("unet"));
        unet = new(() => folder.Load("unet", () => new UNet2DConditionModel(config), type: type), keep);
        schedulerConfig = SchedulerConfig.Load(folder.Of("scheduler"));
        pictureSchedule = folder.Has("image_noising_scheduler") ? NoiseSchedule.From(SchedulerConfig.Load(folder.Of("image_noising_scheduler"))) : null;
    }

    /// <summary>Side that it was made for.</summary>
    public int Size => (config.SampleSize ?? [64])[0];

    /// <summary>Whether it is a stage that enlarges pictures.</summary>
    public bool IsUpscaler => pictureSchedule is not null;

    /// <summary>Draws pictures.</summary>
    /// <param name="conditions">What to draw.</param>
    /// <param name="run">How.</param>
    /// <param name="noise">One draw for the picture, one for a small one, and one for every step but the last.</param>
    /// <returns>[batch, 3, h, w] in [0, 1]</returns>
    public Tensor Draw(ImagenConditions conditions, DecoderRun run, Noise noise)
    {
        using var scope = NewDisposeScope();
        if (IsUpscaler && conditions.Picture is null) throw new ArgumentException("This stage enlarges pictures: give it a small one.");
        var (guided, batch) = (run.Guidance > 1, (long)conditions.Prompts.Count);
        var context = texts.Encode(guided ? [.. conditions.Negatives, .. conditions.Prompts] : conditions.Prompts, conditions.Cleans, run.Note);
        run.Trace?.Add("decoder text encodings", context);
        using var scheduler = Schedulers.Create(schedulerConfig);
        scheduler.SetTimesteps(run.Steps);
        long[] shape = [batch, Channels, run.Height, run.Width];
        var bound = new UNetConditions(context);
        var begin = DecoderSampling.Begin(scheduler, run, noise, shape, IsUpscaler ? null : conditions.Picture?.expand(batch, -1, -1, -1), repaints: false);
        Tensor? beside = null;
        if (IsUpscaler)
        {
            var (large, level) = (nn.functional.interpolate(conditions.Picture!, [run.Height, run.Width], mode: InterpolationMode.Bilinear, align_corners: true), run.NoiseLevel ?? 0);
            if (large.shape[0] != batch) large = large.expand(batch, -1, -1, -1);
            beside = pictureSchedule!.AddNoise(large, noise.RandnLike(large), level);
            bound = bound with { ClassLabels = full(context.shape[0], level, ScalarType.Int64) };
        }

        run.Trace?.Add("decoder noise", begin.Start);
        using var network = unet.Borrow();
        var denoiser = DecoderSampling.Bind((network.Value, "unet"), bound, type, run, beside);
        if (guided) denoiser = Guidance.ClassifierFree(denoiser, run.Guidance);
        var options = DecoderSampling.Options(scheduler, run, begin, null, null, x => x.div(2).add(0.5));
        return Sampling.Run(scheduler, denoiser, begin.Start, noise, options, run.Cancellation).div(2).add(0.5).clamp(0, 1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        texts.Dispose();
        unet.Dispose();
    }
}

/// <summary>Sizes at which IF's first stage takes pictures of one's own.</summary>
internal static class ImagenSizes
{
    private const int Step = 8;

    /// <summary>The shorter side becomes the stage's, the longer one a multiple of eight (diffusers, pipeline_if_img2img.py, resize).</summary>
    public static (int Height, int Width) Of(int height, int width, int size)
    {
        var coefficient = (double)width / height;
        return coefficient >= 1
            ? (size, (int)Math.Round((double)size / Step * coefficient, MidpointRounding.ToEven) * Step)
            : ((int)Math.Round((double)size / Step / coefficient, MidpointRounding.ToEven) * Step, size);
    }
}
