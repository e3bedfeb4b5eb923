using Alebrije.Cluster.Jobs;
using Alebrije.Cluster.Search;
using Alebrije.Pipelines;
using Alebrije.Preprocessing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Hosting;
using Orleans.Runtime;
using StackExchange.Redis;

namespace Alebrije.Cluster;

/// <summary>A node in this process: a silo, which holds grains and index shards, and a worker for jobs.</summary>
public sealed class ClusterNode : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1), StopLimit = TimeSpan.FromSeconds(5);

    private readonly IHost host;
    private readonly DeathNotice death;

    private ClusterNode(IHost host, DeathNotice death) => (this.host, this.death) = (host, death);

    /// <summary>Access to the cluster from within this node.</summary>
    public ClusterConnection Connection => new(Grains);

    /// <summary>True once the other nodes have declared this one dead; it takes part again after a new start.</summary>
    public bool IsDeclaredDead => death.Token.IsCancellationRequested;

    internal IGrainFactory Grains => host.Services.GetRequiredService<IGrainFactory>();

    /// <summary>Starts a node.</summary>
    /// <param name="settings">Its settings.</param>
    /// <param name="cancellation">Stops the start.</param>
    /// <exception cref="IOException">The store does not answer.</exception>
    public static async Task<ClusterNode> StartAsync(ClusterSettings settings, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.Store is { } store) await RequireStoreAsync(store);
        var (builder, death) = (Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings()), new DeathNotice());
        builder.Services.AddSingleton<IFatalErrorHandler>(death).AddSingleton<IHostLifetime, CallersLifetime>();
        builder.UseOrleans(silo => silo.AddAlebrije(settings.Indexes, TimeProvider.System).Connect(settings));
        var host = builder.Build();
        try
        {
            await host.StartAsync(cancellation);
            var node = new ClusterNode(host, death);
            await node.RegisterIndexesAsync(cancellation);
            return node;
        }
        catch
        {
            host.Dispose();
            throw;
        }
    }

    /// <summary>Works on the cluster's jobs, oldest first, until it is stopped or the node is declared dead.</summary>
    /// <param name="load">Loads the model of a job, by the job's name or path of it.</param>
    /// <param name="report">Called with a line's facts when a job begins, ends or cannot be worked on here; may be null.</param>
    /// <param name="cancellation">Stops the work; the shard in progress is given back.</param>
    public async Task WorkAsync(Func<string, ClipModel> load, Action<WorkReport>? report, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(load);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation, death.Token);
        var (name, refused) = ($"{Environment.MachineName}:{Environment.ProcessId}", new HashSet<string>(StringComparer.Ordinal));
        try
        {
            while (true)
            {
                var board = Grains.GetGrain<IJobBoardGrain>(0);
                var jobs = await GrainCalls.RepeatAsync(board.JobsAsync, stop.Token);
                foreach (var job in jobs.Where(job => !refused.Contains(job.Name)))
                {
                    report?.Invoke(new WorkReport(job, 0, null, HasEnded: false));
                    try
                    {
                        using var embedder = new ClipShardEmbedder(load(job.Model));
                        var count = await Connection.WorkAsync(name, job, embedder, stop.Token);
                        report?.Invoke(new WorkReport(job, count, null, HasEnded: true));
                    }
                    catch (Exception e) when (e is not OperationCanceledException)
                    {
                        refused.Add(job.Name);
                        report?.Invoke(new WorkReport(job, 0, ErrorSentence.Of(e), HasEnded: true));
                    }
                }

                await Task.Delay(Pause, stop.Token);
            }
        }
        catch (OperationCanceledException) when (IsDeclaredDead && !cancellation.IsCancellationRequested)
        {
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(StopLimit);
        try
        {
            await host.StopAsync(limit.Token);
        }
        catch (Exception e) when (e is OperationCanceledException || GrainCalls.IsPassing(e))
        {
            // A node whose store or peers are away ends all the same.
        }

        host.Dispose();
        death.Dispose();
    }

    internal static async Task RequireStoreAsync(string store)
    {
        try
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(store,
                options => (options.ConnectTimeout, options.ConnectRetry) = (3000, 2));
        }
        catch (Exception e) when (e is RedisException or ArgumentException)
        {
            throw new IOException(
                $"The store {store} does not answer; start one with `alebrije cluster start`, or give the address of a Redis.", e);
        }
    }

    private async Task RegisterIndexesAsync(CancellationToken cancellation)
    {
        foreach (var (collection, parts) in host.Services.GetRequiredService<HeldIndexes>().Parts)
        {
            var index = Grains.GetGrain<IIndexGrain>(collection);
            await GrainCalls.RepeatAsync(() => index.AddAsync([.. parts]), cancellation);
        }
    }

    /// <summary>Signals belong to the program that starts the node.</summary>
    internal sealed class CallersLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>Ends the node, and not the process, when the others have declared it dead.</summary>
    private sealed class DeathNotice : IFatalErrorHandler, IDisposable
    {
        private readonly CancellationTokenSource source = new();

        public CancellationToken Token => source.Token;

        public bool IsUnexpected(Exception exception) => exception is not OperationCanceledException;

        public void OnFatalException(object? sender, string? context, Exception? exception) => source.Cancel();

        public void Dispose() => source.Dispose();
    }
}

/// <summary>Progress of a node's worker.</summary>
/// <param name="Job">The job.</param>
/// <param name="Shards">Shards that this node has completed.</param>
/// <param name="Error">Reason why this node cannot work on the job, or null.</param>
/// <param name="HasEnded">True if this node is through with the job.</param>
public sealed record WorkReport(EmbeddingJob Job, int Shards, string? Error, bool HasEnded);
