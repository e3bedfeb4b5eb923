using Alebrije.Cluster.Jobs;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Tests.Catalog;

namespace Alebrije.Cluster.Tests;

/// <summary>Jobs in one process, with a CLIP of random weights.</summary>
public sealed class LocalJobTests : IDisposable
{
    private readonly TestFolder folder = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Folder_Archives_AndTable_GiveTheEmbeddingsOfEmbed()
    {
        var images = TestImages.Folder(folder["images"], 10);
        await File.WriteAllTextAsync(folder["images", "broken.png"], "no image", Cancellation);
        var archives = TestImages.Archives(folder["archives"], images, 3);
        using var model = ClipModel.Load(TestModels.StableUnClip);
        var files = Directory.GetFiles(images, "0*.png").Order(StringComparer.Ordinal).ToArray();
        var expected = files.Zip(model.EmbedImages(files, cancellation: Cancellation)).ToDictionary(
            pair => Path.GetFileName(pair.First), pair => pair.Second);
        var table = folder["table.parquet"];
        await EmbeddingFile.WriteAsync(table, new EmbeddingSet("any", [.. Directory.GetFiles(images).Order(StringComparer.Ordinal).Select(
            file => new EmbeddingItem(EmbeddingKind.Image, Path.Combine("images", Path.GetFileName(file)), [1]))]), Cancellation);
        await using var node = await ClusterNode.StartAsync(new ClusterSettings(), Cancellation);
        foreach (var (source, shards) in new[] { (images, 3), (archives, 3), (table, 3) })
        {
            var target = source + ".out";
            var job = await node.Connection.SubmitAsync(source, target, model.Space, Options, Cancellation);
            Assert.Equal(shards, await node.Connection.WorkAsync(job, model, Cancellation));
            var items = await PartReader.ItemsAsync(target, Cancellation);
            Assert.Equal(expected.Keys, items.Select(item => Path.GetFileName(item.Label)).Order(StringComparer.Ordinal));
            Assert.All(items, item => Assert.Equal(0, Distance(expected[Path.GetFileName(item.Label)], item.Embedding), 1e-5));
            var manifest = JobManifest.Read(target);
            Assert.Equal((shards, 10L, 1L), (manifest.Parts.Count, manifest.Images, manifest.Failures));
            Assert.Contains("broken.png: ", manifest.Parts.Single(part => part.Failures == 1).FirstFailures[0], StringComparison.Ordinal);
            Assert.Empty(await JobManifest.VerifyAsync(target, Cancellation));
        }
    }

    [Fact]
    public async Task Job_Repeated_MakesOnlyWhatIsMissing_AndVerifyNamesIt()
    {
        var images = TestImages.Folder(folder["images"], 8);
        using var model = ClipModel.Load(TestModels.StableUnClip);
        var target = folder["out"];
        await RunAsync();
        var part = PartFile.Parquet(target, 1);
        var kept = File.GetLastWriteTimeUtc(PartFile.Parquet(target, 0));
        File.Delete(part);
        Assert.Equal([$"{part} is missing."], await JobManifest.VerifyAsync(target, Cancellation));
        await RunAsync();
        Assert.Equal(kept, File.GetLastWriteTimeUtc(PartFile.Parquet(target, 0)));
        Assert.Equal(8, (await PartReader.LabelsAsync(target, Cancellation)).Distinct().Count());
        Assert.Empty(await JobManifest.VerifyAsync(target, Cancellation));
        TestImages.Write(folder["images", "new.png"], 99);
        var error = await Assert.ThrowsAsync<IOException>(RunAsync);
        Assert.Contains("with other images or shards; give another folder, or delete this one", error.Message, StringComparison.Ordinal);

        async Task RunAsync()
        {
            await using var node = await ClusterNode.StartAsync(new ClusterSettings(), Cancellation);
            var job = await node.Connection.SubmitAsync(images, target, model.Space, Options, Cancellation);
            await node.Connection.WorkAsync(job, model, Cancellation);
        }
    }

    [Fact]
    public async Task Archive_CutShort_IsGivenUp_AndTheOthersAreEmbedded()
    {
        var archives = TestImages.Archives(folder["archives"], TestImages.Folder(folder["images"], 6), 3);
        await using (var cut = new FileStream(Path.Combine(archives, "000001.tar"), FileMode.Open)) cut.SetLength(900);
        using var model = ClipModel.Load(TestModels.StableUnClip);
        await using var node = await ClusterNode.StartAsync(new ClusterSettings(), Cancellation);
        var job = await node.Connection.SubmitAsync(archives, folder["out"], model.Space, Options, Cancellation);
        Assert.Equal(2, await node.Connection.WorkAsync(job, model, Cancellation));
        var dead = JobManifest.Read(folder["out"]).Dead.Single();
        Assert.Equal((1, 3), (dead.Shard, dead.Attempts));
        Assert.Contains("the archive was cut short", dead.Error, StringComparison.Ordinal);
    }

    private static JobOptions Options => new() { Model = "tiny", ShardImages = 4 };

    private static float Distance(float[] a, float[] b) => MathF.Sqrt(a.Zip(b, (x, y) => (x - y) * (x - y)).Sum());
}
