using Alebrije.Models.Priors;
using Alebrije.Pipelines.Denoising;
using Alebrije.Pipelines.Estimates;
using Alebrije.Pipelines.Families;
using Alebrije.Pipelines.Priors;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>Families of published pipeline folders, by the class that their index names.</summary>
internal static class PipelineFamilies
{
    private const string Karlo = "UnCLIPPipeline", KarloVariations = "UnCLIPImageVariationPipeline",
    Stable = "StableUnCLIPPipeline", StableImg2Img = "StableUnCLIPImg2ImgPipeline";

    private static readonly string[] KandinskyDecoders =
    [
        "KandinskyPipeline", "KandinskyImg2ImgPipeline", "KandinskyInpaintPipeline", "KandinskyV22Pipeline", "KandinskyV22Img2ImgPipeline",
        "KandinskyV22InpaintPipeline", "KandinskyV22ControlnetPipeline", "KandinskyV22ControlnetImg2ImgPipeline",
    ];

    private static readonly string[] KandinskyPriors = ["KandinskyPriorPipeline",
        "KandinskyV22PriorPipeline", "KandinskyV22PriorEmb2EmbPipeline"];

    private static readonly string[] StableDiffusion =
    [
        "StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline",
            "StableDiffusionInpaintPipeline", Upscaler, "StableDiffusionXLPipeline",
        "StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLInpaintPipeline", "LatentConsistencyModelPipeline",
    ];

    private const string DeepFloydFirst = "IFPipeline", Upscaler = "StableDiffusionUpscalePipeline";

    private static readonly string[] DeepFloydLater = ["IFSuperResolutionPipeline",
        "IFImg2ImgSuperResolutionPipeline", "IFInpaintingSuperResolutionPipeline"];

    private static readonly string[] OwnStages = ["stage-2", "stage-3"];

    private static readonly string[] DeepFloyd = [DeepFloydFirst, "IFImg2ImgPipeline", "IFInpaintingPipeline", .. DeepFloydLater];

    /// <summary>Classes of all pipelines that draw images.</summary>
    private static IEnumerable<string> Drawing =>
        [Karlo, KarloVariations, Stable, StableImg2Img, .. KandinskyDecoders, .. StableDiffusion, .. DeepFloyd];

    /// <summary>True for a class of pipelines that draw images.</summary>
    public static bool Knows(string className) => Drawing.Contains(className);

    /// <summary>True for a class of pipelines that draw images from text without image embeddings.</summary>
    public static bool DrawsFromTextAlone(string className) => StableDiffusion.Contains(className) || DeepFloyd.Contains(className);

    /// <summary>True for a folder of the Stable unCLIP layout.</summary>
    public static bool IsStable(PipelineFolder folder) => folder.ClassName is Stable or StableImg2Img;

