using System.Diagnostics;
using System.Globalization;
using System.Net;
using Alebrije.Cluster.Jobs;
using Alebrije.Pipelines;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Cli;

namespace Alebrije.Cluster.Tests;

/// <summary>
/// A job on four processes, two of which are killed. With <c>ALEBRIJE_CLUSTER_RUNS=N</c> a campaign of N runs of 60 shards; else one short
/// run of 16.
/// </summary>
public sealed class KilledProcessTests : IDisposable
{
    private const int Workers = 4;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(100);

    private readonly TestFolder folder = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Job_WithTwoOfFourProcessesKilled_EndsWithEveryShardOnce()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such signals.");
        var runs = int.Parse(Environment.GetEnvironmentVariable("ALEBRIJE_CLUSTER_RUNS") ?? "0", CultureInfo.InvariantCulture);
        var (shards, each, side) = runs > 0 ? (60, 6, 256) : (16, 6, 256);
        var archives = Archives(shards, each, side);
        for (var run = 0; run < Math.Max(1, runs); run++)
            await RunAsync(archives, shards, each, run, Kill);

        async Task Kill(Process[] workers, ClusterProcesses processes, string target, Random random)
        {
            foreach (var (worker, after) in workers.OrderBy(_ => random.Next()).Take(2).Zip([shards / 8, shards / 3]).ToArray())
            {
                await processes.UntilAsync(() => Parts(target) >= after, Limit, $"{after} shards");
                await ClusterProcesses.SignalAsync(worker, "-KILL");
            }
        }
    }

    [Fact]
    public async Task Job_WithTheStoreKilledAndRestarted_Ends()
    {
        Assert.SkipUnless(IsCampaign, "Set ALEBRIJE_CLUSTER_RUNS for the long runs.");
        const int Shards = 40, Each = 6;
        var archives = Archives(Shards, Each, 256);
        var port = FreePorts.Take(IPAddress.Loopback).ToString(CultureInfo.InvariantCulture);
        using var stores = new ClusterProcesses();
        string[] start = ["cluster", "start", "--store-only", "--port", port, "--data", folder["store"]];
        var store = stores.Start(start);
        await stores.UntilAsync(() => stores.SaidBy(store).Contains("ready", StringComparison.Ordinal), Limit, "store");
        var watch = Stopwatch.StartNew();
        await RunAsync(archives, Shards, Each, 1000, async (_, processes, target, _) =>
        {
            await processes.UntilAsync(() => Parts(target) >= 5, Limit, "5 shards");
            await ClusterProcesses.SignalAsync(store, "-KILL");
            await Task.Delay(TimeSpan.FromSeconds(3), Cancellation);
            stores.Start(start);
        }, $"127.0.0.1:{port}");
        TestContext.Current.SendDiagnosticMessage($"store killed for 3 s: {watch.Elapsed.TotalSeconds:F1} s");
    }

    [Fact]
    public async Task Job_WithAHaltedProcessThatWakesAfterItsLease_EndsWithEveryShardOnce()
    {
        Assert.SkipUnless(IsCampaign, "Set ALEBRIJE_CLUSTER_RUNS for the long runs.");
        const int Shards = 40, Each = 6;
        await RunAsync(Archives(Shards, Each, 256), Shards, Each, 2000, async (workers, processes, target, _) =>
        {
            await processes.UntilAsync(() => Parts(target) >= 5, Limit, "5 shards");
            await ClusterProcesses.SignalAsync(workers[1], "-STOP");
            await Task.Delay(TimeSpan.FromSeconds(15), Cancellation);
            await ClusterProcesses.SignalAsync(workers[1], "-CONT");
            await processes.UntilAsync(() => processes.SaidBy(workers[1]).Contains("takes part again", StringComparison.Ordinal)
                || workers[1].HasExited, Limit, "a halted node that takes part again");
            Assert.False(workers[1].HasExited, processes.SaidBy(workers[1]));
        });
    }

    private static bool IsCampaign => Environment.GetEnvironmentVariable("ALEBRIJE_CLUSTER_RUNS") is { Length: > 0 };

    private static int Parts(string target) =>
        Directory.Exists(target) ? Directory.EnumerateFiles(target, "part-*.parquet").Count() : 0;

    private string Archives(int shards, int each, int side) =>
        TestImages.Archives(folder["archives"], TestImages.Folder(folder["images"], shards * each, side), shards);

    private async Task RunAsync(string archives, int shards, int each, int run,
        Func<Process[], ClusterProcesses, string, Random, Task> disturb, string? address = null)
    {
        using var store = address is null ? ClusterStore.Start(IPAddress.Loopback, 0) : null;
        using var processes = new ClusterProcesses();
        address ??= store!.Address;
        var (target, watch, name) = (folder[$"out{run}"], Stopwatch.StartNew(), $"cluster{run}");
        var workers = Enumerable.Range(0, Workers).Select(_ =>
            processes.Start("cluster", "join", "--store", address, "--cluster", name)).ToArray();
        var joined = workers[0];
        await processes.UntilAsync(() => workers.All(worker => processes.SaidBy(worker).Contains("Joined", StringComparison.Ordinal)),
            Limit, "four nodes");
        var ready = watch.Elapsed;
        using var model = ClipModel.Load(TestModels.StableUnClip);
        await using var client = await ClusterClient.ConnectAsync(new ClusterSettings { Store = address, Name = name }, Cancellation);
        var job = await client.Connection.SubmitAsync(archives, target, model.Space,
            new JobOptions { Model = TestModels.StableUnClip, Lease = TimeSpan.FromSeconds(5) }, Cancellation);
        await disturb(workers, processes, target, new Random(run));
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
        Assert.Equal((shards, 0, (long)shards * each), (last!.Done, last.Dead, last.Images));
        var labels = await PartReader.LabelsAsync(target, Cancellation);
        Assert.Equal(shards * each, labels.Count);
        Assert.Equal(shards * each, labels.Distinct().Count());
        Assert.Empty(await JobManifest.VerifyAsync(target, Cancellation));
        Assert.Empty(Directory.GetFiles(target, "*.tmp"));
        await Console.Error.WriteLineAsync($"run {run}: {last.Done}/{shards} shards, {last.Leases} leases, {last.Expired} expired, "
            + $"{last.Stale} stale; {ready.TotalSeconds:F1} s to start, {watch.Elapsed.TotalSeconds:F1} s in all");
        foreach (var worker in workers.Where(worker => !worker.HasExited)) await ClusterProcesses.SignalAsync(worker, "-TERM");
        await processes.UntilAsync(() => workers.All(worker => worker.HasExited), Limit, "the end of the nodes");
    }
}
