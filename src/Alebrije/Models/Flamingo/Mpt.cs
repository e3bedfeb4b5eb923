using System.Text.Json.Serialization;
using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Flamingo;

/// <summary>Attention options of an <see cref="MptConfig"/>.</summary>
internal sealed record MptAttentionConfig
{
    public bool Alibi { get; init; } = true;

    /// <summary>Exponent of the steepest slope.</summary>
    public double AlibiBiasMax { get; init; } = 8;

    /// <summary>Bound of queries, keys and values, or null.</summary>
    public double? ClipQkv { get; init; }

    /// <summary>True if queries and keys are normalised.</summary>
    public bool QkLn { get; init; }

    /// <summary>Factor of the scores; null: one by the root of the head width.</summary>
    public double? SoftmaxScale { get; init; }
}

/// <summary>
/// config.json of an MPT (transformers, models/mpt/configuration_mpt.py), or of its forerunner MosaicGPT (mpt-1b-redpajama-200b), whose
/// attention options stand at the top. A missing or null key has the reference constructor's default.
/// </summary>
internal sealed record MptConfig
{
    public int VocabSize { get; init; } = 50368;

    public int DModel { get; init; } = 2048;

    public int NHeads { get; init; } = 16;

    public int NLayers { get; init; } = 24;

    public int ExpansionRatio { get; init; } = 4;

    /// <summary>As <see cref="ExpansionRatio"/>, in MosaicGPT's files.</summary>
    public int? MlpRatio { get; init; }

    public int MaxSeqLen { get; init; } = 2048;

    public double LayerNormEpsilon { get; init; } = 1e-5;

    public bool NoBias { get; init; } = true;

    public bool TieWordEmbeddings { get; init; } = true;

    public MptAttentionConfig? AttnConfig { get; init; }

    public bool? Alibi { get; init; }

    public double? AlibiBiasMax { get; init; }

    public bool? AttnQkLn { get; init; }

    public double? AttnClipQkv { get; init; }

    /// <summary>The attention options of either kind of file.</summary>
    [JsonIgnore]
    public MptAttentionConfig Attention => AttnConfig ?? new MptAttentionConfig
    {
        Alibi = Alibi ?? true, AlibiBiasMax = AlibiBiasMax ?? 8, QkLn = AttnQkLn ?? false, ClipQkv = AttnClipQkv,
    };

    /// <summary>Inner width of the feed-forward network.</summary>
    [JsonIgnore]
    public int Inner => DModel * (MlpRatio ?? ExpansionRatio);

    /// <summary>Heads of the attention.</summary>
    [JsonIgnore]
    public AttentionSizes Sizes => AttentionSizes.Split(DModel, NHeads);
}

/// <summary>
/// MPT (MosaicML, 2023), the language model of OpenFlamingo 3B and 9B: no biases, and linear biases of the attention in place of position
/// embeddings (Press et al., 2022, ALiBi; transformers, models/mpt/modeling_mpt.py, MptForCausalLM).
/// </summary>
internal sealed class Mpt : nn.Module, ICausalLanguageModel
{
    private readonly MptConfig config;
    private readonly MptStack transformer;
    private readonly LinearLayer? lm_head;

    /// <param name="config">Sizes.</param>
    /// <param name="gate">Builder of the gated block before a layer, or of none.</param>
    public Mpt(MptConfig config, Func<int, GatedCrossAttention?> gate) : base(nameof(Mpt))
    {
        this.config = config;
        if (!config.Attention.Alibi || !config.NoBias)
            throw new ArgumentException("An MPT is built in with alibi and no_bias, as published; this config turns one of them off.");
        transformer = new MptStack(config, gate);
        if (!config.TieWordEmbeddings) lm_head = Layers.Linear(config.DModel, config.VocabSize, bias: false);
        RegisterComponents();
    }

    /// <summary>Names of MosaicGPT in those of MPT.</summary>
    public static IReadOnlyList<(string Pattern, string Replacement)> FromMosaicGpt { get; } =
    [
        (@"(transformer\.blocks\.\d+\.)ln_([12])\.", "$1norm_$2."), (@"(transformer\.)ln_f\.", "$1norm_f."),
        (@"(transformer\.blocks\.\d+\.)mlp\.mlp_(up|down)\.", "$1ffn.$2_proj."),
    ];

    /// <inheritdoc/>
    public long VocabularySize => config.VocabSize;

    /// <inheritdoc/>
    public int ContextLength => config.MaxSeqLen;

    /// <inheritdoc/>
    public IReadOnlyList<IDecoderLayer> Decoders => transformer.Decoders;

    /// <inheritdoc/>
    public Tensor Embed(Tensor ids) => transformer.Tokens.call(ids);

    /// <inheritdoc/>
    public DecoderContext Context(Tensor x, Tensor mask, FlamingoCache? cache)
    {
        // A constant of a row has no effect on the softmax: distances from the last key serve all queries.
        var all = mask.shape[1];
        var distances = arange(1 - all, 1, dtype: ScalarType.Float32).reshape(1, 1, 1, all);
        var bias = (distances * Slopes().reshape(1, -1, 1, 1)).to(x.dtype).to(x.device);     // [1, heads, 1, all tokens]
        return new DecoderContext(CausalMask.Hide(bias, CausalMask.Hidden(mask, x.shape[1])), cache);
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor x)
    {
        x = transformer.Norm.call(x);
        return lm_head?.call(x) ?? transformer.Tokens.Project(x);
    }

