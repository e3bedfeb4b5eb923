using Alebrije.Models.Clip;
using Alebrije.Nn;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Published;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>Texts to embeddings.</summary>
/// <param name="Tokenizer">Texts to ids.</param>
/// <param name="Length">Ids of a padded row.</param>
/// <param name="Network">Ids to embeddings.</param>
internal sealed record ClipTextTower(ITextTokenizer Tokenizer, int Length, ClipTextModel Network);

/// <summary>Images to embeddings.</summary>
/// <param name="Processor">Images to pixels.</param>
/// <param name="Network">Pixels to embeddings.</param>
internal sealed record ClipImageTower(ClipImageProcessor Processor, ClipVisionModel Network)
{
    /// <summary>Side of a prepared image.</summary>
    public int Size => Network.Config.ImageSize;
}

/// <summary>The towers of a <see cref="ClipModel"/>, loaded.</summary>
internal sealed class ClipModelParts : IDisposable
{
    private readonly List<nn.Module> modules = [];

    private ClipModelParts(ClipNetwork network)
    {
        Source = ClipModelFolder.None;
        modules.Add(network);
        Dimensions = network.Config.ProjectionDim;
        Text = new ClipTextTower(ClipTokenizer.OpenAi(), network.Config.TextConfig.MaxPositionEmbeddings, network.Text);
        Image = new ClipImageTower(ClipImageProcessor.OpenAi(network.Config.VisionConfig.ImageSize), network.Vision);
    }

    private ClipModelParts(ClipModelFolder folder)
    {
        Source = folder;
        var whole = folder.OpenClip is { } openClip ? Keep(OpenClipFolder.Load(openClip))
            : folder.WholeModel is { } path ? Keep(ComponentCatalog.Load<ClipNetwork>("CLIPModel", path)) : null;
        if (whole is not null)
            using (var scale = whole.LogitScale.detach().to(ScalarType.Float32)) LogitScale = Math.Exp(scale.item<float>());
        var text = whole?.Text ?? (folder is { TextModel: { } textFolder, Tokenizer: not null }
            ? Keep(ComponentCatalog.Load<ClipTextModel>("CLIPTextModelWithProjection", textFolder)) : null);
        var vision = whole?.Vision ?? (folder is { VisionModel: { } visionFolder, HasImageProcessor: true }
            ? Keep(ComponentCatalog.Load<ClipVisionModel>("CLIPVisionModelWithProjection", visionFolder)) : null);
        if (text is not null) Text = folder.TextTower(text);
        if (vision is not null && folder.HasImageProcessor) Image = new ClipImageTower(folder.LoadImageProcessor(), vision);

        if (Text is null && Image is null)
            throw new WeightsException($"{folder.Path} embeds nothing: {folder.WhyNoText}, and {folder.WhyNoImages}.");
        var (fromText, fromImages) = (text?.Config.ProjectionDim, vision?.Config.ProjectionDim);
        if (Text is not null && Image is not null && fromText != fromImages)
            throw new WeightsException($"{folder.Path} has a text tower "
                + $"with {fromText} numbers an embedding and an image tower with {fromImages}: they are not of one CLIP.");
        Dimensions = (Image is null ? fromText : fromImages)!.Value;
    }

    private ClipModelFolder Source { get; }

    public string Folder => Source.Path;
    public string Name => Source.Name;
    public string WhyNoText => Source.WhyNoText;
    public string WhyNoImages => Source.WhyNoImages;
    public int Dimensions { get; }
    public double LogitScale { get; } = ClipModel.UsualLogitScale;
    public ClipTextTower? Text { get; }
    public ClipImageTower? Image { get; }
    public IEnumerable<nn.Module> Modules => modules;

    /// <summary>Notes on values that the files do not contain and that were assumed.</summary>
    public IReadOnlyList<string> Assumptions => Source.OpenClipConfig?.Assumption is { } assumption ? [assumption] : [];

    public static ClipModelParts Load(string folder) => new(ClipModelFolder.Open(folder));

