using System.Text.Json.Serialization;
using Alebrije.Weights;

namespace Alebrije.Models.Priors;

/// <summary>
/// config.json of a <see cref="PriorTransformer"/> (diffusers, models/transformers/prior_transformer.py). A missing key has the reference
/// constructor's default.
/// </summary>
internal sealed record PriorTransformerConfig
{
    /// <summary>Heads of the attention.</summary>
    public int NumAttentionHeads { get; init; } = 32;

    /// <summary>Width of one head.</summary>
    public int AttentionHeadDim { get; init; } = 64;

    /// <summary>Transformer blocks.</summary>
    public int NumLayers { get; init; } = 20;

    /// <summary>Width of the input image embedding, and of the text encodings.</summary>
    public int EmbeddingDim { get; init; } = 768;

    /// <summary>Text tokens.</summary>
    public int NumEmbeddings { get; init; } = 77;

    /// <summary>Number of tokens after the text: 4, or 3 in a prior without time embedding (ECLIPSE).</summary>
    public int AdditionalEmbeddings { get; init; } = 4;

    /// <summary>Dropout probability.</summary>
    public double Dropout { get; init; }

    /// <summary>Activation in the time embedding.</summary>
    public string TimeEmbedActFn { get; init; } = "silu";

    /// <summary>"layer" to normalise the transformer's input tokens, or null.</summary>
    public string? NormInType { get; init; }

    /// <summary>"layer" to normalise the text embedding before its projection, or null.</summary>
    public string? EmbeddingProjNormType { get; init; }

    /// <summary>"linear" to project the text encodings, or null: they have the transformer's width, or are absent.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? EncoderHidProjType { get; init; } = "linear";

    /// <summary>"prd" to predict the embedding at a learned last token, or null: at the noisy embedding's position.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? AddedEmbType { get; init; } = "prd";

    /// <summary>Hidden width of the time embedding, or null: the transformer's width.</summary>
    public int? TimeEmbedDim { get; init; }

    /// <summary>Width of the text embedding, or null: <see cref="EmbeddingDim"/>.</summary>
    public int? EmbeddingProjDim { get; init; }

    /// <summary>Width of the predicted embedding, or null: <see cref="EmbeddingDim"/>.</summary>
    public int? ClipEmbedDim { get; init; }

    /// <summary>Fingerprint of the embedding space of the training, if stored; not a key of the reference.</summary>
    public string? EmbeddingSpace { get; init; }

    /// <summary>Inner width of a token.</summary>
    [JsonIgnore]
    public int Width => NumAttentionHeads * AttentionHeadDim;

    /// <summary>Number of tokens of the sequence.</summary>
    [JsonIgnore]
    public int Positions => NumEmbeddings + AdditionalEmbeddings;

    /// <summary>Width of the predicted embedding.</summary>
    [JsonIgnore]
    public int OutputDim => ClipEmbedDim ?? EmbeddingDim;

    /// <summary>
    /// True if the sequence has a time token. ECLIPSE's priors have none (and no tensors for it), shown in their config only by the number
    /// of additional tokens: the text embedding, the noisy embedding and the learned token make three.
    /// </summary>
    [JsonIgnore]
    public bool KnowsTime => !(AdditionalEmbeddings == 3 && AddedEmbType == "prd");

    /// <summary>Reads a config.json, in which <c>null</c> is a value of the two keys with a non-null default.</summary>
    /// <param name="path">The file, or its folder.</param>
    public static PriorTransformerConfig Read(string path)
    {
        var config = ConfigFile.Read<PriorTransformerConfig>(path);
        var raw = ConfigFile.ReadObject(Directory.Exists(path) ? Path.Combine(path, "config.json") : path);
        if (raw.TryGetPropertyValue("added_emb_type", out var added) && added is null) config = config with { AddedEmbType = null };
        if (raw.TryGetPropertyValue("encoder_hid_proj_type", out var projection) && projection is null)
            config = config with { EncoderHidProjType = null };
        return config;
    }
}
