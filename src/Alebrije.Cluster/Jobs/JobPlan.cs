using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Alebrije.Datasets;
using Alebrije.Preprocessing;

namespace Alebrije.Cluster.Jobs;

/// <summary>
/// The shards of a job, in the folder <c>plan</c> of its results: <c>plan.json</c>, and a file for each shard in folders of 1,000.
/// </summary>
internal sealed class JobPlan
{
    private const string Folder = "plan", Facts = "plan.json";
    private const int FolderShards = 1000;

    private readonly string path;

    private JobPlan(string path, PlanFacts facts) => (this.path, About) = (path, facts);

    public PlanFacts About { get; }

    /// <summary>The plan of a job that has one.</summary>
    /// <exception cref="InvalidDataException">There is none, or it is damaged.</exception>
    public static JobPlan Open(string folder)
    {
        var path = Path.Combine(folder, Folder);
        try
        {
            using var stream = RegularFile.Open(Path.Combine(path, Facts));
            return new JobPlan(path, JsonSerializer.Deserialize(stream, ClusterJson.Default.PlanFacts)!);
        }
        catch (Exception e) when (e is JsonException or FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidDataException(
                $"{path} holds no plan of a job; each node needs the folder of the results at the same path.", e);
        }
    }

    /// <summary>Writes the plan of a source, or finds the same one there.</summary>
    /// <param name="source">A folder of images, tar archives (folder, file, pattern or range), or a .parquet file with paths.</param>
    /// <param name="folder">Folder of the results.</param>
    /// <param name="shardImages">Images in a shard of files.</param>
    /// <param name="cancellation">Stops the listing.</param>
    /// <exception cref="FileNotFoundException">The source has no images.</exception>
    /// <exception cref="IOException">The folder holds the plan of another source.</exception>
    public static async Task<JobPlan> CreateAsync(string source, string folder, int shardImages, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shardImages, 1);
        Directory.CreateDirectory(folder);
        var (path, fresh) = (Path.Combine(folder, Folder), Path.Combine(folder, $"{Folder}.{Guid.NewGuid():N}.tmp"));
        Directory.CreateDirectory(fresh);
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var shards = 0;
            await foreach (var shard in ShardSources.OfAsync(source, shardImages, cancellation))
            {
                var bytes = JsonSerializer.SerializeToUtf8Bytes(shard, ClusterJson.Default.ShardSource);
                hash.AppendData(bytes);
                var file = FileOf(fresh, shards++);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                await File.WriteAllBytesAsync(file, bytes, cancellation);
            }

            if (shards == 0)
                throw new FileNotFoundException($"{source} has no images; give a folder of images, tar archives or a .parquet.");
            var facts = new PlanFacts(source, shards, Convert.ToHexStringLower(hash.GetHashAndReset()));
            await File.WriteAllBytesAsync(Path.Combine(fresh, Facts),
                JsonSerializer.SerializeToUtf8Bytes(facts, ClusterJson.Default.PlanFacts), cancellation);
            if (!Directory.Exists(path)) Directory.Move(fresh, path);
            var there = Open(folder);
            return there.About.Fingerprint == facts.Fingerprint ? there : throw new IOException(
                $"{folder} holds a job of {there.About.Source} with other images or shards; give another folder, or delete this one.");
        }
        finally
        {
            if (Directory.Exists(fresh)) Directory.Delete(fresh, recursive: true);
        }
    }

    /// <summary>The images of a shard.</summary>
    public ShardSource Read(int shard)
    {
        var file = FileOf(path, shard);
        using var stream = RegularFile.Open(file);
        return JsonSerializer.Deserialize(stream, ClusterJson.Default.ShardSource) ?? throw new InvalidDataException($"{file} is damaged.");
    }

    private static string FileOf(string path, int shard) => Path.Combine(path,
        (shard / FolderShards).ToString("D4", CultureInfo.InvariantCulture), shard.ToString("D6", CultureInfo.InvariantCulture) + ".json");
}
