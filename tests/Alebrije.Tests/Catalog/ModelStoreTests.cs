using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Alebrije.Catalog;
using Alebrije.Weights;

namespace Alebrije.Tests.Catalog;

/// <summary>Importing folders and archives, and removing models.</summary>
public sealed class ModelStoreTests : IDisposable
{
    private const string First = "1111111111111111111111111111111111111111", Second = "2222222222222222222222222222222222222222";
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-store-").FullName;
    private readonly ModelCatalog catalog;
    private readonly ModelStore store;

    public ModelStoreTests() => (catalog, store) = Create(null);

    private string Models => Path.Combine(folder, "store");
    private string Cache => Path.Combine(folder, "hub");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("")]
    [InlineData(".zip")]
    [InlineData(".tar")]
    [InlineData(".tar.gz")]
    [InlineData(".tgz")]
    public void Import_MakesAModelThatIsFoundByItsName(string kind)
    {
        var source = Pack(TestModels.StableUnClip, kind, top: kind is ".zip" or ".tgz" ? "inner/" : "");
        Assert.True(ModelStore.CanImport(source));
        var plan = Plan(source);
        Assert.Equal("my-model", plan.Name);
        Assert.False(Directory.Exists(Models));
        store.Import(plan, null, Cancellation);

        var found = catalog.Find("my-model");
        Assert.Equal(Path.Combine(Models, "my-model"), found);
        Assert.Null(ModelFiles.Missing(found));
        foreach (var file in Directory.EnumerateFiles(found, "*", SearchOption.AllDirectories))
            Assert.Equal(File.ReadAllBytes(Path.Combine(TestModels.StableUnClip, Path.GetRelativePath(found, file))),
                File.ReadAllBytes(file));
        Assert.Equal(plan.Bytes, catalog.Describe("my-model").Model.Bytes);
        Assert.Contains("already", Assert.Throws<HubException>(() => Plan(source)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../evil.json")]
    [InlineData("unet/../../evil.json")]
    [InlineData("/evil.json")]
    [InlineData("a\\..\\..\\evil.json")]
    public void EntryThatWouldLieOutside_RefusesTheArchive(string name)
    {
        foreach (var path in new[] { Zip(("config.json", 0), (name, 0)),
            Tar(new PaxTarEntry(TarEntryType.RegularFile, "config.json"), new PaxTarEntry(TarEntryType.RegularFile, name)) })
            Assert.Contains("would lie outside", Refusal(path), StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(folder, "evil*", SearchOption.AllDirectories));
    }

    [Theory]
    [InlineData(TarEntryType.SymbolicLink)]
    [InlineData(TarEntryType.HardLink)]
    [InlineData(TarEntryType.CharacterDevice)]
    [InlineData(TarEntryType.BlockDevice)]
    [InlineData(TarEntryType.Fifo)]
    public void LinksAndDevices_InATar_AreRefused(TarEntryType type)
    {
        var entry = new PaxTarEntry(type, "model.safetensors");
        if (type is TarEntryType.SymbolicLink or TarEntryType.HardLink) entry.LinkName = "../secret";
        Assert.Contains("'model.safetensors' is a link or a device", Refusal(Tar(entry)), StringComparison.Ordinal);
    }

    [Fact]
    public void LinkInAZip_IsRefused() => Assert.Contains("'link' is a link or a device",
        Refusal(Zip(("link", unchecked((int)0xA1FF0000)))), StringComparison.Ordinal);

    [Fact]
    public void NameTwice_IsRefused() => Assert.Contains("holds config.json twice",
        Refusal(Zip(("config.json", 0), ("config.json", 0))), StringComparison.Ordinal);

    [Fact]
    public void Bomb_IsRefused_ByWhatItDeclaresAndByWhatComes()
    {
        var packed = Path.Combine(folder, "bomb.tar.gz");
        var declared = Path.Combine(folder, "bomb.zip");
        using (var tar = new TarWriter(new GZipStream(File.Create(packed), CompressionLevel.Fastest)))
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "model.safetensors") { DataStream = new Zeros(400L << 20) });
        using (var zip = ZipFile.Open(declared, ZipArchiveMode.Create))
        using (var entry = zip.CreateEntry("model.safetensors", CompressionLevel.Fastest).Open())
            new Zeros(400L << 20).CopyTo(entry);
        Assert.Contains("which no model does", Refusal(packed), StringComparison.Ordinal);
        Assert.Contains("which no model does", Refusal(declared), StringComparison.Ordinal);
    }

    [Fact]
    public void EntryThatDeclaresLessThanItUnpacksTo_IsRefused()
    {
        var path = Zip(("config.json", 0), ("model.safetensors", 0));
        var bytes = File.ReadAllBytes(path);
        // The size in the central directory (APPNOTE 4.3.12, offset 24 of each header), smaller than the packed data.
        for (var at = 0; at < bytes.Length - 46; at++)
            if (BitConverter.ToUInt32(bytes, at) == 0x02014b50 && Encoding.ASCII.GetString(bytes, at + 46, 5) == "model")
                BitConverter.TryWriteBytes(bytes.AsSpan(at + 24), 1);
        File.WriteAllBytes(path, bytes);
        var plan = Plan(path);
        Assert.Matches("declares", Assert.Throws<HubException>(() => store.Import(plan, null, Cancellation)).Message);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Models));
    }

    [Theory]
    [InlineData(".zip")]
    [InlineData(".tar")]
    [InlineData(".tar.gz")]
    public void DamagedArchives_EndInASentence(string kind)
    {
        var whole = File.ReadAllBytes(Pack(TestModels.Clip, kind));
        var path = Path.Combine(folder, "damaged" + kind);
        var random = new Random(3);
        for (var round = 0; round < 60; round++)
        {
            var bytes = whole[..random.Next(whole.Length)];
            for (var flips = 0; flips < 3 && bytes.Length > 0; flips++) bytes[random.Next(bytes.Length)] ^= (byte)random.Next(256);
            File.WriteAllBytes(path, bytes);
            try
            {
                var plan = Plan(path, $"m{round}");
                store.Import(plan, null, Cancellation);
            }
            catch (Exception e) when (e is HubException or WeightsException)
            {
                Assert.DoesNotContain('\n', e.Message);
            }

            Assert.Empty(Directory.Exists(Models) ? Directory.EnumerateDirectories(Models, ".incoming*") : []);
        }
    }

    [Fact]
    public void ImportThatDoesNotFit_OrIsStopped_LeavesNothing()
    {
        var (_, small) = Create(_ => 1000);
        Assert.Contains("make room", Assert.Throws<HubException>(() => small.Import(
            small.PlanImport(TestModels.Clip, "small", null, Cancellation), null, Cancellation)).Message, StringComparison.Ordinal);
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => store.Import(Plan(TestModels.Clip, "stopped"), _ => stop.Cancel(), stop.Token));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Models));
    }

    [Theory]
    [InlineData("mini", "already")]
    [InlineData("../x", "cannot be a model's name")]
    [InlineData(".hidden", "cannot be a model's name")]
    public void Names_ThatAreNone_AreRefused(string name, string said) =>
        Assert.Contains(said, Assert.Throws<HubException>(() => Plan(TestModels.Clip, name)).Message, StringComparison.Ordinal);

    [Fact]
    public void Remove_OfAnImport_FreesIt()
    {
        var plan = Plan(TestModels.Clip, "mine");
        store.Import(plan, null, Cancellation);
        Assert.Equal(plan.Bytes, store.Remove("mine", pretend: true).Bytes);
        Assert.Equal((plan.Bytes, plan.Folder), (store.Remove("mine") is var removed ? removed.Bytes : 0, removed.Folders[0]));
        Assert.False(Directory.Exists(plan.Folder));
        Assert.Throws<CheckpointNotFoundException>(() => store.Remove("mine"));
    }

    [Fact]
    public void Remove_NeverTakesTheBuiltIn_OrAFolderOfTheUsersOwn()
    {
        var own = TestModels.Copy(TestModels.Clip, Path.Combine(folder, "own", "mini"));
        TestModels.Copy(TestModels.Clip, Path.Combine(folder, "own", "other"));
        Assert.Equal("mini is built in and stays.", Assert.Throws<HubException>(() => store.Remove("mini")).Message);
        Assert.Contains("delete it yourself", Assert.Throws<HubException>(() => store.Remove("other")).Message, StringComparison.Ordinal);
        Assert.Contains("is a path", Assert.Throws<HubException>(() => store.Remove(own)).Message, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(own, "config.json")));
    }

    [Fact]
    public void Remove_KeepsWhatAnotherRevisionNeeds()
    {
        var (cache, repository) = (new HubCache(Cache), HubRepository.TryParse("owner/model")!.Value);
        HubFile shared = Fetched(cache, repository, "config.json", 100),
            old = Fetched(cache, repository, "model.safetensors", 1000), young = Fetched(cache, repository, "model.safetensors", 2000);
        cache.Publish(repository, "old", First, [shared, old]);
        cache.Publish(repository, "main", Second, [shared, young]);

        Assert.Equal(2000, store.Remove("owner/model", pretend: true).Bytes);
        var removed = store.Remove("owner/model");

        Assert.Equal((2000L, $"owner/model {First}"), (removed.Bytes, Assert.Single(removed.Kept)));
        Assert.True(File.Exists(cache.BlobOf(repository, shared)) && File.Exists(cache.BlobOf(repository, old)));
        Assert.False(File.Exists(cache.BlobOf(repository, young)));
        Assert.Equal((null, First), (cache.CommitOf(repository, "main"), cache.CommitOf(repository, "old")));
        Assert.Contains(First, Assert.Throws<CheckpointNotFoundException>(() => store.Remove("owner/model")).Message,
            StringComparison.Ordinal);
        Assert.Equal(1100 + First.Length, store.Remove("owner/model", "old").Bytes);
        Assert.Empty(Directory.EnumerateDirectories(Cache, "models--*"));
    }

    [Fact]
    public void Remove_TakesWhatAnInterruptedRunLeft()
    {
        var blobs = Directory.CreateDirectory(Path.Combine(Cache, "models--openai--clip-vit-base-patch32", "blobs")).FullName;
        File.WriteAllBytes(Path.Combine(blobs, new string('c', 64) + ".incomplete"), new byte[500]);
        Assert.Equal(500, store.Remove("clip-vit-b-32").Bytes);
        Assert.Equal("clip-vit-b-32 is not on this disk: " + Cache + " has nothing of it.",
            Assert.Throws<CheckpointNotFoundException>(() => store.Remove("clip-vit-b-32")).Message);
    }

    private (ModelCatalog Catalog, ModelStore Store) Create(Func<string, long>? free)
    {
        var models = new ModelCatalog([Path.Combine(folder, "own"), Models], new HubCache(Cache));
        return (models, new ModelStore(Models, new HubSettings { Cache = Cache, FreeBytes = free }, models));
    }

    private static HubFile Fetched(HubCache cache, HubRepository repository, string name, int size)
    {
        var content = new byte[size];
        var file = new HubFile(name, size, HubServer.Blob(name, content));
        Directory.CreateDirectory(Path.GetDirectoryName(cache.BlobOf(repository, file))!);
        File.WriteAllBytes(cache.BlobOf(repository, file), content);
        return file;
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private ImportPlan Plan(string source, string? name = null) => store.PlanImport(source, name, null, Cancellation);

    private string Refusal(string path)
    {
        var message = Assert.Throws<HubException>(() => Plan(path, "m")).Message;
        Assert.False(Directory.Exists(Models));
        return message;
    }

    private string Pack(string model, string kind, string top = "")
    {
        var path = Path.Combine(folder, "my-model" + kind);
        var files = Directory.EnumerateFiles(model, "*", SearchOption.AllDirectories)
            .Select(file => (File: file, Name: top + Path.GetRelativePath(model, file).Replace('\\', '/'))).ToArray();
        if (kind.Length == 0) return TestModels.Copy(model, path);
        if (kind == ".zip")
        {
            using var zip = ZipFile.Open(path, ZipArchiveMode.Create);
            foreach (var (file, name) in files) zip.CreateEntryFromFile(file, name);
            return path;
        }

        using Stream stream = kind == ".tar" ? File.Create(path) : new GZipStream(File.Create(path), CompressionLevel.Fastest);
        using var tar = new TarWriter(stream);
        tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "./"));
        foreach (var (file, name) in files) tar.WriteEntry(file, "./" + name);
        return path;
    }

    private string Zip(params (string Name, int Attributes)[] entries)
    {
        var path = Path.Combine(folder, Path.GetRandomFileName() + ".zip");
        using var zip = ZipFile.Open(path, ZipArchiveMode.Create);
        foreach (var (name, attributes) in entries)
        {
            var entry = zip.CreateEntry(name);
            entry.ExternalAttributes = attributes;
            using var stream = entry.Open();
            stream.Write("{}        "u8);
        }

        return path;
    }

    private string Tar(params TarEntry[] entries)
    {
        var path = Path.Combine(folder, Path.GetRandomFileName() + ".tar");
        using var tar = new TarWriter(File.Create(path));
        foreach (var entry in entries)
        {
            if (entry.EntryType == TarEntryType.RegularFile) entry.DataStream = new MemoryStream("{}"u8.ToArray());
            tar.WriteEntry(entry);
        }

        return path;
    }

    /// <summary>A stream of zeros that takes no memory.</summary>
    private sealed class Zeros(long length) : Stream
    {
        private long position;

        public override bool CanRead => true;
        public override bool CanSeek => true;
        public override bool CanWrite => false;
        public override long Length => length;
        public override long Position { get => position; set => position = value; }

        public override int Read(byte[] buffer, int offset, int count)
        {
            var read = (int)Math.Min(count, length - position);
            Array.Clear(buffer, offset, read);
            position += read;
            return read;
        }

        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) =>
            position = origin == SeekOrigin.Begin ? offset : throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
