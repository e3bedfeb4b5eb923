using System.Text.Json.Serialization;
using Alebrije.Nn;
using static TorchSharp.torch;

namespace Alebrije.Models.T5;

/// <summary>
/// config.json of a <see cref="T5Encoder"/> (transformers, models/t5/configuration_t5.py). A missing or null key has the reference
/// constructor's default.
/// </summary>
internal sealed record T5Config
{
    private const string Gate = "gated-";

    /// <summary>Tokens of the vocabulary.</summary>
    public int VocabSize { get; init; } = 32128;

    /// <summary>Width of a token.</summary>
    public int DModel { get; init; } = 512;

    /// <summary>Width of one head; heads times this may differ from <see cref="DModel"/>.</summary>
    public int DKv { get; init; } = 64;

    /// <summary>Inner width of a block's feed-forward network.</summary>
    public int DFf { get; init; } = 2048;

    /// <summary>Blocks of the encoder.</summary>
    public int NumLayers { get; init; } = 6;

    /// <summary>Heads of an attention.</summary>
    public int NumHeads { get; init; } = 8;

    /// <summary>Number of buckets of the distance between two tokens.</summary>
    public int RelativeAttentionNumBuckets { get; init; } = 32;

    /// <summary>Distance from which all share the last bucket.</summary>
    public int RelativeAttentionMaxDistance { get; init; } = 128;

    /// <summary>Epsilon of the mean square in the norms.</summary>
    public double LayerNormEpsilon { get; init; } = 1e-6;

    /// <summary>Name of the feed-forward network's activation, prefixed with gated- if it is gated (v1.1).</summary>
    public string FeedForwardProj { get; init; } = "relu";

    /// <summary>True if the feed-forward network is gated.</summary>
    [JsonIgnore]
    public bool IsGated => FeedForwardProj.StartsWith(Gate, StringComparison.Ordinal);

    /// <summary>The activation; a gated GELU uses the tanh approximation, as in the reference.</summary>
    [JsonIgnore]
    public Func<Tensor, Tensor> Activation => FeedForwardProj == Gate + "gelu" ? Nn.Activation.TanhGelu
        : Nn.Activation.Named(IsGated ? FeedForwardProj[Gate.Length..] : FeedForwardProj);

    /// <summary>Sizes of an attention.</summary>
    [JsonIgnore]
    public AttentionSizes Attention => new(NumHeads, DKv);
}
