using Alebrije.Diffusion;
using Alebrije.Models.Autoencoders;
using Alebrije.Models.UNets;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Kandinsky;

/// <summary>
/// Kandinsky's decoder: latents from an image embedding (2.2), or from it and a text (2.1), decoded by MoVQ; from noise, from a picture, around a part
/// of one, or along a depth map, as the folder's networks allow (diffusers, pipelines/kandinsky and pipelines/kandinsky2_2; the order of random draws
/// is theirs).
/// </summary>
internal sealed class KandinskyDecoder : IUnClipDecoder
{
    /// <summary>Side of the pictures in the reference's pipelines, whatever the networks' configs say.</summary>
    private const int DefaultSize = 512;

    /// <summary>Channels of the latents, and of what an inpainting network sees beside them: the kept latents and the mask.</summary>
    private const int LatentChannels = 4, InpaintingChannels = LatentChannels + LatentChannels + 1;

    private readonly Component<UNet2DConditionModel> unet;
    private readonly Component<VQModel> movq;
    private readonly KandinskyTexts? texts;
    private readonly SchedulerConfig schedulerConfig;
    private readonly UNet2DConditionConfig config;
    private readonly ScalarType type;
    private readonly int factor;

    /// <param name="folder">A pipeline of Kandinsky 2.1 or 2.2 with unet, scheduler and movq, and for 2.1 tokenizer and text_encoder.</param>
    /// <param name="type">Type in which the denoiser computes.</param>
    /// <param name="keep">Whether networks stay in memory between two calls.</param>
    public KandinskyDecoder(PipelineFolder folder, ScalarType type, bool keep)
    {
        this.type = type;
        config = ConfigFile.Read<UNet2DConditionConfig>(folder.Of("unet"));
        var codec = ConfigFile.Read<VQModelConfig>(folder.Of("movq"));
        unet = new(() => folder.Load("unet", () => new UNet2DConditionModel(config), type: type), keep);
        movq = new(() => folder.Load("movq", () => new VQModel(codec), new StateDictOptions { Renames = AutoencoderKeyMap.FromOldAttention }), keep);
        schedulerConfig = SchedulerConfig.Load(folder.Of("scheduler"));
        texts = folder.Has("text_encoder") ? KandinskyTexts.Of(folder, keep) : null;
        factor = codec.Factor;
        Features = config.EncoderHidDimType == "image_proj" ? config.EncoderHidDim ?? 0 : config.CrossAttentionDim[0];
    }

    /// <inheritdoc/>
    public int Features { get; }

    /// <inheritdoc/>
    public int Size => DefaultSize;

    /// <inheritdoc/>
    public int SizeStep => factor * factor;

    /// <inheritdoc/>
    public bool HasFreeSize => true;

    /// <inheritdoc/>
    public int? UpsampledSize => null;

    /// <summary>Whether its network is one that repaints parts of a picture.</summary>
    public bool IsInpainting => config.InChannels == InpaintingChannels;

    /// <summary>Whether its network looks at a depth map.</summary>
    public bool HasControl => config.AdditionEmbedType == "image_hint";

    /// <summary>Whether pictures are noised by the linear schedule of DDPM, and not the decoder's own: Kandinsky 2.1 (pipeline_kandinsky_img2img.py).</summary>
    private bool NoisesAsDdpm => texts is not null;

    /// <inheritdoc/>
    public ScalarType Type => type;

    /// <inheritdoc/>
    public long[] StartShape(int size) => [1, LatentChannels, size.LatentSide(factor), size.LatentSide(factor)];

