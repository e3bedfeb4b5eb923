using Alebrije.Catalog;
using Alebrije.Weights;

namespace Alebrije.Tests.Catalog;

/// <summary>Models that are published as two repositories, a decoder and its prior.</summary>
public sealed class CompanionTests : IDisposable
{
    private const string Decoder22 = "kandinsky-community/kandinsky-2-2-decoder",
    Inpaint22 = "kandinsky-community/kandinsky-2-2-decoder-inpaint";
    private const string Prior22 = "kandinsky-community/kandinsky-2-2-prior";
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-companion-").FullName;

    private HubCache Cache => new(Path.Combine(folder, "hub"));

    private ModelCatalog Catalog => new([Path.Combine(folder, "models")], Cache);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("kandinsky-2.2")]
    [InlineData("Kandinsky")]
    [InlineData(Decoder22)]
    public void PublishedDecoder_HasItsPriorsFolder(string name)
    {
        var (decoder, prior) = (Fetched(Decoder22), Fetched(Prior22));
        Assert.Equal((decoder, prior), (Catalog.Find(name), Catalog.CompanionOf(name)));
    }

    [Fact]
    public void DecoderWithoutItsPrior_IsNotWhole()
    {
        Fetched(Decoder22);
        Assert.Null(Catalog.CompanionOf("kandinsky-2.2"));
        Assert.Contains("incomplete", Assert.Throws<CheckpointNotFoundException>(() => Catalog.Find("kandinsky-2.2")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void NamedFolder_HasWhatLiesBesideItUnderItsName()
    {
        Model(Path.Combine(folder, "models", "mine"));
        Assert.Null(Catalog.CompanionOf("mine"));
        Model(Path.Combine(folder, "models", "mine-prior"));
        Assert.Equal(Path.Combine(folder, "models", "mine-prior"), Catalog.CompanionOf("mine"));
    }

    [Theory]
    [InlineData("karlo")]
    [InlineData("nothing-of-the-kind")]
    [InlineData("owner/name")]
    public void OtherNames_HaveNone(string name) => Assert.Null(Catalog.CompanionOf(name));

    [Fact]
    public void Remove_LeavesAPriorThatAnotherDecoderNeeds()
    {
        var (decoder, inpaint, prior) = (Fetched(Decoder22), Fetched(Inpaint22), Fetched(Prior22));
        var store = new ModelStore(Path.Combine(folder, "models"),
            new HubSettings { Cache = Path.Combine(folder, "hub"), Endpoint = new Uri("https://hub.example/") }, Catalog);
        Assert.Equal([inpaint], store.Remove("kandinsky-2.2-inpaint").Folders);
        Assert.Equal(prior, Catalog.CompanionOf("kandinsky-2.2"));
        Assert.Equal([decoder, prior], store.Remove("kandinsky-2.2").Folders);
        Assert.False(Directory.Exists(prior));
    }

    /// <summary>A repository in the cache, of a model without missing parts.</summary>
    private string Fetched(string repository)
    {
        const string commit = "0123456789abcdef0123456789abcdef01234567";
        var place = Cache.FolderOf(HubRepository.TryParse(repository)!.Value);
        Directory.CreateDirectory(Path.Combine(place, "refs"));
        File.WriteAllText(Path.Combine(place, "refs", "main"), commit);
        return Model(Path.Combine(place, "snapshots", commit));
    }

    private static string Model(string path)
    {
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "model_index.json"), """{"_class_name":"KandinskyV22Pipeline"}""");
        return path;
    }
}
