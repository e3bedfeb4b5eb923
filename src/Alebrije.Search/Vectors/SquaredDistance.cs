using System.Numerics.Tensors;

namespace Alebrije.Search.Vectors;

/// <summary>
/// Minus the squared Euclidean distance of a query from float32 rows. It is summed from the differences: by inner products, near rows that
/// are far from the origin would lose their digits.
/// </summary>
internal sealed unsafe class SquaredDistance : RowScore
{
    private readonly float[] query;

    /// <param name="query">[width], finite.</param>
    public SquaredDistance(ReadOnlySpan<float> query)
    {
        if (!TensorPrimitives.IsFiniteAll(query))
            throw new ArgumentException("The query has components that are infinite or not numbers.", nameof(query));
        this.query = query.ToArray();
    }

    /// <inheritdoc/>
    public override float Of(byte* row)
    {
        var distance = TensorPrimitives.Distance(query, new ReadOnlySpan<float>(row, query.Length));
        return -distance * distance;
    }
}
