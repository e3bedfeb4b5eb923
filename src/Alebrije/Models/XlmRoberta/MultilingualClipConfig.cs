using System.Text.Json.Serialization;

namespace Alebrije.Models.XlmRoberta;

/// <summary>
/// config.json of a <see cref="MultilingualClip"/> (diffusers, pipelines/kandinsky/text_encoder.py, MCLIPConfig, on transformers' XLMRobertaConfig). A key
/// that is missing or null has the reference constructor's default, as here.
/// </summary>
internal sealed record MultilingualClipConfig
{
    /// <summary>Features that the projection reads: those of the encoder.</summary>
    [JsonPropertyName("transformerDimensions")]
    public int TransformerDimensions { get; init; } = 1024;

    /// <summary>Features of the text embedding.</summary>
    [JsonPropertyName("numDims")]
    public int NumDims { get; init; } = 768;

    /// <summary>Tokens of the vocabulary.</summary>
    public int VocabSize { get; init; } = 30522;

    /// <summary>Features of a token.</summary>
    public int HiddenSize { get; init; } = 768;

    /// <summary>Blocks.</summary>
    public int NumHiddenLayers { get; init; } = 12;

    /// <summary>Heads of an attention.</summary>
    public int NumAttentionHeads { get; init; } = 12;

    /// <summary>Features inside a block's feed-forward network.</summary>
    public int IntermediateSize { get; init; } = 3072;

    /// <summary>Name of the activation.</summary>
    public string HiddenAct { get; init; } = "gelu";

    /// <summary>Rows of the position table; the first <see cref="PadTokenId"/> + 1 stand for no token of a text.</summary>
    public int MaxPositionEmbeddings { get; init; } = 512;

    /// <summary>Kinds of token that the table of kinds has; texts use the first.</summary>
    public int TypeVocabSize { get; init; } = 2;

    /// <summary>Added to the variance wherever a block normalises.</summary>
    public double LayerNormEps { get; init; } = 1e-12;

    /// <summary>Id of the padding.</summary>
    public int PadTokenId { get; init; } = 1;

    /// <summary>Most tokens of a text.</summary>
    [JsonIgnore]
    public int MaxTokens => MaxPositionEmbeddings - PadTokenId - 1;
}