    /// <inheritdoc/>
    public void PackTable()
    {
        if (lm_head is null) transformer.Tokens.Pack();
    }

    /// <summary>Slopes of the heads (Press et al., 2022, §3); of a power of two of heads, every other one comes first.</summary>
    /// <returns>[heads]</returns>
    private Tensor Slopes()
    {
        var power = 1;
        while (power < config.NHeads) power *= 2;
        var slopes = pow(2, arange(1, power + 1, dtype: ScalarType.Float32) * (config.Attention.AlibiBiasMax / power)).reciprocal();
        if (power == config.NHeads) return slopes;
        var pairs = slopes.reshape(power / 2, 2);
        return cat([pairs.select(1, 1), pairs.select(1, 0)]).narrow(0, 0, config.NHeads);
    }
}

/// <summary>Table of tokens, blocks and last norm.</summary>
internal sealed class MptStack : nn.Module
{
    private readonly EmbeddingLayer wte;
    private readonly ModuleList<MptBlock> blocks;
    private readonly LayerNormLayer norm_f;

    public MptStack(MptConfig config, Func<int, GatedCrossAttention?> gate) : base(nameof(MptStack))
    {
        wte = Layers.Embedding(config.VocabSize, config.DModel);
        blocks = new ModuleList<MptBlock>([.. Enumerable.Range(0, config.NLayers).Select(i => new MptBlock(config, i, gate(i)))]);
        norm_f = Layers.LayerNorm(config.DModel, config.LayerNormEpsilon, bias: false);
        RegisterComponents();
        Decoders = [.. blocks];
    }

    public EmbeddingLayer Tokens => wte;

    public LayerNormLayer Norm => norm_f;

    public IReadOnlyList<IDecoderLayer> Decoders { get; }
}

/// <summary>Pre-norm block of attention and a feed-forward network.</summary>
internal sealed class MptBlock : nn.Module, IDecoderLayer
{
    private readonly GatedCrossAttention? gated_cross_attn_layer;
    private readonly LayerNormLayer norm_1, norm_2;
    private readonly MptAttention attn;
    private readonly MptFeedForward ffn;

    public MptBlock(MptConfig config, int index, GatedCrossAttention? gate) : base(nameof(MptBlock))
    {
        gated_cross_attn_layer = gate;
        norm_1 = Layers.LayerNorm(config.DModel, config.LayerNormEpsilon, bias: false);
        norm_2 = Layers.LayerNorm(config.DModel, config.LayerNormEpsilon, bias: false);
        attn = new MptAttention(config, index);
        ffn = new MptFeedForward(config);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public GatedCrossAttention? Gate => gated_cross_attn_layer;

    /// <inheritdoc/>
    public Tensor Run(Tensor x, DecoderContext context)
    {
        using var scope = NewDisposeScope();
        var attended = x + attn.Run(norm_1.call(x), context);
        return (attended + ffn.call(norm_2.call(attended))).MoveToOuterDisposeScope();
    }
}

/// <summary>Causal attention with queries, keys and values in one matrix.</summary>
internal sealed class MptAttention : nn.Module
{
    private readonly int index;
    private readonly AttentionSizes sizes;
    private readonly MptAttentionConfig options;
    private readonly LinearLayer Wqkv, out_proj;
    private readonly LayerNormLayer? q_ln, k_ln;

    public MptAttention(MptConfig config, int index) : base(nameof(MptAttention))
    {
        (this.index, sizes, options) = (index, config.Sizes, config.Attention);
        Wqkv = Layers.Linear(config.DModel, 3 * config.DModel, bias: false);
        out_proj = Layers.Linear(config.DModel, config.DModel, bias: false);
        if (options.QkLn)
        {
            q_ln = Layers.LayerNorm(config.DModel, config.LayerNormEpsilon, bias: false);
            k_ln = Layers.LayerNorm(config.DModel, config.LayerNormEpsilon, bias: false);
        }

        RegisterComponents();
    }

    /// <inheritdoc cref="IDecoderLayer.Run"/>
    public Tensor Run(Tensor x, DecoderContext context)
    {
        using var scope = NewDisposeScope();
        var mixed = Wqkv.call(x);
        if (options.ClipQkv is { } bound) mixed = mixed.clamp(-bound, bound);
        var parts = mixed.chunk(3, dim: -1);
        var (q, k, v) = (q_ln?.call(parts[0]) ?? parts[0], k_ln?.call(parts[1]) ?? parts[1], parts[2]);
        if (options.SoftmaxScale is { } scale) q = q * (scale * Math.Sqrt(sizes.HeadWidth));
        (q, k, v) = (q.SplitHeads(sizes.Heads), k.SplitHeads(sizes.Heads), v.SplitHeads(sizes.Heads));
        if (context.Cache is { } cache) (k, v) = cache.Append(index, k, v);
        return out_proj.call(Attention.AttendHeads((q, k, v), context.Bias)).MoveToOuterDisposeScope();
    }
}

/// <summary>Two linear layers with exact GELU between them.</summary>
internal sealed class MptFeedForward : nn.Module<Tensor, Tensor>
{
    private readonly LinearLayer up_proj, down_proj;

    public MptFeedForward(MptConfig config) : base(nameof(MptFeedForward))
    {
        up_proj = Layers.Linear(config.DModel, config.Inner, bias: false);
        down_proj = Layers.Linear(config.Inner, config.DModel, bias: false);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x) => down_proj.call(nn.functional.gelu(up_proj.call(x)));
}
