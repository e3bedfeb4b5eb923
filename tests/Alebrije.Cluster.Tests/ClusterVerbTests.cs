using Alebrije.Pipelines;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Cli;

namespace Alebrije.Cluster.Tests;

/// <summary>The verb <c>cluster</c> in one process.</summary>
public sealed class ClusterVerbTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Job_AndSearch_InOneProcess()
    {
        TestImages.Folder(folder["images"], 5);
        await File.WriteAllTextAsync(folder["images", "broken.png"], "none", TestContext.Current.CancellationToken);
        string[] command = ["cluster", "job", folder["images"], "--out", folder["out"], "--model", TestModels.StableUnClip,
            "--shard-images", "2", "--json"];
        var outcome = await CommandLine.Run(command);
        var json = outcome.Json;
        Assert.Equal((0, 3, 3, 5, 1, true), (outcome.Status, json.GetProperty("shards").GetInt32(), json.GetProperty("done").GetInt32(),
            json.GetProperty("images").GetInt32(), json.GetProperty("skipped").GetInt32(), json.GetProperty("ended").GetBoolean()));
        Assert.Contains("1 image cannot be read", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(1, (await CommandLine.Run([.. command, "--strict"])).Status);
        using var model = ClipModel.Load(TestModels.StableUnClip);
        var items = await PartReader.ItemsAsync(folder["out"], TestContext.Current.CancellationToken);
        var query = model.EmbedTexts(["a lion"], cancellation: TestContext.Current.CancellationToken)[0];
        var expected = items.OrderByDescending(item => item.Embedding.Zip(query, (x, y) => x * y).Sum()).Select(item => item.Label);
        var found = (await CommandLine.Run("cluster", "search", "a lion", "--collection", "photos", "--index", $"photos={folder["out"]}",
            "--model", TestModels.StableUnClip, "--json")).Json;
        Assert.Equal((3, false), (found.GetProperty("shards").GetInt32(), found.GetProperty("partial").GetBoolean()));
        Assert.Equal(expected, found.GetProperty("results").EnumerateArray().Select(hit => hit.GetProperty("file").GetString()));
    }

    [Fact]
    public async Task Mistakes_GetOneSentence()
    {
        Assert.Equal((2, "\"none\" should be HOST:PORT, such as 127.0.0.1:5512."),
            await RefusalAsync("cluster", "join", "--store", "none"));
        Assert.Equal((2, "\"here\" is not an address of this machine; give one such as 127.0.0.1 or 10.0.0.2."),
            await RefusalAsync("cluster", "start", "--host", "here"));
        Assert.Equal((2, "Give either --store HOST:PORT of a cluster or --index NAME=FOLDER of this machine."),
            await RefusalAsync("cluster", "search", "a", "--collection", "b"));
        var (status, sentence) = await RefusalAsync("cluster", "status", "--store", "127.0.0.1:1");
        Assert.Equal(1, status);
        Assert.StartsWith("The store 127.0.0.1:1 does not answer; start one with", sentence, StringComparison.Ordinal);
        (status, sentence) = await RefusalAsync("cluster", "job", folder["none"], "--out", folder["out"],
            "--model", TestModels.StableUnClip);
        Assert.Equal((1, $"There is no folder {folder["none"]}, nor an archive or table of this name."), (status, sentence));
    }

    private static async Task<(int Status, string Sentence)> RefusalAsync(params string[] args)
    {
        var outcome = await CommandLine.Run(args);
        return (outcome.Status, outcome.Refusal);
    }
}
