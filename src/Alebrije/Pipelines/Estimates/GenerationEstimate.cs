using Alebrije.Models.Autoencoders;
using Alebrije.Models.Clip;
using Alebrije.Models.Guesses;
using Alebrije.Models.Priors;
using Alebrije.Models.T5;
using Alebrije.Models.UNets;
using Alebrije.Models.XlmRoberta;
using Alebrije.Nn;
using Alebrije.Pipelines.Imagen;
using Alebrije.Pipelines.Kandinsky;
using Alebrije.Published;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Estimates;

/// <summary>A stage of an estimate.</summary>
/// <param name="Stage">Name of the component; <c>runtime</c> is libtorch, which is started once for all images.</param>
/// <param name="Bytes">Memory that it takes while it runs.</param>
/// <param name="Seconds">Time of one image, with loading.</param>
public sealed record StageEstimate(string Stage, long Bytes, double Seconds);

/// <summary>Estimated time and memory of an image, from the model's configurations and a second of measuring this machine.</summary>
/// <param name="PeakBytes">The largest amount of memory that the process holds.</param>
/// <param name="Seconds">Time of one image, loading included.</param>
/// <param name="Stages">Stage by stage.</param>
/// <param name="FreeBytes">Memory that is free now.</param>
public sealed record GenerationEstimate(long PeakBytes, double Seconds, IReadOnlyList<StageEstimate> Stages, long FreeBytes)
{
    /// <summary>True if it will fit into the free memory.</summary>
    public bool Fits => PeakBytes < FreeBytes;

    /// <summary>Memory that each further image of a batch takes, in bytes.</summary>
    public long PictureBytes { get; init; }

    /// <summary>Images that half of the free memory has room for at once, at least 1.</summary>
    internal int BatchSize => (int)Math.Clamp(((FreeBytes / 2) - PeakBytes) / Math.Max(1, PictureBytes), 0, 1000) + 1;
}

/// <summary>Estimates from configurations alone: networks are built on the meta device, no weights are read.</summary>
internal sealed class GenerationEstimator
{
    /// <summary>Memory of the process besides networks: the runtime and libtorch.</summary>
    private const long Runtime = 450L << 20;

    /// <summary>Bytes a second at which small files of weights are read and converted; larger files are measured.</summary>
    private const double LoadingSpeed = 1.2e9;

    private readonly Dictionary<ScalarType, double> loading = [];

    private GenerationRequest request;
    private readonly ScalarType type;
    private readonly MachineSpeed? speed, exact;
    private readonly bool keep;
    private readonly List<StageEstimate> stages = [];
    private long kept, peak, more;

    private GenerationEstimator(GenerationRequest request, ScalarType type, bool keep, bool timed)
    {
        (this.request, this.type, this.keep) = (request, type, keep);
        if (!timed) return;
        speed = MachineSpeed.Current(type);
        // Autoencoders and towers compute in float32, whatever the denoiser's format is.
        exact = type == ScalarType.Float32 ? speed : MachineSpeed.Current(ScalarType.Float32);
    }

    /// <summary>Estimates one image.</summary>
    /// <param name="folders">Folders in the order in which they run, each with its part of the request, every default filled in; a text
    /// encoder runs in the first folder that has it.</param>
    /// <param name="type">Type of the large networks.</param>
    /// <param name="keep">True if networks stay in memory.</param>
    /// <param name="timed">True measures this machine for a second; false leaves the seconds at 0.</param>
    public static GenerationEstimate Estimate(IReadOnlyList<(PipelineFolder Folder, GenerationRequest Request)> folders,
        ScalarType type, bool keep, bool timed)
    {
        var estimator = new GenerationEstimator(folders[0].Request, type, keep, timed);
        using var meta = WeightInit.OnMeta();
        using var scope = NewDisposeScope();
        estimator.stages.Add(new StageEstimate("runtime", Runtime, TorchRuntime.StartSeconds));
        foreach (var (folder, request) in folders)
        {
            estimator.request = request;
            foreach (var component in folder.Components.Keys.Order(StringComparer.Ordinal))
            {
                ComponentCatalog.Configured(Path.Combine(folder.Path, component), () =>
                {
                    estimator.Add(folder, component);
                    return component;
                });
            }
        }

        return new GenerationEstimate(Runtime + estimator.peak, estimator.stages.Sum(stage => stage.Seconds),
            estimator.stages, ModelMemory.Available()) { PictureBytes = estimator.more };
    }

    private double Halves => request.Guidance > 1 ? 2 : 1;

    /// <summary>Pixels of the image.</summary>
    private double Pixels => (double)(request.Height ?? request.Size!.Value) * (request.Width ?? request.Size!.Value);

