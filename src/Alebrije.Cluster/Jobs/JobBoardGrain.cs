using Orleans.Runtime;

namespace Alebrije.Cluster.Jobs;

/// <summary>The cluster's jobs; key 0.</summary>
[Alias("alebrije.board")]
internal interface IJobBoardGrain : IGrainWithIntegerKey
{
    [Alias("open")]
    Task OpenAsync(EmbeddingJob job);

    [Alias("close")]
    Task CloseAsync(string job);

    /// <summary>The jobs with open shards, oldest first.</summary>
    [Alias("jobs")]
    Task<EmbeddingJob[]> JobsAsync();

    /// <summary>Names of the jobs, oldest first; of the ended ones the last.</summary>
    [Alias("names")]
    Task<string[]> NamesAsync();
}

/// <summary>State of the board.</summary>
[GenerateSerializer]
internal sealed class BoardState
{
    [Id(0)]
    public List<EmbeddingJob> Open { get; set; } = [];

    [Id(1)]
    public List<string> Ended { get; set; } = [];
}

/// <inheritdoc cref="IJobBoardGrain"/>
internal sealed class JobBoardGrain([PersistentState("board")] IPersistentState<BoardState> stored) : Grain, IJobBoardGrain
{
    private const int Remembered = 100;

    public Task OpenAsync(EmbeddingJob job) =>
        stored.State.Open.Exists(open => open.Name == job.Name) ? Task.CompletedTask : ChangeAsync(state => state.Open.Add(job));

    public Task CloseAsync(string job) => !stored.State.Open.Exists(open => open.Name == job) ? Task.CompletedTask : ChangeAsync(state =>
    {
        state.Open.RemoveAll(open => open.Name == job);
        state.Ended.Add(job);
        if (state.Ended.Count > Remembered) state.Ended.RemoveAt(0);
    });

    public Task<EmbeddingJob[]> JobsAsync() => Task.FromResult(stored.State.Open.ToArray());

    public Task<string[]> NamesAsync() => Task.FromResult<string[]>([.. stored.State.Ended, .. stored.State.Open.Select(job => job.Name)]);

    private Task ChangeAsync(Action<BoardState> change)
    {
        change(stored.State);
        return stored.SaveAsync(this);
    }
}
