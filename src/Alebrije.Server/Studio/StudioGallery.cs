using Alebrije.Embeddings;
using Alebrije.Server.Jobs;

namespace Alebrije.Server.Studio;

/// <summary>A drawn image of the history.</summary>
internal sealed record GalleryItem(string Id, TracedRun Run, byte[] Png, float[]? Embedding)
{
    private string? uri;

    /// <summary>The image as data address.</summary>
    public string Uri => uri ??= Figures.Uri(Png);
}

/// <summary>The latest drawn images, in memory, the newest first; searchable by words and by image.</summary>
internal sealed class StudioGallery
{
    private const int Most = 60;

    private readonly Lock gate = new();
    private readonly LinkedList<GalleryItem> items = [];

    /// <summary>All items, the newest first.</summary>
    public IReadOnlyList<GalleryItem> Items
    {
        get
        {
            lock (gate) return [.. items];
        }
    }

    public GalleryItem? Find(string id) => Items.FirstOrDefault(item => item.Id == id);

    public void Add(GalleryItem item)
    {
        lock (gate)
        {
            items.AddFirst(item);
            if (items.Count > Most) items.RemoveLast();
        }
    }

    /// <summary>All items, those nearest to an embedding first, with their cosines.</summary>
    public IReadOnlyList<(GalleryItem Item, double Cosine)> Nearest(float[] query) => [.. Items.Where(item => item.Embedding is not null)
        .Select(item => (item, Vectors.Cosine(item.Embedding!, query))).OrderByDescending(pair => pair.Item2)];
}
