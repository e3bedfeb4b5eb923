using Alebrije.Diffusion;
using Alebrije.Models.Autoencoders;
using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.StableUnClip;

/// <summary>Networks and preparations of a Stable unCLIP folder (systems: prior from Karlo, decoder from Stable Diffusion 2), loaded.</summary>
internal sealed class StableUnClipParts : IDisposable
{
    private static readonly StateDictOptions PositionIds = new() { Ignored = ["*.position_ids"] };
    private readonly ScalarType priorType;
    private PriorConditions? empty;
    private readonly Lazy<Upsampler?> upsampler;

    /// <param name="folder">The published folder.</param>
    /// <param name="priorType">Type of the products of priors: float32 is exact.</param>
    public StableUnClipParts(PipelineFolder folder, ScalarType priorType = ScalarType.Float32)
    {
        (Folder, this.priorType) = (folder, priorType);
        if (folder.ClassName is not ("StableUnCLIPPipeline" or "StableUnCLIPImg2ImgPipeline"))
            throw new WeightsException($"{folder.Path} is a {folder.ClassName}; this pipeline reads StableUnCLIPPipeline and StableUnCLIPImg2ImgPipeline.");
        Tokenizer = ClipTokenizer.Load(folder.Of("tokenizer"));
        TextEncoder = Text(folder, "text_encoder");
        Normalizer = folder.Load("image_normalizer",
            new StableUnClipImageNormalizer(ConfigFile.Read<StableUnClipImageNormalizerConfig>(folder.Of("image_normalizer"))));
        NoisingSchedule = NoiseSchedule.From(SchedulerConfig.Load(folder.Of("image_noising_scheduler")));
        UNet = folder.Load("unet", new UNet2DConditionModel(ConfigFile.Read<UNet2DConditionConfig>(folder.Of("unet"))));
        SchedulerConfig = SchedulerConfig.Load(folder.Of("scheduler"));
        Vae = folder.Load("vae", new AutoencoderKL(ConfigFile.Read<AutoencoderKLConfig>(folder.Of("vae"))), new StateDictOptions { Renames = AutoencoderKeyMap.FromOldAttention });
        if (folder.Has("prior"))
        {
            (PriorTokenizer, PriorTextEncoder) = (ClipTokenizer.Load(folder.Of("prior_tokenizer")), Text(folder, "prior_text_encoder"));
            PriorSchedulerConfig = SchedulerConfig.Load(folder.Of("prior_scheduler"));
        }

        if (folder.Has("image_encoder"))
        {
            ImageProcessor = ClipImageProcessor.Load(folder.Of("feature_extractor"));
            ImageEncoder = folder.Load("image_encoder", new ClipVisionModel(ConfigFile.Read<ClipVisionConfig>(folder.Of("image_encoder")), projects: true), PositionIds);
        }

        Priors = OwnPriors();
        Defaults = GenerationDefaults.Load(folder.Path);
        upsampler = new Lazy<Upsampler?>(() => Upsampler.TryLoad(folder));
    }

    public PipelineFolder Folder { get; }
    public GenerationDefaults Defaults { get; }
    public ClipTokenizer Tokenizer { get; }
    public ClipTextModel TextEncoder { get; }
    public ClipTokenizer? PriorTokenizer { get; private set; }
    public ClipTextModel? PriorTextEncoder { get; private set; }
    public SchedulerConfig? PriorSchedulerConfig { get; }
    public PriorSet Priors { get; private set; }
    public StableUnClipImageNormalizer Normalizer { get; }
    public NoiseSchedule NoisingSchedule { get; }
    public UNet2DConditionModel UNet { get; }
    public SchedulerConfig SchedulerConfig { get; }
    public AutoencoderKL Vae { get; }
    public ClipImageProcessor? ImageProcessor { get; }
    public ClipVisionModel? ImageEncoder { get; }

    /// <summary>Loaded when it is first asked for; null when the index lists none.</summary>
    public Upsampler? Upsampler => upsampler.Value;

    /// <summary>The empty text as the prior is told it: one row, always the same object.</summary>
    public PriorConditions Empty(Func<PriorConditions> encode)
    {
        if (empty is not null) return empty;
        empty = encode();
        foreach (var tensor in new[] { empty.TextEmbedding, empty.TextEncodings, empty.TextMask }) tensor?.DetachFromDisposeScope();
        return empty;
    }