    /// <summary>Opens both halves, from one folder or from two.</summary>
    /// <exception cref="WeightsException">The class is not of unCLIP, a half is missing, or the two do not belong together.</exception>
    public static ImagePipeline Open(PipelineFolder folder, ImagePipelineOptions options)
    {
        if (KandinskyPriors.Contains(folder.ClassName))
            throw new WeightsException($"{folder.Name} is the prior alone "
                + $"({folder.ClassName}): name the folder of a decoder, and this one as its prior (--prior).");
        if (!Knows(folder.ClassName))
            throw new WeightsException($"{folder.Path} is a {folder.ClassName}; images are drawn here by {string.Join(", ", Drawing)}.");
        folder.CheckWeights();
        var keep = options.KeepLoaded ?? ModelMemory.FitsTwice(folder);
        var type = Processor.ScalarType(options.Precision);
        var priorType = (options.PriorPrecision ?? options.Precision) == Precision.Bf16 ? ScalarType.BFloat16 : ScalarType.Float32;
        var elsewhere = options.PriorFolder is { } path && PipelineFolder.IsOne(path) ? PipelineFolder.Open(path) : null;
        if (IsStable(folder))
        {
            var family = new StableUnClipFamily(folder, options.Precision, keep);
            return new ImagePipeline(folder.Name, StableEmbedder(folder, priorType, keep),
                new ImageDecoder(family, Upsampler.TryLoad(folder, keep: keep)));
        }

        if (DrawsFromTextAlone(folder.ClassName))
        {
            if (options.PriorFolder is not null)
                throw new ArgumentException($"{folder.Name} ({folder.ClassName}) draws from text without a prior; leave the prior out.");
            if (!DeepFloyd.Contains(folder.ClassName))
                return new ImagePipeline(folder.Name, null, new ImageDecoder(new StableDiffusionFamily(folder, type, keep)));
            var later = LaterStages(folder, options);
            foreach (var stage in later) stage.CheckWeights();
            keep = options.KeepLoaded ?? ModelMemory.FitsTwice([folder, .. later]);
            var family = new DeepFloydFamily(folder, type, keep);
            return new ImagePipeline(folder.Name, null, new ImageDecoder(family), [.. later.Select(stage => new ImageDecoder(
                DeepFloyd.Contains(stage.ClassName) ? new DeepFloydFamily(stage, type, keep, family.Texts)
                : new StableDiffusionFamily(stage, type, keep)))]);
        }

        PriorStage? prior = null;
        if (elsewhere is not null)
        {
            RequireOneSpace(folder, elsewhere);
            prior = Embedder(elsewhere, priorType, keep);
        }

        if (KandinskyDecoders.Contains(folder.ClassName))
        {
            if (!options.WithoutPrior) prior ??= Embedder(options.CompanionFolders is [var own, ..]
                ? PipelineFolder.Open(own) : KandinskyPriorBeside(folder), priorType, keep);
            return new ImagePipeline(folder.Name, prior, new ImageDecoder(new KandinskyFamily(folder, type, keep)));
        }

        // One tokenizer and text encoder serve prior and decoder.
        var texts = TextStage.Of(folder, "tokenizer", "text_encoder", keep);
        var upsampler = Upsampler.TryLoad(folder, type, keep)
            ?? throw new WeightsException($"{folder.Path} lacks the upsampler (component {Upsampler.First}) that {folder.ClassName} has.");
        return new ImagePipeline(
            folder.Name, prior ?? KarloEmbedder(folder, texts, priorType, keep),
            new ImageDecoder(new KarloFamily(folder, texts, upsampler.Side, type, keep), upsampler));
    }

    /// <summary>
    /// The later stages of DeepFloyd IF's first one: those of the options, else the folders <c>stage-2</c> and <c>stage-3</c> in its own,
    /// else those next to it, kept under the names of their repositories.
    /// </summary>
    /// <exception cref="WeightsException">A folder is not a later stage, or several folders next to the first stage are.</exception>
    internal static IReadOnlyList<PipelineFolder> LaterStages(PipelineFolder folder, ImagePipelineOptions options)
    {
        if (folder.ClassName != DeepFloydFirst) return [];
        if (options.CompanionFolders is { } given)
        {
            PipelineFolder[] opened = [.. given.Select(PipelineFolder.Open)];
            return opened.FirstOrDefault(stage => !DeepFloydLater.Contains(stage.ClassName) && stage.ClassName != Upscaler) is { } wrong
                ? throw new WeightsException($"{wrong.Path} is of class {wrong.ClassName}: "
                    + $"the later stages of {folder.Name} are an {DeepFloydLater[0]} and a {Upscaler}.") : opened;
        }

        string[] own = [.. OwnStages.Select(name => Path.Combine(folder.Path, name)).TakeWhile(PipelineFolder.IsOne)];
        if (own.Length > 0) return [.. own.Select(PipelineFolder.Open)];
        var beside = Beside(folder);
        return Only([.. beside.Where(other => DeepFloydLater.Contains(other.ClassName))]) is not { } second ? []
            : Only([.. beside.Where(other => other.ClassName == Upscaler)]) is { } third ? [second, third] : [second];

        PipelineFolder? Only(PipelineFolder[] found) => found.Length < 2 ? found.FirstOrDefault() : throw new WeightsException(
            $"Several folders next to {folder.Name} enlarge its images ({string.Join(", ", found.Select(other => other.Name))}): "
                + $"name its later stages in their order (--stage), or none.");
    }

