namespace Alebrije.Search.Vectors;

/// <summary>A row of a file of vectors and its score.</summary>
/// <param name="Row">The row.</param>
/// <param name="Score">Inner product with the query; for vectors of unit length the cosine.</param>
public readonly record struct ScoredRow(long Row, float Score);

/// <summary>
/// Exact search by inner product over a mapped file, on all threads. Half precision is widened in registers, so that a query costs one
/// reading of the file. Thread-safe.
/// </summary>
public static unsafe class ExactSearch
{
    /// <summary>Rows of one piece of work.</summary>
    private const int Block = 1024;

    /// <summary>The rows of the highest scores.</summary>
    /// <param name="file">The vectors.</param>
    /// <param name="query">[width], finite.</param>
    /// <param name="count">Rows to find, at least 1.</param>
    /// <param name="filter">True for the rows to consider, null for all; called from several threads.</param>
    /// <param name="threads">Threads at most, 0 for all processors.</param>
    /// <returns>Best first; of equal scores the lower row first.</returns>
    /// <exception cref="ArgumentException">The query has another width, or components that are not finite.</exception>
    public static IReadOnlyList<ScoredRow> Top(
        VectorFile file, ReadOnlySpan<float> query, int count, Func<long, bool>? filter = null, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(file);
        return Top(file, new InnerProduct(file.Width, file.Type, query), count, 0, filter, threads);
    }

    /// <summary>The rows of the highest scores among those given.</summary>
    /// <param name="candidates">Different rows of the file, in any order; ascending order reads fastest.</param>
    /// <inheritdoc cref="Top(VectorFile, ReadOnlySpan{float}, int, Func{long, bool}?, int)"/>
    /// <exception cref="ArgumentOutOfRangeException">A row that the file does not have.</exception>
    public static IReadOnlyList<ScoredRow> Top(
        VectorFile file, ReadOnlySpan<float> query, int count, IReadOnlyList<long> candidates, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(candidates);
        return Top(file, new InnerProduct(file.Width, file.Type, query), count, candidates, threads);
    }

    /// <summary>The scores of all rows.</summary>
    /// <inheritdoc cref="Top(VectorFile, ReadOnlySpan{float}, int, Func{long, bool}?, int)"/>
    /// <returns>[rows].</returns>
    public static float[] Scores(VectorFile file, ReadOnlySpan<float> query, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(file);
        var product = new InnerProduct(file.Width, file.Type, query);
        using var rows = file.Map();
        var (first, stride) = ((nint)rows.First, rows.Stride);
        var scores = new float[rows.Count];
        Parallel.For(0, (scores.Length + Block - 1) / Block, Threads(threads), block =>
        {
            for (var i = block * Block; i < Math.Min((block + 1) * Block, scores.Length); i++)
                scores[i] = product.Of((byte*)first + ((long)i * stride));
        });
        return scores;
    }

    /// <summary>The rows of the highest scores from a row on.</summary>
    internal static ScoredRow[] Top(
        VectorFile file, RowScore score, int count, long start, Func<long, bool>? filter = null, int threads = 0)
    {
        using var rows = file.Map();
        var (first, stride, all) = ((nint)rows.First, rows.Stride, rows.Count);
        return Best(Math.Max(0, all - start), count, threads, (from, to, best) =>
        {
            var row = (byte*)first + ((start + from) * stride);
            for (var i = start + from; i < start + to; i++, row += stride)
            {
                if (filter?.Invoke(i) != false) best.Offer(i, score.Of(row));
            }
        });
    }

    /// <summary>The rows of the highest scores among those given.</summary>
    internal static ScoredRow[] Top(VectorFile file, RowScore score, int count, IReadOnlyList<long> candidates, int threads = 0)
    {
        using var rows = file.Map();
        var (first, stride, all) = ((nint)rows.First, rows.Stride, rows.Count);
        foreach (var row in candidates)
        {
            if ((ulong)row >= (ulong)all)
                throw new ArgumentOutOfRangeException(nameof(candidates), row, $"{file.Path} has {all} rows; the first is row 0.");
        }

        return Best(candidates.Count, count, threads, (from, to, best) =>
        {
            for (var i = from; i < to; i++) best.Offer(candidates[(int)i], score.Of((byte*)first + (candidates[(int)i] * stride)));
        });
    }

    private static ScoredRow[] Best(long rows, int count, int threads, Action<long, long, TopRows> scan)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var best = new TopRows(count);
        if (rows <= Block)
        {
            scan(0, rows, best);
            return best.ToSorted();
        }

        Parallel.For(0L, (rows + Block - 1) / Block, Threads(threads), () => new TopRows(count), (block, _, own) =>
        {
            scan(block * Block, Math.Min((block + 1) * Block, rows), own);
            return own;
        },
        own =>
        {
            lock (best) best.Merge(own);
        });
        return best.ToSorted();
    }

    private static ParallelOptions Threads(int threads) =>
        new() { MaxDegreeOfParallelism = threads > 0 ? threads : Environment.ProcessorCount };
}
