namespace Alebrije.Cluster.Jobs;

/// <summary>The shards of one job, handed out under leases.</summary>
public interface IShardLeases
{
    /// <summary>Leases a shard; waits while all remaining ones are leased to others.</summary>
    /// <param name="worker">Name of the worker.</param>
    /// <param name="cancellation">Stops the waiting.</param>
    /// <returns>Null once the job has ended.</returns>
    Task<ShardLease?> LeaseAsync(string worker, CancellationToken cancellation);

    /// <summary>Extends a lease by the job's lease time.</summary>
    /// <returns>False if the shard is no longer leased to the caller: its work is to be dropped.</returns>
    Task<bool> RenewAsync(ShardLease lease, CancellationToken cancellation);

    /// <summary>Records the result of a shard. Repeating the call is harmless.</summary>
    /// <returns>False if the shard belongs to a later lease: the result does not count.</returns>
    Task<bool> CompleteAsync(ShardLease lease, ShardResult result, CancellationToken cancellation);

    /// <summary>Records a failed attempt; after the last one the shard is in the list of dead shards.</summary>
    Task FailAsync(ShardLease lease, string reason, CancellationToken cancellation);

    /// <summary>Gives a shard back without counting an attempt.</summary>
    Task ReleaseAsync(ShardLease lease, CancellationToken cancellation);

    /// <summary>State of the job, now and after each change, until it has ended.</summary>
    IAsyncEnumerable<JobStatus> WatchAsync(CancellationToken cancellation);
}

/// <summary>Right to work on a shard until the lease ends.</summary>
/// <param name="Shard">Number of the shard.</param>
/// <param name="Fence">Fencing number: a later lease of the same shard has a larger one.</param>
/// <param name="Worker">Name of the worker.</param>
/// <param name="Attempt">Number of this attempt, from 1.</param>
[GenerateSerializer]
public sealed record ShardLease(
    [property: Id(0)] int Shard, [property: Id(1)] long Fence, [property: Id(2)] string Worker, [property: Id(3)] int Attempt);

/// <summary>Manifest row of a finished shard.</summary>
/// <param name="Shard">Number of the shard.</param>
/// <param name="Count">Embeddings in the part.</param>
/// <param name="Sha256">SHA-256 of the Parquet file, lower case.</param>
/// <param name="Space">The embedding space.</param>
/// <param name="Failures">Number of images that cannot be read; the part's metadata lists all.</param>
/// <param name="FirstFailures">The first of them, each with its reason.</param>
[GenerateSerializer]
public sealed record ShardResult(
    [property: Id(0)] int Shard, [property: Id(1)] int Count, [property: Id(2)] string Sha256, [property: Id(3)] string Space,
    [property: Id(4)] int Failures, [property: Id(5)] string[] FirstFailures);

/// <summary>A shard that was given up.</summary>
/// <param name="Shard">Number of the shard.</param>
/// <param name="Attempts">Attempts made.</param>
/// <param name="Error">Error of the last one.</param>
[GenerateSerializer]
public sealed record DeadShard([property: Id(0)] int Shard, [property: Id(1)] int Attempts, [property: Id(2)] string Error);

/// <summary>State of a job.</summary>
[GenerateSerializer]
public sealed record JobStatus
{
    /// <summary>The job.</summary>
    [Id(0)]
    public required EmbeddingJob Job { get; init; }

    /// <summary>Finished shards.</summary>
    [Id(1)]
    public int Done { get; init; }

    /// <summary>Shards under a lease.</summary>
    [Id(2)]
    public int Leased { get; init; }

    /// <summary>Shards that were given up, at most <see cref="DeadShards"/> of them listed.</summary>
    [Id(3)]
    public int Dead { get; init; }

    /// <summary>Embeddings in the finished shards.</summary>
    [Id(4)]
    public long Images { get; init; }

    /// <summary>Images of the finished shards that cannot be read.</summary>
    [Id(5)]
    public long Failures { get; init; }

    /// <summary>Leases given.</summary>
    [Id(6)]
    public long Leases { get; init; }

    /// <summary>Leases that ended without a result.</summary>
    [Id(7)]
    public long Expired { get; init; }

    /// <summary>Results refused because of a later lease.</summary>
    [Id(8)]
    public long Stale { get; init; }

    /// <summary>The shards given up, the first 100.</summary>
    [Id(9)]
    public DeadShard[] DeadShards { get; init; } = [];

    /// <summary>True once every shard is finished or given up.</summary>
    public bool HasEnded => Done + Dead == Job.Shards;
}
