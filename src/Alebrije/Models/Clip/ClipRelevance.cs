using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>
/// Relevance of patches and tokens to a match (Chefer et al., 2021, Generic attention-model explainability, §3.1 and §4.3): the positive
/// part of attention times the gradient of a pair's logit, accumulated from layer to layer.
/// </summary>
internal static class ClipRelevance
{
    /// <summary>Computes the relevance of every position of both towers for pairs of images and texts.</summary>
    /// <param name="images">Runs the image tower: [pairs, features], with gradients.</param>
    /// <param name="texts">Runs the text tower: [pairs, features], with gradients.</param>
    /// <param name="logitScale">Factor of the cosines.</param>
    /// <param name="lastOnly">True to use the last layer alone (the authors' default for CLIP), false to use all.</param>
    /// <returns>[pairs, positions, positions] of each tower: row i is the relevance of each position to position i; and the cosines,
    /// [pairs].</returns>
    /// <exception cref="InvalidOperationException">A tower has no attention, such as a residual network.</exception>
    public static (Tensor Images, Tensor Texts, Tensor Cosines) Compute(Func<Tensor> images,
        Func<Tensor> texts, double logitScale, bool lastOnly)
    {
        using var scope = NewDisposeScope();
        using var enabled = enable_grad();
        using var seen = RecordedAttention.Begin();
        var pictures = ClipNetwork.Unit(images());
        var count = seen.Probabilities.Count;
        var words = ClipNetwork.Unit(texts());
        if (count == 0 || seen.Probabilities.Count == count)
            throw new InvalidOperationException($"The {(count == 0 ? "image" : "text")} "
                + $"tower has no attention from its first layer to its last; relevance is computed through attention.");
        var cosines = (pictures * words).sum(1);
        var sum = (logitScale * cosines).sum();
        Tensor[] from = lastOnly ? [seen.Probabilities[count - 1], seen.Probabilities[^1]] : [.. seen.Probabilities];
        var gradients = autograd.grad([sum], from);
        var split = lastOnly ? 1 : count;
        return (
            Follow(from.Take(split).Zip(gradients)).MoveToOuterDisposeScope(),
            Follow(from.Skip(split).Zip(gradients.Skip(split))).MoveToOuterDisposeScope(), cosines.detach().MoveToOuterDisposeScope());
    }

    private static Tensor Follow(IEnumerable<(Tensor Shares, Tensor Gradient)> layers)
    {
        using var guard = no_grad();
        Tensor? relevance = null;
        foreach (var (shares, gradient) in layers)
        {
            var change = (shares * gradient).clamp(min: 0).mean([1]);                        // [pairs, places, places]
            relevance ??= eye(change.shape[1], device: change.device).unsqueeze(0).repeat(change.shape[0], 1, 1);
            relevance = relevance + change.bmm(relevance);
        }

        return relevance!;
    }
}
