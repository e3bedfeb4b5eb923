using System.Globalization;
using System.IO.Hashing;
using Cloud.Unum.USearch;

namespace Alebrije.Search.Vectors;

/// <summary>
/// Approximate search by a graph of neighbours (HNSW, half precision, USearch) beside a file of vectors. Candidates of the graph are scored
/// again by the file's vectors, so that scores are those of <see cref="ExactSearch"/>; rows that were appended after the graph was built
/// are compared exactly. Thread-safe.
/// </summary>
public sealed class ApproximateIndex : IDisposable
{
    /// <summary>Rows from which on the graph is worth its building, chosen by <c>bench search</c> (docs/search-vectors.md).</summary>
    public const int LeastRows = 100_000;

    /// <summary>Candidates that are scored again: a multiple of the results asked for, and at least so many.</summary>
    private const int CandidateFactor = 4, LeastCandidates = 128;

    private const int Connectivity = 16, ExpansionAdd = 128, ExpansionSearch = 64;
    private readonly USearchIndex graph;
    private readonly Lock gate = new();

    private ApproximateIndex(USearchIndex graph) => (this.graph, Rows) = (graph, (long)graph.Size());

    /// <summary>Rows in the graph: the first ones of the file.</summary>
    public long Rows { get; }

    /// <summary>Name of the graph's file.</summary>
    /// <param name="vectors">Path of the file of vectors.</param>
    public static string PathOf(string vectors) => $"{vectors}.usearch";

    /// <summary>Builds the graph of all rows and writes it beside the vectors; a graph of the first rows is extended.</summary>
    /// <param name="vectors">The vectors; for good results of unit length.</param>
    /// <param name="progress">Called with the rows that are in the graph.</param>
    /// <param name="cancellation">Stops; nothing is written.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static ApproximateIndex Build(VectorFile vectors, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        var path = PathOf(vectors.Path);
        var graph = IsWhole(path, vectors) ? new USearchIndex(path) : new USearchIndex(
            MetricKind.Ip, ScalarKind.Float16, (ulong)vectors.Width, Connectivity, ExpansionAdd, ExpansionSearch);
        try
        {
            var row = new float[vectors.Width];
            for (var i = (long)graph.Size(); i < vectors.Count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                vectors.Row(i, row);
                graph.Add((ulong)i, row);
                if ((i + 1) % 1024 == 0) progress?.Invoke(i + 1);
            }

            Save(graph, path);
            return new ApproximateIndex(graph);
        }
        catch
        {
            graph.Dispose();
            throw;
        }
    }

    /// <summary>Opens the graph beside a file of vectors.</summary>
    /// <returns>The graph, or null where there is none, or one that is damaged or of other vectors.</returns>
    public static ApproximateIndex? TryOpen(VectorFile vectors)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        var path = PathOf(vectors.Path);
        return IsWhole(path, vectors) ? new ApproximateIndex(new USearchIndex(path, view: true)) : null;
    }

    /// <summary>The rows of the highest scores, as far as the graph finds them.</summary>
    /// <param name="vectors">The vectors that the graph was built of.</param>
    /// <param name="query">[width], finite.</param>
    /// <param name="count">Rows to find, at least 1.</param>
    /// <returns>Best first; of equal scores the lower row first.</returns>
    public IReadOnlyList<ScoredRow> Top(VectorFile vectors, ReadOnlySpan<float> query, int count)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (query.Length != vectors.Width)
            throw new ArgumentException($"The query has {query.Length} components, the vectors have {vectors.Width}.", nameof(query));
        var candidates = new SortedSet<long>();
        if (Rows > 0)
        {
            var wanted = (int)Math.Min(Rows, Math.Max(LeastCandidates, (long)count * CandidateFactor));
            ulong[] keys;
            int found;
            lock (gate) found = graph.Search(query.ToArray(), wanted, out keys, out _);
            for (var i = 0; i < found; i++) candidates.Add((long)keys[i]);
        }

        for (var i = Rows; i < vectors.Count; i++) candidates.Add(i);
        return candidates.Count == 0 ? [] : ExactSearch.Top(vectors, query, count, [.. candidates]);
    }

    /// <inheritdoc/>
    public void Dispose() => graph.Dispose();

    /// <summary>Writes the graph, and its hash beside it: USearch does not check the files that it maps.</summary>
    private static void Save(USearchIndex graph, string path)
    {
        var part = $"{path}.{Environment.ProcessId}";
        graph.Save(part);
        var note = Note(part, graph.Size(), graph.Dimensions());
        File.Move(part, path, overwrite: true);
        File.WriteAllText(NotePath(path), note);
    }

    private static bool IsWhole(string path, VectorFile vectors)
    {
        if (!File.Exists(path) || !File.Exists(NotePath(path))) return false;
        var note = File.ReadAllText(NotePath(path));
        var parts = note.Split(' ');
        return parts.Length == 3 && ulong.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var rows)
            && rows <= (ulong)vectors.Count && note == Note(path, rows, (ulong)vectors.Width);
    }

    private static string Note(string path, ulong rows, ulong width)
    {
        var hash = new XxHash3();
        using (var stream = File.OpenRead(path)) hash.Append(stream);
        return string.Create(CultureInfo.InvariantCulture, $"{rows} {width} {hash.GetCurrentHashAsUInt64():x16}");
    }

    private static string NotePath(string path) => $"{path}.hash";
}
