using Cloud.Unum.USearch;

namespace Alebrije.Search.Vectors;

/// <summary>
/// Approximate search by a graph of neighbours (HNSW, half precision, USearch) next to a file of vectors. Candidates of the graph are
/// scored again by the file's vectors, so that scores are those of <see cref="ExactSearch"/>; rows that were appended after the graph
/// was built are compared exactly. Thread-safe.
/// </summary>
public sealed class ApproximateIndex : IDisposable
{
    /// <summary>
    /// Rows from which on a graph is built: the least measured size at which it answers faster than exact search, by
    /// <c>dotnet run -c Release --project bench/Alebrije.Benchmarks -- search</c> (docs/search.md).
    /// </summary>
    public const int LeastRows = 100_000;

    /// <summary>Candidates that are scored again: a multiple of the requested results, and at least so many.</summary>
    private const int CandidateFactor = 4, LeastCandidates = 128;

    private const int Connectivity = 16, ExpansionAdd = 128, ExpansionSearch = 64;
    private readonly USearchIndex graph;
    private readonly Lock gate = new();
    private bool isDisposed;

    private ApproximateIndex(USearchIndex graph) => (this.graph, Rows) = (graph, (long)graph.Size());

    /// <summary>Rows in the graph: the first ones of the file.</summary>
    public long Rows { get; }

    /// <summary>Name of the graph's file.</summary>
    /// <param name="vectors">Path of the file of vectors.</param>
    public static string PathOf(string vectors) => $"{vectors}.usearch";

    /// <summary>Builds the graph of all rows and writes it next to the vectors; a graph of the first rows is extended.</summary>
    /// <param name="vectors">The vectors; for good results of unit length.</param>
    /// <param name="progress">Called with the rows that are in the graph.</param>
    /// <param name="cancellation">Stops; nothing is written.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static ApproximateIndex Build(VectorFile vectors, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        var path = PathOf(vectors.Path);
        var graph = GraphNote.RowsOf(path, vectors) is not null ? new USearchIndex(path) : new USearchIndex(
            MetricKind.Ip, ScalarKind.Float16, (ulong)vectors.Width, Connectivity, ExpansionAdd, ExpansionSearch);
        try
        {
            var row = new float[vectors.Width];
            var rows = vectors.Count;
            for (var i = (long)graph.Size(); i < rows; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                vectors.Row(i, row);
                graph.Add((ulong)i, row);
                if ((i + 1) % 1024 == 0) progress?.Invoke(i + 1);
            }

            var part = $"{path}.{Environment.ProcessId}";
            graph.Save(part);
            File.Move(part, path, overwrite: true);
            GraphNote.Write(path, rows, vectors.Width);
            return new ApproximateIndex(graph);
        }
        catch
        {
            graph.Dispose();
            throw;
        }
    }

    /// <summary>Opens the graph next to a file of vectors.</summary>
    /// <returns>The graph, or null where there is none, or one that is damaged or of other vectors.</returns>
    public static ApproximateIndex? TryOpen(VectorFile vectors)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        return TryOpen(vectors, moreThan: -1);
    }

    /// <summary>Opens the graph next to a file of vectors if it has more than so many rows.</summary>
    internal static ApproximateIndex? TryOpen(VectorFile vectors, long moreThan)
    {
        var path = PathOf(vectors.Path);
        return GraphNote.RowsOf(path, vectors) > moreThan ? new ApproximateIndex(new USearchIndex(path, view: true)) : null;
    }

    /// <summary>The rows of the highest scores, as far as the graph finds them.</summary>
    /// <param name="vectors">The vectors that the graph was built of.</param>
    /// <param name="query">[width], finite.</param>
    /// <param name="count">Rows to find, at least 1.</param>
    /// <returns>Best first; of equal scores the lower row first.</returns>
    /// <exception cref="ArgumentException">The query has another width, or components that are not finite.</exception>
    /// <exception cref="ObjectDisposedException">The graph was closed.</exception>
    public IReadOnlyList<ScoredRow> Top(VectorFile vectors, ReadOnlySpan<float> query, int count)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var product = new InnerProduct(vectors.Width, vectors.Type, query);
        var best = new TopRows(count);
        foreach (var (row, score) in ExactSearch.Top(vectors, product, count, Candidates(query, count))) best.Offer(row, score);
        foreach (var (row, score) in ExactSearch.Top(vectors, product, count, start: Rows)) best.Offer(row, score);
        return best.ToSorted();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // A search in another thread reads the mapped graph until it is done.
        lock (gate)
        {
            if (!isDisposed) graph.Dispose();
            isDisposed = true;
        }
    }

    private long[] Candidates(ReadOnlySpan<float> query, int count)
    {
        if (Rows == 0) return [];
        var wanted = (int)Math.Min(Rows, Math.Max(LeastCandidates, (long)count * CandidateFactor));
        var (found, keys) = (0, Array.Empty<ulong>());
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isDisposed, this);
            found = graph.Search(query.ToArray(), wanted, out keys, out _);
        }

        return [.. keys.Take(found).Select(key => (long)key).Order()];
    }
}
