using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Form of a transformer block.</summary>
/// <param name="First">Sizes of the first attention; with a context width it attends to the context, else to its own sequence.</param>
/// <param name="Second">Sizes of the following attention to the context, or null without one.</param>
internal sealed record TransformerBlockForm(AttentionSizes First, AttentionSizes? Second)
{
    /// <summary>True if the feed-forward network is gated (GEGLU).</summary>
    public bool Gated { get; init; }

    /// <summary>Dropout probability.</summary>
    public double Dropout { get; init; }
}

/// <summary>
/// Pre-norm transformer block: attention, optional attention to a context, feed-forward network, each added to its input (diffusers,
/// models/attention.py, BasicTransformerBlock).
/// </summary>
internal sealed class TransformerBlock : nn.Module<Tensor, Tensor?, Tensor?, Tensor>
{
    private readonly bool firstTakesContext;
    private readonly LayerNormLayer norm1, norm3;
    private readonly LayerNormLayer? norm2;
    private readonly Attention attn1;
    private readonly Attention? attn2;
    private readonly FeedForward ff;

    public TransformerBlock(long width, TransformerBlockForm form) : base(nameof(TransformerBlock))
    {
        firstTakesContext = form.First.ContextWidth is not null;
        norm1 = Layers.LayerNorm(width);
        attn1 = new Attention(width, form.First);
        if (form.Second is { } second)
        {
            norm2 = Layers.LayerNorm(width);
            attn2 = new Attention(width, second);
        }

        norm3 = Layers.LayerNorm(width);
        ff = new FeedForward(width, form.Gated, form.Dropout);
        RegisterComponents();
    }

    /// <summary>Layers of the block, for packing.</summary>
    /// <exception cref="ArgumentException">The block attends to a context or is gated.</exception>
    public BlockWeights Weights() => firstTakesContext || attn2 is not null || ff.IsGated
        ? throw new ArgumentException(
            "A block that attends to a context or is gated cannot be packed: only blocks of one sequence with a plain network can.")
        : new BlockWeights(norm1, norm3, attn1.Projections.Out, ff.Projections.Widen, ff.Projections.Narrow)
        {
            Heads = attn1.Sizes.Heads, Activation = GeluForm.Exact,
            InProjections = (attn1.Projections.Q, attn1.Projections.K, attn1.Projections.V),
        };

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="context">[batch, others, context width], or null without attention to a context.</param>
    /// <param name="bias">Added to the first attention's scores, broadcast to [batch, heads, tokens, tokens], or null.</param>
    /// <returns>[batch, tokens, width]</returns>
    public override Tensor forward(Tensor x, Tensor? context, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        x = x + attn1.call(norm1.call(x), firstTakesContext ? context : null, bias);
        if (attn2 is not null) x = x + attn2.call(norm2!.call(x), context, null);
        return (x + ff.call(norm3.call(x))).MoveToOuterDisposeScope();
    }
}
