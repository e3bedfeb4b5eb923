using Alebrije.Models.Clip;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Published;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>The frozen CLIP that priors and decoders are trained on, such as a run of <see cref="ClipTrainer"/>.</summary>
internal sealed class TrainedClip : IDisposable
{
    /// <summary>File of the preprocessing settings.</summary>
    public const string PreprocessorFile = PreprocessorConfig.FileName;

    private const string VisionComponent = "image_encoder";
    private static readonly string[] TokenizerNames = ["vocab.json",
        "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];
    private readonly ClipImageProcessor processor;

    private TrainedClip(ClipNetwork network, ClipTokenizer tokenizer, ClipImageProcessor processor)
    {
        (Network, Tokenizer) = (network, tokenizer);
        this.processor = processor;
    }

    public ClipNetwork Network { get; }

    public ClipTokenizer Tokenizer { get; }

    /// <summary>Fingerprint of the embedding space (<see cref="Pipelines.Priors.PriorSpaces"/>).</summary>
    public string Space => Pipelines.Priors.PriorSpaces.FingerprintOf(Network.TextProjection);

    /// <summary>Width of an embedding.</summary>
    public int Features => Network.Config.ProjectionDim;

    /// <summary>Length of a padded text in tokens.</summary>
    public int Tokens => Network.Config.TextConfig.MaxPositionEmbeddings;

    /// <summary>Preprocessing of images.</summary>
    public ClipImageProcessor Processor => processor;

    /// <summary>
    /// Opens a run's folder (<c>clip/</c> and <c>tokenizer/</c>), the two towers of a model such as <c>mini</c>, a published folder of a
    /// <c>CLIPModel</c> or of open_clip, or a <c>.pt</c> file of openai/CLIP: ViTs with a class token, in transformers' names.
    /// </summary>
    /// <exception cref="CheckpointNotFoundException">The folder has none of these layouts.</exception>
    /// <exception cref="WeightsException">Its towers are of another kind.</exception>
    public static TrainedClip Open(string folder)
    {
        var network = OpenClip(folder) is not null ? new ClipNetwork(ConfigOf(folder)) : ComponentCatalog.BuildFor(
            IsModel(folder) ? [Path.Combine(folder, TextComponent(folder)), Path.Combine(folder, VisionComponent)] : [WholeFolder(folder)],
            () => new ClipNetwork(ConfigOf(folder)));
        Copy(folder, network);
        network.eval();
        foreach (var parameter in network.parameters()) parameter.requires_grad = false;
        if (OpenClip(folder) is { } other)
        {
            var tokenizer = ClipTokenizer.Create(
                BpeVocabulary.OpenAi(), ClipDialect.Transformers, TextLength(other), BpeVocabulary.EndToken);
            return new TrainedClip(network, tokenizer, new ClipImageProcessor(Pictures(other)));
        }

        var processor = Preprocessor(folder) is { } settings ? ClipImageProcessor.Load(settings)
            : ClipImageProcessor.Transformers(network.Config.VisionConfig.ImageSize);
        return new TrainedClip(network, ClipTokenizer.Load(TokenizerFolder(folder)), processor);
    }

    /// <summary>Sizes of such a folder's network.</summary>
    /// <exception cref="CheckpointNotFoundException">It holds no CLIP that can be trained.</exception>
    /// <exception cref="WeightsException">Its towers are of a kind that is not trained here.</exception>
    public static ClipConfig ConfigOf(string folder) => IsModel(folder) ? TowersConfig(folder)
        : OpenClip(folder) is { } other ? Trainable(other) : ConfigFile.Read<ClipConfig>(WholeFolder(folder));

    /// <summary>A sentence about settings assumed because the folder's files lack them; null: none.</summary>
    public static string? AssumptionOf(string folder) => OpenClip(folder)?.OpenClipConfig!.Assumption;

    /// <summary>True if such a folder keeps the logit scale; the separate towers of a model do not.</summary>
    public static bool HasLogitScale(string folder) => !IsModel(folder);

    /// <summary>Writes such a folder's tokenizer in transformers' layout, whose rules replace the text cleaning of openai/CLIP.</summary>
    public static void CopyTokenizer(string folder, string target)
    {
        WrittenFile.MakeFolder(target);
        if (OpenClip(folder) is { } other) BpeVocabulary.OpenAi().Save(target, TextLength(other), BpeVocabulary.EndToken);
        else
            foreach (var file in Directory.GetFiles(TokenizerFolder(folder))
                .Where(file => TokenizerNames.Contains(Path.GetFileName(file), StringComparer.Ordinal)))
                WrittenFile.Copy(file, Path.Combine(target, Path.GetFileName(file)));
    }

    /// <summary>Writes such a folder's preprocessing settings, if any, into a folder of weights.</summary>
    public static void CopyPreprocessor(string folder, string target)
    {
        var path = Path.Combine(target, PreprocessorFile);
        if (OpenClip(folder) is { } other) AtomicFile.Write(path, stream => stream.Write(PreprocessorConfig.Write(Pictures(other))));
        else if (Preprocessor(folder) is { } settings)
        {
            WrittenFile.MakeFolder(target);
            if (!PreprocessorConfig.HoldsNested(settings)) WrittenFile.Copy(settings, path);
            else AtomicFile.Write(path, stream => stream.Write(PreprocessorConfig.Write(ClipImageProcessor.Load(settings).Options)));
        }
    }

    /// <summary>Copies such a folder's weights into a network of the same sizes. Without a logit scale, it keeps its own.</summary>
    public static void Copy(string folder, ClipNetwork network)
    {
        if (OpenClip(folder) is { } other) OpenClipFolder.Fill(network, other.OpenClip!);
        else if (!IsModel(folder)) ComponentCatalog.Fill("CLIPModel", network, WholeFolder(folder));
        else
        {
            ComponentCatalog.Fill("CLIPTextModelWithProjection", network.Text, Path.Combine(folder, TextComponent(folder)));
            ComponentCatalog.Fill("CLIPVisionModelWithProjection", network.Vision, Path.Combine(folder, VisionComponent));
        }
    }

    /// <summary>The file with such a folder's preprocessing settings, or null.</summary>
    private static string? Preprocessor(string folder) =>
        PreprocessorConfig.FileOf(IsModel(folder) ? Path.Combine(folder, "feature_extractor") : WholeFolder(folder));

    /// <summary>Tokenizer's folder of such a folder.</summary>
    private static string TokenizerFolder(string folder) =>
        IsModel(folder) ? Path.Combine(folder, TextComponent(folder) == "text_encoder" ? "tokenizer" : "prior_tokenizer")
        : IsRun(folder) ? Path.Combine(folder, "tokenizer") : folder;

    /// <summary>The files of a CLIP in OpenAI's names; null where the folder has another layout.</summary>
    private static ClipModelFolder? OpenClip(string folder) =>
        IsModel(folder) || IsRun(folder) || ClipModelFolder.OpenClipOf(folder) is null ? null : ClipModelFolder.Open(folder);

    /// <summary>Sizes that transformers' layout, which a run keeps, can hold.</summary>
    private static ClipConfig Trainable(ClipModelFolder files)
    {
        var (config, end) = (files.OpenClipConfig!.ToClip(), BpeVocabulary.OpenAi().Tokens.Count - 1);
        return config.Obstacle(end) is not { } obstacle ? config with { TextConfig = config.TextConfig with { EosTokenId = end } }
            : throw new WeightsException($"{files.Path} cannot be trained further: {obstacle}. A vision transformer that is pooled at a "
                + "class token, with a causal text tower, can be trained.");
    }

    /// <summary>Preparation of images by transformers' rules: at most the crop differs by a pixel.</summary>
    private static ClipImageOptions Pictures(ClipModelFolder files)
    {
        var options = files.LoadImageProcessor().Options with { Convention = ImageConvention.Transformers };
        return options.Fit == ImageFit.Longest ? throw new WeightsException($"{files.Path} cannot be trained further: its images get "
                + "borders (resize_mode longest), which transformers' settings do not support.")
            : options.Fit == ImageFit.Squash ? options with { DoCrop = false } : options;
    }

    /// <summary>Tokens of a row for the published vocabulary, cleaned and cut as usual; a run's files can express nothing else.</summary>
    private static int TextLength(ClipModelFolder files)
    {
        var tokenizer = files.LoadTokenizer();
        return tokenizer is ClipTokenizer { Dialect: ClipDialect.OpenAi or ClipDialect.OpenClip } ? tokenizer.MaxLength
            : throw new WeightsException(
                $"{files.Path} cannot be trained further: its texts are cleaned or cut in another way than CLIP's.");
    }

    private static bool IsModel(string folder) => File.Exists(Path.Combine(folder, "model_index.json"));

    private static bool IsRun(string folder) => File.Exists(Path.Combine(folder, "clip", "config.json"));

    /// <summary>Folder that holds both towers in one file.</summary>
    private static string WholeFolder(string folder)
    {
        if (IsRun(folder)) return Path.Combine(folder, "clip");
        if (!Directory.Exists(folder)) throw new CheckpointNotFoundException($"there is no folder {folder}.");
        return File.Exists(Path.Combine(folder, "config.json"))
            && ConfigFile.ClassName(folder) == "CLIPModel" ? folder : throw new CheckpointNotFoundException(
            $"{folder} holds no CLIP that can be trained on: that is a run of train clip, a model with prior_text_encoder "
                + $"and image_encoder such as mini, a folder of transformers' CLIPModel or of open_clip, or a .pt file of openai/CLIP.");
    }

    /// <summary>A pipeline's text tower into the joint space; the tokenizer is its namesake.</summary>
    private static string TextComponent(string folder) =>
        Directory.Exists(Path.Combine(folder, "prior_text_encoder")) ? "prior_text_encoder" : "text_encoder";

    private static ClipConfig TowersConfig(string folder)
    {
        var text = ConfigFile.Read<ClipTextConfig>(Path.Combine(folder, TextComponent(folder)));
        return new ClipConfig
        {
            ProjectionDim = text.ProjectionDim, TextConfig = text,
            VisionConfig = ConfigFile.Read<ClipVisionConfig>(Path.Combine(folder, VisionComponent)),
        };
    }

    /// <summary>Preprocesses an image for the image tower, on the calling thread.</summary>
    public float[] Prepare(RgbImage picture) => processor.Prepare(picture);

    /// <summary>Padded ids of a text and their number before padding.</summary>
    public (long[] Ids, int Length) Prepare(string text)
    {
        var row = Tokenizer.EncodeBatch([text], Tokens, out var lengths)[0];
        return ([.. row.Select(id => (long)id)], lengths[0]);
    }

    /// <summary>Image embeddings.</summary>
    /// <param name="pixels">[batch, 3, size, size]</param>
    /// <param name="dtype">Type of the computation.</param>
    public Tensor Images(Tensor pixels, ScalarType dtype)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        return Network.Vision.Embed(pixels, dtype).to(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    /// <summary>Text embeddings, encodings and masks.</summary>
    /// <param name="ids">[batch, tokens] int64, padded</param>
    /// <param name="lengths">Ids that are text, per row.</param>
    /// <param name="dtype">Type of the computation; null: that of the weights.</param>
    public (Tensor Embeddings, Tensor Encodings, Tensor Mask) Texts(Tensor ids, IReadOnlyList<int> lengths, ScalarType? dtype = null)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var output = Network.Text.Encode(ids, dtype: dtype);
        var mask = TokenTensors.Mask(lengths, ids.shape[1]);
        var embeddings = Network.Text.Project(output.Pooled).MoveToOuterDisposeScope();
        return (embeddings, output.LastHiddenState.MoveToOuterDisposeScope(), mask.MoveToOuterDisposeScope());
    }

    /// <inheritdoc/>
    public void Dispose() => Network.Dispose();
}
