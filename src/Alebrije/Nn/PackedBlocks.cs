using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Keys and values that the blocks of a causal transformer made of the tokens so far: all that later tokens look at.</summary>
/// <param name="Blocks">For each block [batch or 1, heads, tokens, head width], twice; one row serves any batch.</param>
internal sealed record KeyValues(IReadOnlyList<(Tensor Keys, Tensor Values)> Blocks) : IDisposable
{
    /// <summary>Tokens that are kept.</summary>
    public long Tokens => Blocks[0].Keys.shape[2];

    /// <summary>Takes the tensors out of every dispose scope: they live until <see cref="Dispose"/>.</summary>
    public KeyValues Detach()
    {
        foreach (var (keys, values) in Blocks)
        {
            keys.DetachFromDisposeScope();
            values.DetachFromDisposeScope();
        }

        return this;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (keys, values) in Blocks)
        {
            keys.Dispose();
            values.Dispose();
        }
    }
}

/// <summary>Some rows of a batch and what their tokens look at.</summary>
/// <param name="Rows">How many rows of the batch, from where the part before it ends.</param>
/// <param name="Before">Tokens that stand before those of the batch, or null.</param>
/// <param name="Bias">Added to the scores, broadcast to [rows, heads, tokens, before + tokens], or null.</param>
internal sealed record SequencePart(long Rows, KeyValues? Before, Tensor? Bias);

/// <summary>
/// Transformer blocks made ready for inference on a few tokens at a time. Linear layers are packed and compute in the type asked for; the residual stream
/// and the norms stay float32. Tokens that came before take part by their keys and values alone, and the last block computes only the tokens that are read.
/// </summary>
internal sealed class PackedBlocks : IDisposable
{
    private readonly PackedBlock[] blocks;

    /// <param name="blocks">First to last, each looking at its own sequence only.</param>
    /// <param name="type">Type of the products: float32 or bfloat16.</param>
    public PackedBlocks(IEnumerable<TransformerBlock> blocks, ScalarType type)
    {
        Type = type;
        this.blocks = [.. blocks.Select(block => new PackedBlock(block, type))];
    }

    /// <summary>Type of the products.</summary>
    public ScalarType Type { get; }

    /// <param name="x">[batch, tokens, width] float32</param>
    /// <param name="parts">Their rows, one part after the other, make the batch.</param>
    /// <param name="read">How many of the last tokens come out; 0 computes keys and values alone.</param>
    /// <param name="keep">An empty list that gets keys and values of all tokens, those before included, block by block; with it there may be one part only.</param>
    /// <returns>[batch, read, width] float32</returns>
    public Tensor Forward(Tensor x, IReadOnlyList<SequencePart> parts, long read, List<(Tensor Keys, Tensor Values)>? keep = null)
    {
        using var scope = NewDisposeScope();
        var hidden = x;
        for (var i = 0; i < blocks.Length; i++)
        {
            var next = blocks[i].Forward(hidden, i, parts, i == blocks.Length - 1 ? read : x.shape[1], keep);
            if (!ReferenceEquals(hidden, x)) hidden.Dispose();
            hidden = next;
        }

        foreach (var (keys, values) in keep ?? [])
        {
            keys.MoveToOuterDisposeScope();
            values.MoveToOuterDisposeScope();
        }

        return hidden.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var block in blocks) block.Dispose();
    }

    private sealed class PackedBlock : IDisposable
    {
        private readonly long heads;
        private readonly (Tensor Scale, Tensor Shift, double Eps) norm1, norm2;
        private readonly PackedLinear inProjection, outProjection, widen, narrow;

        public PackedBlock(TransformerBlock block, ScalarType type)
        {
            using var scope = NewDisposeScope();
            using var quiet = no_grad();
            var ((first, attention), (second, network)) = (block.SelfAttention, block.Perceptron);
            if (block.LooksAtContext || network.IsGated)
                throw new ArgumentException("A block that looks at a context or is gated cannot be packed: only blocks of one sequence with a plain network can.");
            heads = attention.Sizes.Heads;
            (norm1, norm2) = (Own(first), Own(second));
            var (q, k, v, o) = attention.Projections;
            var shift = q.Bias is null ? null : cat([q.Bias, k.Bias!, v.Bias!]);
            inProjection = new PackedLinear(cat([q.Weight, k.Weight, v.Weight]), shift, type);                    // [3 inner, width]
            outProjection = new PackedLinear(o.Weight, o.Bias, type);
            widen = new PackedLinear(network.Projections.Widen.Weight, network.Projections.Widen.Bias, type, LinearEpilogue.Gelu);
            narrow = new PackedLinear(network.Projections.Narrow.Weight, network.Projections.Narrow.Bias, type);
        }

        public Tensor Forward(Tensor x, int number, IReadOnlyList<SequencePart> parts, long read, List<(Tensor, Tensor)>? keep)
        {
            using var scope = NewDisposeScope();
            var (batch, tokens, width) = (x.shape[0], x.shape[1], x.shape[2]);
            var projected = inProjection.Call(Norm(x, norm1)).view(batch, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4); // [3, batch, heads, tokens, head width]
            var attended = new List<Tensor>();
            var row = 0L;
            foreach (var part in parts)
            {
                var q = projected[0].narrow(0, row, part.Rows);
                var (k, v) = (projected[1].narrow(0, row, part.Rows), projected[2].narrow(0, row, part.Rows));
                if (part.Before is { } before) (k, v) = (After(before.Blocks[number].Keys, k), After(before.Blocks[number].Values, v));
                keep?.Add((k.contiguous().MoveToOuterDisposeScope(), v.contiguous().MoveToOuterDisposeScope()));
                row += part.Rows;
                if (read == 0) continue;
                var bias = part.Bias is { } b ? b.narrow(2, tokens - read, read) : null;
                attended.Add(nn.functional.scaled_dot_product_attention(q.narrow(2, tokens - read, read), k, v, bias));
            }

            if (read == 0) return x.narrow(1, 0, 0).MoveToOuterDisposeScope();
            var merged = (attended.Count == 1 ? attended[0] : cat(attended)).MergeHeads();                              // [batch, read, inner]
            x = x.narrow(1, tokens - read, read) + outProjection.Call(merged);
            return x.add_(narrow.Call(widen.Call(Norm(x, norm2)))).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            foreach (var layer in new[] { inProjection, outProjection, widen, narrow }) layer.Dispose();
            foreach (var (scale, shift, _) in new[] { norm1, norm2 })
            {
                scale.Dispose();
                shift.Dispose();
            }
        }

        private static Tensor After(Tensor before, Tensor now) =>
            cat([before.shape[0] == now.shape[0] ? before : before.expand(now.shape[0], -1, -1, -1), now], dim: 2);

        private static Tensor Norm(Tensor x, (Tensor Scale, Tensor Shift, double Eps) norm) =>
            nn.functional.layer_norm(x, [x.shape[^1]], norm.Scale, norm.Shift, norm.Eps);

        private static (Tensor Scale, Tensor Shift, double Eps) Own(LayerNormLayer norm) => (Own(norm.Pair.Scale), Own(norm.Pair.Shift), norm.Eps);

        private static Tensor Own(Tensor x) => x.detach().to(ScalarType.Float32).clone().DetachFromDisposeScope();
    }
}
