using Alebrije.Diffusion;
using Alebrije.Models.Guesses;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
using Alebrije.Nn;
using Alebrije.Pipelines.Denoising;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Families;

/// <summary>
/// Stable unCLIP's decoder: latents from a noised image embedding and a text, with a first guess of them concatenated with the sample
/// where the folder has one (diffusers, pipelines/stable_diffusion/pipeline_stable_unclip.py).
/// </summary>
internal sealed class StableUnClipFamily : IFamily
{
    private readonly TextStage texts;
    private readonly Component<StableUnClipImageNormalizer> normalizer;
    private readonly Component<FirstGuessModel>? guess;
    private readonly NoiseSchedule noisingSchedule;
    private readonly UNet2DConditionConfig config;

    /// <param name="folder">A StableUnCLIPPipeline or StableUnCLIPImg2ImgPipeline.</param>
    /// <param name="precision">Floating-point format of the denoiser.</param>
    /// <param name="keep">True keeps networks in memory between two calls.</param>
    public StableUnClipFamily(PipelineFolder folder, Precision precision, bool keep)
    {
        texts = TextStage.Of(folder, "tokenizer", "text_encoder", keep);
        config = ConfigFile.Read<UNet2DConditionConfig>(folder.Of("unet"));
        var embedding = ConfigFile.Read<StableUnClipImageNormalizerConfig>(folder.Of("image_normalizer"));
        Type = Processor.ScalarType(precision,
            folder.Names("unet").Values.Sum(shape => shape.Aggregate(1L, (count, size) => count * size)));
        normalizer = new(() => folder.Load<StableUnClipImageNormalizer>("image_normalizer"), keep);
        noisingSchedule = NoiseSchedule.From(SchedulerConfig.Load(folder.Of("image_noising_scheduler")));
        Denoiser = new(() => folder.Load<UNet2DConditionModel>("unet", Type), keep);
        Scheduler = SchedulerConfig.Load(folder.Of("scheduler"));
        Vae = new KlCodec(folder, samples: false, keep);
        if (folder.Has(FirstGuessConfig.Component))
        {
            var (sizes, latents, features) = (ConfigFile.Read<FirstGuessConfig>(folder.Of(FirstGuessConfig.Component)),
                Vae.Config.LatentChannels, embedding.EmbeddingDim);
            if (config.InChannels != 2 * latents || sizes.OutChannels != latents || sizes.ConditionDim != 2 * features)
            {
                throw new WeightsException(
                    $"The first guess of {folder.Name} does not fit its decoder: "
                        + $"it gives {sizes.OutChannels} channels from conditions of "
                            + $"width {sizes.ConditionDim}, and the denoiser takes {config.InChannels - latents} channels in addition to "
                                + $"the latents and conditions of width {2 * features}. Pack a decoder that was trained with this guess.");
            }

            guess = new(() => folder.Load<FirstGuessModel>(FirstGuessConfig.Component), keep);
        }

        Traits = new DrawingTraits
        {
            Features = embedding.EmbeddingDim, Size = (config.SampleSize ?? [64])[0] * Vae.Factor,
            SizeStep = Vae.Factor * config.Factor, HasFreeSize = true,
            HasGuess = guess is not null, Defaults = GenerationDefaults.Load(folder.Path),
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
    public IImageCodec Codec => Vae;

    private KlCodec Vae { get; }

    /// <inheritdoc/>
    public long[] SampleShape(int height, int width) => [config.OutChannels, height / Vae.Factor, width / Vae.Factor];

    /// <inheritdoc/>
    public DenoiserInputs Bind(DrawConditions conditions, DrawOptions options, Noise noise)
    {
        var guided = options.Guidance > 1;
        // [batch, 2 features]
        var condition = NoiseEmbedding(conditions.Image!, options.NoiseLevel ?? Traits.Defaults.NoiseLevel, noise);
        if (conditions.WithoutEmbedding) condition = zeros_like(condition);
        options.Trace?.Add("decoder condition", condition);
        var context = texts.Encodings(guided ? [.. conditions.NegativesOrEmpty, .. conditions.Prompts] : conditions.Prompts, options.Note);
        options.Trace?.Add("decoder text encodings", context);
        var bound = new UNetConditions(context) { ClassLabels = guided ? cat([zeros_like(condition), condition]) : condition };
        var hint = Guess(condition, context, options);
        // As in training, the unguided half has no guess.
        return new DenoiserInputs(bound, guided) { Guess = hint,
            Beside = hint is not null && guided ? cat([zeros_like(hint), hint]) : hint };
    }

    /// <inheritdoc/>
    public Tensor? Known(DrawConditions conditions, DrawOptions options, Noise noise)
    {
        if (conditions.Picture is not { } picture) return null;
        // Where an upsampler follows, the denoiser draws at the small size.
        var (rows, columns) = (options.Height, options.Width);
        return Codec.Encode(picture.shape[2] != rows || picture.shape[3] != columns
            ? Bicubic.Resize(picture, rows, columns).clamp(-1, 1) : picture, noise);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        texts.Dispose();
        normalizer.Dispose();
        Denoiser.Dispose();
        guess?.Dispose();
        Vae.Dispose();
    }

    /// <summary>Noised image embedding and the code of its noise level: the class labels of the denoiser.</summary>
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

    /// <summary>First guess of the latents, [batch, channels, h, w] at the size that is drawn; null for decoders without one.</summary>
    /// <param name="condition">[batch, 2 features]</param>
    /// <param name="context">[batch or 2 batch, tokens, width], the guided half last.</param>
    /// <param name="options">Size, trace.</param>
    private Tensor? Guess(Tensor condition, Tensor context, DrawOptions options)
    {
        if (guess is null) return null;
        var texts = context.narrow(0, context.shape[0] - condition.shape[0], condition.shape[0]);
        var latents = guess.Use(network => network.call(condition, texts));
        var (height, width) = (options.Height / Vae.Factor, options.Width / Vae.Factor);
        if (latents.shape[2] != height || latents.shape[3] != width)
            latents = nn.functional.interpolate(latents, [height, width], mode: InterpolationMode.Bilinear, align_corners: false);
        options.Trace?.Add("first guess latents", latents);
        options.Trace?.Add("first guess", ImageTensors.ToImages(Vae.Pixels(latents))[0]);
        return latents;
    }
}
