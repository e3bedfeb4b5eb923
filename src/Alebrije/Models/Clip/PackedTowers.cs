using Alebrije.Nn;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>The tensors around the blocks of a text tower.</summary>
/// <param name="Tokens">[vocabulary, width]</param>
/// <param name="Positions">[tokens, width]</param>
/// <param name="FinalNorm">[width] each, and the epsilon.</param>
/// <param name="Projection">[dimensions, width] and a shift or null.</param>
/// <param name="End">Where a padded row of ids is read.</param>
internal sealed record ClipTextEnds(
    Tensor Tokens, Tensor Positions, (Tensor Scale, Tensor Shift, double Eps) FinalNorm, (Tensor Weight, Tensor? Bias) Projection, Func<int[], int> End);

/// <summary>
/// A causal text tower made ready for inference. No token sees a later one, so nothing after the token that is read has a part in the result: rows are cut
/// there and laid end to end, and a mask keeps them apart. The work grows with the words and not with the length of a padded row.
/// </summary>
internal sealed class PackedTextTower : IDisposable
{
    /// <summary>Tokens that are computed together: enough for the kernels, and few enough that their mask costs little.</summary>
    private const int TokensTogether = 512;

    private readonly PackedTransformer transformer;
    private readonly Tensor tokens, positions, scale, shift;
    private readonly PackedLinear projection;
    private readonly double eps;
    private readonly Func<int[], int> end;

    public PackedTextTower(IEnumerable<ClipBlockWeights> blocks, ClipTextEnds ends, ScalarType type)
    {
        transformer = new PackedTransformer(blocks, type);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        (tokens, positions) = (Own(ends.Tokens), Own(ends.Positions));
        (scale, shift, eps) = (Own(ends.FinalNorm.Scale), Own(ends.FinalNorm.Shift), ends.FinalNorm.Eps);
        projection = new PackedLinear(ends.Projection.Weight, ends.Projection.Bias, ScalarType.Float32);
        end = ends.End;
    }

    /// <summary>Embeds rows of ids, short ones first.</summary>
    /// <param name="rows">[texts][tokens], padded or not.</param>
    /// <param name="done">Given the places of the rows that were computed together, and their embeddings [places, dimensions] float32, not normalised.</param>
    public void Embed(int[][] rows, Action<int[], Tensor> done)
    {
        var ends = rows.Select(end).ToArray();
        var order = Enumerable.Range(0, rows.Length).OrderBy(i => ends[i]).ToArray();
        for (var from = 0; from < order.Length;)
        {
            var (to, sum) = (from, 0);
            while (to < order.Length && (to == from || sum + ends[order[to]] + 1 <= TokensTogether)) sum += ends[order[to++]] + 1;
            var together = order[from..to];
            using var scope = NewDisposeScope();
            done(together, Together([.. together.Select(i => rows[i].AsMemory(0, ends[i] + 1))]));
            from = to;
        }
    }

    /// <param name="texts">Ids up to the one that is read.</param>
    /// <returns>[texts, dimensions]</returns>
    private Tensor Together(ReadOnlyMemory<int>[] texts)
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
        var last = transformer.Encode(x, mask, tensor(read)).squeeze(0);                      // [texts, width]
        return projection.Call(nn.functional.layer_norm(last, [last.shape[^1]], scale, shift, eps)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        transformer.Dispose();
        foreach (var owned in new[] { tokens, positions, scale, shift }) owned.Dispose();
        projection.Dispose();
    }

    private static Tensor Own(Tensor x) => x.detach().to(ScalarType.Float32).DetachFromDisposeScope();
}

