using Alebrije.Diffusion;
using Alebrije.Models.UNets;
using Alebrije.Pipelines.Denoising;
using Alebrije.Pipelines.Kandinsky;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Families;

/// <summary>
/// Kandinsky's decoder: latents of MoVQ from an image embedding (2.2), or from it and a text (2.1); from noise, from an image, around a
/// part of one, or along a depth map, depending on the folder's denoiser (diffusers, pipelines/kandinsky and pipelines/kandinsky2_2).
/// </summary>
internal sealed class KandinskyFamily : IFamily
{
    /// <summary>Side of the images in the reference's pipelines, whatever the networks' configurations contain.</summary>
    private const int DefaultSize = 512;

    /// <summary>Channels of the latents, and of an inpainting denoiser's input: sample, kept latents and mask.</summary>
    private const int LatentChannels = 4, InpaintingChannels = LatentChannels + LatentChannels + 1;

    private readonly KandinskyTexts? texts;
    private readonly UNet2DConditionConfig config;

    /// <param name="folder">A pipeline of Kandinsky 2.1 or 2.2 with unet, scheduler and movq, and for 2.1 tokenizer and
    /// text_encoder.</param>
    /// <param name="type">Floating-point format of the denoiser.</param>
    /// <param name="keep">True keeps networks in memory between two calls.</param>
    public KandinskyFamily(PipelineFolder folder, ScalarType type, bool keep)
    {
        Type = type;
        config = ConfigFile.Read<UNet2DConditionConfig>(folder.Of("unet"));
        Denoiser = new(() => folder.Load<UNet2DConditionModel>("unet", type), keep);
        Codec = new MoVqCodec(folder, keep);
        Scheduler = SchedulerConfig.Load(folder.Of("scheduler"));
        texts = folder.Has("text_encoder") ? KandinskyTexts.Of(folder, keep) : null;
        Traits = new DrawingTraits
        {
            Features = config.EncoderHidDimType == "image_proj" ? config.EncoderHidDim ?? 0 : config.CrossAttentionDim[0],
            Size = DefaultSize, SizeStep = Codec.Factor * Codec.Factor, HasFreeSize = true,
            NeedsDepth = config.AdditionEmbedType == "image_hint", IsInpainting = config.InChannels == InpaintingChannels,
            Defaults = GenerationDefaults.Load(folder.Path, GenerationDefaults.OfKandinsky),
        };
    }

    /// <inheritdoc/>
    public DrawingTraits Traits { get; }

    /// <inheritdoc/>
    public Component<UNet2DConditionModel> Denoiser { get; }

    /// <inheritdoc/>
    public ScalarType Type { get; }

    /// <inheritdoc/>
    public SchedulerConfig Scheduler { get; }

    /// <inheritdoc/>
    public IImageCodec Codec { get; }

    /// <inheritdoc/>
    public long[] SampleShape(int height, int width) => [LatentChannels, height.LatentSide(Codec.Factor), width.LatentSide(Codec.Factor)];

    /// <inheritdoc/>
    public DenoiserInputs Bind(DrawConditions conditions, DrawOptions options, Noise noise)
    {
        var guided = options.Guidance > 1;
        var image = conditions is { WithoutEmbedding: true, NegativeImage: { } nothing }
            ? nothing.expand_as(conditions.Image!) : conditions.Image!;
        if (guided)
        {
            image = cat([conditions.NegativeImage?.expand(image.shape[0], -1)
                ?? throw new ArgumentException("Guidance needs the embedding "
                    + "of the unguided half: the prior's folder of Kandinsky has it, an image embedding alone does not."), image]);
        }

        var bound = new UNetConditions(null) { ImageEmbeds = image };
        if (Traits.NeedsDepth)
        {
            var hint = conditions.Hint ?? throw new ArgumentException("This Kandinsky draws along a depth map: give it one.");
            var (rows, columns) = (ImageHintTimeEmbedding.Stride * options.Height.LatentSide(Codec.Factor),
                ImageHintTimeEmbedding.Stride * options.Width.LatentSide(Codec.Factor));
            if (hint.shape[2] != rows || hint.shape[3] != columns) hint = Bicubic.Resize(hint, rows, columns).clamp(0, 1);
            bound = bound with { Hint = hint.expand(image.shape[0], -1, -1, -1) };
        }

        if (texts is not null)
        {
            var (pooled, encodings) = texts.Encode(guided ? [.. conditions.NegativesOrEmpty, .. conditions.Prompts] : conditions.Prompts,
                options.Note);
            bound = bound with { Text = encodings, TextEmbeds = pooled };
        }

        return new DenoiserInputs(bound, guided);
    }

    /// <inheritdoc/>
    public InitialSample Start(InitialSample start, Tensor? known, DrawOptions options)
    {
        // Kandinsky 2.1 noises initial images by the linear schedule of DDPM, not the decoder's own (pipeline_kandinsky_img2img.py).
        if (!start.IsPicture || texts is null) return start;
        var schedule = NoiseSchedule.From(SchedulerConfig.For("DDPMScheduler"));
        return start with { Start = schedule.AddNoise(known!, start.Noise,
            Math.Max(0, (int)(Scheduler.TrainTimesteps * options.Strength) - 2)) };
    }

    /// <inheritdoc/>
    public DenoiserInputs Beside(DenoiserInputs inputs, DrawConditions conditions, DrawOptions options, Tensor? known, Noise noise)
    {
        if (!Traits.IsInpainting) return inputs;
        if (known is null) throw new ArgumentException(
            "This Kandinsky repaints parts of images: give it an image and a mask (inpaint).");
        var mask = conditions.Repaint is { } repaint ? RepaintMask.AtLatents(repaint, known.shape[2], known.shape[3])
            : ones(1, 1, known.shape[2], known.shape[3]);
        var kept = 1 - mask;
        return inputs with { Beside = cat([known * kept, kept.expand(known.shape[0], -1, -1, -1)], 1) };
    }

    /// <inheritdoc/>
    public Tensor? Mask(Tensor repaint, long[] shape) =>
        // As in the reference, Kandinsky 2.1's inpainting does not restore the unmasked region after a step.
        Traits.IsInpainting && texts is not null ? null : RepaintMask.AtLatents(repaint, shape[2], shape[3]);

    /// <inheritdoc/>
    public void Dispose()
    {
        Denoiser.Dispose();
        Codec.Dispose();
        texts?.Dispose();
    }
}

/// <summary>Sides and masks of Kandinsky's latents.</summary>
internal static class RepaintMask
{
    extension(int side)
    {
        /// <summary>
        /// Latents of a side in pixels, rounded up to a multiple of the codec's factor (pipeline_kandinsky.py, get_new_h_w).
        /// </summary>
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