    /// <summary>Towers of given sizes that have learnt nothing: they cost the time of trained ones.</summary>
    public static ClipModelParts Random(ClipConfig config)
    {
        using var quiet = no_grad();
        var network = new ClipNetwork(config);
        network.eval();

        // openai/CLIP initialises embeddings with these; PyTorch's default std of 1 hides the tokens.
        foreach (var (name, parameter) in network.named_parameters())
            if (name.Contains("embedding", StringComparison.Ordinal) && parameter.dim() <= 2) parameter.mul_(0.02);
        return new ClipModelParts(network);
    }

    public void Dispose()
    {
        foreach (var module in modules) module.Dispose();
    }

    private T Keep<T>(T network) where T : nn.Module
    {
        modules.Add(network);
        return network;
    }
}

/// <summary>Location of the CLIP in a folder; reads no weights.</summary>
internal sealed class ClipModelFolder
{
    private readonly Lazy<OpenClipConfig?> openClipConfig;
    private string? processor;

    private ClipModelFolder(string path)
    {
        Path = path;
        Name = CheckpointFolder.NameOf(path);
        openClipConfig = new(() => OpenClip is { } openClip ? OpenClipFolder.ConfigOf(openClip) : null);
    }

    /// <summary>Origin of a model with random weights.</summary>
    public static ClipModelFolder None { get; } = new("random weights");

    public string Path { get; }
    public string Name { get; }

    /// <summary>Folder of a CLIPModel: both towers in one file.</summary>
    public string? WholeModel { get; private set; }

    /// <summary>Folder of a CLIPTextModelWithProjection.</summary>
    public string? TextModel { get; private set; }

    /// <summary>Folder of a CLIPVisionModelWithProjection.</summary>
    public string? VisionModel { get; private set; }

    /// <summary>Folder of open_clip's, or a file of openai/CLIP's: both towers in OpenAI's names.</summary>
    public string? OpenClip { get; private init; }

    /// <summary>Sizes of <see cref="OpenClip"/>, read on first use.</summary>
    public OpenClipConfig? OpenClipConfig => openClipConfig.Value;

    /// <summary>Folder of the tokenizer's files.</summary>
    public string? Tokenizer { get; private set; }

    /// <summary>True if images can be prepared as the checkpoint specifies.</summary>
    public bool HasImageProcessor => OpenClip is not null || processor is not null || TrainedSize is not null;

    /// <summary>
    /// Size of the image tower of a run of this project's own trainer, which prepares images as transformers does by default.
    /// </summary>
    private int? TrainedSize { get; set; }

    public string WhyNoText { get; private set; } = "";
    public string WhyNoImages { get; private set; } = "";

    /// <summary>True if it embeds texts and images.</summary>
    public bool HasBothTowers => (OpenClip is not null || WholeModel is not null || (TextModel is not null && VisionModel is not null))
        && (OpenClip is not null || Tokenizer is not null) && HasImageProcessor;

    /// <summary>Determines the kind of a folder.</summary>
    /// <exception cref="CheckpointNotFoundException">There is no such folder, or it contains no supported model.</exception>
    /// <exception cref="WeightsException">It is of another kind.</exception>
    public static ClipModelFolder Open(string path)
    {
        var folder = new ClipModelFolder(path) { OpenClip = OpenClipOf(path) };
        if (folder.OpenClip is not null) return folder;
        if (!Directory.Exists(path) && SingleFileLayout.FileOf(path) is null)
            throw new CheckpointNotFoundException($"There is no folder {path}.");
        if (File.Exists(System.IO.Path.Combine(path, "model_index.json"))) folder.FromPipeline(PipelineFolder.Open(path));
        else if (File.Exists(System.IO.Path.Combine(path, "config.json"))) folder.FromComponent();
        else if (File.Exists(System.IO.Path.Combine(path, "clip", "config.json"))) folder.FromRun();
        else if (SingleFileLayout.FileOf(path) is not null)
        {
            throw new WeightsException(
                $"{path} is a file of weights without a CLIP of both towers; "
                    + $"texts and images are embedded by a CLIP, or by a model of unCLIP such as mini.");
        }
        else throw new CheckpointNotFoundException($"{path} is not a model: it has neither model_index.json "
            + $"(a pipeline) nor config.json (a CLIP of transformers) nor open_clip_config.json, and no single .pt file of OpenAI's.");
        return folder;
    }

