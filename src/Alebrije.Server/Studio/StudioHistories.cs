namespace Alebrije.Server.Studio;

/// <summary>Drawn images of all visitors, in memory; each visitor sees their own.</summary>
internal sealed class StudioHistories
{
    /// <summary>Most images of a visitor.</summary>
    public const int MostOfVisitor = 60;

    /// <summary>Most images of all visitors together.</summary>
    public const int Most = 480;

    private readonly Lock gate = new();
    private readonly Dictionary<string, LinkedList<GalleryItem>> histories = new(StringComparer.Ordinal);

    /// <summary>Images of a visitor, the newest first.</summary>
    public IReadOnlyList<GalleryItem> Of(string visitor)
    {
        lock (gate) return histories.TryGetValue(visitor, out var items) ? [.. items] : [];
    }

    /// <summary>Adds an image; the oldest image of the longest history makes room for it.</summary>
    public void Add(string visitor, GalleryItem item)
    {
        lock (gate)
        {
            if (!histories.TryGetValue(visitor, out var items)) histories[visitor] = items = [];
            items.AddFirst(item);
            if (items.Count > MostOfVisitor) items.RemoveLast();
            if (histories.Values.Sum(each => each.Count) <= Most) return;
            var (longest, full) = histories.Where(each => each.Key != visitor).Append(new(visitor, items)).MaxBy(each => each.Value.Count);
            full.RemoveLast();
            if (full.Count == 0) histories.Remove(longest);
        }
    }
}
