using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Keys and values of the blocks of a causal transformer for the tokens so far, to which later tokens attend.</summary>
/// <param name="Blocks">For each block keys and values [batch or 1, heads, tokens, head width]; one row is broadcast to any batch.</param>
internal sealed record KeyValues(IReadOnlyList<(Tensor Keys, Tensor Values)> Blocks) : IDisposable
{
    /// <summary>Number of tokens.</summary>
    public long Tokens => Blocks[0].Keys.shape[2];

    /// <summary>Detaches the tensors from every dispose scope: they live until <see cref="Dispose"/>.</summary>
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

/// <summary>Some rows of a batch and the context of their tokens.</summary>
/// <param name="Rows">Number of rows of the batch, after those of the previous part.</param>
/// <param name="Before">Keys and values of earlier tokens, or null.</param>
/// <param name="Bias">Added to the scores, or true for visible tokens; broadcast to [rows, heads, tokens, before + tokens], with both last
/// axes present. Null: all are visible.</param>
internal sealed record SequencePart(long Rows, KeyValues? Before, Tensor? Bias);

/// <summary>Layers of one pre-norm transformer block over a single sequence, independent of their names in the checkpoint.</summary>
/// <param name="Norm1">Norm before the attention.</param>
/// <param name="Norm2">Norm before the perceptron.</param>
/// <param name="OutProjection">Projection from the heads' inner width to the width.</param>
/// <param name="Up">First layer of the perceptron.</param>
/// <param name="Down">Second layer of the perceptron.</param>
internal sealed record BlockWeights(LayerNormLayer Norm1, LayerNormLayer Norm2, LinearLayer OutProjection, LinearLayer Up, LinearLayer Down)
{
    /// <summary>Number of heads.</summary>
    public required long Heads { get; init; }

    /// <summary>Activation of the perceptron.</summary>
    public required GeluForm Activation { get; init; }

    /// <summary>Layers of queries, keys and values.</summary>
    public required (LinearLayer Q, LinearLayer K, LinearLayer V) InProjections { get; init; }
}

/// <summary>
/// Transformer blocks packed for inference: the same sums in a different order. Linear layers are packed and compute in the given type; the
/// residual stream and the norms stay float32, which keeps bfloat16's embeddings of CLIP within 1e-4 of float32's by cosine (measured by
/// <c>bench clip</c>). Earlier tokens contribute by their keys and values alone, and the last block computes only the output tokens.
/// </summary>
internal sealed class PackedBlocks : IDisposable
{
    private readonly PackedBlock[] blocks;

    /// <param name="blocks">First to last, with self-attention only.</param>
    /// <param name="type">Type of the matrix products: float32, bfloat16 or int8.</param>
    public PackedBlocks(IEnumerable<BlockWeights> blocks, ScalarType type)
    {
        Type = type;
        this.blocks = [.. blocks.Select(block => new PackedBlock(block, type))];
    }

    /// <summary>Type of the matrix products.</summary>
    public ScalarType Type { get; }

    /// <param name="x">[batch, tokens, width] float32</param>
    /// <param name="parts">Parts whose rows, concatenated, are the batch.</param>
    /// <param name="read">Number of last tokens in the output; 0 computes keys and values alone.</param>
    /// <param name="keep">Empty list that receives keys and values of all tokens, earlier ones included, block by block; requires a single
    /// part.</param>
    /// <returns>[batch, read, width] float32</returns>
    public Tensor Forward(Tensor x, IReadOnlyList<SequencePart> parts, long read, List<(Tensor Keys, Tensor Values)>? keep = null)
    {
        using var last = arange(x.shape[1] - read, x.shape[1], ScalarType.Int64, x.device);
        return Forward(x, parts, read == x.shape[1] ? null : last, keep);
    }

