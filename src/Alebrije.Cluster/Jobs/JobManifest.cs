using System.Text.Json;
using Alebrije.Preprocessing;

namespace Alebrije.Cluster.Jobs;

/// <summary>Manifest of an ended job: a row for each finished shard, and the shards that were given up.</summary>
internal sealed record ManifestDocument(string Job, string Model, string Space, string Source, int Shards, long Images, long Failures,
    IReadOnlyList<ShardResult> Parts, IReadOnlyList<DeadShard> Dead);

/// <summary>The file <c>manifest.json</c> in the folder of a job's results.</summary>
internal static class JobManifest
{
    public static string PathOf(string folder) => Path.Combine(folder, "manifest.json");

    /// <summary>Writes the manifest; any number of workers may do so, their files are equal.</summary>
    public static async Task WriteAsync(OrleansShardLeases queue, JobStatus status, CancellationToken cancellation)
    {
        var (job, results) = (status.Job, await queue.ResultsAsync(cancellation));
        var document = new ManifestDocument(job.Name, job.Model, job.Space, JobPlan.Open(job.Folder).About.Source, job.Shards,
            status.Images, status.Failures, results, status.DeadShards);
        var draft = $"{PathOf(job.Folder)}.{Guid.NewGuid():N}.tmp";
        await File.WriteAllBytesAsync(draft, JsonSerializer.SerializeToUtf8Bytes(document, ClusterJson.Default.ManifestDocument),
            cancellation);
        File.Move(draft, PathOf(job.Folder), overwrite: true);
    }

    /// <exception cref="InvalidDataException">There is none, or it is damaged.</exception>
    public static ManifestDocument Read(string folder)
    {
        try
        {
            using var stream = RegularFile.Open(PathOf(folder));
            return JsonSerializer.Deserialize(stream, ClusterJson.Default.ManifestDocument)!;
        }
        catch (Exception e) when (e is JsonException or FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidDataException($"{folder} has no readable manifest.json; a job writes it when it ends.", e);
        }
    }

    /// <summary>Compares the files of a folder with its manifest.</summary>
    /// <returns>A sentence for each part that is missing, changed or not in the manifest; empty if all agree.</returns>
    public static async Task<IReadOnlyList<string>> VerifyAsync(string folder, CancellationToken cancellation)
    {
        var (manifest, wrong) = (Read(folder), new List<string>());
        foreach (var part in manifest.Parts)
        {
            var file = PartFile.Parquet(folder, part.Shard);
            if (!File.Exists(file)) wrong.Add($"{file} is missing.");
            else if (await PartFile.HashAsync(file, cancellation) != part.Sha256)
                wrong.Add($"{file} has another SHA-256 than the manifest.");
        }

        var known = manifest.Parts.Select(part => PartFile.Parquet(folder, part.Shard)).ToHashSet(StringComparer.Ordinal);
        wrong.AddRange(Directory.EnumerateFiles(folder, "part-*.parquet").Where(file => !known.Contains(file))
            .Order(StringComparer.Ordinal).Select(file => $"{file} is not in the manifest."));
        return wrong;
    }
}
