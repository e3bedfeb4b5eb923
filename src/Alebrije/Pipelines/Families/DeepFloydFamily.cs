using Alebrije.Diffusion;
using Alebrije.Models.UNets;
using Alebrije.Pipelines.Denoising;
using Alebrije.Pipelines.Imagen;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Families;

/// <summary>
/// A stage of DeepFloyd IF, the open form of Imagen (Saharia et al., 2022): pixels from a text, or from a text and a small image; from an
/// initial image, or around a part of one (diffusers, pipelines/deepfloyd_if).
/// </summary>
internal sealed class DeepFloydFamily : IFamily
{
    private const int Channels = 3, SizeMultiple = 8, Factor = 4;

    private readonly bool ownsTexts;
    private readonly NoiseSchedule? pictureSchedule;

    /// <param name="folder">An IFPipeline, or an IFSuperResolutionPipeline.</param>
    /// <param name="type">Floating-point format of the networks.</param>
    /// <param name="keep">True keeps networks in memory between two calls.</param>
    /// <param name="texts">Text encoder of an earlier stage, which stays the caller's; null opens that of the folder.</param>
    public DeepFloydFamily(PipelineFolder folder, ScalarType type, bool keep, ImagenTexts? texts = null)
    {
        (Type, ownsTexts) = (type, texts is null);
        Texts = texts ?? new ImagenTexts(folder, keep, type);
        var config = ConfigFile.Read<UNet2DConditionConfig>(folder.Of("unet"));
        Denoiser = new(() => folder.Load<UNet2DConditionModel>("unet", type), keep);
        Scheduler = SchedulerConfig.Load(folder.Of("scheduler"));
        pictureSchedule = folder.Has("image_noising_scheduler")
            ? NoiseSchedule.From(SchedulerConfig.Load(folder.Of("image_noising_scheduler"))) : null;
        var enlarges = pictureSchedule is not null;
        Traits = new DrawingTraits
        {
            Size = (config.SampleSize ?? [64])[0], SizeStep = SizeMultiple,
            HasFreeSize = true, Enlargement = enlarges ? Factor : 1, KeepsClean = true,
            Defaults = GenerationDefaults.Load(folder.Path,
                enlarges ? GenerationDefaults.OfDeepFloydLater : GenerationDefaults.OfDeepFloyd),
        };
    }

    /// <summary>The text encoder.</summary>
    public ImagenTexts Texts { get; }

    /// <inheritdoc/>
    public DrawingTraits Traits { get; }

    /// <inheritdoc/>
    public Component<UNet2DConditionModel> Denoiser { get; }

    /// <inheritdoc/>
    public ScalarType Type { get; }

    /// <inheritdoc/>
    public SchedulerConfig Scheduler { get; }

    /// <inheritdoc/>
    public IImageCodec Codec { get; } = new PixelCodec();

    /// <inheritdoc/>
    public long[] SampleShape(int height, int width) => [Channels, height, width];

    /// <inheritdoc/>
    public (int Height, int Width) SizeOf(RgbImage initial) =>
        Traits.Enlarges ? (Large(initial.Height), Large(initial.Width)) : ImagenSizes.Of(initial.Height, initial.Width, Traits.Size);

    /// <inheritdoc/>
    public RgbImage Resize(RgbImage initial, int width, int height) => initial.Resize(width, height);

    /// <inheritdoc/>
    public DenoiserInputs Bind(DrawConditions conditions, DrawOptions options, Noise noise)
    {
        if (Traits.Enlarges && conditions.Small is null) throw new ArgumentException("This stage enlarges images: give it a small one.");
        var guided = options.Guidance > 1;
        var context = Texts.Encode(guided ? [.. conditions.NegativesOrEmpty, .. conditions.Prompts] : conditions.Prompts,
            conditions.CleansCaptions, options.Note);
        options.Trace?.Add("decoder text encodings", context);
        return new DenoiserInputs(new UNetConditions(context), guided);
    }

    /// <inheritdoc/>
    public Tensor? Known(DrawConditions conditions, DrawOptions options, Noise noise) => conditions.Picture;

    /// <inheritdoc/>
    public DenoiserInputs Beside(DenoiserInputs inputs, DrawConditions conditions, DrawOptions options, Tensor? known, Noise noise)
    {
        if (!Traits.Enlarges) return inputs;
        // Around a part of an image the reference adds no noise to the small one.
        var level = options.NoiseLevel ?? (conditions.Repaint is null ? Traits.Defaults.NoiseLevel : 0);
        var large = nn.functional.interpolate(conditions.Small!, [options.Height, options.Width],
            mode: InterpolationMode.Bilinear, align_corners: true);
        if (large.shape[0] != conditions.Count) large = large.expand(conditions.Count, -1, -1, -1);
        return inputs with
        {
            Beside = pictureSchedule!.AddNoise(large, noise.RandnLike(large), level),
            Conditions = inputs.Conditions with { ClassLabels = full(inputs.Conditions.Text!.shape[0], level, ScalarType.Int64) },
        };
    }

    private static int Large(int side) => Math.Max(SizeMultiple, Factor * side / SizeMultiple * SizeMultiple);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (ownsTexts) Texts.Dispose();
        Denoiser.Dispose();
    }
}

/// <summary>Sizes of initial images in IF's first stage.</summary>
internal static class ImagenSizes
{
    private const int Step = 8;

    /// <summary>
    /// The shorter side becomes the stage's, the longer one a multiple of eight (diffusers, pipeline_if_img2img.py, resize).
    /// </summary>
    public static (int Height, int Width) Of(int height, int width, int size)
    {
        var coefficient = (double)width / height;
        return coefficient >= 1
            ? (size, (int)Math.Round((double)size / Step * coefficient, MidpointRounding.ToEven) * Step)
            : ((int)Math.Round((double)size / Step / coefficient, MidpointRounding.ToEven) * Step, size);
    }
}