    /// <summary>Path of a CLIP in OpenAI's names: the path itself, or OpenAI's file in it; null for another layout.</summary>
    public static string? OpenClipOf(string path) =>
        IsPublishedFolder(path) ? null : IsOpenClip(path) ? path : OpenClipFolder.PickleOf(path);

    /// <summary>The tokenizer.</summary>
    /// <exception cref="WeightsException">There is none; the message gives the reason.</exception>
    public ITextTokenizer LoadTokenizer() =>
        (OpenClipConfig is { } config ? OpenClipTokenizer(config.TextCfg) : Tokenizer is { } folder ? ClipTokenizer.Load(folder) : null)
            ?? throw new WeightsException($"{Path} has no tokenizer: {WhyNoText}.");

    /// <summary>
    /// A text tower with the tokenizer of the folder; null if that is missing, with the reason in <see cref="WhyNoText"/>.
    /// </summary>
    /// <exception cref="WeightsException">The tokenizer has more symbols than the network.</exception>
    public ClipTextTower? TextTower(ClipTextModel network)
    {
        var config = network.Config;
        if (OpenClipConfig is { } sizes)
            return OpenClipTokenizer(sizes.TextCfg) is { } theirs ? new ClipTextTower(theirs, config.MaxPositionEmbeddings, network) : null;
        if (Tokenizer is null) return null;
        var tokenizer = ClipTokenizer.Load(Tokenizer);
        if (tokenizer.VocabularySize > config.VocabSize)
            throw new WeightsException($"{Tokenizer} has {tokenizer.VocabularySize} symbols, but the text tower has {config.VocabSize}: "
                + "tokenizer and weights do not belong together.");
        return new ClipTextTower(tokenizer, Math.Min(tokenizer.MaxLength, config.MaxPositionEmbeddings), network);
    }

    /// <summary>
    /// CLIP's tokenizer in the dialect of an open_clip folder or an OpenAI file, or the unigram tokenizer that the folder holds; null where
    /// it has neither: then <see cref="WhyNoText"/> gives the reason.
    /// </summary>
    private ITextTokenizer? OpenClipTokenizer(OpenClipTextConfig text)
    {
        if (text.HfTokenizerName is not null && UnigramTokenizer.IsIn(Path))
        {
            // open_clip keeps capitals where the tokenizer is not CLIP's, unless configured otherwise.
            var unigram = UnigramTokenizer.LoadForOpenClip(Path, OpenClipPreparation.DialectOf(Path, ClipDialect.OpenClipWhitespace));
            return unigram.VocabularySize <= text.VocabSize ? unigram
                : throw new WeightsException($"{Path} has {unigram.VocabularySize} "
                    + $"symbols, but the text tower has {text.VocabSize}: tokenizer and weights do not belong together.");
        }

        var known = BpeVocabulary.OpenAi().Tokens.Count;
        WhyNoText = text.HfTokenizerName is { } other ? $"its texts are read by the tokenizer {other}, which is not built "
            + $"in; of those, spiece.model, sentencepiece.bpe.model and a unigram tokenizer.json are read where they lie in the folder"
            : IsOpenClip(Path) && OpenClipPreparation.UnknownRule(Path) is { } rule
            ? $"its texts are prepared by {rule}, which is not built in"
            : text.VocabSize != known ? $"its vocabulary has {text.VocabSize} symbols and CLIP's {known}" : "";
        if (WhyNoText.Length > 0) return null;
        return ClipTokenizer.OpenAi(IsOpenClip(Path) ? OpenClipPreparation.DialectOf(Path) : ClipDialect.OpenAi, text.ContextLength);
    }

    /// <summary>The preparation of images.</summary>
    /// <exception cref="WeightsException">There is none; the message gives the reason.</exception>
    public ClipImageProcessor LoadImageProcessor() =>
        OpenClipConfig?.ToClip().VisionConfig.ImageSize is { } side
            ? IsOpenClip(Path) ? OpenClipPreparation.ProcessorOf(Path, side) : ClipImageProcessor.OpenAi(side)
        : processor is not null ? ClipImageProcessor.Load(processor)
        : TrainedSize is { } size ? ClipImageProcessor.Transformers(size)
        : throw new WeightsException($"{Path} does not contain the preprocessing of images: {WhyNoImages}.");

