using Alebrije.Diffusion;
using Alebrije.Models.Autoencoders;
using Alebrije.Models.UNets;
using Alebrije.Nn;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.StableDiffusion;

/// <summary>What Stable Diffusion is to draw, one picture for each prompt.</summary>
/// <param name="Prompts">The texts.</param>
internal sealed record LatentConditions(IReadOnlyList<string> Prompts)
{
    /// <summary>Texts of the unguided half, one for each picture; null was not given, which SDXL tells from empty ones.</summary>
    public IReadOnlyList<string>? Negatives { get; init; }

    /// <summary>What SDXL's second encoder is told; null: the same.</summary>
    public IReadOnlyList<string>? SecondPrompts { get; init; }

    /// <summary>Last blocks of the text encoder that are left out (clip_skip).</summary>
    public int SkippedBlocks { get; init; }

    /// <summary>A picture to start from, [1, 3, h, w] in [-1, 1] at the size that is drawn; for the upscaler the small one.</summary>
    public Tensor? Picture { get; init; }

    /// <summary>What of the picture is drawn anew, [1, 1, h, w]: 1 to repaint, 0 to keep; null draws all of it.</summary>
    public Tensor? Repaint { get; init; }

    /// <summary>SDXL: height and width that the picture is to look as if it had had; null: those that are drawn.</summary>
    public (int Height, int Width)? OriginalSize { get; init; }

    /// <summary>SDXL: where it is to look as if it had been cut from, top and left.</summary>
    public (int Top, int Left) Crop { get; init; }

    /// <summary>SDXL: height and width of the cut; null: those that are drawn.</summary>
    public (int Height, int Width)? TargetSize { get; init; }
}

/// <summary>
/// Stable Diffusion 1, 2 and XL: latents from a text, decoded by a variational autoencoder (Rombach et al., 2022); from noise, from a picture, around a part
/// of one, or four times the side of a small one, as the folder's denoiser allows (diffusers, pipelines/stable_diffusion, stable_diffusion_xl; the order of
/// random draws is theirs).
/// </summary>
internal sealed class StableDiffusionDecoder : IDisposable
{
    /// <summary>Channels that an upscaler's denoiser sees beside the latents: the small picture's.</summary>
    private const int PictureChannels = 3;

    private readonly StableDiffusionTexts texts;
    private readonly Component<UNet2DConditionModel> unet;
    private readonly Component<AutoencoderKL> vae;
    private readonly SchedulerConfig schedulerConfig;
    private readonly NoiseSchedule? pictureSchedule;
    private readonly UNet2DConditionConfig config;
    private readonly AutoencoderKLConfig codec;
    private readonly bool zerosForNoNegative;
    private readonly ScalarType type;

    /// <param name="folder">A pipeline of Stable Diffusion 1, 2 or XL, an inpainting one or the x4 upscaler.</param>
    /// <param name="type">Type in which the denoiser computes.</param>
    /// <param name="keep">Whether networks stay in memory between two calls.</param>
    public StableDiffusionDecoder(PipelineFolder folder, ScalarType type, bool keep)
    {
        this.type = type;
        texts = new StableDiffusionTexts(folder, keep);
        config = ConfigFile.Read<UNet2DConditionConfig>(folder.Of("unet"));
        codec = ConfigFile.Read<AutoencoderKLConfig>(folder.Of("vae"));
        unet = new(() => folder.Load("unet", () => new UNet2DConditionModel(config), type: type), keep);
        vae = new(() => folder.Load("vae", () => new AutoencoderKL(codec), new StateDictOptions { Renames = AutoencoderKeyMap.FromOldAttention }), keep);
        schedulerConfig = SchedulerConfig.Load(folder.Of("scheduler"));
        pictureSchedule = folder.Has("low_res_scheduler") ? NoiseSchedule.From(SchedulerConfig.Load(folder.Of("low_res_scheduler"))) : null;
        zerosForNoNegative = folder.Flag("force_zeros_for_empty_prompt");
    }

    /// <summary>Side that it was made for.</summary>
    public int Size => (config.SampleSize ?? [64])[0] * codec.Factor;

