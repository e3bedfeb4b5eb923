using Alebrije.Tensors;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Sizes of an attention layer.</summary>
/// <param name="Heads">Number of heads.</param>
/// <param name="HeadWidth">Width of one head; the inner width is heads × this.</param>
internal sealed record AttentionSizes(long Heads, long HeadWidth)
{
    /// <summary>Inner width: heads × head width.</summary>
    public long Inner => Heads * HeadWidth;

    /// <summary>Width of the context tokens; null for self-attention.</summary>
    public long? ContextWidth { get; init; }

    /// <summary>True if queries, keys and values have a bias; the output always has one.</summary>
    public bool Bias { get; init; }

    /// <summary>True if scores are computed in float32 instead of float16, whose range they may exceed; bfloat16 is unaffected.</summary>
    public bool Upcast { get; init; }

    /// <summary>Dropout probability of the output.</summary>
    public double Dropout { get; init; }

    /// <summary>Splits a width into heads.</summary>
    public static AttentionSizes Split(long width, long heads) =>
        heads > 0 && width % heads == 0
            ? new AttentionSizes(heads, width / heads)
            : throw new ArgumentException(
                $"A width of {width} cannot be split into {heads} heads: the number of heads must divide the width.");
}

/// <summary>
/// Multi-head attention (Vaswani et al., 2017, §3.2) of a sequence to itself or to another one, with tensors named as in diffusers
/// (models/attention_processor.py, Attention).
/// </summary>
internal sealed class Attention : nn.Module<Tensor, Tensor?, Tensor?, Tensor>
{
    private readonly AttentionSizes sizes;
    private readonly LinearLayer to_q, to_k, to_v;
    private readonly ModuleList<LinearLayer> to_out;

    public Attention(long width, AttentionSizes sizes) : base(nameof(Attention))
    {
        this.sizes = sizes;
        to_q = Layers.Linear(width, sizes.Inner, sizes.Bias);
        to_k = Layers.Linear(sizes.ContextWidth ?? width, sizes.Inner, sizes.Bias);
        to_v = Layers.Linear(sizes.ContextWidth ?? width, sizes.Inner, sizes.Bias);
        to_out = new ModuleList<LinearLayer>(Layers.Linear(sizes.Inner, width));
        RegisterComponents();
    }

    /// <summary>Number and width of the heads.</summary>
    public AttentionSizes Sizes => sizes;

    /// <summary>Layers of queries, keys, values and output.</summary>
    public (LinearLayer Q, LinearLayer K, LinearLayer V, LinearLayer Out) Projections => (to_q, to_k, to_v, to_out[0]);

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="context">[batch, others, context width], or null: the sequence itself.</param>
    /// <param name="bias">Added to the scores, broadcast to [batch, heads, tokens, others], or null.</param>
    /// <returns>[batch, tokens, width]</returns>
    public override Tensor forward(Tensor x, Tensor? context, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        context ??= x;
        var attended = Attend((to_q.call(x), to_k.call(context), to_v.call(context)), sizes, bias);
        return to_out[0].call(attended).Drop(sizes.Dropout, training).MoveToOuterDisposeScope();
    }

    /// <summary>softmax(q kᵀ / √d + bias) v, head by head.</summary>
    /// <param name="projected">Queries [batch, tokens, inner]; keys and values [batch, others, inner].</param>
    /// <param name="sizes">Heads, and the upcast of scores.</param>
    /// <param name="bias">Broadcast to [batch, heads, tokens, others], or null.</param>
    /// <returns>[batch, tokens, inner]</returns>
    internal static Tensor Attend((Tensor Q, Tensor K, Tensor V) projected, AttentionSizes sizes, Tensor? bias = null)
    {
        var type = projected.Q.dtype;
        var (q, k, v) = (projected.Q.SplitHeads(sizes.Heads), projected.K.SplitHeads(sizes.Heads), projected.V.SplitHeads(sizes.Heads));
        if (sizes.Upcast && type == ScalarType.Float16) (q, k, v, bias) = (q.@float(), k.@float(), v.@float(), bias?.@float());
        return AttendHeads((q, k, v), bias).to(type);
    }

    /// <summary>As <see cref="Attend"/>, of tensors that are split into heads.</summary>
    /// <param name="heads">Queries [batch, heads, tokens, head width]; keys and values [batch, heads, others, head width].</param>
    /// <param name="bias">Broadcast to [batch, heads, tokens, others], or null.</param>
    /// <returns>[batch, tokens, inner]</returns>
    internal static Tensor AttendHeads((Tensor Q, Tensor K, Tensor V) heads, Tensor? bias) =>
        nn.functional.scaled_dot_product_attention(heads.Q, heads.K, heads.V, bias).MergeHeads();

    /// <summary>softmax(q kᵀ / √d + bias), for display.</summary>
    /// <param name="q">[batch, heads, tokens, head width]</param>
    /// <param name="k">[batch, heads, others, head width]</param>
    /// <param name="bias">Broadcast to [batch, heads, tokens, others], or null.</param>
    /// <returns>[batch, heads, tokens, others]</returns>
    internal static Tensor Weights(Tensor q, Tensor k, Tensor? bias = null)
    {
        using var scope = NewDisposeScope();
        var scores = Shapes.MatMul(q, k.transpose(-2, -1)) / Math.Sqrt(q.shape[^1]);
        return (bias is null ? scores : scores + bias).softmax(-1).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Self-attention over an image's positions, normalised first and added to its input: the middle of an autoencoder (diffusers,
/// models/attention_processor.py, Attention with group_norm and residual_connection).
/// </summary>
internal sealed class SpatialAttention : nn.Module<Tensor, Tensor>
{
    private readonly AttentionSizes sizes;
    private readonly GroupNormLayer group_norm;
    private readonly LinearLayer to_q, to_k, to_v;
    private readonly ModuleList<LinearLayer> to_out;

    public SpatialAttention(long channels, AttentionSizes sizes, long groups, double eps) : base(nameof(SpatialAttention))
    {
        this.sizes = sizes;
        group_norm = Layers.GroupNorm(groups, channels, eps);
        to_q = Layers.Linear(channels, sizes.Inner);
        to_k = Layers.Linear(channels, sizes.Inner);
        to_v = Layers.Linear(channels, sizes.Inner);
        to_out = new ModuleList<LinearLayer>(Layers.Linear(sizes.Inner, channels));
        RegisterComponents();
    }

    /// <param name="x">[batch, channels, h, w]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var positions = group_norm.call(x).ToSequence();                     // [batch, h·w, channels]
        var attended = Attention.Attend((to_q.call(positions), to_k.call(positions), to_v.call(positions)), sizes);
        var back = to_out[0].call(attended).ToFeatureMap(x.shape[2], x.shape[3]);
        return (x + back).MoveToOuterDisposeScope();
    }
}