    /// <summary>
    /// Takes a prior from another folder: a prior's own folder, or a pipeline's, of which the component <c>prior</c> is taken, and the text encoder too where
    /// this model has none.
    /// </summary>
    /// <returns>What it is.</returns>
    /// <exception cref="CheckpointNotFoundException">There is none.</exception>
    /// <exception cref="WeightsException">It is of another embedding space, or damaged.</exception>
    public PriorKind UsePrior(string path)
    {
        var pipeline = File.Exists(Path.Combine(path, "model_index.json")) ? PipelineFolder.Open(path) : null;
        var folder = pipeline?.Of("prior") ?? path;
        if (PriorTextEncoder is null)
        {
            if (pipeline is null)
                throw new InvalidOperationException($"{Folder.Path} has no text encoder for a prior, and {path} is a prior alone; name the whole pipeline folder that the prior belongs to.");
            var prefix = pipeline.Has("prior_text_encoder") ? "prior_" : "";
            (PriorTokenizer, PriorTextEncoder) = (ClipTokenizer.Load(pipeline.Of(prefix + "tokenizer")), Text(pipeline, prefix + "text_encoder"));
            Priors.Dispose();
            Priors = OwnPriors();
        }

        var kind = PriorFolder.KindOf(folder);
        Func<IScheduler> scheduler = PriorScheduler;
        if (kind == PriorKind.Diffusion && (pipeline?.Has("prior_scheduler") == true || PriorSchedulerConfig is null))
        {
            var config = pipeline?.Has("prior_scheduler") == true ? SchedulerConfig.Load(pipeline.Of("prior_scheduler")) : throw new CheckpointNotFoundException(
                $"{path} says nothing of the prior's scheduler, and {Folder.Path} has none; name the whole pipeline folder that the prior belongs to.");
            scheduler = () => Schedulers.Create(config);
        }

        var prior = PriorFolder.Load(folder, scheduler, priorType);
        try
        {
            Priors.Use(prior, CheckpointFolder.NameOf(path));
        }
        catch (WeightsException)
        {
            prior.Dispose();
            throw;
        }

        return kind;
    }

    public void Dispose()
    {
        nn.Module?[] modules = [TextEncoder, PriorTextEncoder, Normalizer, UNet, Vae, ImageEncoder];
        foreach (var module in modules) module?.Dispose();
        if (upsampler.IsValueCreated) Upsampler?.Dispose();
        Priors.Dispose();
        foreach (var tensor in new[] { empty?.TextEmbedding, empty?.TextEncodings, empty?.TextMask }) tensor?.Dispose();
    }

    /// <summary>The priors of this folder, and the spaces that any other has to agree with.</summary>
    private PriorSet OwnPriors()
    {
        var image = (int)Normalizer.Mean.shape[1];
        var projection = PriorTextEncoder?.Projection.Weight;
        var priors = new PriorSet(Folder.Name, new PriorSpaces((int)(projection?.shape[0] ?? 0), image, projection is null ? null : PriorSpaces.FingerprintOf(projection)));
        var own = PriorFolder.Names.Select(pair => (Kind: pair.Key, Path: Path.Combine(Folder.Path, pair.Value))).Where(p => Directory.Exists(p.Path));
        if (Folder.Has("prior")) own = own.Prepend((PriorFolder.KindOf(Folder.Of("prior")), Folder.Of("prior")));
        foreach (var (kind, path) in own.Reverse())
            priors.Add(kind, () => PriorFolder.Load(path, PriorScheduler, priorType));
        return priors;
    }

    /// <summary>
    /// The reference calls UnCLIPScheduler.step without the next timestep, so each step goes from t to t - 1 only, whatever the grid; its
    /// numbers are kept for checkpoints that name this class. A prior whose scheduler is DDPM or DDIM takes true steps.
    /// </summary>
    private IScheduler PriorScheduler() => PriorSchedulerConfig!.ClassName == "UnCLIPScheduler"
        ? new UnClipScheduler(PriorSchedulerConfig) { StepsByOne = true }
        : Schedulers.Create(PriorSchedulerConfig);

    private static ClipTextModel Text(PipelineFolder folder, string component)
    {
        var config = ConfigFile.Read<ClipTextConfig>(folder.Of(component));
        return folder.Load(component, new ClipTextModel(config, folder.Components[component] == "CLIPTextModelWithProjection"), PositionIds);
    }
}