    /// <inheritdoc/>
    public Tensor Draw(DecoderConditions conditions, DecoderRun run, Noise noise)
    {
        using var scope = NewDisposeScope();
        return Decode(DrawLatents(conditions, run, noise)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Invert(DecoderConditions conditions, DecoderRun run)
    {
        using var scope = NewDisposeScope();
        var known = Encode(conditions.Picture ?? throw new ArgumentException("There is no picture to invert."));
        using var loan = unet.Borrow();
        using var scheduler = new DdimInverseScheduler(schedulerConfig.ForDdim());
        scheduler.SetTimesteps(run.Steps);
        using var silent = new Noise(0);
        var denoiser = Conditioned(loan.Value, conditions, run with { Guidance = 1 }, Repainting(conditions, known, null));
        return Sampling.Run(scheduler, denoiser, known, silent, new SamplingOptions { Progress = run.Progress("inversion") }, run.Cancellation).MoveToOuterDisposeScope();
    }

    /// <summary>Latents of a picture.</summary>
    /// <param name="picture">[batch, 3, h, w] in [-1, 1]</param>
    public Tensor Encode(Tensor picture) => movq.Use(codec => codec.Encode(picture));

    /// <inheritdoc/>
    public void Dispose()
    {
        unet.Dispose();
        movq.Dispose();
        texts?.Dispose();
    }

    private Tensor DrawLatents(DecoderConditions conditions, DecoderRun run, Noise noise)
    {
        var known = conditions.Picture is { } picture ? Encode(picture) : null;
        using var loan = unet.Borrow();
        using var decoder = run.NeedsPictures ? movq.Borrow() : null;
        using var scheduler = DecoderSampling.Scheduler(schedulerConfig, run);
        scheduler.SetTimesteps(run.Steps);
        var batch = conditions.Image.shape[0];
        long[] shape = [batch, LatentChannels, run.Height.LatentSide(factor), run.Width.LatentSide(factor)];
        var begin = DecoderSampling.Begin(scheduler, run, noise, shape, known, repaints: conditions.Repaint is not null);
        if (begin.IsPicture && NoisesAsDdpm) begin = begin with { Start = NoisedAsDdpm(known!, begin.Noise, run.Strength) };
        run.Trace?.Add("decoder noise", begin.Start);

        var mask = conditions.Repaint is { } repaint ? RepaintMask.AtLatents(repaint, shape[2], shape[3]) : null;
        var denoiser = Conditioned(loan.Value, conditions, run, Repainting(conditions, known, mask));
        if (run.Pull is { } pull) denoiser = Guidance.Pulled(denoiser, scheduler, x => pull.Score(decoder!.Value.Decode(x)), pull.Scale);
        // Kandinsky 2.1's network alone decides what it keeps, as in the reference.
        var keeps = IsInpainting && texts is not null ? null : mask;
        var options = DecoderSampling.Options(scheduler, run, begin, known, keeps, Decode);
        var latents = Sampling.Run(scheduler, denoiser, begin.Start, noise, options, run.Cancellation);
        run.Trace?.Add("latents", latents);
        return latents;
    }

    /// <summary>[batch, 3, h, w] in [0, 1]</summary>
    private Tensor Decode(Tensor latents) => movq.Use(codec => codec.Decode(latents)).div(2).add(0.5).clamp(0, 1);

    /// <summary>What an inpainting network sees beside the sample: the kept latents, and 1 where they are kept.</summary>
    private Tensor? Repainting(DecoderConditions conditions, Tensor? known, Tensor? mask)
    {
        if (!IsInpainting) return null;
        if (known is null) throw new ArgumentException("This Kandinsky repaints parts of pictures: give it a picture and a mask (inpaint).");
        var kept = 1 - (mask ?? ones(1, 1, known.shape[2], known.shape[3]));
        return cat([known * kept, kept.expand(known.shape[0], -1, -1, -1)], 1);
    }

    private Denoiser Conditioned(UNet2DConditionModel network, DecoderConditions conditions, DecoderRun run, Tensor? beside)
    {
        var guided = run.Guidance > 1;
        var image = conditions is { WithoutEmbedding: true, NegativeImage: { } nothing } ? nothing.expand_as(conditions.Image) : conditions.Image;
        if (guided)
        {
            image = cat([conditions.NegativeImage?.expand(image.shape[0], -1)
                ?? throw new ArgumentException("Guidance needs the embedding of the unguided half: the prior's folder of Kandinsky has it, an image embedding alone has not."), image]);
        }

        var bound = new UNetConditions(null) { ImageEmbeds = image };
        if (HasControl)
        {
            var hint = conditions.Hint ?? throw new ArgumentException("This Kandinsky draws along a depth map: give it one.");
            var (rows, columns) = (ImageHintTimeEmbedding.Stride * run.Height.LatentSide(factor), ImageHintTimeEmbedding.Stride * run.Width.LatentSide(factor));
            if (hint.shape[2] != rows || hint.shape[3] != columns) hint = Bicubic.Resize(hint, rows, columns).clamp(0, 1);
            bound = bound with { Hint = hint.expand(image.shape[0], -1, -1, -1) };
        }

        if (texts is not null)
        {
            var (pooled, encodings) = texts.Encode(guided ? [.. conditions.Negatives, .. conditions.Prompts] : conditions.Prompts, run.Note);
            bound = bound with { Text = encodings, TextEmbeds = pooled };
        }

        var denoiser = DecoderSampling.Bind((network, "unet"), bound, type, run, beside);
        return guided ? Guidance.ClassifierFree(denoiser, run.Guidance) : denoiser;
    }

    private Tensor NoisedAsDdpm(Tensor known, Tensor noise, double strength)
    {
        var schedule = NoiseSchedule.From(SchedulerConfig.For("DDPMScheduler"));
        return schedule.AddNoise(known, noise, Math.Max(0, (int)(schedulerConfig.TrainTimesteps * strength) - 2));
    }
}

/// <summary>Sides and masks of Kandinsky's latents.</summary>
internal static class RepaintMask
{
    extension(int side)
    {
        /// <summary>Latents of a side in pixels, rounded up to a multiple of the codec's factor (pipeline_kandinsky.py, get_new_h_w).</summary>
        public int LatentSide(int factor) => (side + (factor * factor) - 1) / (factor * factor) * factor;
    }

    /// <summary>
    /// A mask at the size of latents, grown by one place towards every neighbour but those on the upper right and lower left
    /// (pipeline_kandinsky2_2_inpainting.py, prepare_mask, which shrinks what is kept).
    /// </summary>
    /// <param name="repaint">[1, 1, h, w], 1 to repaint.</param>
    /// <param name="rows">Rows of the latents.</param>
    /// <param name="columns">Columns of the latents.</param>
    /// <returns>[1, 1, rows, columns]</returns>
    public static Tensor AtLatents(Tensor repaint, long rows, long columns)
    {
        using var scope = NewDisposeScope();
        var mask = nn.functional.interpolate(repaint, [rows, columns]);
        var padded = nn.functional.pad(mask, (1, 1, 1, 1));
        var grown = mask;
        foreach (var (down, right) in new[] { (0, 1), (1, 0), (1, 2), (2, 1), (0, 0), (2, 2) })
            grown = grown.maximum(padded.narrow(2, down, rows).narrow(3, right, columns));
        return grown.MoveToOuterDisposeScope();
    }
}
