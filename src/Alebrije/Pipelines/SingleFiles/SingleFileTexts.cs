using Alebrije.Models.Clip;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Weights;
using static Alebrije.Pipelines.Originals.OriginalConfigs;

namespace Alebrije.Pipelines.SingleFiles;

/// <summary>Text encoders of a checkpoint of one file: CLIP in the names of transformers, or open_clip's in those of OpenAI.</summary>
internal static class SingleFileTexts
{
    private const int HeadWidth = 64;

    /// <summary>Published configs hold this id: pooling takes the largest one.</summary>
    private const int EndToken = 2;

    /// <summary>Sizes of an encoder, and the relation of its names to the network's.</summary>
    /// <param name="file">The checkpoint.</param>
    /// <param name="part">The encoder.</param>
    /// <param name="kind">Kind of the checkpoint.</param>
    public static (ClipTextConfig Config, StateDictOptions Options) Of(TensorSource file, SingleFilePart part, SingleFileKind kind) =>
        kind == SingleFileKind.One || (kind == SingleFileKind.Xl && part.Component == "text_encoder")
            ? Transformers(file, part.Prefix) : OpenClip(file, part.Prefix, isPenultimate: kind != SingleFileKind.Xl);

    /// <summary>
    /// The built-in vocabulary, or that of a folder next to the file where the encoder has another number of words.
    /// </summary>
    /// <param name="path">The checkpoint.</param>
    /// <param name="component">Name of the tokenizer, and of its folder next to the file.</param>
    /// <param name="config">Sizes of its encoder.</param>
    /// <param name="padding">Symbol of the padding.</param>
    public static ClipTokenizer Tokenizer(string path, string component, ClipTextConfig config, string padding)
    {
        var known = BpeVocabulary.OpenAi();
        if (config.VocabSize == known.Tokens.Count)
            return ClipTokenizer.Create(known, ClipDialect.Transformers, config.MaxPositionEmbeddings, padding);
        var folder = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, component);
        if (!Directory.Exists(folder))
        {
            throw new CheckpointNotFoundException(
                $"{path} has a text encoder of {config.VocabSize} words, and "
                    + $"CLIP's vocabulary, which is built in, has {known.Tokens.Count}: "
                + $"put the files of its tokenizer (vocab.json and merges.txt) into {folder}.");
        }

        var tokenizer = ClipTokenizer.Load(folder);
        return tokenizer.VocabularySize == config.VocabSize ? tokenizer : throw new WeightsException(
            $"{folder} has {tokenizer.VocabularySize} words and the text "
                + $"encoder of {path} {config.VocabSize}: the two do not belong together.");
    }

    /// <summary>Some files leave out the name of the inner network.</summary>
    private static (ClipTextConfig Config, StateDictOptions Options) Transformers(TensorSource file, string prefix)
    {
        const string inner = "text_model.", tokens = "embeddings.token_embedding.weight", layers = "encoder.layers.";
        var start = file.Contains(prefix + tokens) ? prefix : prefix + inner;
        var words = Shape(file, start + tokens);                                              // [vocabulary, width]
        var config = new ClipTextConfig
        {
            VocabSize = words[0], HiddenSize = words[1], NumAttentionHeads = words[1] / HeadWidth, EosTokenId = EndToken,
            NumHiddenLayers = Count(file, start + layers), IntermediateSize = Shape(file, $"{start}{layers}0.mlp.fc1.weight")[0],
            MaxPositionEmbeddings = Shape(file, start + "embeddings.position_embedding.weight")[0],
        };
        return (config, new StateDictOptions
        {
            Prefix = prefix, Ignored = ["*.position_ids", "vision_model.*", "visual_projection.*", "text_projection.*", "logit_scale"],
            Renames = [(@"^(?=embeddings\.|encoder\.|final_layer_norm\.)", inner)],
        });
    }

    /// <param name="file">The checkpoint.</param>
    /// <param name="prefix">Start of the names of the encoder.</param>
    /// <param name="isPenultimate">
    /// True leaves the last block out, as published configs of Stable Diffusion 2 do: it reads the hidden state before that block.
    /// </param>
    private static (ClipTextConfig Config, StateDictOptions Options) OpenClip(TensorSource file, string prefix, bool isPenultimate)
    {
        const string layers = "transformer.resblocks.";
        var (words, blocks) = (Shape(file, prefix + "token_embedding.weight"), Count(file, prefix + layers));
        var options = OpenAiKeyMap.TextFromOpenAi(prefix);
        var config = new ClipTextConfig
        {
            VocabSize = words[0], HiddenSize = words[1], NumAttentionHeads = words[1] / HeadWidth,
            EosTokenId = EndToken, HiddenAct = "gelu",
            NumHiddenLayers = blocks, IntermediateSize = Shape(file, $"{prefix}{layers}0.mlp.c_fc.weight")[0],
            MaxPositionEmbeddings = Shape(file, prefix + "positional_embedding")[0],
        };
        return isPenultimate
            ? (config with { NumHiddenLayers = blocks - 1 },
                options with { Ignored = [.. options.Ignored, "attn_mask", "text_projection", $"{layers}{blocks - 1}.*"] })
            : (config with { ProjectionDim = Shape(file, prefix + "text_projection")[1] },
                options with { Ignored = [.. options.Ignored, "attn_mask"] });
    }
}
