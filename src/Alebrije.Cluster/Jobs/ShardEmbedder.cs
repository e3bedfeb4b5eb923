using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cluster.Jobs;

/// <summary>Embeds the images of a shard.</summary>
internal interface IShardEmbedder : IDisposable
{
    EmbeddingSpace Space { get; }

    /// <exception cref="InvalidDataException">None of its images can be read, or its archive is damaged.</exception>
    (EmbeddingSet Set, IReadOnlyList<SkippedPicture> Failures) Embed(ShardSource shard, bool upright, CancellationToken cancellation);
}

/// <summary>Embeds with a CLIP model, batch by batch; the next batch is decoded while the network works.</summary>
internal sealed class ClipShardEmbedder(ClipModel model) : IShardEmbedder
{
    private const long LargestImage = 1L << 28;

    public EmbeddingSpace Space => model.Space;

    public (EmbeddingSet Set, IReadOnlyList<SkippedPicture> Failures) Embed(
        ShardSource shard, bool upright, CancellationToken cancellation)
    {
        var reader = new PictureReader(upright);
        var (labels, read) = shard.Tar is { } tar ? Archive(tar, reader, upright) : Files(shard, reader);
        var rows = new float[]?[labels.Length];
        model.EmbedImages(labels.Length, read, (from, batch) =>
        {
            cancellation.ThrowIfCancellationRequested();
            batch.CopyTo(rows, from);
        }, cancellation);
        EmbeddingItem[] items = [.. labels.Index().Where(label => rows[label.Index] is not null)
            .Select(label => new EmbeddingItem(EmbeddingKind.Image, label.Item, rows[label.Index]!))];
        if (items.Length == 0)
        {
            var first = reader.Skipped.Count > 0 ? $": {reader.Skipped[0].File}: {reader.Skipped[0].Reason}" : ".";
            throw new InvalidDataException($"none of the {labels.Length} images of the shard can be read{first}");
        }

        return (new EmbeddingSet(model.Space, items), reader.Skipped);
    }

    public void Dispose() => model.Dispose();

    private static (string[] Labels, Func<int, PillowImage?> Read) Files(ShardSource shard, PictureReader reader)
    {
        string[] files = [.. shard.Files!];
        return (files, i => reader.Read(Path.Combine(shard.Root!, files[i])));
    }

    private static (string[] Labels, Func<int, PillowImage?> Read) Archive(string tar, PictureReader reader, bool upright)
    {
        var name = Path.GetFileName(tar);
        var entries = TarFiles.Of(tar).Where(entry => PillowImage.HasPictureName(entry.Name)).ToArray();
        return ([.. entries.Select(entry => $"{name}/{entry.Name}")], i =>
        {
            var (label, entry) = ($"{name}/{entries[i].Name}", entries[i]);
            try
            {
                var image = PillowImage.FromBytes(new FilePart(tar, entry.Offset, entry.Length).Read(LargestImage), label);
                return upright ? image.Upright() : image;
            }
            catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
            {
                reader.Skip(label, e);
                return null;
            }
        });
    }
}
