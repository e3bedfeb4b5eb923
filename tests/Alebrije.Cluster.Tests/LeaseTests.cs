using Alebrije.Cluster.Jobs;

namespace Alebrije.Cluster.Tests;

/// <summary>Leases of shards under a clock that the test moves.</summary>
public sealed class LeaseTests : IAsyncLifetime
{
    private TestSilos silos = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => silos = await TestSilos.StartAsync();

    public ValueTask DisposeAsync() => silos.DisposeAsync();

    [Fact]
    public async Task Lease_Ends_AndItsLateResultIsRefused()
    {
        var (job, queue) = await silos.SubmitAsync("expiry", 1);
        var first = (await queue.LeaseAsync("a", Cancellation))!;
        silos.Time.Advance(job.Lease - TimeSpan.FromSeconds(1));
        Assert.True(await queue.RenewAsync(first, Cancellation));
        silos.Time.Advance(job.Lease - TimeSpan.FromSeconds(1));
        Assert.True(await queue.RenewAsync(first, Cancellation));
        silos.Time.Advance(job.Lease);
        var second = (await queue.LeaseAsync("b", Cancellation))!;
        Assert.Equal((0, "b", 2), (second.Shard, second.Worker, second.Attempt));
        Assert.True(second.Fence > first.Fence);
        Assert.False(await queue.RenewAsync(first, Cancellation));
        Assert.False(await queue.CompleteAsync(first, Result(0, 7), Cancellation));
        Assert.True(await queue.CompleteAsync(second, Result(0, 5), Cancellation));
        Assert.True(await queue.CompleteAsync(second, Result(0, 5), Cancellation));
        Assert.Null(await queue.LeaseAsync("a", Cancellation));
        var status = await StatusAsync("expiry");
        Assert.Equal((1, 0, 5L, 2L, 1L, 1L, true),
            (status.Done, status.Dead, status.Images, status.Leases, status.Expired, status.Stale, status.HasEnded));
    }

    [Fact]
    public async Task Shard_ThatAlwaysFails_IsGivenUp_AndTheJobEnds()
    {
        var (job, queue) = await silos.SubmitAsync("poison", 3);
        while (await queue.LeaseAsync("a", Cancellation) is { } lease)
        {
            if (lease.Shard == 1) await queue.FailAsync(lease, "it is damaged", Cancellation);
            else Assert.True(await queue.CompleteAsync(lease, Result(lease.Shard, 2), Cancellation));
        }

        var status = await StatusAsync("poison");
        Assert.Equal((2, 1, true), (status.Done, status.Dead, status.HasEnded));
        Assert.Equal([new DeadShard(1, job.Attempts, "it is damaged")], status.DeadShards);
        Assert.Empty(await silos.Grains.GetGrain<IJobBoardGrain>(0).JobsAsync());
        Assert.Contains("poison", await silos.Connection.JobsAsync(Cancellation));
    }

    [Fact]
    public async Task Shard_ThatEndsItsWorkers_IsGivenUpToo()
    {
        var (job, queue) = await silos.SubmitAsync("crash", 1);
        for (var i = 0; i < job.Attempts; i++)
        {
            Assert.Equal(i + 1, (await queue.LeaseAsync($"worker {i}", Cancellation))!.Attempt);
            silos.Time.Advance(job.Lease);
        }

        Assert.Null(await queue.LeaseAsync("last", Cancellation));
        Assert.Equal("the worker worker 2 did not answer until its lease ended", (await StatusAsync("crash")).DeadShards.Single().Error);
    }

    [Fact]
    public async Task Request_Repeated_GetsTheSameLease_AndAReleaseCountsNoAttempt()
    {
        var (_, queue) = await silos.SubmitAsync("repeated", 2);
        var (partition, request) = (silos.Grains.GetGrain<IPartitionGrain>(0, "repeated", null), Guid.NewGuid());
        var lease = (await partition.LeaseAsync("a", request)).Lease!;
        Assert.Equal(lease, (await partition.LeaseAsync("a", request)).Lease);
        await queue.ReleaseAsync(lease, Cancellation);
        Assert.Equal((0, 1), await NextAsync());

        async Task<(int, int)> NextAsync()
        {
            var next = (await partition.LeaseAsync("b", Guid.NewGuid())).Lease!;
            return (next.Shard, next.Attempt);
        }
    }

    [Fact]
    public async Task Partitions_AreLeasedToTheLast_AlsoAfterTheyHaveMoved()
    {
        var (job, queue) = await silos.SubmitAsync("many", 25, partitionShards: 10);
        Assert.Equal(3, job.Partitions);
        var seen = new List<int>();
        while (await queue.LeaseAsync("worker", Cancellation) is { } lease)
        {
            if (seen.Count == 12)
                foreach (var partition in Enumerable.Range(0, job.Partitions))
                    await silos.Cluster.DeactivateAsync(silos.Grains.GetGrain<IPartitionGrain>(partition, "many", null));
            seen.Add(lease.Shard);
            Assert.True(await queue.CompleteAsync(lease, Result(lease.Shard, 1), Cancellation));
        }

        Assert.Equal(Enumerable.Range(0, 25), seen.Order());
        Assert.Equal(25, (await StatusAsync("many")).Images);
        Assert.Equal(Enumerable.Range(0, 25), (await queue.ResultsAsync(Cancellation)).Select(result => result.Shard));
    }

    [Fact]
    public async Task Job_OfAnotherPlan_IsRefusedUnderTheSameName()
    {
        var (job, _) = await silos.SubmitAsync("name", 2);
        var grain = silos.Grains.GetGrain<IJobGrain>("name");
        await grain.SubmitAsync(job);
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => grain.SubmitAsync(job with { Plan = "another" }));
        Assert.Equal("There is a job name with other images or settings; give this one another name.", error.Message);
        Assert.Null(await silos.Connection.StatusAsync("unknown", Cancellation));
    }

    private static ShardResult Result(int shard, int count) => new(shard, count, "00", "tiny|4|", 0, []);

    private async Task<JobStatus> StatusAsync(string job) => (await silos.Connection.StatusAsync(job, Cancellation))!;
}
