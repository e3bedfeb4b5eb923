using Alebrije.Nn;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>Layers around the blocks of a text tower.</summary>
/// <param name="Embeddings">Tokens and positions.</param>
/// <param name="FinalNorm">Norm after the blocks.</param>
/// <param name="Projection">Projection into the joint space, or null.</param>
/// <param name="End">Pooled position of a padded row of ids.</param>
/// <param name="SeesLaterTokens">True if tokens attend to later ones.</param>
internal sealed record ClipTextEnds(
    ClipTextEmbeddings Embeddings, LayerNormLayer FinalNorm, LinearLayer? Projection, Func<int[], int> End, bool SeesLaterTokens);

/// <summary>
/// A text tower packed for inference. With causal attention, tokens after the pooled one do not affect the result: rows are cut there and
/// concatenated, separated by a mask, so that the work grows with the texts rather than with the padded length. Other towers process padded
/// rows.
/// </summary>
internal sealed class PackedTextTower : IDisposable
{
    /// <summary>Tokens per batch: enough for efficient kernels, few enough for a cheap mask.</summary>
    private const int TokensTogether = 512;

    private readonly PackedBlocks blocks;
    private readonly Tensor tokens, positions;
    private readonly PackedNorm norm;
    private readonly PackedLinear? projection;
    private readonly Func<int[], int> end;
    private readonly bool seesLaterTokens;

    /// <param name="blocks">The tower's blocks; disposed with this object.</param>
    /// <param name="ends">The layers around them.</param>
    public PackedTextTower(PackedBlocks blocks, ClipTextEnds ends)
    {
        this.blocks = blocks;
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        (tokens, positions) = (Own(ends.Embeddings.Tokens), Own(ends.Embeddings.Positions));
        norm = new PackedNorm(ends.FinalNorm);
        if (ends.Projection is { } layer) projection = new PackedLinear(layer.Weight, layer.Bias, ScalarType.Float32);
        (end, seesLaterTokens) = (ends.End, ends.SeesLaterTokens);
    }

    /// <summary>Embeds rows of ids, short ones first.</summary>
    /// <param name="rows">[texts][tokens], padded or not; padded to the tower's length if tokens attend to later ones.</param>
    /// <param name="done">
    /// Called with the indices of the rows of a batch and their embeddings [indices, dimensions] float32, not normalised.
    /// </param>
    public void Embed(int[][] rows, Action<int[], Tensor> done)
    {
        var ends = rows.Select(end).ToArray();
        var lengths = rows.Select((row, i) => seesLaterTokens ? row.Length : ends[i] + 1).ToArray();
        var order = Enumerable.Range(0, rows.Length).OrderBy(i => lengths[i]).ToArray();
        for (var from = 0; from < order.Length;)
        {
            var (to, sum) = (from, 0);
            while (to < order.Length && (to == from || sum + lengths[order[to]] <= TokensTogether)) sum += lengths[order[to++]];
            var together = order[from..to];
            using var scope = NewDisposeScope();
            var last = seesLaterTokens ? Padded([.. together.Select(i => rows[i])], [.. together.Select(i => (long)ends[i])])
                : EndToEnd([.. together.Select(i => rows[i].AsMemory(0, lengths[i]))]);
            var normed = norm.Call(last);                                                     // [texts, width]
            done(together, projection?.Call(normed) ?? normed);
            from = to;
        }
    }

    /// <param name="texts">Ids up to the pooled one.</param>
    /// <returns>[texts, width], before the norm</returns>
    private Tensor EndToEnd(ReadOnlyMemory<int>[] texts)
    {
        var count = texts.Sum(t => t.Length);
        var (ids, places, owners, read) = (new long[count], new long[count], new long[count], new long[texts.Length]);
        var at = 0;
        for (var i = 0; i < texts.Length; i++)
        {
            for (var t = 0; t < texts[i].Length; t++, at++) (ids[at], places[at], owners[at]) = (texts[i].Span[t], t, i);
            read[i] = at - 1;
        }

        using var scope = NewDisposeScope();
        var x = tokens.index_select(0, tensor(ids)).add_(positions.index_select(0, tensor(places))).unsqueeze(0); // [1, count, width]
        var owner = tensor(owners);
        var mask = owner.unsqueeze(1).eq(owner.unsqueeze(0)).tril();                          // [count, count]
        return blocks.Forward(x, mask, tensor(read)).squeeze(0).MoveToOuterDisposeScope();
    }

