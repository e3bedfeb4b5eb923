using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Embeddings;

/// <summary>
/// Exact principal component analysis in double precision (Jolliffe, Principal Component Analysis, 2nd ed., §2-3; same conventions as
/// scikit-learn's <c>PCA(svd_solver="full")</c>: centred, not scaled, variance divided by n - 1). Directions beyond the rank of the data
/// have variance 0 and complete the basis. Immutable and thread-safe.
/// </summary>
public sealed class PrincipalComponents
{
    private PrincipalComponents(double[] mean, double[][] components, double[] variance, double total)
    {
        (Mean, Components, Variance) = (mean, components, variance);
        VarianceRatio = [.. variance.Select(v => total > 0 ? v / total : 0)];
    }

    /// <summary>Mean row: [width].</summary>
    public IReadOnlyList<double> Mean { get; }

    /// <summary>
    /// Orthonormal directions as rows, largest variance first: [components, width]. The largest entry of each is positive.
    /// </summary>
    public IReadOnlyList<double[]> Components { get; }

    /// <summary>Variance along each direction: [components].</summary>
    public IReadOnlyList<double> Variance { get; }

    /// <summary>Share of the whole variance along each direction, in [0, 1]; all 0 when the rows are equal.</summary>
    public IReadOnlyList<double> VarianceRatio { get; }

    /// <summary>Fits the directions.</summary>
    /// <param name="rows">[n, width], n ≥ 1, finite.</param>
    /// <param name="components">Number of directions, 1 to width; null takes min(n, width).</param>
    /// <exception cref="ArgumentException">Rows of different widths, none at all, or values that are not finite.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="components"/> is below 1 or above the width.</exception>
    public static PrincipalComponents Fit(IReadOnlyList<float[]> rows, int? components = null)
    {
        var width = Vectors.Width(rows, "embeddings");
        var count = components ?? Math.Min(rows.Count, width);
        if (count < 1 || count > width)
            throw new ArgumentOutOfRangeException(
                nameof(components), $"The number of components is {count}, but must be between 1 and {width}, the width of the rows.");

        TorchRuntime.Initialize();
        using var scope = NewDisposeScope();
        var values = new float[rows.Count * (long)width];
        for (var i = 0; i < rows.Count; i++) rows[i].CopyTo(values, i * (long)width);
        var axes = PrincipalAxes.Of(tensor(values, [rows.Count, width]), count);
        var directions = axes.Directions.contiguous().data<double>().ToArray().Chunk(width).ToArray();
        return new PrincipalComponents(
            axes.Mean.data<double>().ToArray(), directions, axes.Variance.data<double>().ToArray(), axes.Total.item<double>());
    }

    /// <summary>Coordinates of a row along each direction: [components].</summary>
    /// <param name="row">[width]</param>
    /// <exception cref="ArgumentException">The row's width is not that of the fitted rows.</exception>
    public double[] Transform(ReadOnlySpan<float> row)
    {
        if (row.Length != Mean.Count)
            throw new ArgumentException($"The row has {row.Length} numbers; these components were fitted on rows of {Mean.Count}.");
        var coordinates = new double[Components.Count];
        for (var k = 0; k < coordinates.Length; k++)
            for (var j = 0; j < row.Length; j++) coordinates[k] += (row[j] - Mean[j]) * Components[k][j];
        return coordinates;
    }

    /// <summary>The row that lies at the given coordinates, or at their first few: [width].</summary>
    /// <param name="coordinates">[k], k ≤ components; missing ones count as 0.</param>
    /// <exception cref="ArgumentException">More coordinates than components.</exception>
    public float[] Inverse(ReadOnlySpan<double> coordinates)
    {
        if (coordinates.Length > Components.Count)
            throw new ArgumentException($"{coordinates.Length} coordinates were given; there are {Components.Count} components.");
        var row = Mean.ToArray();
        for (var k = 0; k < coordinates.Length; k++)
            for (var j = 0; j < row.Length; j++) row[j] += coordinates[k] * Components[k][j];
        return [.. row.Select(value => (float)value)];
    }
}
