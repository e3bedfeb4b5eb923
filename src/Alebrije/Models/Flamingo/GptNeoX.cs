using System.Text.Json.Serialization;
using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Flamingo;

/// <summary>Rotary embedding in new config files (transformers 5).</summary>
internal sealed record RopeParameters
{
    /// <summary>Base of the wavelengths.</summary>
    public double? RopeTheta { get; init; }

    /// <summary>Rotated share of a head.</summary>
    public double? PartialRotaryFactor { get; init; }

    /// <summary>Form of the rotation.</summary>
    public string RopeType { get; init; } = "default";
}

/// <summary>
/// config.json of a GPT-NeoX (transformers, models/gpt_neox/configuration_gpt_neox.py). A missing or null key has the reference
/// constructor's default.
/// </summary>
internal sealed record GptNeoXConfig
{
    public int VocabSize { get; init; } = 50432;

    public int HiddenSize { get; init; } = 6144;

    public int NumHiddenLayers { get; init; } = 44;

    public int NumAttentionHeads { get; init; } = 64;

    public int IntermediateSize { get; init; } = 24576;

    public string HiddenAct { get; init; } = "gelu";

    public int MaxPositionEmbeddings { get; init; } = 2048;

    public double LayerNormEps { get; init; } = 1e-5;

    /// <summary>Rotated share of a head in files before transformers 5.</summary>
    public double RotaryPct { get; init; } = 0.25;

    /// <summary>Base of the wavelengths in files before transformers 5.</summary>
    public double RotaryEmbBase { get; init; } = 10000;

    public RopeParameters? RopeParameters { get; init; }

    /// <summary>True if attention and feed-forward network read the same input, false if the second reads the first's sum.</summary>
    public bool UseParallelResidual { get; init; } = true;

    public bool AttentionBias { get; init; } = true;

    public bool TieWordEmbeddings { get; init; }

    /// <summary>Rotated width of a head.</summary>
    /// <exception cref="ArgumentException">The rotated share is not from 0 to 1.</exception>
    [JsonIgnore]
    public int RotaryWidth => RotaryShare is >= 0 and <= 1 ? (int)(Sizes.HeadWidth * RotaryShare) : throw new ArgumentException(
        FormattableString.Invariant($"The rotated share of a head (rotary_pct) is {RotaryShare}, but must be between 0 and 1."));

    private double RotaryShare => RopeParameters?.PartialRotaryFactor ?? RotaryPct;

    /// <summary>Base of the wavelengths.</summary>
    [JsonIgnore]
    public double RotaryBase => RopeParameters?.RopeTheta ?? RotaryEmbBase;

    /// <summary>Heads of the attention.</summary>
    [JsonIgnore]
    public AttentionSizes Sizes => AttentionSizes.Split(HiddenSize, NumAttentionHeads);

    /// <summary>The activation.</summary>
    [JsonIgnore]
    public Func<Tensor, Tensor> Activation => HiddenAct is "gelu_new" or "gelu_fast" or "gelu_pytorch_tanh"
        ? Nn.Activation.TanhGelu : Nn.Activation.Named(HiddenAct);
}

/// <summary>
/// GPT-NeoX (Black et al., 2022), the language model of OpenFlamingo 4B: rotary embeddings, attention and feed-forward network in parallel
/// or one after the other (transformers, models/gpt_neox/modeling_gpt_neox.py, GPTNeoXForCausalLM).
/// </summary>
internal sealed class GptNeoX : nn.Module, ICausalLanguageModel
{
    private readonly GptNeoXConfig config;
    private readonly GptNeoXStack gpt_neox;
    private readonly LinearLayer? embed_out;

    /// <param name="config">Sizes.</param>
    /// <param name="gate">Builder of the gated block before a layer, or of none.</param>
    public GptNeoX(GptNeoXConfig config, Func<int, GatedCrossAttention?> gate) : base(nameof(GptNeoX))
    {
        this.config = config;
        if (config.RopeParameters is { RopeType: not "default" and var type })
            throw new ArgumentException($"rope_type is {type}, but only the default rotary embedding is built in.");
        gpt_neox = new GptNeoXStack(config, gate);
        if (!config.TieWordEmbeddings) embed_out = Layers.Linear(config.HiddenSize, config.VocabSize, bias: false);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public long VocabularySize => config.VocabSize;

    /// <inheritdoc/>
    public int ContextLength => config.MaxPositionEmbeddings;

    /// <inheritdoc/>
    public IReadOnlyList<IDecoderLayer> Decoders => gpt_neox.Decoders;

    /// <inheritdoc/>
    public Tensor Embed(Tensor ids) => gpt_neox.Tokens.call(ids);

    /// <inheritdoc/>
    public DecoderContext Context(Tensor x, Tensor mask, FlamingoCache? cache)
    {
        var tokens = x.shape[1];
        var hidden = CausalMask.Hidden(mask, tokens);
        var bias = CausalMask.Hide(zeros(hidden.shape, dtype: x.dtype, device: x.device), hidden);
        return new DecoderContext(bias, cache) { Rotation = Rotation(x, mask.shape[1] - tokens) };
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor x)
    {
        x = gpt_neox.Norm.call(x);
        return embed_out?.call(x) ?? gpt_neox.Tokens.Project(x);
    }

    /// <inheritdoc/>
    public void PackTable()
    {
        if (embed_out is null) gpt_neox.Tokens.Pack();
    }

    /// <summary>Angles of the positions from an offset on; only differences of positions count, so padding needs no correction.</summary>
    private (Tensor Cos, Tensor Sin) Rotation(Tensor x, long offset)
    {
        var width = config.RotaryWidth;
        var powers = arange(0, width, 2, dtype: ScalarType.Float32) / width;
        var frequencies = pow(config.RotaryBase, powers).reciprocal();                       // [rotated width / 2]
        var positions = arange(offset, offset + x.shape[1], dtype: ScalarType.Float32);
        var angles = outer(positions, frequencies);
        angles = cat([angles, angles], dim: -1);                                             // [tokens, rotated width]
        return (angles.cos().to(x.dtype).to(x.device), angles.sin().to(x.dtype).to(x.device));
    }
}

/// <summary>Table of tokens, layers and last norm.</summary>
internal sealed class GptNeoXStack : nn.Module
{
    private readonly EmbeddingLayer embed_in;
    private readonly ModuleList<GptNeoXLayer> layers;
    private readonly LayerNormLayer final_layer_norm;

