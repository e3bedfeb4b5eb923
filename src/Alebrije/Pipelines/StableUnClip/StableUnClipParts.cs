using Alebrije.Diffusion;
using Alebrije.Models.Autoencoders;
using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
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

    private readonly Lazy<Upsampler?> upsampler;

    public StableUnClipParts(PipelineFolder folder)
    {
        Folder = folder;
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
            PriorTokenizer = ClipTokenizer.Load(folder.Of("prior_tokenizer"));
            PriorTextEncoder = Text(folder, "prior_text_encoder");
            Prior = folder.Load("prior", new PriorTransformer(PriorTransformerConfig.Read(folder.Of("prior"))));
            PriorSchedulerConfig = SchedulerConfig.Load(folder.Of("prior_scheduler"));
        }

        if (folder.Has("image_encoder"))
        {
            ImageProcessor = ClipImageProcessor.Load(folder.Of("feature_extractor"));
            ImageEncoder = folder.Load("image_encoder", new ClipVisionModel(ConfigFile.Read<ClipVisionConfig>(folder.Of("image_encoder")), projects: true), PositionIds);
        }

        LinearPrior = LinearPrior.TryLoad(Path.Combine(folder.Path, LinearPrior.FolderName));
        Defaults = GenerationDefaults.Load(folder.Path);
        upsampler = new Lazy<Upsampler?>(() => Upsampler.TryLoad(folder));
    }

    public PipelineFolder Folder { get; }
    public GenerationDefaults Defaults { get; }
    public ClipTokenizer Tokenizer { get; }
    public ClipTextModel TextEncoder { get; }
    public ClipTokenizer? PriorTokenizer { get; }
    public ClipTextModel? PriorTextEncoder { get; }
    public PriorTransformer? Prior { get; }
    public SchedulerConfig? PriorSchedulerConfig { get; }
    public LinearPrior? LinearPrior { get; }
    public StableUnClipImageNormalizer Normalizer { get; }
    public NoiseSchedule NoisingSchedule { get; }
    public UNet2DConditionModel UNet { get; }
    public SchedulerConfig SchedulerConfig { get; }
    public AutoencoderKL Vae { get; }
    public ClipImageProcessor? ImageProcessor { get; }
    public ClipVisionModel? ImageEncoder { get; }

    /// <summary>Loaded when it is first asked for; null when the index lists none.</summary>
    public Upsampler? Upsampler => upsampler.Value;

    public void Dispose()
    {
        nn.Module?[] modules = [TextEncoder, PriorTextEncoder, Prior, Normalizer, UNet, Vae, ImageEncoder];
        foreach (var module in modules) module?.Dispose();
        LinearPrior?.Dispose();
        if (upsampler.IsValueCreated) Upsampler?.Dispose();
    }

    private static ClipTextModel Text(PipelineFolder folder, string component)
    {
        var config = ConfigFile.Read<ClipTextConfig>(folder.Of(component));
        return folder.Load(component, new ClipTextModel(config, folder.Components[component] == "CLIPTextModelWithProjection"), PositionIds);
    }
}

/// <summary>What a model does when a request leaves it open: <c>generation_config.json</c> beside the index, or the reference pipeline's defaults.</summary>
internal sealed record GenerationDefaults
{
    /// <summary>Its name beside model_index.json.</summary>
    public const string FileName = "generation_config.json";

    public int Steps { get; init; } = 20;
    public double Guidance { get; init; } = 10;
    public int PriorSteps { get; init; } = 25;
    public double PriorGuidance { get; init; } = 4;

    /// <summary>0 to 999: how much noise the image embedding gets before the decoder sees it.</summary>
    public int NoiseLevel { get; init; }

    /// <summary>Steps of the upsampler, where there is one (diffusers, pipeline_unclip.py).</summary>
    public int UpsamplerSteps { get; init; } = 7;

    /// <summary>Karlo's (diffusers, pipeline_unclip.py).</summary>
    public static GenerationDefaults OfKarlo { get; } = new() { Steps = 25, Guidance = 8 };

    /// <summary>Kandinsky's: the reference takes 100 steps, its model cards half of that.</summary>
    public static GenerationDefaults OfKandinsky { get; } = new() { Steps = 50, Guidance = 4 };

    /// <summary>The folder's own values.</summary>
    /// <param name="folder">A pipeline's folder.</param>
    /// <param name="otherwise">What holds where the folder has none; null: Stable unCLIP's.</param>
    public static GenerationDefaults Load(string folder, GenerationDefaults? otherwise = null)
    {
        var file = Path.Combine(folder, FileName);
        return File.Exists(file) ? ConfigFile.Read<GenerationDefaults>(file, unknownKeysAllowed: false) : otherwise ?? new GenerationDefaults();
    }

    public void Save(string folder) => ConfigFile.Write(Path.Combine(folder, FileName), this);
}

/// <summary>Image embedding = text embedding · weightᵀ + bias, on CLIP's scale, fitted by ridge regression.</summary>
internal sealed class LinearPrior : nn.Module<Tensor, Tensor>
{
    /// <summary>Its folder beside the published components.</summary>
    public const string FolderName = "prior_linear";

    private readonly Nn.LinearLayer map;

    public LinearPrior(long features) : base(nameof(LinearPrior))
    {
        map = Nn.Layers.Linear(features, features);
        RegisterComponents();
    }

    /// <summary>The folder's map, or null when there is none.</summary>
    public static LinearPrior? TryLoad(string folder)
    {
        if (!Directory.Exists(folder)) return null;
        using var weights = CheckpointFolder.OpenWeights(folder);
        var prior = new LinearPrior(weights.Describe("map.bias").Shape[0]);
        StateDict.Load(prior, weights);
        return prior;
    }

    /// <param name="texts">[batch, features]</param>
    /// <returns>[batch, features]</returns>
    public override Tensor forward(Tensor texts) => map.call(texts);
}
