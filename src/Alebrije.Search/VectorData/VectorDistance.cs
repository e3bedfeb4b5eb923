using System.Numerics.Tensors;
using Microsoft.Extensions.VectorData;

namespace Alebrije.Search.VectorData;

/// <summary>
/// Distance function of a vector property by inner products alone, so that one search serves all. Stored rows and queries are encoded:
/// for the cosine at unit length; for the Euclidean distance a row x is (x, -|x|^2 / 2) and a query q is (q, 1), whose inner product is
/// (|q|^2 - |x - q|^2) / 2.
/// </summary>
internal sealed class VectorDistance
{
    private readonly string function;

    private VectorDistance(string function) => this.function = function;

    /// <summary>The functions that a property may name; none is the cosine.</summary>
    public static IReadOnlyList<string> Supported { get; } =
    [
        DistanceFunction.CosineSimilarity, DistanceFunction.CosineDistance, DistanceFunction.DotProductSimilarity,
        DistanceFunction.NegativeDotProductSimilarity, DistanceFunction.EuclideanDistance, DistanceFunction.EuclideanSquaredDistance,
    ];

    /// <summary>True if a higher score is nearer.</summary>
    public bool IsSimilarity => function is DistanceFunction.CosineSimilarity or DistanceFunction.DotProductSimilarity;

    /// <summary>True of the functions of the angle alone.</summary>
    public bool IsCosine => function is DistanceFunction.CosineSimilarity or DistanceFunction.CosineDistance;

    /// <summary>True of the Euclidean functions.</summary>
    public bool IsEuclidean => function is DistanceFunction.EuclideanDistance or DistanceFunction.EuclideanSquaredDistance;

    /// <exception cref="NotSupportedException">Another function.</exception>
    public static VectorDistance Of(string? function) => new(Supported.FirstOrDefault(one => one == (function ?? Supported[0]))
        ?? throw new NotSupportedException($"The distance function {function} is not supported; {string.Join(", ", Supported)} are."));

    /// <summary>Name of the function.</summary>
    public override string ToString() => function;

    /// <summary>Components of an encoded vector.</summary>
    public int Width(int dimensions) => IsEuclidean ? dimensions + 1 : dimensions;

    /// <summary>A vector as it is stored.</summary>
    /// <returns>The row, and the factor from its first components to the vector.</returns>
    public (float[] Row, float Scale) Encode(ReadOnlySpan<float> vector)
    {
        var row = new float[Width(vector.Length)];
        vector.CopyTo(row);
        if (IsEuclidean) row[^1] = -TensorPrimitives.SumOfSquares(vector) / 2;
        return IsCosine ? (row, ToUnit(row)) : (row, 1);
    }

    /// <summary>A query for encoded rows.</summary>
    public float[] EncodeQuery(ReadOnlySpan<float> vector)
    {
        var row = new float[Width(vector.Length)];
        vector.CopyTo(row);
        if (IsEuclidean) row[^1] = 1;
        if (IsCosine) ToUnit(row);
        return row;
    }

    /// <summary>The score of the function from the inner product of encoded vectors.</summary>
    /// <param name="product">The inner product.</param>
    /// <param name="query">The query, not encoded.</param>
    public double Score(float product, ReadOnlySpan<float> query) => function switch
    {
        DistanceFunction.CosineDistance => 1 - (double)product,
        DistanceFunction.NegativeDotProductSimilarity => -product,
        DistanceFunction.EuclideanSquaredDistance => Squared(product, query),
        DistanceFunction.EuclideanDistance => Math.Sqrt(Squared(product, query)),
        _ => product,
    };

    /// <summary>True if a score is at least as near as a threshold; null is none.</summary>
    public bool Passes(double score, double? threshold) => threshold is not { } limit || (IsSimilarity ? score >= limit : score <= limit);

    private static double Squared(float product, ReadOnlySpan<float> query) =>
        Math.Max(0, TensorPrimitives.SumOfSquares(query) - (2.0 * product));

    private static float ToUnit(Span<float> row)
    {
        var norm = TensorPrimitives.Norm<float>(row);
        if (norm > 0) TensorPrimitives.Divide(row, norm, row);
        return norm;
    }
}
