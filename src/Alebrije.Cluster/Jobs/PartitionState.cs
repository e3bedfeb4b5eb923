namespace Alebrije.Cluster.Jobs;

internal enum ShardPhase
{
    Waiting,
    Leased,
    Done,
    Dead,
}

/// <summary>One shard in a partition's state.</summary>
[GenerateSerializer]
internal sealed class ShardState
{
    [Id(0)]
    public ShardPhase Phase { get; set; }

    [Id(1)]
    public int Attempts { get; set; }

    [Id(2)]
    public long Fence { get; set; }

    [Id(3)]
    public string? Worker { get; set; }

    /// <summary>Request that the lease answers: a repeated request gets the same lease.</summary>
    [Id(4)]
    public Guid Request { get; set; }

    /// <summary>End of the lease.</summary>
    [Id(5)]
    public DateTimeOffset Deadline { get; set; }

    [Id(6)]
    public string? Error { get; set; }

    [Id(7)]
    public ShardResult? Result { get; set; }
}

/// <summary>State of a partition: consecutive shards of a job.</summary>
[GenerateSerializer]
internal sealed class PartitionState
{
    [Id(0)]
    public EmbeddingJob? Job { get; set; }

    /// <summary>Number of the first shard.</summary>
    [Id(1)]
    public int First { get; set; }

    [Id(2)]
    public ShardState[] Shards { get; set; } = [];

    /// <summary>The last fencing number.</summary>
    [Id(3)]
    public long Fence { get; set; }

    [Id(4)]
    public long Expired { get; set; }

    [Id(5)]
    public long Stale { get; set; }

    public bool HasEnded => Job is not null && Shards.All(shard => shard.Phase is ShardPhase.Done or ShardPhase.Dead);
}

/// <summary>Answer to a request for a lease.</summary>
/// <param name="Lease">The lease; null if no shard is free.</param>
/// <param name="HasEnded">True if the partition has no open shards.</param>
[GenerateSerializer]
internal sealed record LeaseOffer([property: Id(0)] ShardLease? Lease, [property: Id(1)] bool HasEnded);

/// <summary>Clock of the leases; a test replaces it alone, and not the runtime's.</summary>
internal sealed class LeaseClock(TimeProvider time)
{
    public DateTimeOffset Now => time.GetUtcNow();
}
