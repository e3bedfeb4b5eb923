using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Models.Flamingo;

/// <summary>A language model that Flamingo can be built on, by its <c>config.json</c>.</summary>
internal sealed record LanguageConfig
{
    private readonly GptNeoXConfig? neoX;
    private readonly MptConfig? mpt;

    private LanguageConfig(GptNeoXConfig config) => neoX = config;

    private LanguageConfig(MptConfig config) => mpt = config;

    /// <summary>Width of a token.</summary>
    public int Width => neoX?.HiddenSize ?? mpt!.DModel;

    /// <summary>Tokens of the vocabulary.</summary>
    public int VocabularySize => neoX?.VocabSize ?? mpt!.VocabSize;

    /// <summary>Name of the table of tokens.</summary>
    public string TokenTable => neoX is not null ? "gpt_neox.embed_in.weight" : "transformer.wte.weight";

    /// <summary>Relation of the names in published files to the network's.</summary>
    public StateDictOptions FileOptions => neoX is not null
        ? new() { Ignored = ["*.rotary_emb.inv_freq", "*.attention.bias", "*.attention.masked_bias", .. Tied("embed_out.weight")] }
        : new() { Renames = Mpt.FromMosaicGpt, Ignored = Tied("lm_head.weight") };

    /// <summary>Reads a language model's folder.</summary>
    /// <exception cref="CheckpointNotFoundException">There is none.</exception>
    /// <exception cref="WeightsException">It is of another kind.</exception>
    public static LanguageConfig Read(string folder)
    {
        var path = Path.Combine(folder, "config.json");
        if (!File.Exists(path))
            throw new CheckpointNotFoundException($"the language model is missing: there is no {path}; "
                + "put the folder of an MPT or GPT-NeoX there, with config.json, weights and tokenizer.json.");
        var type = ConfigFile.ReadObject(path)["model_type"]?.ToString();
        return type switch
        {
            "gpt_neox" => new LanguageConfig(ConfigFile.Read<GptNeoXConfig>(path)),
            "mpt" or "mosaic_gpt" => new LanguageConfig(ConfigFile.Read<MptConfig>(path)),
            _ => throw new WeightsException(
                $"{path} is a language model of type {type ?? "none"}; Flamingo is built on gpt_neox, mpt and mosaic_gpt."),
        };
    }

    /// <summary>The same with another number of tokens.</summary>
    public LanguageConfig WithVocabulary(int tokens) =>
        neoX is not null ? new(neoX with { VocabSize = tokens }) : new(mpt! with { VocabSize = tokens });

    /// <summary>Builds the network.</summary>
    /// <param name="gate">Builder of the gated block before a layer, or of none.</param>
    public nn.Module Build(Func<int, GatedCrossAttention?> gate) =>
        neoX is not null ? new GptNeoX(neoX, gate) : new Mpt(mpt!, gate);

    /// <summary>Files of tied models may hold the table a second time.</summary>
    private string[] Tied(string name) => (neoX?.TieWordEmbeddings ?? mpt!.TieWordEmbeddings) ? [name] : [];
}
