using Orleans.Runtime;

namespace Alebrije.Cluster.Jobs;

/// <summary>A job; key: its name. Its partitions hold the leases.</summary>
[Alias("alebrije.job")]
internal interface IJobGrain : IGrainWithStringKey
{
    /// <summary>Submits the job; the same job again is harmless.</summary>
    /// <exception cref="InvalidOperationException">There is another job of this name.</exception>
    [Alias("submit")]
    Task SubmitAsync(EmbeddingJob job);

    /// <summary>Null if there is no such job.</summary>
    [Alias("status")]
    Task<JobStatus?> StatusAsync();
}

/// <summary>State of a job.</summary>
[GenerateSerializer]
internal sealed class JobState
{
    [Id(0)]
    public EmbeddingJob? Job { get; set; }

    /// <summary>Status of the partitions that have ended, by number.</summary>
    [Id(1)]
    public Dictionary<int, JobStatus> Ended { get; set; } = [];
}

/// <inheritdoc cref="IJobGrain"/>
internal sealed class JobGrain([PersistentState("job")] IPersistentState<JobState> stored) : Grain, IJobGrain
{
    private bool isClosed;

    public async Task SubmitAsync(EmbeddingJob job)
    {
        job.Check();
        if (stored.State.Job is null)
        {
            stored.State.Job = job;
            await stored.SaveAsync(this);
        }
        else if (stored.State.Job != job)
        {
            throw new InvalidOperationException($"There is a job {job.Name} with other images or settings; give this one another name.");
        }

        for (var i = 0; i < job.Partitions; i++) await Partition(i).BeginAsync(job);
        if (stored.State.Ended.Count < job.Partitions) await Board.OpenAsync(job);
    }

    public async Task<JobStatus?> StatusAsync()
    {
        if (stored.State.Job is not { } job) return null;
        var parts = new List<JobStatus>(job.Partitions);
        var before = stored.State.Ended.Count;
        for (var i = 0; i < job.Partitions; i++)
        {
            if (!stored.State.Ended.TryGetValue(i, out var status))
            {
                status = await Partition(i).StatusAsync();
                if (status.Done + status.Dead == Size(job, i)) stored.State.Ended[i] = status;
            }

            parts.Add(status);
        }

        if (stored.State.Ended.Count > before) await stored.SaveAsync(this);
        if (stored.State.Ended.Count == job.Partitions && !isClosed)
        {
            await Board.CloseAsync(job.Name);
            isClosed = true;
        }

        return new JobStatus
        {
            Job = job, Done = parts.Sum(part => part.Done), Leased = parts.Sum(part => part.Leased), Dead = parts.Sum(part => part.Dead),
            Images = parts.Sum(part => part.Images), Failures = parts.Sum(part => part.Failures),
            Leases = parts.Sum(part => part.Leases), Expired = parts.Sum(part => part.Expired), Stale = parts.Sum(part => part.Stale),
            DeadShards = [.. parts.SelectMany(part => part.DeadShards).Take(100)],
        };
    }

    private static int Size(EmbeddingJob job, int partition) =>
        Math.Min(job.PartitionShards, job.Shards - (partition * job.PartitionShards));

    private IJobBoardGrain Board => GrainFactory.GetGrain<IJobBoardGrain>(0);

    private IPartitionGrain Partition(int number) => GrainFactory.GetGrain<IPartitionGrain>(number, this.GetPrimaryKeyString(), null);
}
