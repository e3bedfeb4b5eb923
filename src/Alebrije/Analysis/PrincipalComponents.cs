namespace Alebrije.Analysis;

/// <summary>
/// Exact principal component analysis in double precision (Jolliffe, Principal Component Analysis, 2nd ed., §2-3; same conventions as
/// scikit-learn's <c>PCA(svd_solver="full")</c>: centred, not scaled, variance divided by n - 1). The eigenproblem is solved on the smaller
/// side, features or rows. Directions beyond the rank of the data have variance 0 and complete the basis. Immutable and thread-safe.
/// </summary>
public sealed class PrincipalComponents
{
    private const double RankTolerance = 1e-12;

    private PrincipalComponents(double[] mean, double[][] components, double[] variance, double total)
    {
        (Mean, Components, Variance) = (mean, components, variance);
        VarianceRatio = [.. variance.Select(v => total > 0 ? v / total : 0)];
    }

    /// <summary>Mean row: [width].</summary>
    public IReadOnlyList<double> Mean { get; }

    /// <summary>Orthonormal directions as rows, largest variance first: [components, width]. The entry of largest size of each is positive.</summary>
    public IReadOnlyList<double[]> Components { get; }

    /// <summary>Variance along each direction: [components].</summary>
    public IReadOnlyList<double> Variance { get; }

    /// <summary>Share of the whole variance along each direction, in [0, 1]; all 0 when the rows are equal.</summary>
    public IReadOnlyList<double> VarianceRatio { get; }

    /// <summary>Fits the directions.</summary>
    /// <param name="rows">[n, width], n ≥ 1, finite.</param>
    /// <param name="components">How many directions, 1 to width; null takes min(n, width).</param>
    /// <exception cref="ArgumentException">Rows of different widths, none at all, or values that are not finite.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="components"/> is below 1 or above the width.</exception>
    public static PrincipalComponents Fit(IReadOnlyList<float[]> rows, int? components = null)
    {
        var width = Vectors.Width(rows, "embeddings");
        var count = components ?? Math.Min(rows.Count, width);
        if (count < 1 || count > width)
            throw new ArgumentOutOfRangeException(
                nameof(components), $"{count} components were asked of rows with {width} numbers; choose 1 to {width}.");

        var mean = Vectors.Mean(rows);
        var centred = new double[rows.Count][];
        for (var i = 0; i < centred.Length; i++)
        {
            centred[i] = new double[width];
            for (var j = 0; j < width; j++) centred[i][j] = rows[i][j] - mean[j];
        }

        var byRows = rows.Count < width;
        var eigen = SymmetricEigen.Of(Products(byRows ? centred : Transpose(centred)));
        var directions = new List<double[]>(count);
        var variance = new double[count];
        var total = centred.Sum(row => Dot(row, row));
        for (var k = 0; k < Math.Min(count, eigen.Values.Length); k++)
        {
            if (eigen.Values[k] <= RankTolerance * total) break;
            var direction = byRows ? Combine(centred, eigen.Vectors[k]) : [.. eigen.Vectors[k]];
            if (!Orthonormalise(direction, directions)) break;
            variance[k] = eigen.Values[k] / Math.Max(1, rows.Count - 1);
            directions.Add(direction);
        }

        Complete(directions, count, width);
        foreach (var direction in directions) FixSign(direction);
        return new PrincipalComponents(mean, [.. directions], variance, total / Math.Max(1, rows.Count - 1));
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

    /// <summary>[n, n] inner products of the rows.</summary>
    private static double[][] Products(double[][] rows)
    {
        var products = new double[rows.Length][];
        for (var i = 0; i < rows.Length; i++)
        {
            products[i] = new double[rows.Length];
            for (var j = 0; j <= i; j++) products[i][j] = Dot(rows[i], rows[j]);
        }

        return products;
    }

    private static double Dot(double[] a, double[] b) => System.Numerics.Tensors.TensorPrimitives.Dot<double>(a, b);

    private static double[] Combine(double[][] rows, double[] weights)
    {
        var sum = new double[rows[0].Length];
        for (var i = 0; i < rows.Length; i++)
            for (var j = 0; j < sum.Length; j++) sum[j] += weights[i] * rows[i][j];
        return sum;
    }

    private static double[][] Transpose(double[][] rows) =>
        [.. Enumerable.Range(0, rows[0].Length).Select(j => rows.Select(row => row[j]).ToArray())];

    /// <summary>Gram-Schmidt, twice for full precision; false when nothing new is left of the direction.</summary>
    private static bool Orthonormalise(double[] direction, List<double[]> basis)
    {
        var before = Math.Sqrt(Dot(direction, direction));
        for (var pass = 0; pass < 2; pass++)
            foreach (var other in basis)
            {
                var along = Dot(direction, other);
                for (var j = 0; j < direction.Length; j++) direction[j] -= along * other[j];
            }

        var length = Math.Sqrt(Dot(direction, direction));
        if (length <= 1e-6 * before) return false;
        for (var j = 0; j < direction.Length; j++) direction[j] /= length;
        return true;
    }

    private static void Complete(List<double[]> directions, int count, int width)
    {
        for (var axis = 0; directions.Count < count && axis < width; axis++)
        {
            var unit = new double[width];
            unit[axis] = 1;
            if (Orthonormalise(unit, directions)) directions.Add(unit);
        }
    }

    /// <summary>Signs are arbitrary: the first entry of (within rounding) the largest size is made positive, so that runs agree.</summary>
    private static void FixSign(double[] direction)
    {
        var largest = direction.Max(Math.Abs);
        var decisive = direction.First(value => Math.Abs(value) >= largest * (1 - 1e-9));
        if (decisive >= 0) return;
        for (var j = 0; j < direction.Length; j++) direction[j] = -direction[j];
    }
}
