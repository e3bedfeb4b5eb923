using Alebrije.Cluster.Jobs;
using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Pipelines;

namespace Alebrije.Cluster.Tests;

/// <summary>Workers that stop at a chosen step, beside others that go on.</summary>
public sealed class WorkerTests : IDisposable
{
    private readonly TestFolder folder = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("write", 0)]
    [InlineData("complete", 1)]
    public async Task Zombie_ThatWakesAfterItsLease_ChangesNothing(string step, int stale)
    {
        await using var silos = await TestSilos.StartAsync();
        TestImages.Folder(folder["images"], 12);
        var (job, slept, awake) = (await SubmitAsync(silos), new TaskCompletionSource(), new TaskCompletionSource());
        var zombie = Worker(silos, job, "zombie", async (at, _) =>
        {
            if (at != step || slept.Task.IsCompleted) return;
            slept.SetResult();
            await awake.Task;
        }).RunAsync(Cancellation);
        await slept.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancellation);
        silos.Time.Advance(job.Lease);
        var completed = await Worker(silos, job, "other").RunAsync(Cancellation);
        var before = Directory.GetFiles(folder["out"]).ToDictionary(file => file, File.GetLastWriteTimeUtc);
        awake.SetResult();
        Assert.Equal(0, await zombie.WaitAsync(TimeSpan.FromSeconds(20), Cancellation));
        var status = (await silos.Connection.StatusAsync(job.Name, Cancellation))!;
        Assert.Equal((4, 4, 12L, 1L), (completed, status.Done, status.Images, status.Expired));
        Assert.Equal(stale, (await silos.Grains.GetGrain<IPartitionGrain>(0, job.Name, null).StatusAsync()).Stale);
        Assert.Equal(before, Directory.GetFiles(folder["out"]).ToDictionary(file => file, File.GetLastWriteTimeUtc));
        Assert.Empty(Directory.GetFiles(folder["out"], "*.tmp"));
        Assert.Equal(Enumerable.Range(0, 12).Select(i => $"{i:D4}.png"), await PartReader.LabelsAsync(folder["out"], Cancellation));
    }

    [Fact]
    public async Task SecondWriter_LeavesTheFirstPart()
    {
        Directory.CreateDirectory(folder["out"]);
        var (first, second) = (Set("first"), Set("second"));
        await PartFile.WriteAsync(folder["out"], new ShardLease(0, 1, "a", 1), first, [], Cancellation);
        await PartFile.WriteAsync(folder["out"], new ShardLease(0, 2, "b", 2), second,
            [new SkippedPicture("x.png", "cut short")], Cancellation);
        Assert.Equal(["first"], await PartReader.LabelsAsync(folder["out"], Cancellation));
        var result = await PartFile.FindAsync(folder["out"], 0, first.Space, Cancellation);
        Assert.Equal((0, 1), (result!.Failures, result.Count));
        Assert.Equal(["part-000000.parquet", "part-000000.vectors"],
            Directory.GetFiles(folder["out"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Part_DamagedOnTheDisk_IsMadeAgain()
    {
        await using var silos = await TestSilos.StartAsync();
        TestImages.Folder(folder["images"], 3);
        Directory.CreateDirectory(folder["out"]);
        await File.WriteAllTextAsync(folder["out", "part-000000.parquet"], "damaged", Cancellation);
        var job = await SubmitAsync(silos);
        Assert.Equal(1, await Worker(silos, job, "a").RunAsync(Cancellation));
        Assert.Equal(3, (await PartReader.LabelsAsync(folder["out"], Cancellation)).Count);
    }

    [Fact]
    public async Task Part_OfAWorkerKilledBeforeItsRecord_IsTaken_AndItsDraftsAreDeleted()
    {
        await using var silos = await TestSilos.StartAsync();
        TestImages.Folder(folder["images"], 3);
        var job = await SubmitAsync(silos);
        var set = new EmbeddingSet(LengthEmbedder.SpaceOf("tiny"), [new EmbeddingItem(EmbeddingKind.Image, "of the dead", [1, 0])]);
        await PartFile.WriteAsync(job.Folder, new ShardLease(0, 1, "dead", 1), set, [], Cancellation);
        await File.WriteAllTextAsync(folder["out", "part-000000.vectors.cut.tmp"], "", Cancellation);
        await File.WriteAllTextAsync(folder["out", "part-000000.1.tmp"], "", Cancellation);
        Assert.Equal(1, await Worker(silos, job, "a").RunAsync(Cancellation));
        Assert.Equal(["of the dead"], await PartReader.LabelsAsync(folder["out"], Cancellation));
        Assert.True(File.Exists(PartFile.Vectors(folder["out"], 0)));
        Assert.Empty(Directory.GetFiles(folder["out"], "*.tmp"));
    }

    [Fact]
    public async Task Worker_OfAnotherModel_RefusesTheJob()
    {
        await using var silos = await TestSilos.StartAsync();
        TestImages.Folder(folder["images"], 3);
        var job = await SubmitAsync(silos);
        var queue = new OrleansShardLeases(silos.Grains, job);
        var error = await Assert.ThrowsAsync<InvalidDataException>(
            () => new ShardWorker("a", job, queue, new LengthEmbedder("other")).RunAsync(Cancellation));
        Assert.Contains("give this node the same model", error.Message, StringComparison.Ordinal);
    }

    private static EmbeddingSet Set(string label) =>
        new(new EmbeddingSpace("tiny", 2), [new EmbeddingItem(EmbeddingKind.Image, label, [1, 0])]);

    private async Task<EmbeddingJob> SubmitAsync(TestSilos silos) => await silos.Connection.SubmitAsync(folder["images"], folder["out"],
        LengthEmbedder.SpaceOf("tiny"), new JobOptions { Model = "tiny", ShardImages = 3 }, Cancellation);

    private static ShardWorker Worker(TestSilos silos, EmbeddingJob job, string name, Func<string, ShardLease, Task>? step = null) =>
        new(name, job, new OrleansShardLeases(silos.Grains, job), new LengthEmbedder("tiny")) { Step = step };

    /// <summary>An embedder without a model: the length of a file as a direction.</summary>
    private sealed class LengthEmbedder(string model) : IShardEmbedder
    {
        public EmbeddingSpace Space { get; } = SpaceOf(model);

        public static EmbeddingSpace SpaceOf(string model) => new(model, 2);

        public (EmbeddingSet Set, IReadOnlyList<SkippedPicture> Failures) Embed(
            ShardSource shard, bool upright, CancellationToken cancellation) => (new EmbeddingSet(Space, [.. shard.Files!.Select(file =>
        {
            var (sin, cos) = MathF.SinCos(new FileInfo(Path.Combine(shard.Root!, file)).Length);
            return new EmbeddingItem(EmbeddingKind.Image, file, [sin, cos]);
        })]), []);

        public void Dispose()
        {
        }
    }
}

/// <summary>Reads the parts of a job's folder.</summary>
internal static class PartReader
{
    /// <summary>Labels of all parts, in the order of parts and rows.</summary>
    public static async Task<IReadOnlyList<string>> LabelsAsync(string folder, CancellationToken cancellation) =>
        [.. (await ItemsAsync(folder, cancellation)).Select(item => item.Label)];

    public static async Task<IReadOnlyList<EmbeddingItem>> ItemsAsync(string folder, CancellationToken cancellation)
    {
        var items = new List<EmbeddingItem>();
        foreach (var file in Directory.GetFiles(folder, "part-*.parquet").Order(StringComparer.Ordinal))
            items.AddRange((await EmbeddingFile.ReadAsync(file, cancellation)).Items);
        return items;
    }
}
