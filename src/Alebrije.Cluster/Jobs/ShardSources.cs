using System.Runtime.CompilerServices;
using Alebrije.Datasets;
using Alebrije.Preprocessing;
using Parquet;
using Parquet.Schema;

namespace Alebrije.Cluster.Jobs;

/// <summary>Cuts a source into shards: one for each archive, and files in equal numbers.</summary>
internal static class ShardSources
{
    private static readonly string[] PathColumns =
        ["path", "file", "image_path", "filepath", "file_path", "file_name", "filename", "image", "label"];

    public static IAsyncEnumerable<ShardSource> OfAsync(string source, int shardImages, CancellationToken cancellation)
    {
        if (TarShards.Means(source))
            return TarShards.Find(source).Select(file => new ShardSource(Path.GetFullPath(file))).ToAsyncEnumerable();
        var root = Path.GetFullPath(source);
        if (Path.GetExtension(source).Equals(".parquet", StringComparison.OrdinalIgnoreCase))
            return Cut(Rows(source, cancellation), Path.GetDirectoryName(root)!, shardImages, cancellation);
        if (!Directory.Exists(source))
            throw new FileNotFoundException($"There is no folder {source}, nor an archive or table of this name.");
        var files = VisibleFolder.Open(source).PicturesBelow(null, cancellation);
        return Cut(files.Select(file => Path.GetRelativePath(root, Path.GetFullPath(file))).ToAsyncEnumerable(),
            root, shardImages, cancellation);
    }

    private static async IAsyncEnumerable<ShardSource> Cut(IAsyncEnumerable<string> files, string root, int shardImages,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var chunk in files.Chunk(shardImages).WithCancellation(cancellation))
            yield return new ShardSource(null, chunk, root);
    }

    /// <summary>Paths in a table, a row group at a time.</summary>
    private static async IAsyncEnumerable<string> Rows(string file, [EnumeratorCancellation] CancellationToken cancellation)
    {
        if (!File.Exists(file)) throw new FileNotFoundException($"There is no file {file}.");
        await using var stream = RegularFile.Open(file);
        await using var reader = await ParquetReader.CreateAsync(stream, cancellationToken: cancellation);
        var column = PathColumns.Select(name => reader.Schema.DataFields.FirstOrDefault(field => field.Path.Length == 1
                && field.Path.FirstPart!.Equals(name, StringComparison.OrdinalIgnoreCase))).FirstOrDefault(field => field is not null)
            ?? throw new InvalidDataException(
                $"{file} has no column of images' paths; name it {string.Join(" or ", PathColumns.Take(3))}.");
        for (var g = 0; g < reader.RowGroupCount; g++)
        {
            using var rows = reader.OpenRowGroupReader(g);
            foreach (var path in await TextsAsync(rows, column, cancellation)) yield return path;
        }
    }

    private static async Task<string[]> TextsAsync(ParquetRowGroupReader rows, DataField column, CancellationToken cancellation)
    {
        var texts = new string?[rows.RowCount];
        try
        {
            await rows.ReadAsync(column, texts, cancellationToken: cancellation);
        }
        catch (Exception e) when (e is ArgumentException or InvalidCastException or NotSupportedException)
        {
            throw new InvalidDataException($"The column {column.Name} holds no texts; it should hold paths of images.", e);
        }

        return [.. texts.Where(text => !string.IsNullOrEmpty(text)).Select(text => text!)];
    }
}
