using System.Text.Json.Serialization;

namespace Alebrije.Models.XlmRoberta;

/// <summary>
/// config.json of a <see cref="MultilingualClip"/> (diffusers, pipelines/kandinsky/text_encoder.py, MCLIPConfig, on transformers'
/// XLMRobertaConfig). A missing or null key has the reference constructor's default.
/// </summary>
internal sealed record MultilingualClipConfig
{
    /// <summary>Input width of the projection: that of the encoder.</summary>
    [JsonPropertyName("transformerDimensions")]
    public int TransformerDimensions { get; init; } = 1024;

    /// <summary>Width of the text embedding.</summary>
    [JsonPropertyName("numDims")]
    public int NumDims { get; init; } = 768;

    /// <summary>Tokens of the vocabulary.</summary>
    public int VocabSize { get; init; } = 30522;

    /// <summary>Width of a token.</summary>
    public int HiddenSize { get; init; } = 768;

    /// <summary>Blocks.</summary>
    public int NumHiddenLayers { get; init; } = 12;

    /// <summary>Heads of an attention.</summary>
    public int NumAttentionHeads { get; init; } = 12;

    /// <summary>Inner width of a block's feed-forward network.</summary>
    public int IntermediateSize { get; init; } = 3072;

    /// <summary>Name of the activation.</summary>
    public string HiddenAct { get; init; } = "gelu";

    /// <summary>Rows of the position table; the first <see cref="PadTokenId"/> + 1 are not used by tokens of a text.</summary>
    public int MaxPositionEmbeddings { get; init; } = 512;

    /// <summary>Number of token types; texts use the first.</summary>
    public int TypeVocabSize { get; init; } = 2;

    /// <summary>Epsilon of the variance in the norms.</summary>
    public double LayerNormEps { get; init; } = 1e-12;

    /// <summary>Id of the padding.</summary>
    public int PadTokenId { get; init; } = 1;

    /// <summary>Maximum number of tokens of a text.</summary>
    [JsonIgnore]
    public int MaxTokens => MaxPositionEmbeddings - PadTokenId - 1;
}
