using System.Runtime.CompilerServices;

namespace Alebrije.Cluster.Jobs;

/// <summary>The queue of a job in the partitions' grains. A worker calls the partitions itself, beginning with one of its own.</summary>
internal sealed class OrleansShardLeases(IGrainFactory grains, EmbeddingJob job) : IShardLeases
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(300);

    private readonly List<int> open = [.. Enumerable.Range(0, job.Partitions)];
    private int next = -1;

    /// <inheritdoc/>
    public async Task<ShardLease?> LeaseAsync(string worker, CancellationToken cancellation)
    {
        if (next < 0) next = (int)((uint)worker.Sum(letter => letter * 31) % job.Partitions);
        while (open.Count > 0)
        {
            for (var i = open.Count; i > 0 && open.Count > 0; i--)
            {
                next %= open.Count;
                var (partition, request) = (Partition(open[next]), Guid.NewGuid());
                var offer = await GrainCalls.RepeatAsync(() => partition.LeaseAsync(worker, request), cancellation);
                if (offer.Lease is not null) return offer.Lease;
                if (offer.HasEnded) open.RemoveAt(next);
                else next++;
            }

            if (open.Count > 0) await Task.Delay(Pause, cancellation);
        }

        await StatusAsync(cancellation);
        return null;
    }

    /// <inheritdoc/>
    public Task<bool> RenewAsync(ShardLease lease, CancellationToken cancellation) => Of(lease).RenewAsync(lease).WaitAsync(cancellation);

    /// <inheritdoc/>
    public Task<bool> CompleteAsync(ShardLease lease, ShardResult result, CancellationToken cancellation) =>
        GrainCalls.RepeatAsync(() => Of(lease).CompleteAsync(lease, result), cancellation);

    /// <inheritdoc/>
    public Task FailAsync(ShardLease lease, string reason, CancellationToken cancellation) =>
        GrainCalls.RepeatAsync(() => Of(lease).FailAsync(lease, reason), cancellation);

    /// <inheritdoc/>
    public Task ReleaseAsync(ShardLease lease, CancellationToken cancellation) => Of(lease).ReleaseAsync(lease).WaitAsync(cancellation);

    /// <inheritdoc/>
    public async IAsyncEnumerable<JobStatus> WatchAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        JobStatus? last = null;
        while (last is not { HasEnded: true })
        {
            var status = await StatusAsync(cancellation);
            if (last is null || (status.Done, status.Dead, status.Leased) != (last.Done, last.Dead, last.Leased)) yield return status;
            last = status;
            if (!status.HasEnded) await Task.Delay(Pause, cancellation);
        }
    }

    /// <summary>Results of all finished shards, by shard.</summary>
    public async Task<IReadOnlyList<ShardResult>> ResultsAsync(CancellationToken cancellation)
    {
        var all = new List<ShardResult>(job.Shards);
        for (var i = 0; i < job.Partitions; i++)
        {
            var partition = Partition(i);
            all.AddRange(await GrainCalls.RepeatAsync(partition.ResultsAsync, cancellation));
        }

        return all;
    }

    private async Task<JobStatus> StatusAsync(CancellationToken cancellation) => await GrainCalls.RepeatAsync(
        () => grains.GetGrain<IJobGrain>(job.Name).StatusAsync(), cancellation)
        ?? throw new InvalidOperationException($"There is no job {job.Name} in this cluster.");

    private IPartitionGrain Of(ShardLease lease) => Partition(lease.Shard / job.PartitionShards);

    private IPartitionGrain Partition(int number) => grains.GetGrain<IPartitionGrain>(number, job.Name, null);
}
