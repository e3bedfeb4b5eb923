using Orleans.Runtime;

namespace Alebrije.Cluster.Jobs;

/// <summary>Leases of consecutive shards of a job; key: the job's name and the partition's number.</summary>
[Alias("alebrije.partition")]
internal interface IPartitionGrain : IGrainWithIntegerCompoundKey
{
    [Alias("begin")]
    Task BeginAsync(EmbeddingJob job);

    [Alias("lease")]
    Task<LeaseOffer> LeaseAsync(string worker, Guid request);

    [Alias("renew")]
    Task<bool> RenewAsync(ShardLease lease);

    [Alias("complete")]
    Task<bool> CompleteAsync(ShardLease lease, ShardResult result);

    [Alias("fail")]
    Task FailAsync(ShardLease lease, string reason);

    [Alias("release")]
    Task ReleaseAsync(ShardLease lease);

    [Alias("status")]
    Task<JobStatus> StatusAsync();

    [Alias("results")]
    Task<ShardResult[]> ResultsAsync();
}

/// <inheritdoc cref="IPartitionGrain"/>
internal sealed class PartitionGrain(
    [PersistentState("partition")] IPersistentState<PartitionState> stored, LeaseClock clock) : Grain, IPartitionGrain
{
    /// <summary>Largest number of dead shards in a status.</summary>
    private const int Listed = 100;

    private bool isBehindStore;

    private PartitionState State => isBehindStore
        ? throw new OrleansException($"The state of {this.GetGrainId()} is being read again; call again.") : stored.State;

    public async Task BeginAsync(EmbeddingJob job)
    {
        if (State.Job is not null) return;
        var number = (int)this.GetPrimaryKeyLong(out _);
        State.Job = job;
        State.First = number * job.PartitionShards;
        State.Shards = [.. Enumerable.Range(0, Math.Min(job.PartitionShards, job.Shards - State.First)).Select(_ => new ShardState())];
        await SaveAsync();
    }

    public async Task<LeaseOffer> LeaseAsync(string worker, Guid request)
    {
        var (job, now) = (Job, clock.Now);
        if (Array.FindIndex(State.Shards, shard => shard.Phase == ShardPhase.Leased && shard.Request == request) is >= 0 and var given)
            return new LeaseOffer(LeaseOf(given), false);
        var hasExpired = ExpireLeases(now);
        var free = Array.FindIndex(State.Shards, shard => shard.Phase == ShardPhase.Waiting);
        if (free < 0)
        {
            if (hasExpired) await SaveAsync();
            return new LeaseOffer(null, State.HasEnded);
        }

        var taken = State.Shards[free];
        (taken.Phase, taken.Fence, taken.Worker, taken.Request) = (ShardPhase.Leased, ++State.Fence, worker, request);
        (taken.Deadline, taken.Attempts) = (now + job.Lease, taken.Attempts + 1);
        await SaveAsync();
        return new LeaseOffer(LeaseOf(free), false);
    }

    // Deadlines of renewed leases stay in memory: a partition that moves has older ones, and the fence makes an early end harmless.
    public Task<bool> RenewAsync(ShardLease lease)
    {
        var shard = Of(lease);
        var holds = shard.Phase == ShardPhase.Leased && shard.Fence == lease.Fence;
        if (holds) shard.Deadline = clock.Now + Job.Lease;
        return Task.FromResult(holds);
    }

    public async Task<bool> CompleteAsync(ShardLease lease, ShardResult result)
    {
        var shard = Of(lease);
        if (shard.Fence != lease.Fence || shard.Phase is not (ShardPhase.Leased or ShardPhase.Done))
        {
            State.Stale++;
            return false;
        }

        if (shard.Phase == ShardPhase.Done) return true;
        (shard.Phase, shard.Result, shard.Error) = (ShardPhase.Done, result, null);
        await SaveAsync();
        return true;
    }

    public async Task FailAsync(ShardLease lease, string reason)
    {
        var shard = Of(lease);
        if (shard.Phase != ShardPhase.Leased || shard.Fence != lease.Fence) return;
        End(shard, reason);
        await SaveAsync();
    }

    public async Task ReleaseAsync(ShardLease lease)
    {
        var shard = Of(lease);
        if (shard.Phase != ShardPhase.Leased || shard.Fence != lease.Fence) return;
        (shard.Phase, shard.Attempts) = (ShardPhase.Waiting, shard.Attempts - 1);
        await SaveAsync();
    }

    public Task<JobStatus> StatusAsync()
    {
        var dead = State.Shards.Index().Where(shard => shard.Item.Phase == ShardPhase.Dead)
            .Select(shard => new DeadShard(State.First + shard.Index, shard.Item.Attempts, shard.Item.Error ?? "")).ToArray();
        var done = State.Shards.Where(shard => shard.Phase == ShardPhase.Done).Select(shard => shard.Result!).ToArray();
        return Task.FromResult(new JobStatus
        {
            Job = Job, Done = done.Length, Dead = dead.Length, DeadShards = dead[..Math.Min(dead.Length, Listed)],
            Leased = State.Shards.Count(shard => shard.Phase == ShardPhase.Leased),
            Images = done.Sum(result => (long)result.Count), Failures = done.Sum(result => (long)result.Failures),
            Leases = State.Fence, Expired = State.Expired, Stale = State.Stale,
        });
    }

    public Task<ShardResult[]> ResultsAsync() =>
        Task.FromResult(State.Shards.Where(shard => shard.Result is not null).Select(shard => shard.Result!).ToArray());

    private EmbeddingJob Job => State.Job
        ?? throw new InvalidOperationException($"The partition {this.GetPrimaryKeyLong(out var job)} of the job {job} has not begun.");

    private ShardState Of(ShardLease lease) => State.Shards[lease.Shard - State.First];

    private ShardLease LeaseOf(int index)
    {
        var shard = State.Shards[index];
        return new ShardLease(State.First + index, shard.Fence, shard.Worker!, shard.Attempts);
    }

    private bool ExpireLeases(DateTimeOffset now)
    {
        var expired = State.Shards.Where(shard => shard.Phase == ShardPhase.Leased && shard.Deadline <= now).ToArray();
        foreach (var shard in expired)
        {
            State.Expired++;
            End(shard, $"the worker {shard.Worker} did not answer until its lease ended");
        }

        return expired.Length > 0;
    }

    private void End(ShardState shard, string error) =>
        (shard.Phase, shard.Error) = (shard.Attempts >= Job.Attempts ? ShardPhase.Dead : ShardPhase.Waiting, error);

    private async Task SaveAsync()
    {
        isBehindStore = true;
        await stored.SaveAsync(this);
        isBehindStore = false;
    }
}
