using Alebrije.Nn;
using Alebrije.Weights;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Alebrije.Models.T5;

/// <summary>
/// Text encoder of T5 (Raffel et al., 2020) and of its gated form v1.1 (Shazeer, 2020), which conditions Imagen and DeepFloyd IF
/// (transformers, modeling_t5.py, T5EncoderModel). Attention is not scaled, and a relative position bias is added to its scores.
/// </summary>
internal sealed class T5Encoder : nn.Module
{
    private readonly EmbeddingLayer shared;
    private readonly T5Stack encoder;

    public T5Encoder(T5Config config) : base(nameof(T5Encoder))
    {
        Config = config;
        shared = Layers.Embedding(config.VocabSize, config.DModel);
        encoder = new T5Stack(config);
        RegisterComponents();
    }

    /// <summary>Options to read published files: they contain the embedding table twice, and whole models also a decoder.</summary>
    public static StateDictOptions FileOptions { get; } = new() { Ignored = ["encoder.embed_tokens.weight", "decoder.*", "lm_head.*"] };

    /// <summary>Configuration of the network.</summary>
    public T5Config Config { get; }

    /// <param name="ids">[batch, tokens] int64</param>
    /// <param name="mask">[batch, tokens], 1 for visible tokens; null: all are visible.</param>
    /// <param name="type">Type of the computation; null: that of the weights. float16 overflows in published models.</param>
    /// <returns>Hidden states of all tokens, padding included, [batch, tokens, width].</returns>
    public Tensor Encode(Tensor ids, Tensor? mask = null, ScalarType? type = null)
    {
        using var scope = NewDisposeScope();
        var x = shared.call(ids);
        if (type is { } asked) x = x.to(asked);
        return encoder.call(x, mask).MoveToOuterDisposeScope();
    }
}

/// <summary>The blocks, all with the relative position bias of the first, and the last norm.</summary>
internal sealed class T5Stack : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly ModuleList<T5Block> block;
    private readonly RmsNorm final_layer_norm;

    public T5Stack(T5Config config) : base(nameof(T5Stack))
    {
        if (config.NumLayers < 1) throw new ArgumentException(
            $"num_layers is {config.NumLayers}, but must be at least 1: the first block holds the relative attention bias.");
        block = new ModuleList<T5Block>([.. Enumerable.Range(0, config.NumLayers).Select(i => new T5Block(config, first: i == 0))]);
        final_layer_norm = new RmsNorm(config.DModel, config.LayerNormEpsilon);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="mask">[batch, tokens], 1 for visible tokens, or null.</param>
    /// <returns>[batch, tokens, width]</returns>
    public override Tensor forward(Tensor x, Tensor? mask)
    {
        using var scope = NewDisposeScope();
        var bias = block[0].Distances(x);                                                    // [1, heads, tokens, tokens]
        if (mask is not null) bias = bias.masked_fill(mask.eq(0).unsqueeze(1).unsqueeze(1), finfo(x.dtype).min);
        foreach (var part in block) x = part.call(x, bias);
        return final_layer_norm.call(x).MoveToOuterDisposeScope();
    }
}

/// <summary>Pre-norm block of attention and a feed-forward network.</summary>
internal sealed class T5Block : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly T5Layers layer;

    public T5Block(T5Config config, bool first) : base(nameof(T5Block))
    {
        layer = new T5Layers(config, first);
        RegisterComponents();
    }

    /// <summary>Relative position bias of the scores; first block only.</summary>
    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>[1, heads, tokens, tokens]</returns>
    public Tensor Distances(Tensor x) => layer.Distances(x);

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="bias">Added to the scores, broadcast to [batch, heads, tokens, tokens].</param>
    /// <returns>As the first.</returns>
    public override Tensor forward(Tensor x, Tensor bias)
    {
        using var scope = NewDisposeScope();
        return layer.call(x, bias).MoveToOuterDisposeScope();
    }

    /// <summary>The block's two layers, registered by their indices.</summary>
    private sealed class T5Layers : nn.Module<Tensor, Tensor, Tensor>
    {
        [ComponentName(Name = "0")] private readonly T5AttentionLayer attention;
        [ComponentName(Name = "1")] private readonly T5FeedForwardLayer feedForward;

        public T5Layers(T5Config config, bool first) : base(nameof(T5Layers))
        {
            attention = new T5AttentionLayer(config, first);
            feedForward = new T5FeedForwardLayer(config);
            RegisterComponents();
        }

        public Tensor Distances(Tensor x) => attention.Distances(x);

        public override Tensor forward(Tensor x, Tensor bias) => feedForward.call(attention.call(x, bias));
    }
}

/// <summary><c>x + attention(norm(x))</c></summary>
internal sealed class T5AttentionLayer : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly T5Attention SelfAttention;
    private readonly RmsNorm layer_norm;

    public T5AttentionLayer(T5Config config, bool first) : base(nameof(T5AttentionLayer))
    {
        SelfAttention = new T5Attention(config, first);
        layer_norm = new RmsNorm(config.DModel, config.LayerNormEpsilon);
        RegisterComponents();
    }

    /// <inheritdoc cref="T5Block.Distances"/>
    public Tensor Distances(Tensor x) => SelfAttention.Distances(x);

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="bias">Added to the scores.</param>
    /// <returns>As the first.</returns>
    public override Tensor forward(Tensor x, Tensor bias) => x + SelfAttention.call(layer_norm.call(x), bias);
}

