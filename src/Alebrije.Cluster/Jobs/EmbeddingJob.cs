using Alebrije.Pipelines;

namespace Alebrije.Cluster.Jobs;

/// <summary>A job: the images of a plan, embedded shard by shard into a folder that all nodes see.</summary>
[GenerateSerializer]
public sealed record EmbeddingJob
{
    /// <summary>Name, unique in its cluster.</summary>
    [Id(0)]
    public required string Name { get; init; }

    /// <summary>Full path of the folder of the results; the plan is in its folder <c>plan</c>.</summary>
    [Id(1)]
    public required string Folder { get; init; }

    /// <summary>Name or path of the model, as each node finds it.</summary>
    [Id(2)]
    public required string Model { get; init; }

    /// <summary>The embedding space, as <see cref="EmbeddingSpace.ToString"/> writes it; a node with another refuses the job.</summary>
    [Id(3)]
    public required string Space { get; init; }

    /// <summary>Fingerprint of the plan.</summary>
    [Id(4)]
    public required string Plan { get; init; }

    /// <summary>Number of shards, numbered from 0.</summary>
    [Id(5)]
    public required int Shards { get; init; }

    /// <summary>True if EXIF orientation is applied.</summary>
    [Id(6)]
    public bool Upright { get; init; }

    /// <summary>Time until a lease ends that is not renewed.</summary>
    [Id(7)]
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Leases of one shard that may fail or end before it is given up.</summary>
    [Id(8)]
    public int Attempts { get; init; } = 3;

    /// <summary>Largest number of shards in one partition, whose state is rewritten as a whole.</summary>
    [Id(9)]
    public int PartitionShards { get; init; } = 1000;

    internal int Partitions => (Shards + PartitionShards - 1) / PartitionShards;

    /// <exception cref="ArgumentException">A number out of its range.</exception>
    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Shards, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Attempts, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(PartitionShards, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Lease, TimeSpan.FromSeconds(1));
    }
}
