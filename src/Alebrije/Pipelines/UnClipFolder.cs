using Alebrije.Models.Priors;
using Alebrije.Pipelines.Denoising;
using Alebrije.Pipelines.Families;
using Alebrije.Pipelines.Priors;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>Families of published pipeline folders, by the class that their index names.</summary>
internal static class UnClipFolder
{
    private const string Karlo = "UnCLIPPipeline", KarloVariations = "UnCLIPImageVariationPipeline", Stable = "StableUnCLIPPipeline", StableImg2Img = "StableUnCLIPImg2ImgPipeline";

    private static readonly string[] KandinskyDecoders =
    [
        "KandinskyPipeline", "KandinskyImg2ImgPipeline", "KandinskyInpaintPipeline", "KandinskyV22Pipeline", "KandinskyV22Img2ImgPipeline",
        "KandinskyV22InpaintPipeline", "KandinskyV22ControlnetPipeline", "KandinskyV22ControlnetImg2ImgPipeline",
    ];

    private static readonly string[] KandinskyPriors = ["KandinskyPriorPipeline", "KandinskyV22PriorPipeline", "KandinskyV22PriorEmb2EmbPipeline"];

    private static readonly string[] StableDiffusion =
    [
        "StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline", "StableDiffusionInpaintPipeline", "StableDiffusionUpscalePipeline", "StableDiffusionXLPipeline",
        "StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLInpaintPipeline", "LatentConsistencyModelPipeline",
    ];

    private static readonly string[] DeepFloyd = ["IFPipeline", "IFImg2ImgPipeline", "IFSuperResolutionPipeline"];

    /// <summary>Classes of all pipelines that draw images.</summary>
    private static IEnumerable<string> Drawing => [Karlo, KarloVariations, Stable, StableImg2Img, .. KandinskyDecoders, .. StableDiffusion, .. DeepFloyd];

    /// <summary>True of a class of pipelines that draw images.</summary>
    public static bool Knows(string className) => Drawing.Contains(className);

    /// <summary>True of a class of pipelines that draw images from text without image embeddings.</summary>
    public static bool DrawsFromTextAlone(string className) => StableDiffusion.Contains(className) || DeepFloyd.Contains(className);

    /// <summary>True of a folder of the Stable unCLIP layout.</summary>
    public static bool IsStable(PipelineFolder folder) => folder.ClassName is Stable or StableImg2Img;

    /// <summary>Opens both halves, from one folder or from two.</summary>
    /// <exception cref="WeightsException">The class is none of unCLIP's, a half is missing, or the two do not belong together.</exception>
    public static UnClipPipeline Open(PipelineFolder folder, UnClipOptions options)
    {
        if (KandinskyPriors.Contains(folder.ClassName))
            throw new WeightsException($"{folder.Name} is the prior alone ({folder.ClassName}): name the folder of a decoder, and this one as its prior (--prior).");
        if (!Knows(folder.ClassName))
            throw new WeightsException($"{folder.Path} is a {folder.ClassName}; pictures are drawn here by {string.Join(", ", Drawing)}.");
        folder.CheckWeights();
        var keep = options.KeepLoaded ?? ModelMemory.FitsTwice(folder);
        var type = Processor.ScalarType(options.Precision);
        var priorType = (options.PriorPrecision ?? options.Precision) == Precision.Bf16 ? ScalarType.BFloat16 : ScalarType.Float32;
        var elsewhere = options.PriorFolder is { } path && PipelineFolder.IsOne(path) ? PipelineFolder.Open(path) : null;
        if (IsStable(folder))
        {
            var family = new StableUnClipFamily(folder, options.Precision, keep);
            return new UnClipPipeline(folder.Name, StableEmbedder(folder, priorType, keep), new ImageDecoder(family, Upsampler.TryLoad(folder, keep: keep)));
        }

        if (DrawsFromTextAlone(folder.ClassName))
        {
            if (options.PriorFolder is not null) throw new ArgumentException($"{folder.Name} ({folder.ClassName}) draws from text without a prior; leave the prior out.");
            IFamily family = DeepFloyd.Contains(folder.ClassName) ? new DeepFloydFamily(folder, type, keep) : new StableDiffusionFamily(folder, type, keep);
            return new UnClipPipeline(folder.Name, null, new ImageDecoder(family));
        }

        ClipEmbedder? prior = null;
        if (elsewhere is not null)
        {
            RequireOneSpace(folder, elsewhere);
            prior = Embedder(elsewhere, priorType, keep);
        }

        if (KandinskyDecoders.Contains(folder.ClassName))
        {
            if (!options.WithoutPrior) prior ??= Embedder(options.CompanionFolder is { } own ? PipelineFolder.Open(own) : KandinskyPriorBeside(folder), priorType, keep);
            return new UnClipPipeline(folder.Name, prior, new ImageDecoder(new KandinskyFamily(folder, type, keep)));
        }

        // One tokenizer and text encoder serve prior and decoder.
        var texts = TextStage.Of(folder, "tokenizer", "text_encoder", keep);
        var upsampler = Upsampler.TryLoad(folder, type, keep) ?? throw new WeightsException($"{folder.Path} lacks the upsampler (component {Upsampler.First}) that {folder.ClassName} has.");
        return new UnClipPipeline(
            folder.Name, prior ?? KarloEmbedder(folder, texts, priorType, keep), new ImageDecoder(new KarloFamily(folder, texts, upsampler.Side, type, keep), upsampler));
    }

