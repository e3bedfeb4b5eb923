namespace Alebrije.Search.Vectors;

/// <summary>The best rows of those offered. Not thread-safe.</summary>
internal sealed class TopRows(int count)
{
    private readonly PriorityQueue<long, ScoredRow> worstFirst = new(Comparer<ScoredRow>.Create((a, b) => -Compare(a, b)));
    private float least = float.NegativeInfinity;

    /// <summary>Order of results: the higher score first, of equal scores the lower row.</summary>
    public static int Compare(ScoredRow a, ScoredRow b)
    {
        var byScore = b.Score.CompareTo(a.Score);
        return byScore != 0 ? byScore : a.Row.CompareTo(b.Row);
    }

    /// <summary>Keeps a row if it is among the best so far.</summary>
    public void Offer(long row, float score)
    {
        if (score < least) return;
        if (worstFirst.Count < count) worstFirst.Enqueue(row, new ScoredRow(row, score));
        else worstFirst.EnqueueDequeue(row, new ScoredRow(row, score));
        if (worstFirst.Count == count && worstFirst.TryPeek(out _, out var worst)) least = worst.Score;
    }

    /// <summary>Offers the rows of another.</summary>
    public void Merge(TopRows other)
    {
        foreach (var (_, row) in other.worstFirst.UnorderedItems) Offer(row.Row, row.Score);
    }

    /// <summary>The rows, best first.</summary>
    public ScoredRow[] ToSorted()
    {
        var sorted = worstFirst.UnorderedItems.Select(item => item.Priority).ToArray();
        Array.Sort(sorted, Compare);
        return sorted;
    }
}
