using Alebrije.Catalog;

namespace Alebrije.Tests.Catalog;

/// <summary>Models that are written into the store rather than copied.</summary>
public sealed class AddedModelTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-added-").FullName;

    private string Models => Path.Combine(folder, "store");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Both_AreThereUnderTheirNames()
    {
        var store = Store(free: 1L << 30);
        Assert.Equal([Path.Combine(Models, "mine-prior"), Path.Combine(Models, "mine")],
            store.Add(1000, [("mine-prior", Index), ("mine", Index)]));
        Assert.Equal(["mine", "mine-prior"], Catalog.List().Select(model => model.Name));
        Assert.Equal(Path.Combine(Models, "mine-prior"), Catalog.CompanionOf("mine"));
        Assert.Contains("already", Assert.Throws<HubException>(() => store.Add(1000, [("mine", Index)])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhenOneFails_NeitherIsThere()
    {
        Assert.Throws<InvalidOperationException>(() =>
            Store(free: 1L << 30).Add(1000, [("mine-prior", Index), ("mine", _ => throw new InvalidOperationException())]));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Models));
    }

    [Fact]
    public void WhatDoesNotFit_IsRefusedBeforeAnythingIsWritten()
    {
        Assert.Contains("make room", Assert.Throws<HubException>(() => Store(free: 1000).Add(1000, [("mine", Index)])).Message,
            StringComparison.Ordinal);
        Assert.False(Directory.Exists(Models));
    }

    [Theory]
    [InlineData("mini")]
    [InlineData("../mine")]
    [InlineData("")]
    public void NameThatCannotBe_IsRefused(string name) =>
        Assert.Throws<HubException>(() => Store(free: 1L << 30).Add(1000, [(name, Index)]));

    private ModelCatalog Catalog => new([Models]);

    private ModelStore Store(long free) => new(Models, new HubSettings { Cache = Path.Combine(folder, "hub"),
        Endpoint = new Uri("https://hub.example/"), FreeBytes = _ => free }, Catalog);

    private static void Index(string folder) =>
        File.WriteAllText(Path.Combine(folder, "model_index.json"), """{"_class_name":"KandinskyPipeline"}""");
}
