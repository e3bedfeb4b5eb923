using System.Reflection;
using Alebrije.Cluster.Jobs;
using Alebrije.Cluster.Search;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Search.Vectors;
using Orleans.Runtime;

namespace Alebrije.Cluster.Tests;

/// <summary>Search over shards on several silos against the same rows in one file.</summary>
public sealed class ClusterSearchTests : IDisposable
{
    private const int Width = 16, Rows = 50;
    private static readonly EmbeddingSpace Space = new("tiny", Width);

    private readonly TestFolder folder = new();
    private readonly Random random = new(3);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Search_EqualsOneMachine_AndIsPartialWithoutASilo()
    {
        using var one = VectorFile.Create(folder["one.vectors"], Width);
        var labels = new List<string>();
        for (var shard = 0; shard < 6; shard++) await WriteAsync(shard, one, labels);
        one.Flush();
        await using var silos = await TestSilos.StartAsync(Held("a"), Held("b"), Held("c"));
        foreach (var parts in Directory.GetDirectories(folder.Root))
            await silos.Grains.GetGrain<IIndexGrain>("photos").AddAsync(
                [.. Directory.GetFiles(parts, "*.vectors").Select(file => Path.GetFileNameWithoutExtension(file)!)]);
        for (var i = 0; i < 10; i++)
        {
            var query = Unit();
            var answer = await silos.Connection.SearchAsync("photos", query, Space, 7, Cancellation);
            var expected = ExactSearch.Top(one, query, 7);
            Assert.False(answer.IsPartial);
            Assert.Equal(6, answer.Shards);
            Assert.Equal(expected.Select(row => (labels[(int)row.Row], row.Score)), answer.Hits.Select(hit => (hit.Label, hit.Score)));
        }

        var other = new EmbeddingSpace("another", Width);
        var error = await Assert.ThrowsAsync<InvalidDataException>(
            () => silos.Connection.SearchAsync("photos", Unit(), other, 7, Cancellation));
        Assert.Contains("of different models cannot be compared", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidDataException>(() => silos.Connection.SearchAsync("none", Unit(), Space, 1, Cancellation));

        // The silo that keeps the list of shards: a search that has reached it is not answered and has to be repeated.
        var list = await silos.Grains.GetGrain<IManagementGrain>(0).GetActivationAddress(
            silos.Grains.GetGrain<IIndexGrain>("photos"), Cancellation);
        await silos.Cluster.KillSiloAsync(silos.Cluster.Silos.Single(silo => silo.SiloAddress.Equals(list)), Cancellation);
        var (partial, rest) = (await silos.Connection.SearchAsync("photos", Unit(), Space, 300, Cancellation), Rows * 4);
        Assert.True(partial.IsPartial);
        Assert.Equal((2, rest), (partial.Missing.Length, partial.Hits.Length));
    }

    [Fact]
    public async Task Search_IsRepeated_WhileANodeLeaves()
    {
        var answer = new ClusterSearchAnswer([new("part-0", 3, "cat.png", 0.5f)], 1, []);
        var router = new LeavingRouter(answer, new TimeoutException("no answer"), new OrleansException("gone"));
        var grains = DispatchProxy.Create<IGrainFactory, RouterFactory>();
        ((RouterFactory)(object)grains).Router = router;
        Assert.Same(answer, await new ClusterConnection(grains).SearchAsync("photos", Unit(), Space, 7, Cancellation));
        Assert.Equal(3, router.Calls);
    }

    private Dictionary<string, string> Held(string silo) => new() { ["photos"] = folder[silo] };

    private async Task WriteAsync(int shard, VectorFile one, List<string> labels)
    {
        var target = Directory.CreateDirectory(folder[$"{(char)('a' + (shard / 2))}"]).FullName;
        EmbeddingItem[] items = [.. Enumerable.Range(0, Rows).Select(i =>
            new EmbeddingItem(EmbeddingKind.Image, $"{shard}/{i}.png", Unit()))];
        await PartFile.WriteAsync(target, new ShardLease(shard, 1, "a", 1), new EmbeddingSet(Space, items), [], Cancellation);
        await PartFile.FindAsync(target, shard, Space, Cancellation);
        foreach (var item in items)
        {
            one.Append(item.Embedding);
            labels.Add(item.Label);
        }
    }

    private float[] Unit()
    {
        var vector = Enumerable.Range(0, Width).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray();
        var norm = MathF.Sqrt(vector.Sum(x => x * x));
        return [.. vector.Select(x => x / norm)];
    }

    /// <summary>A router that fails with each of some errors before it answers.</summary>
    private sealed class LeavingRouter(ClusterSearchAnswer answer, params Exception[] errors) : ISearchRouterGrain
    {
        public int Calls { get; private set; }

        public Task<ClusterSearchAnswer> SearchAsync(string collection, float[] query, string space, int top) =>
            Calls++ < errors.Length ? Task.FromException<ClusterSearchAnswer>(errors[Calls - 1]) : Task.FromResult(answer);
    }

    /// <summary>A factory of one grain.</summary>
    public class RouterFactory : DispatchProxy
    {
        internal ISearchRouterGrain? Router { get; set; }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => Router;
    }
}
