using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Published;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>CLIP for a model that has no image encoder: it scores images by their prompts, and guides them by its gradient.</summary>
/// <param name="Name">Name of the CLIP.</param>
/// <param name="Texts">Text tower with a projection.</param>
/// <param name="Images">Image tower.</param>
internal sealed record ClipJudge(string Name, TextStage Texts, ImageStage Images) : IDisposable
{
    /// <summary>Tensors of a whole CLIP that its text tower, or its image tower, does not have.</summary>
    private static readonly StateDictOptions
        TextOnly = new() { Ignored = ["vision_model.*", "visual_projection.*", "logit_scale", "*.position_ids"] },
        ImageOnly = new() { Ignored = ["text_model.*", "text_projection.*", "logit_scale", "*.position_ids"] };

    /// <summary>
    /// Opens a CLIP in the layout of transformers, or the towers of an unCLIP model such as mini; weights are read when first needed.
    /// </summary>
    /// <param name="path">Folder of the model.</param>
    /// <param name="keep">True keeps the towers in memory between two calls.</param>
    /// <exception cref="WeightsException">The folder is neither.</exception>
    public static ClipJudge Open(string path, bool keep)
    {
        var name = CheckpointFolder.NameOf(path);
        if (PipelineFolder.IsOne(path))
        {
            var (folder, prefix) = (PipelineFolder.Open(path), "");
            if (folder.Has("prior_text_encoder")) prefix = "prior_";
            if (!folder.Has("image_encoder")
                || folder.Components.GetValueOrDefault(prefix + "text_encoder") != "CLIPTextModelWithProjection")
                throw new WeightsException($"{folder.Name} has no CLIP with "
                    + $"both towers, so it scores no images (--judge); name a CLIP such as clip-vit-l-14, or mini.");
            var processor = folder.Has("feature_extractor") ? "feature_extractor" : "image_processor";
            return new ClipJudge(name, TextStage.Of(folder, prefix + "tokenizer", prefix + "text_encoder", keep),
                ImageStage.Of(folder, processor, "image_encoder", keep));
        }

        var file = Path.Combine(path, "config.json");
        if (!File.Exists(file) || ConfigFile.ClassName(file) != "CLIPModel")
            throw new WeightsException($"{path} is not a CLIP in the layout "
                + $"of transformers (CLIPModel), so it scores no images (--judge); name one such as clip-vit-l-14, or mini.");
        var config = ConfigFile.Read<ClipConfig>(path);
        var (text, vision) = (config.TextConfig with { ProjectionDim = config.ProjectionDim },
            config.VisionConfig with { ProjectionDim = config.ProjectionDim });
        var texts = new TextStage(
            ClipTokenizer.Load(path), new(() => Load(() => new ClipTextModel(text, projects: true), path, TextOnly), keep),
            config.ProjectionDim, new Lazy<string?>(() => null));
        return new ClipJudge(name, texts, new ImageStage(ClipImageProcessor.Load(path),
            new(() => Load(() => new ClipVisionModel(vision, projects: true), path, ImageOnly), keep), vision.ImageSize));
    }

    /// <summary>Text embeddings, [texts, width], not normalised.</summary>
    public Tensor EncodeTexts(IReadOnlyList<string> texts, Action<RunNote>? note = null) =>
        Texts.Encode(texts, trace: null, note).TextEmbedding;

    /// <inheritdoc/>
    public void Dispose()
    {
        Texts.Dispose();
        Images.Dispose();
    }

    private static T Load<T>(Func<T> build, string path, StateDictOptions options) where T : TorchSharp.torch.nn.Module
    {
        using var weights = CheckpointFolder.OpenWeights(path);
        return (T)ComponentCatalog.Load(build, weights, options);
    }
}
