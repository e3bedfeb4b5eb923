using Alebrije.Models.Priors;
using Alebrije.Pipelines.Kandinsky;
using Alebrije.Pipelines.Priors;
using Alebrije.Pipelines.StableUnClip;
using Alebrije.Pipelines.UnClip;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>Which halves of unCLIP a published folder holds, by the class that its index names.</summary>
internal static class UnClipFolder
{
    private const string Karlo = "UnCLIPPipeline", KarloVariations = "UnCLIPImageVariationPipeline", Stable = "StableUnCLIPPipeline", StableImg2Img = "StableUnCLIPImg2ImgPipeline";

    private static readonly string[] KandinskyDecoders =
    [
        "KandinskyPipeline", "KandinskyImg2ImgPipeline", "KandinskyInpaintPipeline", "KandinskyV22Pipeline", "KandinskyV22Img2ImgPipeline",
        "KandinskyV22InpaintPipeline", "KandinskyV22ControlnetPipeline", "KandinskyV22ControlnetImg2ImgPipeline",
    ];

    private static readonly string[] KandinskyPriors = ["KandinskyPriorPipeline", "KandinskyV22PriorPipeline", "KandinskyV22PriorEmb2EmbPipeline"];

    /// <summary>Whether a pipeline of this class draws pictures from image embeddings.</summary>
    public static bool Knows(string className) =>
        className is Karlo or KarloVariations or Stable or StableImg2Img || KandinskyDecoders.Contains(className);

    /// <summary>Whether a folder is of the Stable unCLIP layout.</summary>
    public static bool IsStable(PipelineFolder folder) => folder.ClassName is Stable or StableImg2Img;

    /// <summary>Opens both halves, from one folder or from two.</summary>
    /// <exception cref="WeightsException">The class is none of unCLIP's, a half is missing, or the two do not belong together.</exception>
    public static UnClipPipeline Open(PipelineFolder folder, UnClipOptions options)
    {
        if (KandinskyPriors.Contains(folder.ClassName))
            throw new WeightsException($"{folder.Name} is the prior alone ({folder.ClassName}): name the folder of a decoder, and this one as its prior (--prior).");
        if (!Knows(folder.ClassName))
            throw new WeightsException($"{folder.Path} is a {folder.ClassName}; pictures are drawn here by {Karlo}, {KarloVariations}, {Stable}, {StableImg2Img}, {string.Join(", ", KandinskyDecoders)}.");
        folder.CheckWeights();
        var keep = options.KeepLoaded ?? ModelMemory.FitsTwice(folder);
        var type = Processor.ScalarType(options.Precision);
        var priorType = (options.PriorPrecision ?? options.Precision) == Precision.Bf16 ? ScalarType.BFloat16 : ScalarType.Float32;
        var elsewhere = options.PriorFolder is { } path && PipelineFolder.IsOne(path) ? PipelineFolder.Open(path) : null;
        if (IsStable(folder))
        {
            var decoder = new StableUnClipDecoder(folder, options.Precision, keep);
            return new UnClipPipeline(folder.Name, StableEmbedder(folder, priorType, keep), decoder, decoder.Defaults);
        }

        ClipEmbedder? prior = null;
        if (elsewhere is not null)
        {
            RequireOneSpace(folder, elsewhere);
            prior = Embedder(elsewhere, priorType, keep);
        }

        if (KandinskyDecoders.Contains(folder.ClassName))
        {
            prior ??= Embedder(options.CompanionFolder is { } own ? PipelineFolder.Open(own) : KandinskyPriorBeside(folder), priorType, keep);
            return new UnClipPipeline(folder.Name, prior, new KandinskyDecoder(folder, type, keep), GenerationDefaults.Load(folder.Path, GenerationDefaults.OfKandinsky));
        }

        // One tokenizer and text encoder serve prior and decoder.
        var texts = TextStage.Of(folder, "tokenizer", "text_encoder", keep);
        return new UnClipPipeline(
            folder.Name, prior ?? KarloEmbedder(folder, texts, priorType, keep), new KarloDecoder(folder, texts, type, keep), GenerationDefaults.Load(folder.Path, GenerationDefaults.OfKarlo));
    }

    /// <summary>The first half of a folder.</summary>
    private static ClipEmbedder Embedder(PipelineFolder folder, ScalarType type, bool keep)
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
