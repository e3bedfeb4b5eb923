using Alebrije.Cluster.Jobs;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Orleans.Hosting;
using Orleans.Providers;
using Orleans.Storage;
using Orleans.TestingHost;

namespace Alebrije.Cluster.Tests;

/// <summary>Silos in the test's process; the clock of the leases moves only where a test moves it.</summary>
internal sealed class TestSilos : IAsyncDisposable
{
    private readonly InProcessTestCluster cluster;

    private TestSilos(InProcessTestCluster cluster, FakeTimeProvider time) => (this.cluster, Time) = (cluster, time);

    public FakeTimeProvider Time { get; }

    public InProcessTestCluster Cluster => cluster;

    public IGrainFactory Grains => cluster.Client;

    public ClusterConnection Connection => new(Grains);

    /// <param name="indexes">Folders of index shards, one record for each silo.</param>
    public static async Task<TestSilos> StartAsync(params IReadOnlyDictionary<string, string>[] indexes)
    {
        var (time, storage, next) = (new FakeTimeProvider(), new OutlivingStorage(), -1);
        var builder = new InProcessTestClusterBuilder((short)Math.Max(1, indexes.Length));
        builder.ConfigureSilo((_, silo) =>
        {
            var held = indexes.Length == 0 ? new Dictionary<string, string>() : indexes[Interlocked.Increment(ref next) % indexes.Length];
            silo.AddAlebrije(held, time);
            silo.Services.AddKeyedSingleton<IGrainStorage>(ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME, storage);
            silo.Services.AddSingleton<IGrainStorage>(storage);
        });
        builder.ConfigureClient(client => client.AddAlebrije());
        var cluster = builder.Build();
        await cluster.DeployAsync();
        return new TestSilos(cluster, time);
    }

    /// <summary>A job without files, for tests of the leases.</summary>
    public async Task<(EmbeddingJob Job, OrleansShardLeases Queue)> SubmitAsync(string name, int shards, int partitionShards = 1000)
    {
        var job = new EmbeddingJob { Name = name, Folder = "/none", Model = "tiny", Space = "tiny|4|", Plan = "none",
            Shards = shards, PartitionShards = partitionShards };
        await Grains.GetGrain<IJobGrain>(name).SubmitAsync(job);
        return (job, new OrleansShardLeases(Grains, job));
    }

    public ValueTask DisposeAsync() => cluster.DisposeAsync();
}