    /// <summary>Pixels for each place of the latents.</summary>
    public int Factor => codec.Factor;

    /// <summary>Whether it enlarges pictures.</summary>
    public bool IsUpscaler => pictureSchedule is not null;

    /// <summary>Whether its denoiser sees what is kept of a picture.</summary>
    public bool IsInpainting => !IsUpscaler && config.InChannels == (2 * codec.LatentChannels) + 1;

    /// <summary>Draws pictures.</summary>
    /// <param name="conditions">What to draw.</param>
    /// <param name="run">How.</param>
    /// <param name="noise">For each picture that is encoded one draw, one for the latents, and more where the sampler draws.</param>
    /// <returns>[batch, 3, h, w] in [0, 1]</returns>
    public Tensor Draw(LatentConditions conditions, DecoderRun run, Noise noise)
    {
        using var scope = NewDisposeScope();
        return Decode(DrawLatents(conditions, run, noise)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        texts.Dispose();
        unet.Dispose();
        vae.Dispose();
    }

    private Tensor DrawLatents(LatentConditions conditions, DecoderRun run, Noise noise)
    {
        if (IsInpainting && (conditions.Picture is null || conditions.Repaint is null))
            throw new ArgumentException("This Stable Diffusion repaints parts of pictures: give it a picture and a mask (inpaint).");
        if (IsUpscaler && conditions.Picture is null) throw new ArgumentException("This Stable Diffusion enlarges pictures: give it one.");
        var bound = Bind(conditions, run);
        using var scheduler = DecoderSampling.Scheduler(schedulerConfig, run);
        scheduler.SetTimesteps(run.Steps);
        long batch = conditions.Prompts.Count;
        var (begin, known, beside) = IsUpscaler ? BeginFromSmall(conditions.Picture!, scheduler, run, noise, batch) : Begin(conditions, scheduler, run, noise, batch);
        run.Trace?.Add("decoder noise", begin.Start);
        if (IsUpscaler) bound = bound with { ClassLabels = full(bound.Text!.shape[0], run.NoiseLevel ?? 0, ScalarType.Int64) };

        using var network = unet.Borrow();
        using var decoder = run.NeedsPictures ? vae.Borrow() : null;
        var denoiser = Conditioned(network.Value, bound, beside, run);
        if (run.Pull is { } pull) denoiser = Guidance.Pulled(denoiser, scheduler, x => pull.Score(decoder!.Value.Decode(decoder.Value.Unscale(x))), pull.Scale);
        var options = DecoderSampling.Options(scheduler, run, begin, known, IsInpainting ? null : conditions.Repaint, Decode);
        var latents = Sampling.Run(scheduler, denoiser, begin.Start, noise, options, run.Cancellation);
        run.Trace?.Add("latents", latents);
        return latents;
    }

    /// <summary>Where a run starts from, the latents of the picture that was given, and what the denoiser sees beside its sample.</summary>
    private (DecoderStart Begin, Tensor? Known, Tensor? Beside) Begin(LatentConditions conditions, IScheduler scheduler, DecoderRun run, Noise noise, long batch)
    {
        long[] shape = [batch, codec.LatentChannels, run.Height / codec.Factor, run.Width / codec.Factor];
        var repaints = conditions.Repaint is not null;

        // What is kept is put back from the picture's latents; a denoiser that sees it, and starts from noise alone, never asks for them.
        var asked = conditions.Picture is not null && !(IsInpainting && run.Strength >= 1);
        var known = asked ? Encode(conditions.Picture!, noise).expand(batch, -1, -1, -1) : null;
        var begin = DecoderSampling.Begin(scheduler, run, noise, shape, known, repaints);
        if (!repaints) return (begin, known, null);
        var masked = Encode(conditions.Picture! * (1 - conditions.Repaint!), noise).expand(batch, -1, -1, -1);
        if (!IsInpainting) return (begin, known, null);
        var mask = nn.functional.interpolate(conditions.Repaint!, [shape[2], shape[3]]).expand(batch, -1, -1, -1);
        return (begin, known, cat([mask, masked], 1));
    }

    /// <summary>The upscaler's start: the small picture, noised a little, stands beside the latents.</summary>
    private (DecoderStart Begin, Tensor? Known, Tensor? Beside) BeginFromSmall(Tensor small, IScheduler scheduler, DecoderRun run, Noise noise, long batch)
    {
        var noised = pictureSchedule!.AddNoise(small, noise.RandnLike(small), run.NoiseLevel ?? 0).expand(batch, -1, -1, -1);
        var begin = DecoderSampling.Begin(scheduler, run, noise, [batch, config.InChannels - PictureChannels, small.shape[2], small.shape[3]], known: null, repaints: false);
        return (begin, null, noised);
    }

    private UNetConditions Bind(LatentConditions conditions, DecoderRun run)
    {
        var told = texts.Encode(conditions.Prompts, conditions.SecondPrompts, conditions.SkippedBlocks, run.Note);
        var pictures = told.Encodings.shape[0];
        if (Guides(run))
        {
            // In the reference the negative texts go through all blocks, whatever is skipped for the prompts.
            var away = conditions.Negatives is null && zerosForNoNegative ? told.Nothing() : texts.Encode(conditions.Negatives ?? [.. conditions.Prompts.Select(_ => "")], note: run.Note);
            told = told.After(away);
        }

        run.Trace?.Add("decoder text encodings", told.Encodings);
        var bound = new UNetConditions(told.Encodings) { TextEmbeds = told.Pooled };
        if (texts.IsXl)
        {
            var (original, target) = (conditions.OriginalSize ?? (run.Height, run.Width), conditions.TargetSize ?? (run.Height, run.Width));
            float[] sizes = [original.Height, original.Width, conditions.Crop.Top, conditions.Crop.Left, target.Height, target.Width];
            bound = bound with { TimeIds = tensor(sizes).unsqueeze(0).expand(told.Encodings.shape[0], -1) };
        }

        return config.TimeCondProjDim is { } width ? bound with { TimestepCondition = GuidanceCode(run.Guidance, width, pictures) } : bound;
    }

    /// <summary>Distilled networks are told the scale and are not run twice (Meng et al., 2023; diffusers, get_guidance_scale_embedding).</summary>
    private static Tensor GuidanceCode(double guidance, long width, long pictures)
    {
        using var scope = NewDisposeScope();
        return Timesteps.Encode(full(pictures, 1000 * (guidance - 1), dtype: ScalarType.Float32), width, cosineFirst: false, shift: 1).MoveToOuterDisposeScope();
    }

    private bool Guides(DecoderRun run) => run.Guidance > 1 && config.TimeCondProjDim is null;

    private Denoiser Conditioned(UNet2DConditionModel network, UNetConditions bound, Tensor? beside, DecoderRun run)
    {
        var denoiser = DecoderSampling.Bind((network, "unet"), bound, type, run, beside);
        if (!Guides(run)) return denoiser;
        return run.Rescale <= 0 ? Guidance.ClassifierFree(denoiser, run.Guidance) : (x, t) =>
        {
            using var scope = NewDisposeScope();
            var both = denoiser(cat([x, x]), cat([t, t]));
            return Guidance.Rescale(Guidance.Combine(both, both.shape[1], run.Guidance), both.chunk(2)[1], run.Rescale).MoveToOuterDisposeScope();
        };
    }

    /// <summary>Latents drawn for a picture, scaled.</summary>
    /// <param name="picture">[1, 3, h, w] in [-1, 1]</param>
    /// <param name="noise">One draw.</param>
    private Tensor Encode(Tensor picture, Noise noise) => vae.Use(network =>
    {
        var (mean, logVariance) = network.Encode(picture);
        return network.Scale(AutoencoderKL.Sample(mean, logVariance, noise.RandnLike(mean)));
    });

    /// <summary>From scaled latents to [batch, 3, h, w] in [0, 1].</summary>
    private Tensor Decode(Tensor latents) => vae.Use(network => network.Decode(network.Unscale(latents))).div(2).add(0.5).clamp(0, 1);
}
