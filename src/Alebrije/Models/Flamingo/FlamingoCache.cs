using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Flamingo;

/// <summary>State of a text between two calls: keys and values of its tokens and images. One text batch, one thread.</summary>
internal sealed class FlamingoCache : IDisposable
{
    private readonly List<KeyValueBuffer> layers = [];

    /// <summary>Number of tokens held.</summary>
    public long Tokens { get; private set; }

    /// <summary>Visible tokens, [batch, tokens] int64 of 0 and 1.</summary>
    public Tensor? Mask { get; private set; }

    /// <summary>Images before the end of each text, [batch, 1] int64.</summary>
    public Tensor? Images { get; private set; }

    /// <summary>Projected images.</summary>
    public MediaCache Media { get; } = new();

    /// <summary>Appends the keys and values of new tokens to those of a layer.</summary>
    /// <param name="layer">Index of the layer.</param>
    /// <param name="k">[batch, heads, new tokens, head width]</param>
    /// <param name="v">As the keys.</param>
    /// <returns>Keys and values of all tokens; views that stay valid until the next call.</returns>
    public (Tensor K, Tensor V) Append(int layer, Tensor k, Tensor v)
    {
        while (layers.Count <= layer) layers.Add(new KeyValueBuffer());
        return layers[layer].Append(k, v);
    }

    /// <summary>Notes the tokens of a call, after its last layer.</summary>
    /// <param name="mask">[batch, all tokens]</param>
    /// <param name="images">[batch, 1]</param>
    public void Advance(Tensor mask, Tensor images)
    {
        Mask?.Dispose();
        Images?.Dispose();
        (Mask, Images, Tokens) = (mask.clone().DetachFromDisposeScope(), images.clone().DetachFromDisposeScope(), mask.shape[1]);
    }

    /// <summary>Replaces the texts by a selection of them: the beams that go on.</summary>
    /// <param name="rows">[new batch] int64 indices of texts</param>
    public void Select(Tensor rows)
    {
        foreach (var layer in layers) layer.Select(rows);
        Media.Select(rows);
        if (Mask is null) return;
        using var scope = NewDisposeScope();
        Advance(Mask.index_select(0, rows), Images!.index_select(0, rows));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in layers) layer.Dispose();
        Media.Dispose();
        Mask?.Dispose();
        Images?.Dispose();
    }

    /// <summary>Keys and values of one layer, with room for more tokens.</summary>
    private sealed class KeyValueBuffer : IDisposable
    {
        private const long Room = 64;
        private Tensor? keys, values;
        private long count;

        public (Tensor K, Tensor V) Append(Tensor k, Tensor v)
        {
            var total = count + k.shape[2];
            if (keys is null || keys.shape[2] < total) Grow(k, total + Math.Max(Room, total));
            keys!.narrow(2, count, k.shape[2]).copy_(k);
            values!.narrow(2, count, k.shape[2]).copy_(v);
            count = total;
            return (keys.narrow(2, 0, count), values.narrow(2, 0, count));
        }

        public void Select(Tensor rows) => Replace(keys!.index_select(0, rows), values!.index_select(0, rows));

        public void Dispose()
        {
            keys?.Dispose();
            values?.Dispose();
        }

        private void Grow(Tensor like, long capacity)
        {
            using var scope = NewDisposeScope();
            long[] shape = [like.shape[0], like.shape[1], capacity, like.shape[3]];
            var (k, v) = (zeros(shape, dtype: like.dtype), zeros(shape, dtype: like.dtype));
            if (count > 0)
            {
                k.narrow(2, 0, count).copy_(keys!.narrow(2, 0, count));
                v.narrow(2, 0, count).copy_(values!.narrow(2, 0, count));
            }

            Replace(k, v);
        }

        private void Replace(Tensor k, Tensor v)
        {
            Dispose();
            (keys, values) = (k.DetachFromDisposeScope(), v.DetachFromDisposeScope());
        }
    }
}

/// <summary>Keys and values of a batch's images in every gated block, computed at the first call.</summary>
internal sealed class MediaCache : IDisposable
{
    private readonly Dictionary<nn.Module, (Tensor K, Tensor V)> blocks = new(ReferenceEqualityComparer.Instance);

    /// <summary>The keys and values of a block.</summary>
    public (Tensor K, Tensor V) GetOrAdd(nn.Module block, Func<(Tensor K, Tensor V)> project)
    {
        if (blocks.TryGetValue(block, out var known)) return known;
        var (k, v) = project();
        return blocks[block] = (k.DetachFromDisposeScope(), v.DetachFromDisposeScope());
    }

    /// <inheritdoc cref="FlamingoCache.Select"/>
    public void Select(Tensor rows)
    {
        foreach (var (block, (k, v)) in blocks.ToList())
        {
            blocks[block] = (k.index_select(0, rows).DetachFromDisposeScope(), v.index_select(0, rows).DetachFromDisposeScope());
            k.Dispose();
            v.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (k, v) in blocks.Values)
        {
            k.Dispose();
            v.Dispose();
        }
    }
}