/// <summary>Attention without scaling; the first block's has the relative position bias.</summary>
internal sealed class T5Attention : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly T5Config config;
    private readonly LinearLayer q, k, v, o;
    private readonly EmbeddingLayer? relative_attention_bias;

    public T5Attention(T5Config config, bool first) : base(nameof(T5Attention))
    {
        this.config = config;
        var inner = config.Attention.Inner;
        (q, k, v) = (Layers.Linear(config.DModel, inner, bias: false),
            Layers.Linear(config.DModel, inner, bias: false), Layers.Linear(config.DModel, inner, bias: false));
        o = Layers.Linear(inner, config.DModel, bias: false);
        if (first) relative_attention_bias = Layers.Embedding(config.RelativeAttentionNumBuckets, config.NumHeads);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="bias">Added to the scores, broadcast to [batch, heads, tokens, tokens].</param>
    /// <returns>As the first.</returns>
    public override Tensor forward(Tensor x, Tensor bias)
    {
        // Attention divides scores by √d, unlike T5: scaling the queries cancels it.
        var queries = q.call(x) * Math.Sqrt(config.DKv);
        return o.call(Attention.Attend((queries, k.call(x), v.call(x)), config.Attention, bias));
    }

    /// <inheritdoc cref="T5Block.Distances"/>
    public Tensor Distances(Tensor x)
    {
        var table = relative_attention_bias
            ?? throw new InvalidOperationException("Only the first block of T5 holds the relative attention bias.");
        using var scope = NewDisposeScope();
        var places = arange(x.shape[1], device: x.device);
        var buckets = Buckets(places.unsqueeze(0) - places.unsqueeze(1));                    // [tokens, tokens]: key - query
        return table.call(buckets).permute(2, 0, 1).unsqueeze(0).to(x.dtype).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Buckets of relative positions: half for earlier tokens, half for later ones; of each half, one half for single distances, the other
    /// for exponentially growing ranges (Raffel et al., 2020, §2.1).
    /// </summary>
    private Tensor Buckets(Tensor distance)
    {
        var half = config.RelativeAttentionNumBuckets / 2;
        var single = half / 2;
        var length = distance.abs();
        var share = (length.to(ScalarType.Float32) / single).log() / Math.Log((double)config.RelativeAttentionMaxDistance / single);
        var range = (single + (share * (half - single)).to(ScalarType.Int64)).clamp_max(half - 1);
        return (distance.gt(0).to(ScalarType.Int64) * half) + where(length.lt(single), length, range);
    }
}

/// <summary><c>x + mlp(norm(x))</c></summary>
internal sealed class T5FeedForwardLayer : nn.Module<Tensor, Tensor>
{
    private readonly T5FeedForward DenseReluDense;
    private readonly RmsNorm layer_norm;

    public T5FeedForwardLayer(T5Config config) : base(nameof(T5FeedForwardLayer))
    {
        DenseReluDense = new T5FeedForward(config);
        layer_norm = new RmsNorm(config.DModel, config.LayerNormEpsilon);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x) => x + DenseReluDense.call(layer_norm.call(x));
}

/// <summary>
/// Two linear layers with an activation between them, or, if gated, the product of an activated and a linear layer in place of the first.
/// </summary>
internal sealed class T5FeedForward : nn.Module<Tensor, Tensor>
{
    private readonly Func<Tensor, Tensor> activation;
    private readonly LinearLayer? wi, wi_0, wi_1;
    private readonly LinearLayer wo;

    public T5FeedForward(T5Config config) : base(nameof(T5FeedForward))
    {
        activation = config.Activation;
        if (config.IsGated) (wi_0, wi_1)
            = (Layers.Linear(config.DModel, config.DFf, bias: false), Layers.Linear(config.DModel, config.DFf, bias: false));
        else wi = Layers.Linear(config.DModel, config.DFf, bias: false);
        wo = Layers.Linear(config.DFf, config.DModel, bias: false);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x) =>
        wo.call(wi is not null ? activation(wi.call(x)) : activation(wi_0!.call(x)) * wi_1!.call(x));
}

/// <summary>Division by the root mean square, and a learned scale (Zhang and Sennrich, 2019).</summary>
internal sealed class RmsNorm : nn.Module<Tensor, Tensor>
{
    private readonly double eps;
    private readonly Parameter weight;

    public RmsNorm(long width, double eps) : base(nameof(RmsNorm))
    {
        this.eps = eps;
        weight = WeightInit.Constant(1, width);
        RegisterComponents();
    }

    /// <param name="x">[..., width]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();

        // Squares exceed the range of float16 and the precision of bfloat16.
        var exact = x.to(ScalarType.Float32);
        var normed = exact * (exact.square().mean([-1], keepdim: true) + eps).rsqrt();
        return (normed.to(x.dtype) * weight.As(x)).MoveToOuterDisposeScope();
    }
}
