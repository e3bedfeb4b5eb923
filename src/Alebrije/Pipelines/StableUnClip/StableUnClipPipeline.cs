using System.Diagnostics;
using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.StableUnClip;

/// <summary>
/// DALL-E 2's chain in latent space (Ramesh et al., 2022, fig. 2; diffusers' StableUnCLIPPipeline): text to tokens to text embedding, prior to
/// image embedding, decoder to latents, autoencoder to picture. Loading reads a published folder; one object serves one call at a time.
/// </summary>
public sealed class StableUnClipPipeline : IDisposable
{
    private readonly StableUnClipParts parts;
    private readonly StableUnClipStages stages;

    private StableUnClipPipeline(StableUnClipParts parts, Precision precision)
    {
        this.parts = parts;
        stages = new StableUnClipStages(parts, precision);
    }

    /// <summary>The model's name: that of its folder.</summary>
    public string Name => parts.Folder.Name;

    /// <summary>Side of its pictures in pixels.</summary>
    public int Size => (parts.UNet.Config.SampleSize ?? [64])[0] * parts.Vae.Config.Factor;

    /// <summary>Side of the pictures that its upsampler makes of them; null when it has none.</summary>
    public int? UpsampledSize => parts.Upsampler?.Side;

    internal StableUnClipStages Stages => stages;

    internal StableUnClipParts Parts => parts;

    /// <summary>Loads a pipeline folder: <c>StableUnCLIPPipeline</c>, or <c>StableUnCLIPImg2ImgPipeline</c> for variations only.</summary>
    /// <param name="folder">The folder that holds <c>model_index.json</c>.</param>
    /// <param name="precision">Number format of the large networks; noise, samplers and norms stay float32.</param>
    /// <exception cref="Weights.CheckpointNotFoundException">A file is missing.</exception>
    /// <exception cref="Weights.WeightsException">A file is damaged, or tensors do not fit the configuration.</exception>
    public static StableUnClipPipeline Load(string folder, Precision precision = Precision.Auto)
    {
        TorchRuntime.Initialize();
        var priorType = precision == Precision.Bf16 ? ScalarType.BFloat16 : ScalarType.Float32;
        return new StableUnClipPipeline(new StableUnClipParts(PipelineFolder.Open(folder), priorType), precision);
    }

    /// <summary>Kinds of prior that this model has.</summary>
    public IReadOnlyList<PriorKind> Priors => [.. parts.Priors.Kinds];

    /// <summary>Takes a prior from another folder in place of the model's own of that kind; a request then asks for the kind.</summary>
    /// <param name="folder">A prior's folder (<c>config.json</c> and weights), or a pipeline's, of which the component <c>prior</c> is taken.</param>
    /// <returns>The prior's kind.</returns>
    /// <exception cref="Weights.CheckpointNotFoundException">The folder holds no prior.</exception>
    /// <exception cref="Weights.WeightsException">Its embedding space is not that of this model, or a file is damaged.</exception>
    public PriorKind UsePrior(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        return parts.UsePrior(folder);
    }

