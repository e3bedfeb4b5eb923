using System.Text.Json.Serialization;
using Alebrije.Nn;
using static TorchSharp.torch;

namespace Alebrije.Models.T5;

/// <summary>
/// config.json of a <see cref="T5Encoder"/> (transformers, models/t5/configuration_t5.py). A key that is missing or null has the reference constructor's
/// default, as here.
/// </summary>
internal sealed record T5Config
{
    private const string Gate = "gated-";

    /// <summary>Tokens of the vocabulary.</summary>
    public int VocabSize { get; init; } = 32128;

    /// <summary>Features of a token.</summary>
    public int DModel { get; init; } = 512;

    /// <summary>Features of one head; heads times this need not be <see cref="DModel"/>.</summary>
    public int DKv { get; init; } = 64;

    /// <summary>Features inside a block's feed-forward network.</summary>
    public int DFf { get; init; } = 2048;

    /// <summary>Blocks of the encoder.</summary>
    public int NumLayers { get; init; } = 6;

    /// <summary>Heads of an attention.</summary>
    public int NumHeads { get; init; } = 8;

    /// <summary>Kinds of distance between two tokens that the attention tells apart.</summary>
    public int RelativeAttentionNumBuckets { get; init; } = 32;

    /// <summary>From this distance on all are alike.</summary>
    public int RelativeAttentionMaxDistance { get; init; } = 128;

    /// <summary>Added to the mean square wherever a block normalises.</summary>
    public double LayerNormEpsilon { get; init; } = 1e-6;

    /// <summary>Name of the feed-forward network's activation, with gated- before it where it is gated (v1.1).</summary>
    public string FeedForwardProj { get; init; } = "relu";

    /// <summary>Whether the feed-forward network is gated.</summary>
    [JsonIgnore]
    public bool IsGated => FeedForwardProj.StartsWith(Gate, StringComparison.Ordinal);

    /// <summary>The activation; a gated GELU is that of the tanh formula, as in the reference.</summary>
    [JsonIgnore]
    public Func<Tensor, Tensor> Activation => FeedForwardProj == Gate + "gelu" ? Nn.Activation.TanhGelu
        : Nn.Activation.Named(IsGated ? FeedForwardProj[Gate.Length..] : FeedForwardProj);

    /// <summary>Sizes of an attention.</summary>
    [JsonIgnore]
    public AttentionSizes Attention => new(NumHeads, DKv);
}