    /// <summary>The first half of a folder.</summary>
    internal static ClipEmbedder Embedder(PipelineFolder folder, ScalarType type, bool keep)
    {
        folder.CheckWeights();
        if (KandinskyPriors.Contains(folder.ClassName))
        {
            var texts = TextStage.Of(folder, "tokenizer", "text_encoder", keep);
            return new ClipEmbedder(folder, (texts, ImageStage.Of(folder, "image_processor", "image_encoder", keep)), texts.Features, keep, type, "scheduler") { GuidesAwayFromMeanColour = true };
        }

        if (folder.ClassName is Karlo or KarloVariations) return KarloEmbedder(folder, TextStage.Of(folder, "tokenizer", "text_encoder", keep), type, keep);
        if (folder.Has("prior") && folder.Has("prior_text_encoder"))
            return StableEmbedder(folder, type, keep);
        throw new WeightsException($"{folder.Path} is a {folder.ClassName} and has no prior: a prior comes from {Karlo}, {Stable} or {string.Join(", ", KandinskyPriors)}.");
    }

    private static ClipEmbedder KarloEmbedder(PipelineFolder folder, TextStage texts, ScalarType type, bool keep) =>
        new(folder, (texts, Pictures(folder, keep)), texts.Features, keep, type, "prior_scheduler");

    /// <summary>The first half of Stable unCLIP: a text tower of the prior's own, or none where pictures alone are varied.</summary>
    internal static ClipEmbedder StableEmbedder(PipelineFolder folder, ScalarType type, bool keep)
    {
        var features = ConfigFile.Read<StableUnClipImageNormalizerConfig>(folder.Of("image_normalizer")).EmbeddingDim;
        var texts = folder.Has("prior_text_encoder") ? TextStage.Of(folder, "prior_tokenizer", "prior_text_encoder", keep) : null;
        return new ClipEmbedder(folder, (texts, Pictures(folder, keep)), features, keep, type, "prior_scheduler");
    }

    private static ImageStage? Pictures(PipelineFolder folder, bool keep) =>
        folder.Has("image_encoder") ? ImageStage.Of(folder, "feature_extractor", "image_encoder", keep) : null;

    /// <summary>Two folders with CLIP's text tower have to have the same one: equal numbers of features alone say little.</summary>
    private static void RequireOneSpace(PipelineFolder decoder, PipelineFolder prior)
    {
        if (Fingerprint(decoder) is { } ours && Fingerprint(prior) is { } theirs && ours != theirs)
        {
            throw new WeightsException(
                $"The prior of {prior.Name} was trained in another embedding space ({theirs}) than that of {decoder.Name} ({ours}); use a prior that was trained on the CLIP of {decoder.Name}.");
        }
    }

    private static string? Fingerprint(PipelineFolder folder) => TextStage.FingerprintOf(folder, folder.Has("prior_text_encoder") ? "prior_text_encoder" : "text_encoder");

    /// <summary>Kandinsky is published as two repositories, whose folders people keep beside each other under their own names.</summary>
    private static PipelineFolder KandinskyPriorBeside(PipelineFolder decoder)
    {
        var parent = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(decoder.Path)) ?? ".";
        var wanted = decoder.ClassName.StartsWith("KandinskyV22", StringComparison.Ordinal) ? "KandinskyV22Prior" : "KandinskyPrior";
        var found = Directory.EnumerateDirectories(parent).Where(folder => File.Exists(Path.Combine(folder, "model_index.json")))
            .Select(PipelineFolder.Open).Where(folder => folder.ClassName.StartsWith(wanted, StringComparison.Ordinal)).ToArray();
        return found switch
        {
            [var only] => only,
            [] => throw new WeightsException($"{decoder.Name} is a decoder alone ({decoder.ClassName}): name the folder of its prior ({wanted}Pipeline) with --prior."),
            _ => throw new WeightsException($"{decoder.Name} has several priors beside it ({string.Join(", ", found.Select(folder => folder.Name))}): name one with --prior."),
        };
    }
}
