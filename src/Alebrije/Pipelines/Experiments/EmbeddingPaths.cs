using Alebrije.Models.Clip;
using Alebrije.Pipelines.Priors;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Experiments;

/// <summary>Ways through the space of image embeddings. Directions lie on a sphere; lengths go along in between.</summary>
internal static class EmbeddingPaths
{
    /// <summary>
    /// Below this sine two directions are one, and the path between them is straight; two texts that differ by less differ in nothing.
    /// </summary>
    private const double Parallel = 1e-4;

    /// <summary>Along the great circle from a to b (Shoemake, 1985; Ramesh et al., 2022, §3.2).</summary>
    /// <param name="a">[batch, features]</param>
    /// <param name="b">[batch, features]</param>
    /// <param name="share">From 0 (a) to 1 (b).</param>
    /// <exception cref="ArgumentException">They point in opposite directions: every great circle through one contains the
    /// other.</exception>
    public static Tensor Slerp(Tensor a, Tensor b, double share)
    {
        using var scope = NewDisposeScope();
        var (from, to) = (ClipNetwork.Unit(a), ClipNetwork.Unit(b));
        var cosine = (from * to).sum(-1, keepdim: true).clamp(-1, 1);
        var angle = cosine.acos();
        var sine = angle.sin();
        if (sine.le(Parallel).logical_and(cosine.lt(0)).any().ToBoolean())
            throw new ArgumentException("The two ends point in opposite "
                + "directions, so that no way between them is the shortest; choose another pair, or a straight line (lerp).");
        var curved = (((1 - share) * angle).sin() * from + (share * angle).sin() * to) / sine.clamp_min(Parallel);
        var straight = ClipNetwork.Unit((1 - share) * from + share * to);
        var direction = where(sine.gt(Parallel), curved, straight);
        return (direction * Length(a, b, share)).MoveToOuterDisposeScope();
    }

    /// <summary>Along the straight line from a to b.</summary>
    public static Tensor Lerp(Tensor a, Tensor b, double share)
    {
        using var scope = NewDisposeScope();
        return ((1 - share) * a + share * b).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// A mixture: the weighted sum, rescaled to the weighted length of its parts so that its length stays in the decoder's usual range.
    /// </summary>
    /// <param name="parts">[parts, features]</param>
    /// <param name="weights">One for each part; their sum is taken as 1.</param>
    /// <returns>[1, features]</returns>
    public static Tensor Mix(Tensor parts, IReadOnlyList<double> weights)
    {
        using var scope = NewDisposeScope();
        var total = weights.Sum();
        var share = tensor(weights.Select(weight => (float)(weight / total)).ToArray()).unsqueeze(1);        // [parts, 1]
        var direction = ClipNetwork.Unit((parts * share).sum(0, keepdim: true));
        var length = (parts.norm(1, keepdim: true, p: 2) * share.abs()).sum(0, keepdim: true) / share.abs().sum();
        return (direction * length).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Turns an image embedding towards the difference of two texts (Ramesh et al., 2022, §3.3, "text diffs"): along the great circle to
    /// norm(to - from), the length kept.
    /// </summary>
    /// <param name="image">[1, features]</param>
    /// <param name="from">[1, features]: text embedding of the image's present content.</param>
    /// <param name="to">[1, features]: text embedding of the target.</param>
    /// <param name="share">From 0 (as it is); the paper goes to between 0.25 and 0.5.</param>
    /// <exception cref="ArgumentException">The texts have one embedding, so that there is no direction between them.</exception>
    public static Tensor TextDifference(Tensor image, Tensor from, Tensor to, double share)
    {
        using var scope = NewDisposeScope();
        var difference = ClipNetwork.Unit(to) - ClipNetwork.Unit(from);
        if (difference.norm().ToDouble() < Parallel)
            throw new ArgumentException(
                "The two texts have the same embedding; describe the image and the wanted change in other words.");
        return Slerp(image, ClipNetwork.Unit(difference) * image.norm(1, keepdim: true, p: 2), share).MoveToOuterDisposeScope();
    }

    private static Tensor Length(Tensor a, Tensor b, double share) =>
        (1 - share) * a.norm(1, keepdim: true, p: 2) + share * b.norm(1, keepdim: true, p: 2);
}

/// <summary>Directions in which the image embeddings of a world differ, the widest first.</summary>
/// <param name="Mean">[1, features]</param>
/// <param name="Components">[components, features], orthonormal rows.</param>
/// <param name="Variance">[components], falling.</param>
internal sealed record EmbeddingBasis(Tensor Mean, Tensor Components, Tensor Variance)
{
    /// <summary>Number of directions.</summary>
    public int Count => (int)Components.shape[0];

    /// <summary>Principal components of embeddings.</summary>
    /// <param name="rows">[n, features], n at least 2.</param>
    /// <exception cref="ArgumentException">There are fewer than two rows.</exception>
    public static EmbeddingBasis Fit(Tensor rows)
    {
        if (rows.shape[0] < 2) throw new ArgumentException(
            $"{rows.shape[0]} images have no directions in which they differ: give at least two.");
        using var scope = NewDisposeScope();
        var axes = PrincipalAxes.Of(rows, Math.Min(rows.shape[0] - 1, rows.shape[1]));
        return new EmbeddingBasis(
            axes.Mean.unsqueeze(0).to(ScalarType.Float32).MoveToOuterDisposeScope(),
            axes.Directions.to(ScalarType.Float32).MoveToOuterDisposeScope(),
            axes.Variance.to(ScalarType.Float32).MoveToOuterDisposeScope());
    }

    /// <summary>The directions that an autoregressive prior counts in, where there is one.</summary>
    public static EmbeddingBasis? Of(PriorSet priors)
    {
        if (!priors.Has(PriorKind.Autoregressive) || priors[PriorKind.Autoregressive] is not AutoregressivePrior prior) return null;
        var quantizer = prior.Quantizer;
        return new EmbeddingBasis(quantizer.Mean.unsqueeze(0), quantizer.Components, quantizer.Deviation.square());
    }

    /// <summary>An embedding rebuilt from its first components (Ramesh et al., 2022, §4, figure 7).</summary>
    /// <param name="embedding">[1, features]</param>
    /// <param name="components">From 0 (the mean) to <see cref="Count"/>.</param>
    public Tensor Rebuild(Tensor embedding, int components)
    {
        using var scope = NewDisposeScope();
        var kept = Components.narrow(0, 0, components);
        return (Mean + (embedding - Mean).mm(kept.t()).mm(kept)).MoveToOuterDisposeScope();
    }

    /// <summary>Share of the variance that the first components hold.</summary>
    public double Share(int components) => components == 0 ? 0 : (Variance.narrow(0, 0, components).sum() / Variance.sum()).ToDouble();
}
