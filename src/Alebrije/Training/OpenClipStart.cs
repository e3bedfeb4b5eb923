using Alebrije.Models.Clip;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Weights;

namespace Alebrije.Training;

/// <summary>A CLIP in OpenAI's names that training begins with: what of it a run keeps, in transformers' layout.</summary>
/// <param name="folder">A folder of open_clip, a <c>.pt</c> file of openai/CLIP, or a folder with one.</param>
internal sealed class OpenClipStart(string folder)
{
    private readonly ClipModelFolder files = ClipModelFolder.Open(folder);

    /// <summary>Where the weights are.</summary>
    public string Path => files.OpenClip!;

    /// <summary>Its sizes in transformers' words.</summary>
    /// <exception cref="WeightsException">Its towers have parts that transformers' layout has no place for; one sentence.</exception>
    public ClipConfig Config()
    {
        var (config, end) = (OpenClipFolder.ConfigOf(Path), BpeVocabulary.OpenAi().Tokens.Count - 1);
        return OpenClipKeyMap.Obstacle(config, end) is not { } obstacle ? OpenClipKeyMap.ConfigOf(config, end)
            : throw new WeightsException($"{folder} cannot be trained further, for {obstacle}; a vision transformer that is read at a class token can, with a causal text tower.");
    }

    /// <summary>CLIP's tokenizer by transformers' rules.</summary>
    public ClipTokenizer Vocabulary() => ClipTokenizer.Create(BpeVocabulary.OpenAi(), ClipDialect.Transformers, Length(), BpeVocabulary.EndToken);

    /// <summary>Writes what <see cref="Vocabulary"/> gives.</summary>
    public void SaveVocabulary(string target) => BpeVocabulary.OpenAi().Save(target, Length(), BpeVocabulary.EndToken);

    /// <summary>How pictures are prepared, by transformers' rules: at most the crop differs by a pixel.</summary>
    public ClipImageOptions Pictures()
    {
        var options = files.LoadImageProcessor().Options with { Convention = ImageConvention.Transformers };
        return options.Fit == ImageFit.Longest ? throw new WeightsException($"{folder} cannot be trained further, for its pictures get borders (resize_mode longest), which transformers' settings have no word for.")
            : options.Fit == ImageFit.Squash ? options with { DoCrop = false } : options;
    }

    private int Length()
    {
        // The published vocabulary, cleaned and cut as it always is: anything else could not be written down.
        var tokenizer = files.LoadTokenizer();
        return tokenizer is ClipTokenizer { Dialect: ClipDialect.OpenAi or ClipDialect.OpenClip } ? tokenizer.MaxLength
            : throw new WeightsException($"{folder} cannot be trained further, for its texts are cleaned or cut in another way than CLIP's.");
    }
}
