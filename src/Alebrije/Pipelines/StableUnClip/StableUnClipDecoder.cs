using Alebrije.Diffusion;
using Alebrije.Models.Autoencoders;
using Alebrije.Models.Guesses;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
using Alebrije.Nn;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.StableUnClip;

/// <summary>
/// Stable unCLIP's decoder: latents from a noised image embedding and a text, decoded by a variational autoencoder (diffusers,
/// pipelines/stable_diffusion/pipeline_stable_unclip.py; the order of random draws is the reference's).
/// </summary>
internal sealed class StableUnClipDecoder : IUnClipDecoder
{
    /// <summary>Below this many parameters float32 is fast enough, and the same picture comes out on every machine.</summary>
    private const long SmallNetwork = 100_000_000;

    private readonly TextStage texts;
    private readonly Component<StableUnClipImageNormalizer> normalizer;
    private readonly Component<UNet2DConditionModel> unet;
    private readonly Component<FirstGuessModel>? guess;
    private readonly NoiseSchedule noisingSchedule;
    private readonly SchedulerConfig schedulerConfig;
    private readonly UNet2DConditionConfig config;
    private readonly AutoencoderKLConfig codec;
    private readonly ScalarType type;

    /// <param name="folder">A StableUnCLIPPipeline or StableUnCLIPImg2ImgPipeline.</param>
    /// <param name="precision">Format in which the denoiser computes.</param>
    /// <param name="keep">Whether networks stay in memory between two calls.</param>
    public StableUnClipDecoder(PipelineFolder folder, Precision precision, bool keep)
    {
        texts = TextStage.Of(folder, "tokenizer", "text_encoder", keep);
        config = ConfigFile.Read<UNet2DConditionConfig>(folder.Of("unet"));
        codec = ConfigFile.Read<AutoencoderKLConfig>(folder.Of("vae"));
        var embedding = ConfigFile.Read<StableUnClipImageNormalizerConfig>(folder.Of("image_normalizer"));
        (Features, Defaults) = (embedding.EmbeddingDim, GenerationDefaults.Load(folder.Path));
        type = precision == Precision.Auto && Parameters(config) < SmallNetwork ? ScalarType.Float32 : Processor.ScalarType(precision);
        normalizer = new(() => folder.Load("image_normalizer", () => new StableUnClipImageNormalizer(embedding)), keep);
        noisingSchedule = NoiseSchedule.From(SchedulerConfig.Load(folder.Of("image_noising_scheduler")));
        unet = new(() => folder.Load("unet", () => new UNet2DConditionModel(config), type: type), keep);
        schedulerConfig = SchedulerConfig.Load(folder.Of("scheduler"));
        Vae = new(() => folder.Load("vae", () => new AutoencoderKL(codec), new StateDictOptions { Renames = AutoencoderKeyMap.FromOldAttention }), keep);
        if (folder.Has(FirstGuessConfig.Component))
        {
            var sizes = ConfigFile.Read<FirstGuessConfig>(folder.Of(FirstGuessConfig.Component));
            if (config.InChannels != 2 * codec.LatentChannels || sizes.OutChannels != codec.LatentChannels || sizes.ConditionDim != 2 * Features)
            {
                throw new WeightsException(
                    $"The first guess of {folder.Name} does not fit its decoder: it gives {sizes.OutChannels} channels from conditions of width {sizes.ConditionDim}, and the denoiser takes {config.InChannels - codec.LatentChannels} channels beside the latents and conditions of width {2 * Features}. Pack a decoder that was trained with this guess.");
            }

            guess = new(() => folder.Load(FirstGuessConfig.Component, () => new FirstGuessModel(sizes)), keep);
        }

        Upsampler = Upsampler.TryLoad(folder, keep: keep);
    }

    /// <summary>The autoencoder.</summary>
    public Component<AutoencoderKL> Vae { get; }

    /// <summary>Makes larger pictures when asked; null when the index lists none.</summary>
    public Upsampler? Upsampler { get; }

    /// <summary>What the model does when nothing is said.</summary>
    public GenerationDefaults Defaults { get; }

    /// <inheritdoc/>
    public ScalarType Type => type;

    /// <inheritdoc/>
    public int Features { get; }