    /// <param name="rows">[texts][tokens] of one length.</param>
    /// <param name="ends">Pooled position of each row.</param>
    /// <returns>[texts, width], before the norm</returns>
    private Tensor Padded(int[][] rows, long[] ends)
    {
        using var scope = NewDisposeScope();
        var length = rows[0].Length;
        var ids = tensor(rows.SelectMany(row => row.Select(id => (long)id)).ToArray());
        var x = tokens.index_select(0, ids).view(rows.Length, length, -1).add_(positions.narrow(0, 0, length)); // [texts, tokens, width]
        if (ends.Distinct().Count() == 1) return blocks.Forward(x, read: tensor(ends[..1])).squeeze(1).MoveToOuterDisposeScope();
        return blocks.Forward(x).index(TensorIndex.Tensor(arange(rows.Length)), TensorIndex.Tensor(tensor(ends))).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in new IDisposable?[] { blocks, tokens, positions, norm, projection }) owned?.Dispose();
    }

    private static Tensor Own(Tensor x) => x.detach().to(ScalarType.Float32).DetachFromDisposeScope();
}

/// <summary>Layers around the blocks of an image tower.</summary>
/// <param name="Patches">Patch embedding: a convolution whose stride is its kernel.</param>
/// <param name="Positions">[tokens, width], the class token's first if there is one.</param>
/// <param name="Pool">Pools [batch, tokens, width] float32 after the blocks to [batch, features]; only the first token unless all are
/// pooled.</param>
/// <param name="Projection">Projection into the joint space, or null.</param>
internal sealed record ClipVisionEnds(ConvolutionLayer Patches, Tensor Positions, Func<Tensor, Tensor> Pool, LinearLayer? Projection)
{
    /// <summary>[width], or null without a class token.</summary>
    public Tensor? Class { get; init; }

    /// <summary>Norm before the blocks, or null.</summary>
    public LayerNormLayer? FirstNorm { get; init; }

    /// <summary>True if pooling takes all tokens.</summary>
    public bool ReadsAll { get; init; }
}

/// <summary>An image tower packed for inference.</summary>
internal sealed class PackedVisionTower : IDisposable
{
    private readonly PackedBlocks blocks;
    private readonly PackedLinear patches;
    private readonly PackedLinear? projection;
    private readonly PackedNorm? firstNorm;
    private readonly Tensor? first;
    private readonly Tensor positions;
    private readonly Func<Tensor, Tensor> pool;
    private readonly bool readsAll;
    private readonly long patch;

    /// <param name="blocks">The tower's blocks; disposed with this object.</param>
    /// <param name="ends">The layers around them; pooling runs in the network's own layers.</param>
    /// <param name="type">Type of the matrix products.</param>
    public PackedVisionTower(PackedBlocks blocks, ClipVisionEnds ends, ScalarType type)
    {
        this.blocks = blocks;
        (pool, readsAll, patch) = (ends.Pool, ends.ReadsAll, ends.Patches.Weight.shape[^1]);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();

        // The patch embedding stays in full precision: int8 would save a fortieth of the work.
        patches = new PackedLinear(ends.Patches.Weight.flatten(1), ends.Patches.Bias, type == ScalarType.Int8 ? ScalarType.Float32 : type);
        if (ends.Projection is { } layer) projection = new PackedLinear(layer.Weight, layer.Bias, ScalarType.Float32);
        if (ends.FirstNorm is { } norm) firstNorm = new PackedNorm(norm);
        var all = ends.Positions.detach().to(ScalarType.Float32);
        first = ends.Class is { } token ? (token.detach().to(ScalarType.Float32) + all[0]).DetachFromDisposeScope() : null;
        positions = (first is null ? all : all[1..]).clone().DetachFromDisposeScope();
    }

    /// <param name="pixels">[batch, 3, size, size] float32, normalised as in the checkpoint's config.</param>
    /// <returns>[batch, dimensions] float32, not normalised</returns>
    public Tensor Embed(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var (batch, grid) = (pixels.shape[0], pixels.shape[3] / patch);
        if (grid * grid != positions.shape[0])
            throw new ArgumentException($"The image tower has {positions.shape[0]} places for "
                + $"patches of {patch} pixels; an image of {pixels.shape[3]} x {pixels.shape[2]} has {grid * (pixels.shape[2] / patch)}.");
        var cut = pixels.narrow(2, 0, grid * patch).narrow(3, 0, grid * patch);
        // [batch, grid², 3 · patch²]
        var windows = cut.to(patches.Type).reshape(batch, 3, grid, patch, grid, patch)
            .permute(0, 2, 4, 1, 3, 5).reshape(batch, grid * grid, -1);
        var x = patches.Call(windows).to(ScalarType.Float32) + positions;
        if (first is not null) x = cat([first.expand(batch, 1, -1), x], dim: 1);              // [batch, 1 + grid², width]
        if (firstNorm is not null) x = firstNorm.Call(x);
        var pooled = pool(blocks.Forward(x, read: readsAll ? null : zeros(1, ScalarType.Int64)));
        return (projection?.Call(pooled) ?? pooled).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in new IDisposable?[] { blocks, patches, projection, firstNorm, first, positions }) owned?.Dispose();
    }
}
