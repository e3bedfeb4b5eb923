using System.Diagnostics;
using System.Globalization;
using System.Net;
using Alebrije.Cluster.Jobs;
using Alebrije.Pipelines;
using Alebrije.Tests.Catalog;

namespace Alebrije.Cluster.Tests;

/// <summary>
/// Jobs on processes of the command that are killed, halted or lose their store. With <c>ALEBRIJE_CLUSTER_RUNS=N</c> a campaign: N jobs of
/// 60 shards on four processes, two killed during each, and the long tests; else one short job on two processes, one killed.
/// </summary>
public sealed class KilledProcessTests : IDisposable
{
    private const int Each = 6;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(100);
    private static readonly int Runs =
        int.Parse(Environment.GetEnvironmentVariable("ALEBRIJE_CLUSTER_RUNS") ?? "0", CultureInfo.InvariantCulture);

    private readonly TestFolder folder = new();
    private readonly ClusterProcesses processes = new();
    private readonly List<Process> workers = [];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        processes.Dispose();
        folder.Dispose();
    }

    [Fact]
    public async Task Job_WithHalfOfItsProcessesKilled_EndsWithEveryShardOnce()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such signals.");
        var (shards, nodes, side) = Runs > 0 ? (60, 4, 256) : (10, 2, 192);
        var archives = Archives(shards, side);
        using var store = ClusterStore.Start(IPAddress.Loopback, 0);
        for (var run = 0; run < Math.Max(1, Runs); run++)
            await RunAsync(archives, shards, nodes, run, target => Kill(target, shards, nodes / 2, new Random(run)), store.Address);
        await EndAsync();

        async Task Kill(string target, int shards, int count, Random random)
        {
            for (var i = 0; i < count; i++)
            {
                var after = (i + 1) * shards / (count + 3);
                await processes.UntilAsync(() => Parts(target) >= after, Limit, $"{after} shards");
                await ClusterProcesses.SignalAsync(workers.Where(worker => !worker.HasExited).OrderBy(_ => random.Next()).First(), "-KILL");
                await processes.UntilAsync(() => workers.Count(worker => worker.HasExited) == i + 1, Limit, "the end of a killed node");
            }
        }
    }

    [Fact]
    public async Task Job_WithTheStoreKilledAndRestarted_Ends()
    {
        Assert.SkipUnless(Runs > 0, "Set ALEBRIJE_CLUSTER_RUNS for the long runs.");
        const int Shards = 40;
        var port = FreePorts.Take(IPAddress.Loopback).ToString(CultureInfo.InvariantCulture);
        string[] start = ["cluster", "start", "--store-only", "--port", port, "--data", folder["store"]];
        var store = processes.Start(start);
        await processes.UntilAsync(
            () => store.HasExited || processes.SaidBy(store).Contains("ready", StringComparison.Ordinal), Limit, "store");
        Assert.False(store.HasExited, processes.Said);
        await RunAsync(Archives(Shards, 256), Shards, 4, 1000, async target =>
        {
            await processes.UntilAsync(() => Parts(target) >= 5, Limit, "5 shards");
            await ClusterProcesses.SignalAsync(store, "-KILL");
            await Task.Delay(TimeSpan.FromSeconds(3), Cancellation);
            processes.Start(start);
        }, $"127.0.0.1:{port}");
        await EndAsync();
    }

    [Fact]
    public async Task Job_WithAHaltedProcessThatWakesAfterItsLease_EndsWithEveryShardOnce()
    {
        Assert.SkipUnless(Runs > 0, "Set ALEBRIJE_CLUSTER_RUNS for the long runs.");
        const int Shards = 40;
        using var store = ClusterStore.Start(IPAddress.Loopback, 0);
        await RunAsync(Archives(Shards, 256), Shards, 4, 2000, async target =>
        {
            await processes.UntilAsync(() => Parts(target) >= 5, Limit, "5 shards");
            await ClusterProcesses.SignalAsync(workers[1], "-STOP");
            await Task.Delay(TimeSpan.FromSeconds(15), Cancellation);
            await ClusterProcesses.SignalAsync(workers[1], "-CONT");
            Assert.False(workers[1].HasExited, processes.SaidBy(workers[1]));
        }, store.Address);
        await EndAsync();
    }

    private static int Parts(string target) =>
        Directory.Exists(target) ? Directory.EnumerateFiles(target, "part-*.parquet").Count() : 0;

    private string Archives(int shards, int side) =>
        TestImages.Archives(folder["archives"], TestImages.Folder(folder["images"], shards * Each, side), shards);

    private async Task RunAsync(string archives, int shards, int nodes, int run, Func<string, Task> disturb, string store)
    {
        var (target, watch) = (folder[$"out{run}"], Stopwatch.StartNew());
        workers.RemoveAll(worker => worker.HasExited);
        while (workers.Count < nodes) workers.Add(processes.Start("cluster", "join", "--store", store));
        await processes.UntilAsync(() => workers.All(worker => processes.SaidBy(worker).Contains("Joined", StringComparison.Ordinal)),
            Limit, $"{nodes} nodes");
        var ready = watch.Elapsed;
        using var model = ClipModel.Load(TestModels.StableUnClip);
        await using var client = await ClusterClient.ConnectAsync(new ClusterSettings { Store = store }, Cancellation);
        var job = await client.Connection.SubmitAsync(archives, target, model.Space,
            new JobOptions { Model = TestModels.StableUnClip, Lease = TimeSpan.FromSeconds(5) }, Cancellation);
        await disturb(target);
        JobStatus? last = null;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(Limit);
        try
        {
            await foreach (var status in client.Connection.QueueOf(job).WatchAsync(limit.Token)) last = status;
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"{last?.Done} of {shards} shards within {Limit.TotalSeconds} s.\n{processes.Said}");
        }

        await processes.UntilAsync(() => File.Exists(JobManifest.PathOf(target)), Limit, "manifest");
        Assert.Equal((shards, 0, (long)shards * Each), (last!.Done, last.Dead, last.Images));
        var labels = await PartReader.LabelsAsync(target, Cancellation);
        Assert.Equal(shards * Each, labels.Count);
        Assert.Equal(shards * Each, labels.Distinct().Count());
        Assert.Empty(await JobManifest.VerifyAsync(target, Cancellation));
        Assert.Empty(Directory.GetFiles(target, "*.tmp"));
        await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"run {run}: {last.Done}/{shards} shards, "
            + $"{labels.Distinct().Count()} images once each, {last.Leases} leases, {last.Expired} expired, {last.Stale} stale; "
            + $"{ready.TotalSeconds:F1} s to start, {(watch.Elapsed - ready).TotalSeconds:F1} s for the job"));
    }

    /// <summary>Ends the nodes as a user does; they end by themselves.</summary>
    private async Task EndAsync()
    {
        foreach (var worker in workers.Where(worker => !worker.HasExited)) await ClusterProcesses.SignalAsync(worker, "-TERM");
        await processes.UntilAsync(() => workers.All(worker => worker.HasExited), Limit, "the end of the nodes");
    }
}
