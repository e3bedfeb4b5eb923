using Alebrije.Cluster.Jobs;
using Alebrije.Cluster.Search;
using Alebrije.Pipelines;

namespace Alebrije.Cluster;

/// <summary>Jobs and searches of a cluster, from a node or from a client.</summary>
public sealed class ClusterConnection
{
    private readonly IGrainFactory grains;

    internal ClusterConnection(IGrainFactory grains) => this.grains = grains;

    /// <summary>Plans a job and submits it; the same call again continues the job.</summary>
    /// <param name="source">A folder of images, tar archives (folder, file, pattern or range), or a .parquet file with paths.</param>
    /// <param name="folder">Folder of the results, seen by all nodes at the same path.</param>
    /// <param name="space">Embedding space of the model.</param>
    /// <param name="options">Settings of the job.</param>
    /// <param name="cancellation">Stops the planning.</param>
    /// <exception cref="FileNotFoundException">The source has no images.</exception>
    /// <exception cref="IOException">The folder holds another job.</exception>
    /// <exception cref="InvalidOperationException">The cluster has another job of this name.</exception>
    public async Task<EmbeddingJob> SubmitAsync(string source, string folder, EmbeddingSpace space,
        JobOptions options, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(space);
        ArgumentNullException.ThrowIfNull(options);
        folder = Path.GetFullPath(folder);
        var plan = await JobPlan.CreateAsync(source, folder, options.ShardImages, cancellation);
        var job = new EmbeddingJob
        {
            Name = options.Name ?? $"{Path.GetFileName(folder)}-{plan.About.Fingerprint[..8]}", Folder = folder, Model = options.Model,
            Space = space.ToString(), Plan = plan.About.Fingerprint, Shards = plan.About.Shards, Upright = options.Upright,
            Lease = options.Lease, Attempts = options.Attempts,
        };
        job.Check();
        await GrainCalls.RepeatAsync(() => grains.GetGrain<IJobGrain>(job.Name).SubmitAsync(job), cancellation);
        return job;
    }

    /// <summary>Works on a job with a model of this process until the job has ended.</summary>
    /// <param name="job">The job.</param>
    /// <param name="model">The model, disposed by the caller.</param>
    /// <param name="cancellation">Stops the work; the shard in progress is given back.</param>
    /// <returns>Number of shards completed here.</returns>
    public Task<int> WorkAsync(EmbeddingJob job, ClipModel model, CancellationToken cancellation = default) =>
        WorkAsync($"{Environment.MachineName}:{Environment.ProcessId}", job, new ClipShardEmbedder(model), cancellation);

    /// <summary>The queue of a job.</summary>
    public IShardLeases QueueOf(EmbeddingJob job) => new OrleansShardLeases(grains, job);

    /// <summary>State of a job; null if there is none of this name.</summary>
    public Task<JobStatus?> StatusAsync(string job, CancellationToken cancellation = default) =>
        GrainCalls.RepeatAsync(() => grains.GetGrain<IJobGrain>(job).StatusAsync(), cancellation);

    /// <summary>Names of the cluster's jobs, oldest first.</summary>
    public async Task<IReadOnlyList<string>> JobsAsync(CancellationToken cancellation = default) =>
        await GrainCalls.RepeatAsync(grains.GetGrain<IJobBoardGrain>(0).NamesAsync, cancellation);

    /// <summary>The silos that take part, as HOST:PORT.</summary>
    public async Task<IReadOnlyList<string>> NodesAsync(CancellationToken cancellation = default)
    {
        var hosts = await GrainCalls.RepeatAsync(
            () => grains.GetGrain<IManagementGrain>(0).GetHosts(onlyActive: true), cancellation);
        return [.. hosts.Keys.Select(silo => silo.Endpoint.ToString()).Order(StringComparer.Ordinal)];
    }

    /// <summary>
    /// Searches a collection: every shard's best rows, merged. Shards that do not answer are named in the answer. The search is repeated
    /// for up to a minute while nodes leave: until the others have declared a killed node dead, calls that reach it are not answered.
    /// </summary>
    /// <param name="collection">Name of the collection.</param>
    /// <param name="query">[dimensions], unit length.</param>
    /// <param name="space">Embedding space of the query.</param>
    /// <param name="top">Results, at least 1.</param>
    /// <param name="cancellation">Stops the waiting.</param>
    /// <exception cref="InvalidDataException">The collection is unknown, or of another embedding space.</exception>
    /// <exception cref="TimeoutException">No node answered.</exception>
    public Task<ClusterSearchAnswer> SearchAsync(string collection, float[] query, EmbeddingSpace space, int top,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        return GrainCalls.RepeatAsync(
            () => grains.GetGrain<ISearchRouterGrain>(0).SearchAsync(collection, query, space.ToString(), top),
            cancellation, GrainCalls.SearchPatience);
    }

    internal async Task<int> WorkAsync(string worker, EmbeddingJob job, IShardEmbedder embedder, CancellationToken cancellation)
    {
        var queue = new OrleansShardLeases(grains, job);
        var count = await new ShardWorker(worker, job, queue, embedder).RunAsync(cancellation);
        var status = await StatusAsync(job.Name, cancellation);
        await JobManifest.WriteAsync(queue, status!, cancellation);
        return count;
    }
}

/// <summary>Settings of a job.</summary>
public sealed record JobOptions
{
    /// <summary>Name of the job; null makes one of the folder and the plan.</summary>
    public string? Name { get; init; }

    /// <summary>Name or path of the model.</summary>
    public required string Model { get; init; }

    /// <summary>Images in a shard of files; an archive is a shard of its own.</summary>
    public int ShardImages { get; init; } = 1000;

    /// <summary>True if EXIF orientation is applied.</summary>
    public bool Upright { get; init; }

    /// <summary>Time until a lease ends that is not renewed; at least a second.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Leases of one shard that may fail or end before it is given up.</summary>
    public int Attempts { get; init; } = 3;
}
