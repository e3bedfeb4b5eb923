using Alebrije.Preprocessing;

namespace Alebrije.Cluster.Jobs;

/// <summary>Works on the shards of a job until it has ended: lease, embed, write, complete; renews its lease meanwhile.</summary>
/// <param name="name">Name of the worker.</param>
/// <param name="job">The job.</param>
/// <param name="queue">Its queue.</param>
/// <param name="embedder">The model.</param>
internal sealed class ShardWorker(string name, EmbeddingJob job, IShardLeases queue, IShardEmbedder embedder)
{
    /// <summary>Called for tests before a part is written, and before it is completed.</summary>
    internal Func<string, ShardLease, Task>? Step { get; init; }

    /// <returns>Number of shards that this worker has completed.</returns>
    /// <exception cref="InvalidDataException">The model here is of another space than the job's.</exception>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        if (embedder.Space.ToString() != job.Space)
            throw new InvalidDataException($"The job {job.Name} needs embeddings of {job.Space}, and {job.Model} here makes those of "
                + $"{embedder.Space}; give this node the same model.");
        var plan = JobPlan.Open(job.Folder);
        if (plan.About.Fingerprint != job.Plan)
            throw new InvalidDataException($"{job.Folder} holds another plan than that of the job {job.Name}.");
        var completed = 0;
        while (await queue.LeaseAsync(name, cancellation) is { } lease)
            if (await WorkAsync(plan, lease, cancellation)) completed++;
        return completed;
    }

    private async Task<bool> WorkAsync(JobPlan plan, ShardLease lease, CancellationToken cancellation)
    {
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(lost.Token);
        var renewal = RenewAsync(lease, lost, done.Token);
        try
        {
            if (await MakeAsync(plan, lease, lost.Token) is not { } result) return false;
            if (Step is not null) await Step("complete", lease);
            return await queue.CompleteAsync(lease, result, cancellation);
        }
        catch (OperationCanceledException) when (lost.IsCancellationRequested)
        {
            if (!cancellation.IsCancellationRequested) return false;
            await GiveBackAsync(lease);
            throw;
        }
        catch (Exception e) when (e is not OperationCanceledException
            && (!GrainCalls.IsPassing(e) || e is IOException or InvalidDataException))
        {
            await queue.FailAsync(lease, ErrorSentence.Of(e), cancellation);
            return false;
        }
        finally
        {
            await done.CancelAsync();
            await renewal;
        }
    }

    /// <returns>Null if the lease has ended meanwhile.</returns>
    private async Task<ShardResult?> MakeAsync(JobPlan plan, ShardLease lease, CancellationToken cancellation)
    {
        if (await PartFile.FindAsync(job.Folder, lease.Shard, embedder.Space, cancellation) is { } there)
        {
            PartFile.DeleteDrafts(job.Folder, lease.Shard);
            return there;
        }

        var source = plan.Read(lease.Shard);
        var (set, failures) = await Task.Run(() => embedder.Embed(source, job.Upright, cancellation), CancellationToken.None);
        if (Step is not null) await Step("write", lease);
        if (!await HoldsAsync(lease, cancellation)) return null;
        await PartFile.WriteAsync(job.Folder, lease, set, failures, cancellation);
        var result = await PartFile.FindAsync(job.Folder, lease.Shard, embedder.Space, cancellation)
            ?? throw new IOException($"The part of the shard {lease.Shard} is gone from {job.Folder}.");
        PartFile.DeleteDrafts(job.Folder, lease.Shard);
        return result;
    }

    /// <summary>Asks before the part is written: a worker that was halted for longer than its lease does not write.</summary>
    private Task<bool> HoldsAsync(ShardLease lease, CancellationToken cancellation) =>
        GrainCalls.RepeatAsync(() => queue.RenewAsync(lease, cancellation), cancellation);

    private async Task RenewAsync(ShardLease lease, CancellationTokenSource lost, CancellationToken done)
    {
        try
        {
            while (true)
            {
                await Task.Delay(job.Lease / 4, done);
                try
                {
                    if (await queue.RenewAsync(lease, done)) continue;
                    await lost.CancelAsync();
                    return;
                }
                catch (Exception e) when (GrainCalls.IsPassing(e))
                {
                    // Asked again in a quarter of the lease; the fence protects the result.
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task GiveBackAsync(ShardLease lease)
    {
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            await queue.ReleaseAsync(lease, limit.Token);
        }
        catch (Exception e) when (e is OperationCanceledException || GrainCalls.IsPassing(e))
        {
            // The lease ends by itself.
        }
    }
}
