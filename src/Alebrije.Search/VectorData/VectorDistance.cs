using System.Numerics.Tensors;
using Alebrije.Search.Vectors;
using Microsoft.Extensions.VectorData;

namespace Alebrije.Search.VectorData;

/// <summary>
/// Distance function of a vector property. Rows for the cosine are stored at unit length, so that it is an inner product; those of the
/// other functions as they are.
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

    /// <summary>True for the functions of the angle alone.</summary>
    public bool IsCosine => function is DistanceFunction.CosineSimilarity or DistanceFunction.CosineDistance;

    /// <summary>True for the Euclidean functions.</summary>
    public bool IsEuclidean => function is DistanceFunction.EuclideanDistance or DistanceFunction.EuclideanSquaredDistance;

    /// <exception cref="NotSupportedException">Another function.</exception>
    public static VectorDistance Of(string? function) => new(Supported.FirstOrDefault(one => one == (function ?? Supported[0]))
        ?? throw new NotSupportedException($"The distance function {function} is not supported; {string.Join(", ", Supported)} are."));

    /// <summary>Name of the function.</summary>
    public override string ToString() => function;

    /// <summary>A vector as it is stored.</summary>
    /// <returns>The row, and the factor from it to the vector.</returns>
    public (float[] Row, float Scale) Encode(ReadOnlySpan<float> vector)
    {
        var row = vector.ToArray();
        return IsCosine ? (row, ToUnit(row)) : (row, 1);
    }

    /// <summary>Score of stored rows for a query.</summary>
    public RowScore RowScore(VectorFile file, ReadOnlySpan<float> query) =>
        IsEuclidean ? new SquaredDistance(query) : new InnerProduct(file.Width, file.Type, Encode(query).Row);

    /// <summary>The score of the function from that of <see cref="RowScore"/>.</summary>
    public double Score(float row) => function switch
    {
        DistanceFunction.CosineDistance => 1 - (double)row,
        DistanceFunction.EuclideanDistance => Math.Sqrt(-row),
        DistanceFunction.NegativeDotProductSimilarity or DistanceFunction.EuclideanSquaredDistance => -row,
        _ => row,
    };

    /// <summary>True if a score is at least as near as a threshold; null: no threshold.</summary>
    public bool Passes(double score, double? threshold) => threshold is not { } limit || (IsSimilarity ? score >= limit : score <= limit);

    private static float ToUnit(Span<float> row)
    {
        var norm = TensorPrimitives.Norm<float>(row);
        if (norm > 0) TensorPrimitives.Divide(row, norm, row);
        return norm;
    }
}