    private void Add(PipelineFolder from, string component)
    {
        if (!from.IsThere(component)) return;
        switch (from.Components[component])
        {
            case "CLIPTextModelWithProjection" or "CLIPTextModel":
                var text = from.Config<ClipTextConfig>(component);
                Stage(from, component, NetworkCost.OfTransformer(new ClipTextModel(text, projects: false), text.MaxPositionEmbeddings),
                    ScalarType.Float32, runs: 2);
                break;
            case "CLIPVisionModelWithProjection":
                var vision = from.Config<ClipVisionConfig>(component);
                var patches = vision.ImageSize / vision.PatchSize * (vision.ImageSize / vision.PatchSize) + 1;
                Stage(from, component, NetworkCost.OfTransformer(new ClipVisionModel(vision, projects: true), patches),
                    ScalarType.Float32, runs: 1);
                break;
            case "MultilingualCLIP":
                var multilingual = new MultilingualClip(from.Config<MultilingualClipConfig>(component));
                Stage(from, component, NetworkCost.OfTransformer(multilingual, KandinskyTexts.Tokens), ScalarType.Float32, runs: Halves);
                break;
            case "T5EncoderModel" when stages.Any(stage => stage.Stage == component):
                // Later stages of DeepFloyd IF take the encodings of the first.
                break;
            case "T5EncoderModel":
                Stage(from, component, NetworkCost.OfTransformer(new T5Encoder(from.Config<T5Config>(component)), ImagenTexts.Tokens),
                    type, runs: Halves);
                break;
            case "PriorTransformer":
                Prior(from, component, PriorTransformerConfig.Read(from.Of(component)));
                break;
            case "UNet2DConditionModel":
                var unet = from.Config<UNet2DConditionConfig>(component);
                var positions = from.Has("movq") || from.Has("vae") ? Pixels / Math.Pow(CodecFactor(from), 2)
                    : PipelineFamilies.DrawsFromTextAlone(from.ClassName) ? Pixels : Math.Pow((unet.SampleSize ?? [64])[0], 2);
                Stage(from, component, NetworkCost.OfUNet(new UNet2DConditionModel(unet), unet.BlockOutChannels.Length, positions, 81),
                    type, request.Steps!.Value * Halves, batch: Halves);
                break;
            case "UNet2DModel":
                var upsampler = from.Config<UNet2DConfig>(component);
                var large = (double)(upsampler.SampleSize ?? [256])[0];
                if (from.Has("vae") && request.UpsamplerSteps is null) break;
                var steps = (request.UpsamplerSteps ?? 7) - (from.Has(Upsampler.Last) ? 1 : 0);
                Stage(from, component, NetworkCost.OfUNet(new UNet2DModel(upsampler), upsampler.BlockOutChannels.Length, large * large, 0),
                    type, component == Upsampler.Last ? 1 : steps);
                break;
            case FirstGuessConfig.ClassName:
                var guess = from.Config<FirstGuessConfig>(component);
                Stage(from, component, NetworkCost.OfUNet(new FirstGuessModel(guess),
                    1, guess.Slots, 81), ScalarType.Float32, runs: 1);
                break;
            case "AutoencoderKL":
                var vae = from.Config<AutoencoderKLConfig>(component);
                Stage(from, component, NetworkCost.OfDecoder(new AutoencoderKL(vae),
                    vae.BlockOutChannels.Count, Pixels / Math.Pow(vae.Factor, 2)), ScalarType.Float32, runs: 1);
                break;
            case "VQModel":
                var codec = from.Config<VQModelConfig>(component);
                Stage(from, component, NetworkCost.OfDecoder(new VQModel(codec),
                    codec.BlockOutChannels.Count, Pixels / Math.Pow(codec.Factor, 2)), ScalarType.Float32, runs: 1);
                break;
            default:
                break;
        }
    }

    /// <summary>The text once for each of prompt and empty text, then three tokens a step, which costs reading the weights.</summary>
    private void Prior(PipelineFolder from, string component, PriorTransformerConfig config)
    {
        if (request.Prior != (config.KnowsTime ? PriorKind.Diffusion : PriorKind.OneStep)) return;
        var network = new PriorTransformer(config);
        var prefix = NetworkCost.OfTransformer(network, config.NumEmbeddings + 1);
        var reading = speed is null ? 0 : request.PriorSteps!.Value * (
            (request.PriorCandidates * (4.0 * prefix.Weights / speed.WeightBytes)) + (prefix.Layers * speed.Call));
        Stage(from, component, prefix, ScalarType.Float32, runs: request.PriorGuidance > 1 ? 2 : 1, further: reading, copies: 2);
    }

    private void Stage(PipelineFolder from, string component, NetworkCost cost,
        ScalarType weights, double runs, double batch = 1, double further = 0, int copies = 1)
    {
        var size = weights == ScalarType.BFloat16 ? 2 : 4;
        var all = from.WeightBytes(component).Sum();
        var own = size * cost.Weights;
        // Once it runs, a prior's blocks are there a second time, in the layout of the fast kernels.
        var bytes = (copies * own) + (long)(size * cost.Activations * batch);
        peak = Math.Max(peak, kept + bytes);
        more = Math.Max(more, (long)(size * cost.Activations * batch));
        if (keep) kept += copies * own;
        var at = weights == ScalarType.Float32 ? exact : speed;
        var seconds = at is null ? 0 : (all / Loading(from, component, all, weights))
            + (runs * ((cost.Convolution / at.Convolutions) + (cost.Linear / at.Products) + (cost.Attention / at.Attention)
                + (cost.Maps / at.Maps)))
            + (Math.Ceiling(runs / batch) * cost.Layers * at.Call) + at.FirstUse + further;
        stages.Add(new StageEstimate(component, bytes, seconds));
    }

    /// <summary>Measured on the first large file of weights of each type.</summary>
    private double Loading(PipelineFolder from, string component, long bytes, ScalarType weights)
    {
        if (loading.TryGetValue(weights, out var known) || bytes < MachineSpeed.LoadingSample) return known > 0 ? known : LoadingSpeed;
        using var source = from.OpenWeights(component);
        return MachineSpeed.Loading(source, weights) is { } measured ? loading[weights] = measured : LoadingSpeed;
    }

    private static int CodecFactor(PipelineFolder from) => from.Has("movq")
        ? from.Config<VQModelConfig>("movq").Factor : from.Config<AutoencoderKLConfig>("vae").Factor;
}
