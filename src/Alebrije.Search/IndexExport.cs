using System.Text.Json;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Parquet;
using Parquet.Schema;

namespace Alebrije.Search;

/// <summary>An index as files of other tools.</summary>
public static class IndexExport
{
    private const int GroupRows = 8192;

    private static readonly DataField<string> Path = new("image_path", false), Metadata = new("metadata", false);

    /// <summary>
    /// Writes the embeddings of a space: into <c>.parquet</c> or <c>.npy</c> with the paths as labels, else into a folder in the layout of
    /// clip-retrieval: <c>img_emb/img_emb_0.npy</c> (float32 [images, dimensions]) and <c>metadata/metadata_0.parquet</c> (image_path, and
    /// metadata as JSON).
    /// </summary>
    /// <param name="index">The index.</param>
    /// <param name="model">Model of the space.</param>
    /// <param name="path">File that ends in .parquet or .npy, or a folder.</param>
    /// <param name="cancellation">Stops before files are put in place.</param>
    /// <returns>Images written.</returns>
    /// <exception cref="InvalidOperationException">There are no images.</exception>
    public static async Task<int> WriteAsync(PictureIndex index, ClipModel model, string path, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(index);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var (space, pictures, rows) = index.Read(model, (space, vectors) =>
        {
            var pictures = IndexItems.In(index.Database, space.Id);
            var rows = pictures.Select(picture =>
            {
                var row = new float[space.Dimensions];
                vectors.Row(picture.Row, row);
                return row;
            }).ToArray();
            return (space, pictures, rows);
        });
        if (pictures.Count == 0) throw new InvalidOperationException($"The index {index.Folder} has no images to be exported.");
        if (System.IO.Path.GetExtension(path).ToLowerInvariant() is ".parquet" or ".npy")
        {
            var set = new EmbeddingSet(new EmbeddingSpace(space.Model, space.Dimensions, space.Preprocessing),
                [.. pictures.Select((picture, i) => new EmbeddingItem(EmbeddingKind.Image, picture.File, rows[i]))]);
            await EmbeddingFile.WriteAsync(path, set, cancellation);
            return pictures.Count;
        }

        var (embeddings, metadata) = (System.IO.Path.Combine(path, "img_emb"), System.IO.Path.Combine(path, "metadata"));
        WrittenFile.MakeFolder(embeddings);
        WrittenFile.MakeFolder(metadata);
        Npy.Write(System.IO.Path.Combine(embeddings, "img_emb_0.npy"),
            rows.SelectMany(row => row).ToArray(), rows.Length, space.Dimensions);
        await WrittenFile.WriteAsync(System.IO.Path.Combine(metadata, "metadata_0.parquet"),
            stream => WriteMetadataAsync(stream, pictures, cancellation));
        return pictures.Count;
    }

    private static async Task WriteMetadataAsync(Stream stream, IReadOnlyList<IndexedPicture> pictures, CancellationToken cancellation)
    {
        await using var writer = await ParquetWriter.CreateAsync(
            new ParquetSchema(Path, Metadata), stream, cancellationToken: cancellation);
        foreach (var group in pictures.Chunk(GroupRows))
        {
            using var table = writer.CreateRowGroup();
            await table.WriteAsync(Path, [.. group.Select(picture => picture.File)]);
            await table.WriteAsync(Metadata, [.. group.Select(picture => JsonSerializer.Serialize(new
            {
                date = picture.Date, width = picture.Width, height = picture.Height,
                latitude = picture.Latitude, longitude = picture.Longitude, camera = picture.Camera, label = picture.Label,
            }))]);
            table.CompleteValidate();
        }
    }
}