    private static bool IsOpenClip(string path) => File.Exists(System.IO.Path.Combine(path, OpenClipConfig.FileName))
        && !IsPublishedFolder(path);

    /// <summary>
    /// Folders that hold both layouts are read in transformers'; timm's have a config.json too, of no class that is known here.
    /// </summary>
    private static bool IsPublishedFolder(string path) => File.Exists(System.IO.Path.Combine(path, "model_index.json"))
        || (File.Exists(System.IO.Path.Combine(path, "config.json"))
            && ConfigFile.ClassName(path) is { } name && name.StartsWith("CLIP", StringComparison.Ordinal));

    private void FromPipeline(PipelineFolder pipeline)
    {
        var (text, tokenizer) = pipeline.Has("prior_text_encoder") ? ("prior_text_encoder", "prior_tokenizer")
            : ("text_encoder", "tokenizer");
        var textClass = pipeline.Components.GetValueOrDefault(text);
        if (textClass == "CLIPTextModelWithProjection" && pipeline.Has(tokenizer)) TextModel = pipeline.Of(text);
        else WhyNoText = textClass is null ? $"this {pipeline.ClassName} has no text encoder"
            : $"its {text} is a {textClass}, which does not lead into CLIP's joint space";
        if (pipeline.Has(tokenizer)) Tokenizer = pipeline.Of(tokenizer);

        var visionClass = pipeline.Components.GetValueOrDefault("image_encoder");
        var preparation = pipeline.Has("feature_extractor") ? "feature_extractor" : "image_processor";
        if (visionClass == "CLIPVisionModelWithProjection" && pipeline.Has(preparation)) VisionModel = pipeline.Of("image_encoder");
        else WhyNoImages = visionClass is null ? $"this {pipeline.ClassName} has no image encoder"
            : $"its image_encoder is a {visionClass} without a {preparation}";
        if (pipeline.Has(preparation)) processor = pipeline.Of(preparation);
    }

    private void FromComponent()
    {
        var className = ConfigFile.ClassName(Path);
        if (className is not ("CLIPModel" or "CLIPTextModelWithProjection" or "CLIPVisionModelWithProjection"))
            throw new WeightsException($"{Path} holds {className ?? "a model of no class"}; texts and images are "
                + $"embedded by a CLIPModel, a CLIPTextModelWithProjection, a CLIPVisionModelWithProjection or a pipeline that has them.");
        if (className == "CLIPModel") WholeModel = Path;
        if (className == "CLIPTextModelWithProjection") TextModel = Path;
        if (className == "CLIPVisionModelWithProjection") VisionModel = Path;

        if (className != "CLIPVisionModelWithProjection" && (Has("vocab.json") || Has("tokenizer.json"))) Tokenizer = Path;
        if (className != "CLIPTextModelWithProjection" && PreprocessorConfig.FileOf(Path) is not null) processor = Path;
        WhyNoText = className == "CLIPVisionModelWithProjection" ? "a CLIPVisionModelWithProjection has no text tower"
            : "its tokenizer is missing (vocab.json and merges.txt, or tokenizer.json)";
        WhyNoImages = className == "CLIPTextModelWithProjection" ? "a CLIPTextModelWithProjection has no image tower"
            : $"its {PreprocessorConfig.FileName} is missing, and no {PreprocessorConfig.ProcessorFileName} holds an image_processor";

        bool Has(string file) => File.Exists(System.IO.Path.Combine(Path, file));
    }

    private void FromRun()
    {
        WholeModel = System.IO.Path.Combine(Path, "clip");
        TrainedSize = ConfigFile.Read<ClipConfig>(WholeModel).VisionConfig.ImageSize;
        if (PreprocessorConfig.FileOf(WholeModel) is not null) processor = WholeModel;
        var tokenizer = System.IO.Path.Combine(Path, "tokenizer");
        if (Directory.Exists(tokenizer)) Tokenizer = tokenizer;
        WhyNoText = $"there is no folder {tokenizer}";
    }
}
