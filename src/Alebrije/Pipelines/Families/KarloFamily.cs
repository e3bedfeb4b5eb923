using Alebrije.Diffusion;
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
/// Karlo's decoder: a small image from image embedding and text; the folder's upsampler always follows (diffusers,
/// pipelines/unclip/pipeline_unclip.py and pipeline_unclip_image_variation.py).
/// </summary>
internal sealed class KarloFamily : IFamily
{
    private readonly TextStage texts;
    private readonly Component<UnClipTextProjection> projection;
    private readonly UNet2DConditionConfig config;

    /// <param name="folder">A UnCLIPPipeline or UnCLIPImageVariationPipeline.</param>
    /// <param name="texts">Its tokenizer and text encoder, shared with the prior.</param>
    /// <param name="size">Side of the images that its upsampler makes.</param>
    /// <param name="type">Floating-point format of the large networks.</param>
    /// <param name="keep">True keeps networks in memory between two calls.</param>
    public KarloFamily(PipelineFolder folder, TextStage texts, int size, ScalarType type, bool keep)
    {
        (this.texts, Type) = (texts, type);
        config = ConfigFile.Read<UNet2DConditionConfig>(folder.Of("decoder"));
        var textConfig = ConfigFile.Read<UnClipTextProjectionConfig>(folder.Of("text_proj"));
        projection = new(() => folder.Load<UnClipTextProjection>("text_proj"), keep);
        Denoiser = new(() => folder.Load<UNet2DConditionModel>("decoder", type), keep);
        Scheduler = SchedulerConfig.Load(folder.Of("decoder_scheduler"));
        Codec = new PixelCodec(SmallSize);
        Traits = new DrawingTraits
        {
            Features = textConfig.ClipEmbeddingsDim, Size = size, SizeStep = size,
            AlwaysUpsamples = true, Defaults = GenerationDefaults.Load(folder.Path, GenerationDefaults.OfKarlo),
        };
    }

    /// <inheritdoc/>
    public DrawingTraits Traits { get; }

    /// <inheritdoc/>
    public Component<UNet2DConditionModel> Denoiser { get; }

    /// <inheritdoc/>
    public string Component => "decoder";

    /// <inheritdoc/>
    public ScalarType Type { get; }

    /// <inheritdoc/>
    public SchedulerConfig Scheduler { get; }

    /// <inheritdoc/>
    public IImageCodec Codec { get; }

    /// <summary>Side of the small image.</summary>
    private int SmallSize => (config.SampleSize ?? [64])[0];

    /// <inheritdoc/>
    public long[] SampleShape(int height, int width) => [config.InChannels, SmallSize, SmallSize];

    /// <inheritdoc/>
    public DenoiserInputs Bind(DrawConditions conditions, DrawOptions options, Noise noise)
    {
        var guided = options.Guidance > 1;
        var image = conditions.Image!;
        var text = texts.Encode(conditions.Prompts, note: options.Note);
        if (guided) text = text.After(texts.Encode(conditions.NegativesOrEmpty, note: options.Note));
        var (context, time) = projection.Use(head => head.Condition(
            conditions.WithoutEmbedding ? head.NullEmbedding.unsqueeze(0).expand_as(image) : image,
            text.TextEmbedding, text.TextEncodings!));
        var extra = context.shape[1] - text.TextEncodings!.shape[1];
        return new DenoiserInputs(
            new UNetConditions(context) { ClassLabels = time,
                TextMask = nn.functional.pad(text.TextMask!.to(ScalarType.Float32), (extra, 0), value: 1) }, guided);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        texts.Dispose();
        projection.Dispose();
        Denoiser.Dispose();
    }
}
