using Alebrije.Cluster.Jobs;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Search.Vectors;

namespace Alebrije.Cluster.Search;

/// <summary>Search within one index shard; key: COLLECTION/PART.</summary>
[Alias("alebrije.index-shard")]
internal interface IIndexShardGrain : IGrainWithStringKey
{
    /// <exception cref="InvalidDataException">The query is of another space.</exception>
    [Alias("top")]
    Task<ShardHit[]> TopAsync(float[] query, string space, int top);
}

/// <summary>A row of an index shard.</summary>
[GenerateSerializer]
internal sealed record ShardHit([property: Id(0)] long Row, [property: Id(1)] float Score, [property: Id(2)] string Label);

/// <inheritdoc cref="IIndexShardGrain"/>
[OnHolder]
internal sealed class IndexShardGrain(HeldIndexes held) : Grain, IIndexShardGrain
{
    private VectorFile? vectors;
    private string[] labels = [];
    private EmbeddingSpace? space;

    public static (string Collection, string Part) Split(string key)
    {
        var at = key.LastIndexOf('/');
        return (key[..at], key[(at + 1)..]);
    }

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var key = this.GetPrimaryKeyString();
        var (collection, part) = Split(key);
        var path = held.Find(collection, part) ?? throw new FileNotFoundException($"The index shard {key} is not on this machine.");
        var set = await EmbeddingFile.ReadAsync(path + ".parquet", cancellationToken);
        (space, labels) = (set.Space, [.. set.Items.Select(item => item.Label)]);
        vectors = VectorFile.Open(path + PartFile.VectorsEnding);
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        vectors?.Dispose();
        return Task.CompletedTask;
    }

    public Task<ShardHit[]> TopAsync(float[] query, string space, int top)
    {
        if (!EmbeddingSpace.TryParse(space, out var asked)) throw new InvalidDataException($"{space} is not an embedding space.");
        this.space!.Require(asked);
        var best = ExactSearch.Top(vectors!, query, top, filter: null, threads: 1);
        return Task.FromResult(best.Select(row => new ShardHit(row.Row, row.Score, labels[row.Row])).ToArray());
    }
}