    /// <param name="x">[batch, tokens, width] float32</param>
    /// <param name="mask">[tokens, tokens] boolean, true if token i attends to token j; null: all to all.</param>
    /// <param name="read">[read] int64, the tokens of every row in the output; null: all.</param>
    /// <returns>[batch, read, width] float32, before any final norm.</returns>
    public Tensor Forward(Tensor x, Tensor? mask = null, Tensor? read = null) =>
        Forward(x, [new SequencePart(x.shape[0], null, mask)], read, null);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var block in blocks) block.Dispose();
    }

    private Tensor Forward(Tensor x, IReadOnlyList<SequencePart> parts, Tensor? read, List<(Tensor Keys, Tensor Values)>? keep)
    {
        using var scope = NewDisposeScope();
        var hidden = x;
        for (var i = 0; i < blocks.Length; i++)
        {
            var next = blocks[i].Forward(hidden, i, parts, i == blocks.Length - 1 ? read : null, keep);
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

    private sealed class PackedBlock : IDisposable
    {
        private readonly long heads;
        private readonly PackedNorm norm1, norm2;
        private readonly PackedLinear inProjection, outProjection, up, down;

        public PackedBlock(BlockWeights block, ScalarType type)
        {
            using var scope = NewDisposeScope();
            using var quiet = no_grad();
            heads = block.Heads;
            (norm1, norm2) = (new PackedNorm(block.Norm1), new PackedNorm(block.Norm2));
            var (q, k, v) = block.InProjections;
            var shift = q.Bias is null ? null : cat([q.Bias, k.Bias!, v.Bias!]);
            inProjection = new PackedLinear(cat([q.Weight, k.Weight, v.Weight]), shift, type);                    // [3 inner, width]
            outProjection = new PackedLinear(block.OutProjection.Weight, block.OutProjection.Bias, type);

            // With y = 1.702 x, QuickGELU is y σ(y) / 1.702: both factors are merged into the adjacent matrices.
            var (epilogue, scale) = block.Activation switch
            {
                GeluForm.Quick => (LinearEpilogue.Silu, Activation.QuickGeluScale),
                GeluForm.Exact => (LinearEpilogue.Gelu, 1.0),
                _ => (LinearEpilogue.TanhGelu, 1.0),
            };
            up = new PackedLinear(Scaled(block.Up.Weight, scale), Scaled(block.Up.Bias!, scale), type, epilogue);
            down = new PackedLinear(Scaled(block.Down.Weight, 1 / scale), block.Down.Bias, type);
        }

        public Tensor Forward(Tensor x, int number, IReadOnlyList<SequencePart> parts, Tensor? read, List<(Tensor, Tensor)>? keep)
        {
            using var scope = NewDisposeScope();
            var projected = inProjection.Call(norm1.Call(x)).view(x.shape[0], x.shape[1], 3, heads, -1)
                .permute(2, 0, 3, 1, 4);                                                     // [3, batch, heads, tokens, head width]
            var queries = projected[0];
            if (read is not null) (queries, x) = (queries.index_select(2, read), x.index_select(1, read));
            var attended = new List<Tensor>();
            var row = 0L;
            foreach (var part in parts)
            {
                var (k, v) = (projected[1].narrow(0, row, part.Rows), projected[2].narrow(0, row, part.Rows));
                if (part.Before is { } before) (k, v) = (After(before.Blocks[number].Keys, k), After(before.Blocks[number].Values, v));
                keep?.Add((k.contiguous().MoveToOuterDisposeScope(), v.contiguous().MoveToOuterDisposeScope()));
                var bias = read is null ? part.Bias : part.Bias?.index_select(-2, read);
                if (x.shape[1] > 0) attended.Add(nn.functional.scaled_dot_product_attention(queries.narrow(0, row, part.Rows), k, v, bias));
                row += part.Rows;
            }

            if (x.shape[1] == 0) return x.MoveToOuterDisposeScope();
            x = x + outProjection.Call((attended.Count == 1 ? attended[0] : cat(attended)).MergeHeads());         // [batch, read, width]
            return x.add_(down.Call(up.Call(norm2.Call(x)))).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            foreach (var layer in new IDisposable[] { inProjection, outProjection, up, down, norm1, norm2 }) layer.Dispose();
        }

        private static Tensor Scaled(Tensor x, double scale) => scale == 1 ? x : x.detach() * scale;

        private static Tensor After(Tensor before, Tensor now) =>
            cat([before.shape[0] == now.shape[0] ? before : before.expand(now.shape[0], -1, -1, -1), now], dim: 2);
    }
}

/// <summary>A layer norm packed for inference: copies in float32.</summary>
internal sealed class PackedNorm(LayerNormLayer norm) : IDisposable
{
    private readonly Tensor scale = Own(norm.Weight), shift = Own(norm.Bias);
    private readonly double eps = norm.Eps;

    /// <param name="x">[..., width] float32</param>
    /// <returns>As the input.</returns>
    public Tensor Call(Tensor x) => nn.functional.layer_norm(x, [x.shape[^1]], scale, shift, eps);

    /// <inheritdoc/>
    public void Dispose()
    {
        scale.Dispose();
        shift.Dispose();
    }

    private static Tensor Own(Tensor x) => x.detach().to(ScalarType.Float32).clone().DetachFromDisposeScope();
}
