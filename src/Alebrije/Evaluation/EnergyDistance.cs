using System.Numerics.Tensors;
using Alebrije.Embeddings;

namespace Alebrije.Evaluation;

/// <summary>
/// Energy distance of two distributions of embeddings (Székely and Rizzo, 2013): 2 E|x - y| - E|x - x'| - E|y - y'|; 0 if they are
/// equal. Unlike the cosine, it penalises a prior that returns conditional means, which lie too close together.
/// </summary>
internal static class EnergyDistance
{
    private const int Resamples = 200;

    /// <summary>Energy distance with a bootstrap interval over captions; pairs of equal index are excluded.</summary>
    /// <param name="outputs">[captions][features], usually of unit length</param>
    /// <param name="images">[captions][features], unit length, in the same order</param>
    /// <param name="seed">Seed of the resamples.</param>
    public static Figure Between(float[][] outputs, float[][] images, int seed)
    {
        if (outputs.Length < 2) throw new ArgumentException("A distance of distributions needs two captions at least.", nameof(outputs));
        var apart = new double[outputs.Length, outputs.Length];
        for (var i = 0; i < outputs.Length; i++)
            for (var j = 0; j < outputs.Length; j++)
                apart[i, j] = Distance(outputs[i], images[j]) + Distance(outputs[j],
                    images[i]) - Distance(outputs[i], outputs[j]) - Distance(images[i], images[j]);
        return Figure.Bootstrap(outputs.Length, chosen => Mean(apart, chosen), seed, Resamples);
    }

    private static double Mean(double[,] apart, IReadOnlyList<int> chosen)
    {
        var (sum, pairs) = (0.0, 0);
        foreach (var i in chosen)
        {
            foreach (var j in chosen)
            {
                if (i == j) continue;
                sum += apart[i, j];
                pairs++;
            }
        }

        return pairs == 0 ? 0 : sum / pairs;
    }

    private static double Distance(float[] a, float[] b) => TensorPrimitives.Distance(a, b);
}