    private static PipelineFolder[] Beside(PipelineFolder folder) =>
        [.. Directory.EnumerateDirectories(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder.Path))) ?? ".")
            .Order(StringComparer.Ordinal)
            .Where(PipelineFolder.IsOne).Select(PipelineFolder.Open)];

    /// <summary>The first half of a folder.</summary>
    internal static PriorStage Embedder(PipelineFolder folder, ScalarType type, bool keep)
    {
        folder.CheckWeights();
        if (KandinskyPriors.Contains(folder.ClassName))
        {
            var texts = TextStage.Of(folder, "tokenizer", "text_encoder", keep);
            return new PriorStage(folder, (texts, ImageStage.Of(folder, "image_processor", "image_encoder", keep)),
                texts.Features, keep, type, "scheduler") { GuidesAwayFromMeanColour = true };
        }

        if (folder.ClassName is Karlo or KarloVariations)
            return KarloEmbedder(folder, TextStage.Of(folder, "tokenizer", "text_encoder", keep), type, keep);
        if (folder.Has("prior") && folder.Has("prior_text_encoder"))
            return StableEmbedder(folder, type, keep);
        throw new WeightsException($"{folder.Path} is a {folder.ClassName} "
            + $"and has no prior: a prior comes from {Karlo}, {Stable} or {string.Join(", ", KandinskyPriors)}.");
    }

    private static PriorStage KarloEmbedder(PipelineFolder folder, TextStage texts, ScalarType type, bool keep) =>
        new(folder, (texts, Pictures(folder, keep)), texts.Features, keep, type, "prior_scheduler");

    /// <summary>The first half of Stable unCLIP: a text tower of the prior's own, or none where images alone are varied.</summary>
    internal static PriorStage StableEmbedder(PipelineFolder folder, ScalarType type, bool keep)
    {
        var features = ConfigFile.Read<StableUnClipImageNormalizerConfig>(folder.Of("image_normalizer")).EmbeddingDim;
        var texts = folder.Has("prior_text_encoder") ? TextStage.Of(folder, "prior_tokenizer", "prior_text_encoder", keep) : null;
        return new PriorStage(folder, (texts, Pictures(folder, keep)), features, keep, type, "prior_scheduler");
    }

    private static ImageStage? Pictures(PipelineFolder folder, bool keep) =>
        folder.Has("image_encoder") ? ImageStage.Of(folder, "feature_extractor", "image_encoder", keep) : null;

    /// <summary>Requires the same CLIP text tower in two folders: equal widths alone do not prove it.</summary>
    private static void RequireOneSpace(PipelineFolder decoder, PipelineFolder prior)
    {
        if (Fingerprint(decoder) is { } ours && Fingerprint(prior) is { } theirs && ours != theirs)
        {
            throw new WeightsException(
                $"The prior of {prior.Name} was trained in another embedding space "
                    + $"({theirs}) than that of {decoder.Name} ({ours}); use a prior that was trained on the CLIP of {decoder.Name}.");
        }
    }

    private static string? Fingerprint(PipelineFolder folder) =>
        TextStage.FingerprintOf(folder, folder.Has("prior_text_encoder") ? "prior_text_encoder" : "text_encoder");

    /// <summary>Kandinsky is published as two repositories, whose folders are kept next to each other under their own names.</summary>
    private static PipelineFolder KandinskyPriorBeside(PipelineFolder decoder)
    {
        var wanted = decoder.ClassName.StartsWith("KandinskyV22", StringComparison.Ordinal) ? "KandinskyV22Prior" : "KandinskyPrior";
        var found = Beside(decoder).Where(folder => folder.ClassName.StartsWith(wanted, StringComparison.Ordinal)).ToArray();
        return found switch
        {
            [var only] => only,
            [] => throw new WeightsException(
                $"{decoder.Name} is a decoder alone ({decoder.ClassName}): name the folder of its prior ({wanted}Pipeline) with --prior."),
            _ => throw new WeightsException($"{decoder.Name} has several "
                + $"priors next to it ({string.Join(", ", found.Select(folder => folder.Name))}): name one with --prior."),
        };
    }
}