    /// <inheritdoc/>
    public int Size => (config.SampleSize ?? [64])[0] * codec.Factor;

    /// <inheritdoc/>
    public int SizeStep => codec.Factor * config.Factor;

    /// <inheritdoc/>
    public bool HasFreeSize => true;

    /// <inheritdoc/>
    public int? UpsampledSize => Upsampler?.Side;

    /// <inheritdoc/>
    public bool HasGuess => guess is not null;

    /// <inheritdoc/>
    public long[] StartShape(int size) => [1, config.OutChannels, DrawnSize(size) / codec.Factor, DrawnSize(size) / codec.Factor];

    /// <inheritdoc/>
    public Tensor Draw(DecoderConditions conditions, DecoderRun run, Noise noise)
    {
        using var scope = NewDisposeScope();
        var small = DrawnSize(run.Height) == run.Height ? run : run with { Height = Size, Width = Size };
        var pixels = Decode(DrawLatents(conditions, small, noise));
        if (ReferenceEquals(small, run)) return pixels.MoveToOuterDisposeScope();
        return Upsampler!.Pixels(
            pixels, (run.Height, run.Width), run.UpsamplerSteps ?? Defaults.UpsamplerSteps, noise, run.Progress("upsampler"), run.Trace, run.Cancellation).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Invert(DecoderConditions conditions, DecoderRun run)
    {
        using var scope = NewDisposeScope();
        using var silent = Noise.Replay([zeros_like(conditions.Image)]);
        var condition = NoiseEmbedding(conditions.Image, level: 0, silent);
        var known = Encode(conditions.Picture ?? throw new ArgumentException("There is no picture to invert."), DrawnSize(run.Height));
        using var scheduler = new DdimInverseScheduler(schedulerConfig.ForDdim());
        scheduler.SetTimesteps(run.Steps);
        var alone = run with { Guidance = 1 };
        var context = Context(conditions, alone);
        var hint = Hint(condition, context, alone);
        using var network = unet.Borrow();
        var denoiser = Conditioned(network.Value, (condition, context, hint), alone);
        return Sampling.Run(scheduler, denoiser, known, silent, new SamplingOptions { Progress = run.Progress("inversion") }, run.Cancellation).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        texts.Dispose();
        normalizer.Dispose();
        unet.Dispose();
        guess?.Dispose();
        Vae.Dispose();
        Upsampler?.Dispose();
    }

    /// <summary>[batch, channels, h, w], scaled.</summary>
    private Tensor DrawLatents(DecoderConditions conditions, DecoderRun run, Noise noise)
    {
        var condition = NoiseEmbedding(conditions.Image, run.NoiseLevel ?? Defaults.NoiseLevel, noise);           // [batch, 2 features]
        if (conditions.WithoutEmbedding) condition = zeros_like(condition);
        run.Trace?.Add("decoder condition", condition);
        var context = Context(conditions, run);
        var hint = Hint(condition, context, run);
        if (run.OnlyGuess) return hint ?? throw new InvalidOperationException("This decoder has no first guess.");
        var known = conditions.Picture is { } picture ? Encode(picture, run.Height).expand(condition.shape[0], -1, -1, -1) : null;
        using var scheduler = DecoderSampling.Scheduler(schedulerConfig, run);
        scheduler.SetTimesteps(run.Steps);
        long[] shape = [condition.shape[0], config.OutChannels, run.Height / codec.Factor, run.Width / codec.Factor];
        var begin = DecoderSampling.Begin(scheduler, run, noise, shape, known, repaints: conditions.Repaint is not null);
        run.Trace?.Add("decoder noise", begin.Start);
        using var network = unet.Borrow();
        using var decoder = run.NeedsPictures ? Vae.Borrow() : null;
        var denoiser = Conditioned(network.Value, (condition, context, hint), run);
        if (run.Pull is { } pull) denoiser = Guidance.Pulled(denoiser, scheduler, x => pull.Score(decoder!.Value.Decode(decoder.Value.Unscale(x))), pull.Scale);
        var options = DecoderSampling.Options(scheduler, run, begin, known, conditions.Repaint, Decode);
        var latents = Sampling.Run(scheduler, denoiser, begin.Start, noise, options, run.Cancellation);
        run.Trace?.Add("latents", latents);
        return latents;
    }

    /// <summary>Noised image embedding and the code of its noise level: what the denoiser's class embedding is given.</summary>
    /// <param name="image">[batch, features]</param>
    /// <param name="level">0 to 999</param>
    /// <param name="noise">One draw.</param>
    /// <returns>[batch, 2 features]</returns>
    private Tensor NoiseEmbedding(Tensor image, int level, Noise noise)
    {
        var draw = noise.RandnLike(image);
        var noised = normalizer.Use(scale => scale.Unscale(noisingSchedule.AddNoise(scale.Scale(image), draw, level)));
        var code = Timesteps.Encode(full(image.shape[0], level, dtype: ScalarType.Float32), image.shape[1], cosineFirst: true, shift: 0);
        return cat([noised, code], 1);
    }

    /// <summary>Text encodings, [batch or 2 batch, tokens, width], the unguided half first where there is one.</summary>
    private Tensor Context(DecoderConditions conditions, DecoderRun run)
    {
        var context = texts.Encodings(run.Guidance > 1 ? [.. conditions.Negatives, .. conditions.Prompts] : conditions.Prompts, run.Note);
        run.Trace?.Add("decoder text encodings", context);
        return context;
    }

    /// <summary>The regression's latents, [batch, channels, h, w] at the size that is drawn; null for decoders without a first guess.</summary>
    /// <param name="condition">[batch, 2 features]</param>
    /// <param name="context">[batch or 2 batch, tokens, width], the guided half last.</param>
    /// <param name="run">Size, trace.</param>
    private Tensor? Hint(Tensor condition, Tensor context, DecoderRun run)
    {
        if (guess is null) return null;
        var texts = context.narrow(0, context.shape[0] - condition.shape[0], condition.shape[0]);
        var latents = guess.Use(network => network.call(condition, texts));
        var (height, width) = (run.Height / codec.Factor, run.Width / codec.Factor);
        if (latents.shape[2] != height || latents.shape[3] != width)
            latents = nn.functional.interpolate(latents, [height, width], mode: InterpolationMode.Bilinear, align_corners: false);
        run.Trace?.Add("first guess latents", latents);
        run.Trace?.Add("first guess", ImageTensors.ToImages(Decode(latents))[0]);
        return latents;
    }

    /// <summary>The most likely latents of a picture, scaled.</summary>
    /// <param name="picture">[batch, 3, h, w] in [-1, 1]</param>
    /// <param name="side">Side at which the decoder draws: where an upsampler follows, that of the small picture.</param>
    private Tensor Encode(Tensor picture, int side)
    {
        if (picture.shape[2] != side) picture = Bicubic.Resize(picture, side, side).clamp(-1, 1);
        return Vae.Use(vae => vae.Scale(vae.Encode(picture).Mean));
    }

    /// <summary>From scaled latents to [batch, 3, h, w] in [0, 1].</summary>
    private Tensor Decode(Tensor latents) => Vae.Use(vae => vae.Decode(vae.Unscale(latents))).div(2).add(0.5).clamp(0, 1);

    /// <summary>Side at which a picture is drawn before its upsampler, if any.</summary>
    private int DrawnSize(int size) => size == UpsampledSize ? Size : size;

    private Denoiser Conditioned(UNet2DConditionModel network, (Tensor Condition, Tensor Context, Tensor? Hint) given, DecoderRun run)
    {
        var guided = run.Guidance > 1;
        var bound = new UNetConditions(given.Context) { ClassLabels = guided ? cat([zeros_like(given.Condition), given.Condition]) : given.Condition };
        // As in training, the unguided half sees no guess.
        var beside = given.Hint is { } hint && guided ? cat([zeros_like(hint), hint]) : given.Hint;
        var denoiser = DecoderSampling.Bind((network, "unet"), bound, type, run, beside);
        return guided ? Guidance.ClassifierFree(denoiser, run.Guidance) : denoiser;
    }

    private static long Parameters(UNet2DConditionConfig config)
    {
        using var meta = WeightInit.OnMeta();
        using var network = new UNet2DConditionModel(config);
        return network.parameters().Sum(parameter => parameter.numel());
    }
}
