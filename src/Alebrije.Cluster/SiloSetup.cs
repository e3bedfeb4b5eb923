using Alebrije.Cluster.Jobs;
using Alebrije.Cluster.Search;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Clustering.Redis;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Persistence;
using Orleans.Placement;
using Orleans.Runtime.MembershipService.SiloMetadata;
using Orleans.Serialization;
using Orleans.Storage;
using StackExchange.Redis;

namespace Alebrije.Cluster;

/// <summary>Settings of Orleans that all silos share.</summary>
internal static class SiloSetup
{
    private static readonly TimeSpan Answer = TimeSpan.FromSeconds(10);

    /// <summary>Grains, leases and the folders of index shards; not the connections.</summary>
    /// <param name="silo">The silo.</param>
    /// <param name="indexes">Folders of index shards, by collection.</param>
    /// <param name="time">Clock of the leases.</param>
    public static ISiloBuilder AddAlebrije(this ISiloBuilder silo, IReadOnlyDictionary<string, string> indexes, TimeProvider time)
    {
        var held = new HeldIndexes(indexes);
        silo.Services.AddSingleton(new LeaseClock(time)).AddSingleton(held);
        silo.Services.AddPlacementFilter<HolderFilter, HolderDirector>(ServiceLifetime.Singleton);
        silo.UseSiloMetadata(held.ToMetadata());
        silo.Configure<SiloMessagingOptions>(options => options.ResponseTimeout = options.SystemResponseTimeout = Answer);

        // A killed node is declared dead after about six seconds, and a busy one is not.
        silo.Configure<ClusterMembershipOptions>(options =>
        {
            options.ProbeTimeout = TimeSpan.FromSeconds(2);
            options.NumMissedProbesLimit = 3;
            options.NumVotesForDeathDeclaration = 1;
            options.TableRefreshTimeout = TimeSpan.FromSeconds(5);
            options.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(10);
        });
        return silo;
    }

    /// <summary>Settings of a client of such silos.</summary>
    public static IClientBuilder AddAlebrije(this IClientBuilder client) =>
        client.Configure<ClientMessagingOptions>(options => options.ResponseTimeout = Answer);

    /// <summary>The connections of a node.</summary>
    public static void Connect(this ISiloBuilder silo, ClusterSettings settings)
    {
        var port = settings.Port == 0 ? FreePorts.Take(settings.Host) : settings.Port;
        var clientPort = settings.ClientPort == 0 ? FreePorts.Take(settings.Host) : settings.ClientPort;
        if (settings.Store is null)
        {
            silo.UseLocalhostClustering(port, clientPort, primarySiloEndpoint: null, settings.Name, settings.Name);
            silo.AddMemoryGrainStorageAsDefault();
            return;
        }

        silo.Configure<Orleans.Configuration.ClusterOptions>(options => options.ClusterId = options.ServiceId = settings.Name);
        silo.ConfigureEndpoints(settings.Host, port, clientPort, listenOnAnyHostAddress: false);
        silo.UseRedisClustering(options => options.ConfigurationOptions = Redis(settings.Store));
        silo.AddRedisGrainStorageAsDefault(options => options.Configure<Serializer>((redis, serializer) =>
        {
            redis.ConfigurationOptions = Redis(settings.Store);
            redis.GrainStorageSerializer = new OrleansGrainStorageSerializer(serializer);
        }));
    }

    /// <summary>Connection to the store; calls fail rather than wait while it is away, and are repeated by the callers.</summary>
    public static ConfigurationOptions Redis(string store)
    {
        var options = ConfigurationOptions.Parse(store);
        options.AbortOnConnectFail = false;
        options.ConnectTimeout = options.SyncTimeout = options.AsyncTimeout = 5000;
        options.ReconnectRetryPolicy = new LinearRetry(500);
        return options;
    }
}
