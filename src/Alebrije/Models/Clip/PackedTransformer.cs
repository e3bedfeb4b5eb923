using Alebrije.Nn;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>What CLIP's perceptrons apply between their layers; told by the configuration and never guessed.</summary>
internal enum ClipActivation
{
    /// <summary>x σ(1.702 x).</summary>
    QuickGelu,

    /// <summary>x Φ(x), exact.</summary>
    Gelu,

    /// <summary>x Φ(x) by the tanh formula.</summary>
    TanhGelu,
}

/// <summary>The tensors of one residual block, whatever its checkpoint calls them.</summary>
/// <param name="Heads">Heads; they divide the width.</param>
/// <param name="Eps">Epsilon of both norms.</param>
/// <param name="Activation">Of the perceptron.</param>
internal sealed record ClipBlockWeights(int Heads, double Eps, ClipActivation Activation)
{
    /// <summary>First norm, [width] each.</summary>
    public required (Tensor Scale, Tensor Shift) Norm1 { get; init; }

    /// <summary>Queries, keys and values, [3 · width, width] and [3 · width].</summary>
    public required (Tensor Weight, Tensor Bias) InProjection { get; init; }

    /// <summary>[width, width] and [width].</summary>
    public required (Tensor Weight, Tensor Bias) OutProjection { get; init; }

    /// <summary>Second norm, [width] each.</summary>
    public required (Tensor Scale, Tensor Shift) Norm2 { get; init; }

    /// <summary>[inner, width] and [inner].</summary>
    public required (Tensor Weight, Tensor Bias) Widen { get; init; }

    /// <summary>[width, inner] and [width].</summary>
    public required (Tensor Weight, Tensor Bias) Narrow { get; init; }
}

/// <summary>
/// The blocks of a CLIP tower made ready for inference: the same sums in another order of work. Linear layers are packed and compute in the type asked
/// for; the residual stream and the norms stay float32, which keeps bfloat16's embeddings within 1e-4 of float32's by cosine (measured by
/// <c>bench clip</c>). The last block computes only the tokens that are read.
/// </summary>
internal sealed class PackedTransformer : IDisposable
{
    private readonly PackedBlock[] blocks;

    /// <param name="blocks">First to last; read one after the other, so they may be made on the way.</param>
    /// <param name="type">Type of the products: float32, bfloat16 or int8.</param>
    public PackedTransformer(IEnumerable<ClipBlockWeights> blocks, ScalarType type)
    {
        var packed = new List<PackedBlock>();
        using var quiet = no_grad();
        using var next = blocks.GetEnumerator();
        for (var more = true; more;)
        {
            using var scope = NewDisposeScope();
            if (more = next.MoveNext()) packed.Add(new PackedBlock(next.Current, type));
        }

        this.blocks = [.. packed];
    }

    /// <param name="x">[batch, tokens, width] float32</param>
    /// <param name="mask">Whether token i sees token j, boolean [tokens, tokens], or null: all see all.</param>
    /// <param name="read">[read] int64, the tokens that are read of every row; null reads all.</param>
    /// <returns>[batch, read, width] float32, before any final norm.</returns>
    public Tensor Encode(Tensor x, Tensor? mask, Tensor? read)
    {
        using var scope = NewDisposeScope();
        var hidden = x;
        foreach (var block in blocks[..^1])
        {
            var next = block.Forward(hidden, mask, null);
            if (!ReferenceEquals(hidden, x)) hidden.Dispose();
            hidden = next;
        }

        return blocks[^1].Forward(hidden, mask, read).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var block in blocks) block.Dispose();
    }

    private sealed class PackedBlock : IDisposable
    {
        private const double QuickGeluScale = 1.702;
        private readonly long heads;
        private readonly double eps;
        private readonly (Tensor Scale, Tensor Shift) norm1, norm2;
        private readonly PackedLinear inProjection, outProjection, widen, narrow;

        public PackedBlock(ClipBlockWeights block, ScalarType type)
        {
            (heads, eps) = (block.Heads, block.Eps);
            (norm1, norm2) = (Keep(block.Norm1), Keep(block.Norm2));
            inProjection = new PackedLinear(block.InProjection.Weight, block.InProjection.Bias, type);
            outProjection = new PackedLinear(block.OutProjection.Weight, block.OutProjection.Bias, type);

            // With y = 1.702 x, QuickGELU is y σ(y) / 1.702: both factors go into the matrices beside it.
            var quick = block.Activation == ClipActivation.QuickGelu;
            var epilogue = quick ? LinearEpilogue.Silu : block.Activation == ClipActivation.Gelu ? LinearEpilogue.Gelu : LinearEpilogue.TanhGelu;
            var scale = quick ? QuickGeluScale : 1;
            widen = new PackedLinear(block.Widen.Weight.detach() * scale, block.Widen.Bias.detach() * scale, type, epilogue);
            narrow = new PackedLinear(block.Narrow.Weight.detach() / scale, block.Narrow.Bias, type);
        }

        public Tensor Forward(Tensor x, Tensor? mask, Tensor? read)
        {
            using var scope = NewDisposeScope();
            var parts = inProjection.Call(Norm(x, norm1)).view(x.shape[0], x.shape[1], 3, heads, -1).permute(2, 0, 3, 1, 4); // [3, batch, heads, tokens, head width]
            var q = parts[0];
            if (read is not null)
            {
                (q, x) = (q.index_select(2, read), x.index_select(1, read));
                mask = mask?.index_select(0, read);
            }

            var attended = nn.functional.scaled_dot_product_attention(q, parts[1], parts[2], mask);
            x = x + outProjection.Call(attended.transpose(1, 2).reshape(x.shape));           // [batch, read, width]
            return x.add_(narrow.Call(widen.Call(Norm(x, norm2)))).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            foreach (var layer in new[] { inProjection, outProjection, widen, narrow }) layer.Dispose();
            foreach (var (scale, shift) in new[] { norm1, norm2 })
            {
                scale.Dispose();
                shift.Dispose();
            }
        }

        private Tensor Norm(Tensor x, (Tensor Scale, Tensor Shift) norm) => nn.functional.layer_norm(x, [x.shape[^1]], norm.Scale, norm.Shift, eps);

        private static (Tensor Scale, Tensor Shift) Keep((Tensor Scale, Tensor Shift) norm) => (Own(norm.Scale), Own(norm.Shift));

        private static Tensor Own(Tensor x) => x.detach().to(ScalarType.Float32).clone().DetachFromDisposeScope();
    }
}

/// <summary>The activations as functions.</summary>
internal static class ClipActivations
{
    /// <returns>A function of a tensor of any shape.</returns>
    public static Func<Tensor, Tensor> Function(this ClipActivation activation) => activation switch
    {
        ClipActivation.QuickGelu => Activation.QuickGelu,
        ClipActivation.Gelu => x => nn.functional.gelu(x),
        _ => Activation.TanhGelu,
    };
}