    public GptNeoXStack(GptNeoXConfig config, Func<int, GatedCrossAttention?> gate) : base(nameof(GptNeoXStack))
    {
        embed_in = Layers.Embedding(config.VocabSize, config.HiddenSize);
        layers = new ModuleList<GptNeoXLayer>(
            [.. Enumerable.Range(0, config.NumHiddenLayers).Select(i => new GptNeoXLayer(config, i, gate(i)))]);
        final_layer_norm = Layers.LayerNorm(config.HiddenSize, config.LayerNormEps);
        RegisterComponents();
        Decoders = [.. layers];
    }

    public EmbeddingLayer Tokens => embed_in;

    public LayerNormLayer Norm => final_layer_norm;

    public IReadOnlyList<IDecoderLayer> Decoders { get; }
}

/// <summary>Pre-norm layer of attention and a feed-forward network.</summary>
internal sealed class GptNeoXLayer : nn.Module, IDecoderLayer
{
    private readonly bool parallel;
    private readonly GatedCrossAttention? gated_cross_attn_layer;
    private readonly LayerNormLayer input_layernorm, post_attention_layernorm;
    private readonly GptNeoXAttention attention;
    private readonly GptNeoXFeedForward mlp;

    public GptNeoXLayer(GptNeoXConfig config, int index, GatedCrossAttention? gate) : base(nameof(GptNeoXLayer))
    {
        parallel = config.UseParallelResidual;
        gated_cross_attn_layer = gate;
        input_layernorm = Layers.LayerNorm(config.HiddenSize, config.LayerNormEps);
        post_attention_layernorm = Layers.LayerNorm(config.HiddenSize, config.LayerNormEps);
        attention = new GptNeoXAttention(config, index);
        mlp = new GptNeoXFeedForward(config);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public GatedCrossAttention? Gate => gated_cross_attn_layer;

    /// <inheritdoc/>
    public Tensor Run(Tensor x, DecoderContext context)
    {
        using var scope = NewDisposeScope();
        var attended = x + attention.Run(input_layernorm.call(x), context);
        var read = post_attention_layernorm.call(parallel ? x : attended);
        return (attended + mlp.call(read)).MoveToOuterDisposeScope();
    }
}

/// <summary>Causal attention with queries, keys and values in one matrix, head by head, and rotated queries and keys.</summary>
internal sealed class GptNeoXAttention : nn.Module
{
    private readonly int index, rotated;
    private readonly AttentionSizes sizes;
    private readonly LinearLayer query_key_value, dense;

    public GptNeoXAttention(GptNeoXConfig config, int index) : base(nameof(GptNeoXAttention))
    {
        (this.index, rotated, sizes) = (index, config.RotaryWidth, config.Sizes);
        query_key_value = Layers.Linear(config.HiddenSize, 3 * config.HiddenSize, config.AttentionBias);
        dense = Layers.Linear(config.HiddenSize, config.HiddenSize, config.AttentionBias);
        RegisterComponents();
    }

    /// <inheritdoc cref="IDecoderLayer.Run"/>
    public Tensor Run(Tensor x, DecoderContext context)
    {
        using var scope = NewDisposeScope();
        var parts = query_key_value.call(x).SplitHeads(sizes.Heads).chunk(3, dim: -1);       // [batch, heads, tokens, head width]
        var (q, k, v) = (Rotate(parts[0], context), Rotate(parts[1], context), parts[2]);
        if (context.Cache is { } cache) (k, v) = cache.Append(index, k, v);
        return dense.call(Attention.AttendHeads((q, k, v), context.Bias)).MoveToOuterDisposeScope();
    }

    /// <summary>Rotation of pairs of features, half a width apart, by their positions' angles (Su et al., 2021, eq. 34).</summary>
    private Tensor Rotate(Tensor x, DecoderContext context)
    {
        var (cos, sin) = context.Rotation!.Value;
        var turned = x.narrow(-1, 0, rotated);
        var halves = turned.chunk(2, dim: -1);
        turned = (turned * cos) + (cat([-halves[1], halves[0]], dim: -1) * sin);
        return rotated == sizes.HeadWidth ? turned : cat([turned, x.narrow(-1, rotated, sizes.HeadWidth - rotated)], dim: -1);
    }
}

/// <summary>Two linear layers with an activation between them.</summary>
internal sealed class GptNeoXFeedForward : nn.Module<Tensor, Tensor>
{
    private readonly Func<Tensor, Tensor> activation;
    private readonly LinearLayer dense_h_to_4h, dense_4h_to_h;

    public GptNeoXFeedForward(GptNeoXConfig config) : base(nameof(GptNeoXFeedForward))
    {
        activation = config.Activation;
        dense_h_to_4h = Layers.Linear(config.HiddenSize, config.IntermediateSize);
        dense_4h_to_h = Layers.Linear(config.IntermediateSize, config.HiddenSize);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x) => dense_4h_to_h.call(activation(dense_h_to_4h.call(x)));
}
