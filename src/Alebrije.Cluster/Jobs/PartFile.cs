using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Alebrije.Search.Vectors;

namespace Alebrije.Cluster.Jobs;

/// <summary>An image that cannot be read, in a part's metadata.</summary>
internal sealed record FailureRow(string File, string Reason);

/// <summary>
/// The result of a shard: <c>part-SHARD.parquet</c>, and its vectors in half precision for search, <c>part-SHARD.vectors</c>. The Parquet
/// file is put in place by one step that never replaces another: the first of several writers counts, and the vectors are written from it.
/// </summary>
internal static class PartFile
{
    private const string FailuresKey = "alebrije.failures";
    private const int FirstFailures = 5;
    public const string VectorsEnding = ".vectors";

    public static string Parquet(string folder, int shard) => Path.Combine(folder, Stem(shard) + ".parquet");

    public static string Vectors(string folder, int shard) => Path.Combine(folder, Stem(shard) + VectorsEnding);

    public static string Stem(int shard) => "part-" + shard.ToString("D6", CultureInfo.InvariantCulture);

    /// <summary>Writes the part of a lease; where another worker's part is there already, that one stays.</summary>
    public static async Task WriteAsync(string folder, ShardLease lease, EmbeddingSet set,
        IReadOnlyList<SkippedPicture> failures, CancellationToken cancellation)
    {
        var (part, draft) = (Parquet(folder, lease.Shard), Draft(folder, lease));
        try
        {
            await using (var stream = File.Create(draft))
            {
                var rows = failures.Select(failure => new FailureRow(failure.File, failure.Reason)).ToArray();
                await EmbeddingParquet.WriteAsync(stream, set, cancellation, new Dictionary<string, string>
                {
                    [FailuresKey] = JsonSerializer.Serialize(rows, ClusterJson.Default.FailureRowArray),
                });
                stream.Flush(flushToDisk: true);
            }

            cancellation.ThrowIfCancellationRequested();
            File.Move(draft, part, overwrite: false);
        }
        catch (IOException) when (File.Exists(part))
        {
            // A worker with another lease was first.
        }
        finally
        {
            File.Delete(draft);
        }
    }

    /// <summary>The result that lies in the folder, its vectors written if they are missing; null if there is none.</summary>
    /// <exception cref="InvalidDataException">The part is of another embedding space.</exception>
    public static async Task<ShardResult?> FindAsync(string folder, int shard, EmbeddingSpace space, CancellationToken cancellation)
    {
        var part = Parquet(folder, shard);
        if (!File.Exists(part)) return null;
        EmbeddingSet set;
        try
        {
            set = await EmbeddingFile.ReadAsync(part, cancellation);
        }
        catch (InvalidDataException)
        {
            // Damaged on the disk: it is made again.
            File.Delete(part);
            return null;
        }

        set.RequireSpace(space);
        var vectors = Vectors(folder, shard);
        if (!File.Exists(vectors))
        {
            var draft = $"{vectors}.{Guid.NewGuid():N}.tmp";
            using (var file = VectorFile.Create(draft, set.Dimensions))
            {
                foreach (var item in set.Items) file.Append(item.Embedding);
                file.Flush();
            }

            try
            {
                File.Move(draft, vectors, overwrite: true);
            }
            catch (FileNotFoundException) when (File.Exists(vectors))
            {
                // Another worker was first, and has tidied up.
            }
        }

        var failures = await FailuresAsync(part, cancellation);
        return new ShardResult(shard, set.Items.Count, await HashAsync(part, cancellation), set.Space.ToString(), failures.Length,
            [.. failures.Take(FirstFailures).Select(failure => $"{failure.File}: {failure.Reason}")]);
    }

    /// <summary>Deletes what dead workers have left of a shard.</summary>
    public static void DeleteDrafts(string folder, int shard)
    {
        foreach (var draft in Directory.EnumerateFiles(folder, Stem(shard) + ".*.tmp")) File.Delete(draft);
    }

    public static async Task<FailureRow[]> FailuresAsync(string part, CancellationToken cancellation)
    {
        await using var stream = RegularFile.Open(part);
        await using var reader = await global::Parquet.ParquetReader.CreateAsync(stream, cancellationToken: cancellation);
        return reader.CustomMetadata?.GetValueOrDefault(FailuresKey) is { } text
            ? JsonSerializer.Deserialize(text, ClusterJson.Default.FailureRowArray) ?? [] : [];
    }

    public static async Task<string> HashAsync(string file, CancellationToken cancellation)
    {
        await using var stream = RegularFile.Open(file);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellation));
    }

    private static string Draft(string folder, ShardLease lease) =>
        Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{Stem(lease.Shard)}.{lease.Fence}.tmp"));
}
