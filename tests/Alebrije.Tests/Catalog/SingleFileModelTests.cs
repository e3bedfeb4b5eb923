using Alebrije.Catalog;
using Alebrije.Pipelines;
using Alebrije.Tensors;
using Alebrije.Tests.Pipelines;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Tests.Catalog;

/// <summary>Checkpoints in one file in the store, at the hub, and in a folder of such files.</summary>
public sealed class SingleFileModelTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("alebrije-single-").FullName;
    private readonly ModelCatalog catalog;
    private readonly ModelStore store;
    private readonly string file;

    public SingleFileModelTests()
    {
        TorchRuntime.Initialize();
        catalog = new ModelCatalog([At("own"), At("store")], new HubCache(At("hub")));
        store = new ModelStore(At("store"), new HubSettings { Cache = At("hub") }, catalog);
        using var writer = new SingleFileWriter(RandomPipelines.Published(At("folder"), SingleFileKind.One), SingleFileKind.One);
        file = writer.Save(At("fox-v1.safetensors"));
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Fact]
    public void Import_KeepsTheFileByteForByte_AndItsConfigurationBesideIt()
    {
        File.WriteAllText(At("fox-v1.yaml"), "model: {}\n");
        Assert.True(ModelStore.CanImport(file));
        store.Import(store.PlanImport(file, cancellation: Cancellation), null, Cancellation);
        var found = catalog.Find("fox-v1");
        Assert.Equal(["fox-v1.safetensors", "fox-v1.yaml"],
            Directory.EnumerateFiles(found).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        Assert.Equal(FileHash.Sha256(file), FileHash.Sha256(Path.Combine(found, "fox-v1.safetensors")));
        var described = catalog.Describe("fox-v1");
        Assert.Equal((FileHash.Sha256(file), "StableDiffusionPipeline", "text to image"),
            (described.Sha256, described.Model.ClassName, described.Model.Kind));
        Assert.Contains(catalog.List(), model => model.Name == "fox-v1");
        using (var pipeline = ImagePipeline.Load(found))
            Assert.Equal(("fox-v1", FileHash.Sha256(file)), (pipeline.Name, pipeline.File!.Sha256));
        store.Remove("fox-v1");
        Assert.False(Directory.Exists(found));
    }

    [Fact]
    public void Import_OfAnotherKindOfFile_IsRefusedBeforeItIsCopied()
    {
        using (NewDisposeScope()) SafeTensorsWriter.Write(At("style.safetensors"),
            new Dictionary<string, Tensor> { ["lora_unet_a.lora_down.weight"] = zeros(2) });
        Assert.Contains("is a LoRA", Assert.Throws<WeightsException>(() =>
            store.PlanImport(At("style.safetensors"), cancellation: Cancellation)).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(At("store")));
    }

    [Fact]
    public void FolderOfFiles_HasThemAsModels_ButNoOtherFiles()
    {
        Directory.CreateDirectory(At("own"));
        File.Copy(file, Path.Combine(At("own"), "fox.safetensors"));
        File.WriteAllBytes(Path.Combine(At("own"), "broken.ckpt"), [1, 2, 3]);
        using (NewDisposeScope())
            SafeTensorsWriter.Write(Path.Combine(At("own"), "style.safetensors"), new Dictionary<string, Tensor> { ["lora_a"] = zeros(2) });
        Assert.Equal(["broken.ckpt", "fox.safetensors"], catalog.List().Select(model => model.Name));
        Assert.Equal(Path.Combine(At("own"), "fox.safetensors"), catalog.Find("fox.safetensors"));
    }

    [Fact]
    public async Task FileOfARepository_IsFetchedAloneAndChecked()
    {
        using var server = new HubServer();
        server.Files["fox.safetensors"] = await File.ReadAllBytesAsync(file, Cancellation);
        server.Files["other.safetensors"] = new byte[100];
        server.Files["model_index.json"] = "{}"u8.ToArray();
        using var hub = new ModelHub(new HubSettings { Cache = At("hub"), Endpoint = new Uri(server.Address) });
        Assert.Contains("at its top it has fox.safetensors, other.safetensors",
            (await Assert.ThrowsAsync<CheckpointNotFoundException>(() =>
                hub.PlanAsync("owner/model/cat.safetensors", cancellation: Cancellation))).Message, StringComparison.Ordinal);
        Assert.Contains("'alebrije models pull owner/model/fox.safetensors' fetches it",
            Assert.Throws<CheckpointNotFoundException>(() => catalog.Find("owner/model/fox.safetensors")).Message,
            StringComparison.Ordinal);

        var plan = await hub.PlanAsync("owner/model/fox.safetensors", cancellation: Cancellation);
        Assert.Equal(server.Files["fox.safetensors"].Length, plan.BytesToFetch);
        Assert.Equal(plan.BytesToFetch, await hub.PullAsync(plan, cancellation: Cancellation));
        var found = catalog.Find("owner/model/fox.safetensors");
        Assert.Equal(plan.Folder, found);
        Assert.Equal(FileHash.Sha256(file), FileHash.Sha256(found));
        using (var pipeline = ImagePipeline.Load(found)) Assert.Equal("owner/model/fox.safetensors", pipeline.Name);
        Assert.Equal(0, (await hub.PlanAsync("owner/model/fox.safetensors", cancellation: Cancellation)).BytesToFetch);
        Assert.Contains(catalog.List(), model => model.Name == "owner/model");
        Assert.True(catalog.Has("owner/model/fox.safetensors"));

        // The whole repository is a separate case.
        server.Files.Remove("model_index.json");
        Assert.Contains("name one (owner/model/fox.safetensors)",
            (await Assert.ThrowsAsync<CheckpointNotFoundException>(() => hub.PlanAsync("owner/model", cancellation: Cancellation))).Message,
            StringComparison.Ordinal);
    }

    private string At(string name) => Path.Combine(root, name);
}
