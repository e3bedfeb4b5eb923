using System.Text.Json.Serialization;
using Alebrije.Weights;

namespace Alebrije.Models.Priors;

/// <summary>
/// config.json of a <see cref="PriorTransformer"/> (diffusers, models/transformers/prior_transformer.py). A key that is missing has the
/// reference constructor's default, as here.
/// </summary>
internal sealed record PriorTransformerConfig
{
    /// <summary>Heads of the attention.</summary>
    public int NumAttentionHeads { get; init; } = 32;

    /// <summary>Features of one head.</summary>
    public int AttentionHeadDim { get; init; } = 64;

    /// <summary>Transformer blocks.</summary>
    public int NumLayers { get; init; } = 20;

    /// <summary>Features of the image embedding that comes in, and of the text encodings.</summary>
    public int EmbeddingDim { get; init; } = 768;

    /// <summary>Text tokens.</summary>
    public int NumEmbeddings { get; init; } = 77;

    /// <summary>Tokens after the text: 4, or 3 in a prior that knows no time (ECLIPSE).</summary>
    public int AdditionalEmbeddings { get; init; } = 4;

    /// <summary>Probability that training drops a feature.</summary>
    public double Dropout { get; init; }

    /// <summary>Activation in the time embedding.</summary>
    public string TimeEmbedActFn { get; init; } = "silu";

    /// <summary>"layer" to normalise the tokens that enter the transformer, or null.</summary>
    public string? NormInType { get; init; }

    /// <summary>"layer" to normalise the text embedding before its projection, or null.</summary>
    public string? EmbeddingProjNormType { get; init; }

    /// <summary>"linear" to project the text encodings, or null: they come in the transformer's width, or not at all.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? EncoderHidProjType { get; init; } = "linear";

    /// <summary>"prd" to read the embedding from a learned last token, or null: from the noisy embedding's place.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? AddedEmbType { get; init; } = "prd";

    /// <summary>Hidden features of the time embedding, or null: the transformer's width.</summary>
    public int? TimeEmbedDim { get; init; }

    /// <summary>Features of the text embedding, or null: <see cref="EmbeddingDim"/>.</summary>
    public int? EmbeddingProjDim { get; init; }

    /// <summary>Features of the embedding that comes out, or null: <see cref="EmbeddingDim"/>.</summary>
    public int? ClipEmbedDim { get; init; }

    /// <summary>Fingerprint of the space that it was trained in, where it was kept; the reference knows no such key.</summary>
    public string? EmbeddingSpace { get; init; }

    /// <summary>Features of a token inside.</summary>
    [JsonIgnore]
    public int Width => NumAttentionHeads * AttentionHeadDim;

    /// <summary>Tokens inside.</summary>
    [JsonIgnore]
    public int Positions => NumEmbeddings + AdditionalEmbeddings;

    /// <summary>Features of the embedding that comes out.</summary>
    [JsonIgnore]
    public int OutputDim => ClipEmbedDim ?? EmbeddingDim;

    /// <summary>
    /// Whether a token tells the time. ECLIPSE's priors have none (and no tensors for it); nothing in their config says so but the number
    /// of additional tokens: the text embedding, the noisy embedding and the learned token make three.
    /// </summary>
    [JsonIgnore]
    public bool KnowsTime => !(AdditionalEmbeddings == 3 && AddedEmbType == "prd");

    /// <summary>Reads a config.json, in which <c>null</c> is a value of the two keys whose default is not.</summary>
    /// <param name="path">The file, or its folder.</param>
    public static PriorTransformerConfig Read(string path)
    {
        var config = ConfigFile.Read<PriorTransformerConfig>(path);
        var raw = ConfigFile.ReadObject(Directory.Exists(path) ? Path.Combine(path, "config.json") : path);
        if (raw.TryGetPropertyValue("added_emb_type", out var added) && added is null) config = config with { AddedEmbType = null };
        if (raw.TryGetPropertyValue("encoder_hid_proj_type", out var projection) && projection is null) config = config with { EncoderHidProjType = null };
        return config;
    }
}