/// <summary>The tensors around the blocks of an image tower with a class token.</summary>
/// <param name="Patches">[width, 3, patch, patch]</param>
/// <param name="Class">[width]</param>
/// <param name="Positions">[1 + grid², width]</param>
/// <param name="FirstNorm">[width] each, and the epsilon, or null for none.</param>
/// <param name="FinalNorm">[width] each, and the epsilon.</param>
/// <param name="Projection">[dimensions, width]</param>
internal sealed record ClipVisionEnds(
    Tensor Patches, Tensor Class, Tensor Positions, (Tensor Scale, Tensor Shift, double Eps)? FirstNorm, (Tensor Scale, Tensor Shift, double Eps) FinalNorm, Tensor Projection);

/// <summary>An image tower that is read at its class token, made ready for inference.</summary>
internal sealed class PackedVisionTower : IDisposable
{
    private readonly PackedTransformer transformer;
    private readonly PackedLinear patches, projection;
    private readonly Tensor first, positions;
    private readonly (Tensor Scale, Tensor Shift, double Eps)? firstNorm;
    private readonly (Tensor Scale, Tensor Shift, double Eps) finalNorm;
    private readonly long patch;

    public PackedVisionTower(IEnumerable<ClipBlockWeights> blocks, ClipVisionEnds ends, ScalarType type)
    {
        transformer = new PackedTransformer(blocks, type);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        patch = ends.Patches.shape[^1];

        // Pixels are read once and in full: int8 would save a fortieth of the work.
        patches = new PackedLinear(ends.Patches.flatten(1), null, type == ScalarType.Int8 ? ScalarType.Float32 : type);
        projection = new PackedLinear(ends.Projection, null, ScalarType.Float32);
        var all = ends.Positions.detach().to(ScalarType.Float32);
        first = (ends.Class.detach().to(ScalarType.Float32) + all[0]).DetachFromDisposeScope();
        positions = all[1..].clone().DetachFromDisposeScope();
        firstNorm = ends.FirstNorm is { } norm ? Own(norm) : null;
        finalNorm = Own(ends.FinalNorm);
    }

    /// <param name="pixels">[batch, 3, size, size] float32, normalised as the checkpoint says.</param>
    /// <returns>[batch, dimensions] float32, not normalised</returns>
    public Tensor Embed(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var (batch, grid) = (pixels.shape[0], pixels.shape[3] / patch);
        if (grid * grid != positions.shape[0])
            throw new ArgumentException($"The image tower has {positions.shape[0]} places for patches of {patch} pixels; a picture of {pixels.shape[3]} x {pixels.shape[2]} has {grid * (pixels.shape[2] / patch)}.");
        var cut = pixels.narrow(2, 0, grid * patch).narrow(3, 0, grid * patch);
        var windows = cut.to(patches.Type).reshape(batch, 3, grid, patch, grid, patch).permute(0, 2, 4, 1, 3, 5).reshape(batch, grid * grid, -1); // [batch, grid², 3 · patch²]
        var seen = patches.Call(windows).to(ScalarType.Float32) + positions;
        var x = cat([first.expand(batch, 1, -1), seen], dim: 1);                             // [batch, 1 + grid², width]
        if (firstNorm is { } norm) x = Norm(x, norm);
        var pooled = transformer.Encode(x, mask: null, read: zeros(1, ScalarType.Int64)).squeeze(1);
        return projection.Call(Norm(pooled, finalNorm)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        transformer.Dispose();
        patches.Dispose();
        projection.Dispose();
        foreach (var owned in new[] { first, positions, firstNorm?.Scale, firstNorm?.Shift, finalNorm.Scale, finalNorm.Shift }) owned?.Dispose();
    }

    private static Tensor Norm(Tensor x, (Tensor Scale, Tensor Shift, double Eps) norm) => nn.functional.layer_norm(x, [x.shape[^1]], norm.Scale, norm.Shift, norm.Eps);

    private static (Tensor Scale, Tensor Shift, double Eps) Own((Tensor Scale, Tensor Shift, double Eps) norm) =>
        (norm.Scale.detach().to(ScalarType.Float32).clone().DetachFromDisposeScope(), norm.Shift.detach().to(ScalarType.Float32).clone().DetachFromDisposeScope(), norm.Eps);
}
