using Alebrije.Diffusion;
using Alebrije.Models.UNets;
using Alebrije.Nn;
using Alebrije.Pipelines.Denoising;
using Alebrije.Pipelines.StableDiffusion;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Families;

/// <summary>
/// Stable Diffusion 1, 2 and XL: latents from a text (Rombach et al., 2022); from noise, from an image, around a part of one, or four times
/// the side of a small one, depending on the folder's denoiser (diffusers, pipelines/stable_diffusion, stable_diffusion_xl).
/// </summary>
internal sealed class StableDiffusionFamily : IFamily
{
    /// <summary>Channels of the small image that is concatenated with the latents of an upscaler.</summary>
    private const int PictureChannels = 3;

    private readonly PipelineFolder folder;
    private readonly StableDiffusionTexts texts;
    private readonly NoiseSchedule? pictureSchedule;
    private readonly UNet2DConditionConfig config;
    private readonly KlCodec vae;
    private readonly bool zerosForNoNegative;
    private Adapters opened = Adapters.None, used = Adapters.None;

    /// <param name="folder">A pipeline of Stable Diffusion 1, 2 or XL, an inpainting one or the x4 upscaler.</param>
    /// <param name="type">Floating-point format of the denoiser.</param>
    /// <param name="keep">True keeps networks in memory between two calls.</param>
    public StableDiffusionFamily(PipelineFolder folder, ScalarType type, bool keep)
    {
        (Type, this.folder) = (type, folder);
        texts = new StableDiffusionTexts(folder, keep);
        config = folder.Config<UNet2DConditionConfig>("unet");
        vae = new KlCodec(folder, samples: true, keep);
        Denoiser = new(() => folder.Load<UNet2DConditionModel>("unet", type, used.Edits("unet")), keep);
        Scheduler = folder.Scheduler("scheduler");
        pictureSchedule = folder.Has("low_res_scheduler") ? NoiseSchedule.From(folder.Scheduler("low_res_scheduler")) : null;
        zerosForNoNegative = folder.Flag("force_zeros_for_empty_prompt");
        var enlarges = pictureSchedule is not null;
        Traits = new DrawingTraits
        {
            Size = (config.SampleSize ?? [64])[0] * vae.Factor, SizeStep = vae.Factor,
            HasFreeSize = true, Enlargement = enlarges ? vae.Factor : 1, TakesInitial = !enlarges,
            TakesAdapters = true, IsInpainting = !enlarges && config.InChannels == (2 * vae.Config.LatentChannels) + 1,
            Defaults = GenerationDefaults.Load(folder.Path,
                enlarges ? GenerationDefaults.OfUpscaler : config.TimeCondProjDim is not null ? GenerationDefaults.OfLatentConsistency
                : texts.IsXl ? GenerationDefaults.OfStableDiffusionXl : GenerationDefaults.OfStableDiffusion),
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
    public IImageCodec Codec => vae;

    /// <inheritdoc/>
    public long[] SampleShape(int height, int width) =>
        [Traits.Enlarges ? config.InChannels - PictureChannels : vae.Config.LatentChannels, height / vae.Factor, width / vae.Factor];

    /// <inheritdoc/>
    public (int Height, int Width) SizeOf(RgbImage initial) => Traits.Enlarges
        ? (initial.Height * vae.Factor, initial.Width * vae.Factor)
        : (Math.Max(1, initial.Height / vae.Factor) * vae.Factor, Math.Max(1, initial.Width / vae.Factor) * vae.Factor);

    /// <inheritdoc/>
    public RgbImage Resize(RgbImage initial, int width, int height) => initial.Resize(width, height, ResizeFilter.Lanczos);

    /// <inheritdoc/>
    public void Check(AdapterInputs adapters) => Open(adapters);

    /// <inheritdoc/>
    public DenoiserInputs Bind(DrawConditions conditions, DrawOptions options, Noise noise)
    {
        if (Traits.IsInpainting && (conditions.Picture is null || conditions.Repaint is null))
            throw new ArgumentException("This Stable Diffusion repaints parts of images: give it an image and a mask (inpaint).");
        if (Traits.Enlarges && conditions.Small is null) throw new ArgumentException("This Stable Diffusion enlarges images: give it one.");

        Use(Open(conditions.Adapters));
        // Distilled networks take the scale as a condition and are not run twice (Meng et al., 2023; diffusers,
        // get_guidance_scale_embedding).
        var guided = options.Guidance > 1 && config.TimeCondProjDim is null;
        string[] all = [.. conditions.Prompts, .. conditions.SecondPrompts ?? [], .. guided ? conditions.NegativesOrEmpty : []];
        foreach (var word in used.Words.Where(word => !all.Any(text => text.Contains(word.Token, StringComparison.Ordinal))))
            options.Note?.Invoke(new UnusedEmbeddingNote(word.File, word.Token));
        int? pieces = conditions.ReadsWhole ? texts.Pieces(all) : null;
        var encoded = texts.Encode(conditions.Prompts, conditions.SecondPrompts, conditions.ClipSkip, pieces, options.Note);
        if (guided)
        {
            // In the reference the negative texts pass all blocks, whatever is skipped for the prompts.
            var away = conditions.Negatives is null && zerosForNoNegative
                ? encoded.Nothing() : texts.Encode(conditions.NegativesOrEmpty, pieces: pieces, note: options.Note);
            encoded = encoded.After(away);
        }

        options.Trace?.Add("decoder text encodings", encoded.Encodings);
        var (rows, bound) = (encoded.Encodings.shape[0], new UNetConditions(encoded.Encodings) { TextEmbeds = encoded.Pooled });
        if (texts.IsXl)
        {
            var (original, target) = (conditions.OriginalSize ?? (options.Height, options.Width),
                conditions.TargetSize ?? (options.Height, options.Width));
            float[] sizes = [original.Height, original.Width, conditions.Crop.Top, conditions.Crop.Left, target.Height, target.Width];
            bound = bound with { TimeIds = tensor(sizes).unsqueeze(0).expand(rows, -1) };
        }

        if (config.TimeCondProjDim is { } width)
            bound = bound with { TimestepCondition = Timesteps.Encode(
                full(conditions.Count, 1000 * (options.Guidance - 1), dtype: ScalarType.Float32), width, cosineFirst: false, shift: 1) };
        if (!Traits.Enlarges) return new DenoiserInputs(bound, guided);

        // The upscaler's small image, slightly noised, is concatenated with the latents.
        var (small, level) = (conditions.Small!, options.NoiseLevel ?? Traits.Defaults.NoiseLevel);
        var noised = pictureSchedule!.AddNoise(small, noise.RandnLike(small), level).expand(conditions.Count, -1, -1, -1);
        return new DenoiserInputs(bound with { ClassLabels = full(rows, level, ScalarType.Int64) }, guided) { Beside = noised };
    }

    /// <inheritdoc/>
    public Tensor? Known(DrawConditions conditions, DrawOptions options, Noise noise) =>
        // The unmasked region is restored from the image's latents; an inpainting denoiser that starts from noise alone does not use them.
        conditions.Picture is not { } picture || (Traits.IsInpainting && options.Strength >= 1) ? null : vae.Encode(picture, noise);

    /// <inheritdoc/>
    public DenoiserInputs Beside(DenoiserInputs inputs, DrawConditions conditions, DrawOptions options, Tensor? known, Noise noise)
    {
        if (conditions.Repaint is not { } repaint) return inputs;
        // The reference encodes the masked image for every denoiser, which takes a draw, and uses it for inpainting ones alone.
        var masked = vae.Encode(conditions.Picture! * (1 - repaint), noise);
        if (!Traits.IsInpainting) return inputs;
        var mask = nn.functional.interpolate(repaint, [masked.shape[2], masked.shape[3]]);
        return inputs with { Beside = cat([mask, masked], 1).expand(conditions.Count, -1, -1, -1) };
    }

    /// <inheritdoc/>
    public Tensor? Mask(Tensor repaint, long[] shape) => Traits.IsInpainting ? null : repaint;

    /// <inheritdoc/>
    public void Dispose()
    {
        texts.Dispose();
        Denoiser.Dispose();
        vae.Dispose();
        opened.Dispose();
        used.Dispose();
    }

    /// <summary>The adapters of a request, opened and matched with the model; those of the last request are kept.</summary>
    private Adapters Open(AdapterInputs inputs)
    {
        if (opened.Inputs.IsSame(inputs)) return opened;
        var before = opened;
        opened = inputs.IsSame(used.Inputs) ? used : Adapters.Open(inputs, folder, texts.Tokenizers);
        if (before != used) before.Dispose();
        return opened;
    }

    /// <summary>Changes the model; networks with other weights are let go.</summary>
    private void Use(Adapters wanted)
    {
        if (wanted == used) return;
        var before = used;
        used = wanted;
        Denoiser.Release();
        texts.Use(used);
        before.Dispose();
    }
}
