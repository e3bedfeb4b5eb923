namespace Alebrije.Analysis;

/// <summary>
/// Eigenvalues and eigenvectors of a symmetric matrix in double precision: Householder reduction to tridiagonal form, then QL steps with
/// implicit shifts (Golub and Van Loan, Matrix Computations, 4th ed., §8.3).
/// </summary>
internal sealed class SymmetricEigen
{
    private const int MaxSteps = 60;
    private const double Rounding = 1.1102230246251565e-16; // half the gap between 1 and the next double

    private SymmetricEigen(double[] values, double[][] vectors) => (Values, Vectors) = (values, vectors);

    /// <summary>Eigenvalues, largest first.</summary>
    public double[] Values { get; }

    /// <summary>Unit eigenvectors as rows, in the order of <see cref="Values"/>.</summary>
    public double[][] Vectors { get; }

    /// <param name="matrix">[n, n], symmetric; only its lower triangle is read.</param>
    public static SymmetricEigen Of(double[][] matrix)
    {
        var n = matrix.Length;
        var work = new double[n][];
        for (var i = 0; i < n; i++)
        {
            work[i] = new double[n];
            for (var j = 0; j <= i; j++) work[i][j] = matrix[i][j];
        }

        for (var i = 0; i < n; i++)
            for (var j = i + 1; j < n; j++) work[i][j] = work[j][i];

        var (diagonal, off, rows) = Tridiagonalise(work);
        Diagonalise(diagonal, off, rows);
        var order = Enumerable.Range(0, n).OrderByDescending(i => diagonal[i]).ToArray();
        return new SymmetricEigen([.. order.Select(i => diagonal[i])], [.. order.Select(i => rows[i])]);
    }

    /// <summary>
    /// Reflects column after column so that A = Q T Qᵀ. Returns T's diagonal, T's sub-diagonal (entry i joins i and i + 1), and Qᵀ as rows.
    /// </summary>
    private static (double[] Diagonal, double[] Off, double[][] Rows) Tridiagonalise(double[][] a)
    {
        var n = a.Length;
        var off = new double[n];
        var rows = new double[n][];
        for (var i = 0; i < n; i++)
        {
            rows[i] = new double[n];
            rows[i][i] = 1;
        }

        for (var k = 0; k < n - 2; k++)
        {
            var v = Reflector(a, k, out var alpha, out var scale);
            off[k] = alpha;
            if (scale == 0) continue;
            ReflectBothSides(a, v, scale, k + 1);
            for (var r = 0; r < n; r++) Reflect(rows, r, v, scale, k + 1);
        }

        if (n > 1) off[n - 2] = a[n - 1][n - 2];
        var diagonal = new double[n];
        for (var i = 0; i < n; i++) diagonal[i] = a[i][i];
        return (diagonal, off, Transpose(rows));
    }

    /// <summary>v with H = I - scale v vᵀ that maps column k below the diagonal to alpha e₁.</summary>
    private static double[] Reflector(double[][] a, int k, out double alpha, out double scale)
    {
        var n = a.Length;
        var v = new double[n];
        double largest = 0;
        for (var i = k + 1; i < n; i++) largest = Math.Max(largest, Math.Abs(a[i][k]));
        double below = 0, square = 0;
        for (var i = k + 1; i < n && largest > 0; i++)
        {
            v[i] = a[i][k] / largest;
            square += v[i] * v[i];
            if (i > k + 1) below += v[i] * v[i];
        }

        (alpha, scale) = (a[k + 1][k], 0);
        if (below == 0) return v;
        var length = v[k + 1] > 0 ? -Math.Sqrt(square) : Math.Sqrt(square);
        alpha = length * largest;
        v[k + 1] -= length;
        scale = 2 / (below + v[k + 1] * v[k + 1]);
        return v;
    }

    /// <summary>A := H A H on the trailing block, by the symmetric rank-two update A - v wᵀ - w vᵀ.</summary>
    private static void ReflectBothSides(double[][] a, double[] v, double scale, int from)
    {
        var n = a.Length;
        var w = new double[n];
        double half = 0;
        for (var i = from; i < n; i++)
        {
            double sum = 0;
            var row = a[i];
            for (var j = from; j < n; j++) sum += row[j] * v[j];
            w[i] = scale * sum;
            half += w[i] * v[i];
        }

        half *= scale / 2;
        for (var i = from; i < n; i++) w[i] -= half * v[i];
        for (var i = from; i < n; i++)
        {
            var row = a[i];
            for (var j = from; j < n; j++) row[j] -= v[i] * w[j] + w[i] * v[j];
        }
    }

    private static void Reflect(double[][] rows, int r, double[] v, double scale, int from)
    {
        var row = rows[r];
        double sum = 0;
        for (var j = from; j < v.Length; j++) sum += row[j] * v[j];
        sum *= scale;
        for (var j = from; j < v.Length; j++) row[j] -= sum * v[j];
    }

    /// <summary>QL with Wilkinson's shift: turns the sub-diagonal into zeros and applies each rotation to two rows of eigenvectors.</summary>
    private static void Diagonalise(double[] d, double[] e, double[][] rows)
    {
        var n = d.Length;
        for (var low = 0; low < n; low++)
        {
            for (var step = 0; ; step++)
            {
                var high = low;
                while (high < n - 1 && Math.Abs(e[high]) > Rounding * (Math.Abs(d[high]) + Math.Abs(d[high + 1])))
                    high++;
                if (high == low) break;
                if (step == MaxSteps)
                    throw new ArithmeticException(
                        $"The eigenvalues did not settle in {MaxSteps} steps; the matrix holds values that are not finite or vastly different in size.");
                Sweep(d, e, rows, low, high);
            }
        }
    }

    private static void Sweep(double[] d, double[] e, double[][] rows, int low, int high)
    {
        var g = (d[low + 1] - d[low]) / (2 * e[low]);
        var r = double.Hypot(g, 1);
        g = d[high] - d[low] + e[low] / (g + (g >= 0 ? r : -r));
        double sine = 1, cosine = 1, shift = 0;
        for (var i = high - 1; i >= low; i--)
        {
            var f = sine * e[i];
            var b = cosine * e[i];
            r = double.Hypot(f, g);
            e[i + 1] = r;
            if (r == 0)
            {
                d[i + 1] -= shift;
                e[high] = 0;
                return;
            }

            (sine, cosine) = (f / r, g / r);
            g = d[i + 1] - shift;
            r = (d[i] - g) * sine + 2 * cosine * b;
            shift = sine * r;
            d[i + 1] = g + shift;
            g = cosine * r - b;
            Rotate(rows[i], rows[i + 1], sine, cosine);
        }

        d[low] -= shift;
        e[low] = g;
        e[high] = 0;
    }

    private static void Rotate(double[] first, double[] second, double sine, double cosine)
    {
        for (var k = 0; k < first.Length; k++)
        {
            var (x, y) = (first[k], second[k]);
            second[k] = sine * x + cosine * y;
            first[k] = cosine * x - sine * y;
        }
    }

    private static double[][] Transpose(double[][] a)
    {
        var n = a.Length;
        var t = new double[n][];
        for (var i = 0; i < n; i++)
        {
            t[i] = new double[n];
            for (var j = 0; j < n; j++) t[i][j] = a[j][i];
        }

        return t;
    }
}
