using Alebrije.Embeddings;
using Alebrije.Server.Jobs;

namespace Alebrije.Server.Studio;

/// <summary>A drawn image of the history.</summary>
/// <param name="Id">Id of its job.</param>
/// <param name="Model">Name of the model that drew it.</param>
/// <param name="Run">The image with its stages.</param>
/// <param name="Png">The file.</param>
/// <param name="Embedding">Of the service's default model; null where that has no CLIP.</param>
internal sealed record GalleryItem(string Id, string Model, TracedRun Run, byte[] Png, float[]? Embedding)
{
    private string? uri;

    /// <summary>The image as data URL.</summary>
    public string Uri => uri ??= Figures.Uri(Png);
}

/// <summary>History of the visitor of a page; searchable by words and by image.</summary>
internal sealed class StudioGallery(StudioHistories histories)
{
    private string visitor = "";

    /// <summary>All items, the newest first.</summary>
    public IReadOnlyList<GalleryItem> Items => histories.Of(visitor);

    /// <summary>Sets the visitor, before the page is built.</summary>
    public void Open(string id) => visitor = id;

    public GalleryItem? Find(string id) => Items.FirstOrDefault(item => item.Id == id);

    public void Add(GalleryItem item) => histories.Add(visitor, item);

    /// <summary>All items, those nearest to an embedding first, with their cosines.</summary>
    public IReadOnlyList<(GalleryItem Item, double Cosine)> Nearest(float[] query) => [.. Items.Where(item => item.Embedding is not null)
        .Select(item => (item, Vectors.Cosine(item.Embedding!, query))).OrderByDescending(pair => pair.Item2)];
}
