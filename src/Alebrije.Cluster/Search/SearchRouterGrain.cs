using Alebrije.Cluster.Jobs;
using Orleans.Concurrency;
using Orleans.Runtime;

namespace Alebrije.Cluster.Search;

/// <summary>Shards of a collection, as the nodes that hold them have registered; key: the collection.</summary>
[Alias("alebrije.index")]
internal interface IIndexGrain : IGrainWithStringKey
{
    [Alias("add")]
    Task AddAsync(string[] parts);

    [Alias("parts")]
    Task<string[]> PartsAsync();
}

/// <summary>State of a collection.</summary>
[GenerateSerializer]
internal sealed class IndexState
{
    [Id(0)]
    public SortedSet<string> Parts { get; set; } = new(StringComparer.Ordinal);
}

/// <inheritdoc cref="IIndexGrain"/>
internal sealed class IndexGrain([PersistentState("index")] IPersistentState<IndexState> stored) : Grain, IIndexGrain
{
    public async Task AddAsync(string[] parts)
    {
        var before = stored.State.Parts.Count;
        stored.State.Parts.UnionWith(parts);
        if (stored.State.Parts.Count > before) await stored.SaveAsync(this);
    }

    public Task<string[]> PartsAsync() => Task.FromResult(stored.State.Parts.Order(StringComparer.Ordinal).ToArray());
}

/// <summary>Asks all shards of a collection and merges their answers.</summary>
[Alias("alebrije.search")]
internal interface ISearchRouterGrain : IGrainWithIntegerKey
{
    /// <exception cref="InvalidDataException">The collection is unknown or of another space.</exception>
    [Alias("search")]
    Task<ClusterSearchAnswer> SearchAsync(string collection, float[] query, string space, int top);
}

/// <inheritdoc cref="ISearchRouterGrain"/>
[StatelessWorker]
internal sealed class SearchRouterGrain : Grain, ISearchRouterGrain
{
    /// <summary>Time for one shard.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    public async Task<ClusterSearchAnswer> SearchAsync(string collection, float[] query, string space, int top)
    {
        var parts = await GrainFactory.GetGrain<IIndexGrain>(collection).PartsAsync();
        if (parts.Length == 0)
            throw new InvalidDataException($"No node holds a collection {collection}; start one with --index {collection}=FOLDER.");
        var answers = await Task.WhenAll(parts.Select(part => AskAsync($"{collection}/{part}", query, space, top)));
        var hits = answers.Index().Where(answer => answer.Item is not null)
            .SelectMany(answer => answer.Item!.Select(hit => new ClusterHit(parts[answer.Index], hit.Row, hit.Label, hit.Score)))
            .OrderByDescending(hit => hit.Score).ThenBy(hit => hit.Part, StringComparer.Ordinal).ThenBy(hit => hit.Row);
        string[] missing = [.. parts.Where((_, i) => answers[i] is null)];
        return new ClusterSearchAnswer([.. hits.Take(top)], parts.Length, missing);
    }

    private async Task<ShardHit[]?> AskAsync(string shard, float[] query, string space, int top)
    {
        try
        {
            return await GrainFactory.GetGrain<IIndexShardGrain>(shard).TopAsync(query, space, top).WaitAsync(Limit);
        }
        catch (Exception e) when (GrainCalls.IsPassing(e))
        {
            return null;
        }
    }
}

/// <summary>Results of a search over all shards of a collection.</summary>
/// <param name="Hits">Best first; of equal scores in the order of parts and rows.</param>
/// <param name="Shards">Number of the collection's shards.</param>
/// <param name="Missing">Shards that have not answered.</param>
[GenerateSerializer]
public sealed record ClusterSearchAnswer(
    [property: Id(0)] ClusterHit[] Hits, [property: Id(1)] int Shards, [property: Id(2)] string[] Missing)
{
    /// <summary>True if shards are missing: the results are those of the others.</summary>
    public bool IsPartial => Missing.Length > 0;
}

/// <summary>A found image.</summary>
/// <param name="Part">Its shard.</param>
/// <param name="Row">Row in the shard.</param>
/// <param name="Label">Its label.</param>
/// <param name="Score">Cosine with the query.</param>
[GenerateSerializer]
public sealed record ClusterHit(
    [property: Id(0)] string Part, [property: Id(1)] long Row, [property: Id(2)] string Label, [property: Id(3)] float Score);
