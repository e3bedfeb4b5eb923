using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>CLIP's objective (Radford et al., 2021, fig. 3): mean cross entropy over rows and columns of the scaled cosines.</summary>
internal static class ContrastiveLoss
{
    /// <param name="texts">[batch, width] float32 of unit length</param>
    /// <param name="images">[batch, width] float32 of unit length; row i belongs to text i</param>
    /// <param name="logitScale">Logarithm of the scale, scalar</param>
    /// <param name="sameText">
    /// [batch, batch] bool, true where two different rows have the same text: no negative, hence left out. Null when all differ.
    /// </param>
    /// <returns>Scalar</returns>
    public static Tensor Compute(Tensor texts, Tensor images, Tensor logitScale, Tensor? sameText = null)
    {
        var logits = texts.mm(images.t()) * logitScale.exp();                                // [batch, batch]
        if (sameText is not null) logits = logits.masked_fill(sameText, float.NegativeInfinity);
        var targets = arange(texts.shape[0], ScalarType.Int64, texts.device);
        return (nn.functional.cross_entropy(logits, targets) + nn.functional.cross_entropy(logits.t(), targets)) / 2;
    }

    /// <summary>Marks pairs of different rows with the same text or the same image.</summary>
    /// <param name="texts">Text of each row.</param>
    /// <param name="pictures">Name of each row's image; null when all differ.</param>
    /// <returns>[batch, batch] bool, or null when no two are the same.</returns>
    public static Tensor? SameText(IReadOnlyList<string> texts, IReadOnlyList<string>? pictures = null)
    {
        var count = texts.Count;
        var mask = new bool[count * count];
        var any = false;
        for (var i = 0; i < count; i++)
            for (var j = 0; j < count; j++)
                any |= mask[(i * count) + j] = i != j && (texts[i] == texts[j] || (pictures is not null && pictures[i] == pictures[j]));
        return any ? tensor(mask, [count, count]) : null;
    }
}