    /// <summary>Draws a picture.</summary>
    /// <param name="request">What to draw.</param>
    /// <param name="progress">Told after every step.</param>
    /// <param name="trace">Gets every stage when given.</param>
    /// <param name="cancellation">Stops between two steps.</param>
    /// <exception cref="ArgumentException">The request has a value out of its range, or the size is no multiple of the autoencoder's factor.</exception>
    /// <exception cref="InvalidOperationException">The folder has no prior of the kind that was asked for.</exception>
    public GenerationResult Generate(
        GenerationRequest request, Action<GenerationProgress>? progress = null, GenerationTrace? trace = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        request = Complete(request);
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        using var noise = new Noise(unchecked((long)request.Seed));
        var seconds = new Dictionary<string, double>();
        var clock = Stopwatch.StartNew();

        var text = stages.EncodeForPrior([request.Prompt], trace);
        var context = stages.EncodeForDecoder([request.Prompt], [request.Negative], request.Guidance > 1, trace);
        Lap(seconds, "text", clock);

        var image = stages.DrawPrior(text, request, noise, Report(progress, "prior"), trace, cancellation); // [1, features]
        trace?.Add("image embedding", image, new { cosine_to_text = Cosine(image, text.Conditions.TextEmbedding) });
        Lap(seconds, "prior", clock);

        var condition = stages.NoiseEmbedding(image, parts.Defaults.NoiseLevel, noise);      // [1, 2 features]
        trace?.Add("decoder condition", condition);
        var enlarges = request.Size == UpsampledSize && request.Size != Size;
        var latents = stages.SampleDecoder(
            condition, context, request with { Size = enlarges ? Size : request.Size }, noise, Report(progress, "decoder"), trace, cancellation);
        var picture = enlarges ? null : stages.Decode(latents)[0];
        Lap(seconds, "decoder", clock);
        if (picture is null)
        {
            var side = request.Size!.Value;
            picture = parts.Upsampler!.Picture(
                stages.DecodePixels(latents), (side, side), request.UpsamplerSteps!.Value, noise, Report(progress, "upsampler"), trace, cancellation);
            Lap(seconds, "upsampler", clock);
        }

        trace?.Add("picture", picture);

        return new GenerationResult(picture, request, Score(text.Conditions.TextEmbedding, picture), seconds) { PriorFrom = parts.Priors.From(request.Prior) };
    }

    /// <inheritdoc/>
    public void Dispose() => parts.Dispose();

    /// <summary>The request with the model's own values where it was silent.</summary>
    internal GenerationRequest Complete(GenerationRequest request)
    {
        request.Check();
        var guidance = parts.Priors[request.Prior].Guidance ?? parts.Defaults.PriorGuidance;
        var factor = parts.Vae.Config.Factor * UNetFactor;
        if (request.Size is { } size && (size < factor || size % factor != 0 || size > 2048))
        {
            var below = Math.Clamp(size / factor * factor, factor, 2048);
            throw new ArgumentException(
                $"The size {size} does not fit: it has to be a multiple of {factor} from {factor} to 2048; use {below} or {Math.Min(below + factor, 2048)}. The model was made for {Size}{(UpsampledSize is { } large ? $", and its upsampler for {large}" : "")}.");
        }

        if (request.UpsamplerSteps is not null && request.Size != UpsampledSize)
            throw new ArgumentException(UpsampledSize is { } made
                ? $"Upsampler steps were given, but the upsampler of {Name} makes pictures of {made} pixels; ask for that size, or leave the steps out."
                : $"Upsampler steps were given, but {Name} has no upsampler (component {Upsampler.First}); leave them out.");

        return request with
        {
            Steps = request.Steps ?? parts.Defaults.Steps,
            Guidance = request.Guidance ?? parts.Defaults.Guidance,
            PriorSteps = request.PriorSteps ?? parts.Defaults.PriorSteps,
            PriorGuidance = request.PriorGuidance ?? guidance,
            Size = request.Size ?? Size,
            UpsamplerSteps = request.Size is { } asked && asked == UpsampledSize ? request.UpsamplerSteps ?? parts.Defaults.UpsamplerSteps : null,
        };
    }

    /// <summary>Every level of the denoiser but one halves the latents.</summary>
    private int UNetFactor => 1 << (parts.UNet.Config.BlockOutChannels.Length - 1);

    private double? Score(Tensor text, RgbImage picture) =>
        parts.ImageEncoder is null ? null : Cosine(stages.EncodeImages([picture]), text);

    private static double Cosine(Tensor a, Tensor b) => (ClipNetwork.Unit(a) * ClipNetwork.Unit(b)).sum(-1).mean().ToDouble();

    private static Action<int, int>? Report(Action<GenerationProgress>? progress, string stage) =>
        progress is null ? null : (step, of) => progress(new GenerationProgress(stage, step, of));

    private static void Lap(Dictionary<string, double> seconds, string stage, Stopwatch clock)
    {
        seconds[stage] = clock.Elapsed.TotalSeconds;
        clock.Restart();
    }
}
