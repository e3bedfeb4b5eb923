using System.Linq.Expressions;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;

namespace Alebrije.Search.VectorData.Tests;

/// <summary>The same demands on every vector store.</summary>
public abstract class VectorStoreConformance : TemporaryFolder
{
    private static readonly Photo[] Photos =
    [
        new()
        {
            File = "a.jpg", Year = 2019, Title = "A 'dog' on the beach", IsFavourite = true, Latitude = 40.4, Bytes = 5_000_000_000,
            Exposure = 0.5f, Taken = new(2019, 7, 1, 12, 0, 0, TimeSpan.FromHours(2)), Changed = new(2020, 1, 2, 3, 4, 5),
            Owner = new Guid("8f0c2f6e-0000-4000-8000-000000000001"), Thumbnail = [1, 2, 3], Tags = ["dog", "beach"],
            Embedding = new float[] { 1, 0, 0 },
        },
        new()
        {
            File = "b.jpg", Year = 2021, Title = "A cat", Taken = new(2021, 1, 1, 0, 0, 0, TimeSpan.Zero), Tags = [],
            Owner = new Guid("8f0c2f6e-0000-4000-8000-000000000002"), Embedding = new float[] { 3, 4, 0 },
        },
        new()
        {
            File = "c.jpg", Year = 2023, Title = null, IsFavourite = true, Latitude = -3.7, Bytes = 7,
            Taken = new(2023, 5, 5, 0, 0, 0, TimeSpan.Zero), Tags = ["dog"], Embedding = new float[] { 0, 0, -2 },
        },
        new() { File = "d.jpg", Year = 2023, Title = "without vector", Taken = new(2023, 5, 6, 0, 0, 0, TimeSpan.Zero) },
    ];

    /// <summary>The store of a test, empty; skips the test where there cannot be one.</summary>
    private protected abstract VectorStore Open();

    [Fact]
    public async Task Records_ComeBackWhole()
    {
        using var store = Open();
        var photos = await Filled(store);
        var photo = (await photos.GetAsync("a.jpg", new RecordRetrievalOptions { IncludeVectors = true }))!;
        Assert.Equal([1f, 0, 0], photo.Embedding!.Value.ToArray());
        var (expected, b) = (Photos[0], (await photos.GetAsync("b.jpg", new RecordRetrievalOptions { IncludeVectors = true }))!);
        Assert.Equal((expected.File, expected.Year, expected.Title, expected.IsFavourite, expected.Latitude, expected.Bytes,
            expected.Exposure), (photo.File, photo.Year, photo.Title, photo.IsFavourite, photo.Latitude, photo.Bytes, photo.Exposure));
        Assert.Equal((expected.Taken, expected.Changed, expected.Owner), (photo.Taken, photo.Changed, photo.Owner));
        Assert.Equal(expected.Thumbnail, photo.Thumbnail);
        Assert.Equal(expected.Tags, photo.Tags);
        Assert.All(b.Embedding!.Value.ToArray().Zip([3f, 4, 0]), pair => Assert.Equal(pair.Second, pair.First, 1e-5));
        Assert.Equal((null, null, null), (b.Latitude, b.Changed, b.Thumbnail));
        Assert.Empty(b.Tags!);
        Assert.Null((await photos.GetAsync("a.jpg"))!.Embedding);
        Assert.Null((await photos.GetAsync("d.jpg", new RecordRetrievalOptions { IncludeVectors = true }))!.Embedding);
        Assert.Null(await photos.GetAsync("none.jpg"));
        Assert.Equal(["a.jpg", "c.jpg"], (await List(photos.GetAsync(["a.jpg", "none", "c.jpg"]))).Select(p => p.File).Order());
    }

    [Fact]
    public async Task Upsert_ReplacesAndDeleteRemoves()
    {
        using var store = Open();
        var photos = await Filled(store);
        await photos.UpsertAsync(new Photo { File = "a.jpg", Title = "new", Embedding = new float[] { 0, 1, 0 } });
        Assert.Equal("new", (await photos.GetAsync("a.jpg"))!.Title);
        Assert.Equal(["a.jpg", "b.jpg", "c.jpg"], await Files(photos, [0, 1, 0]));
        await photos.DeleteAsync("a.jpg");
        await photos.DeleteAsync("a.jpg");
        await photos.DeleteAsync(["c.jpg", "none"]);
        Assert.Null(await photos.GetAsync("a.jpg"));
        Assert.Equal(["b.jpg"], await Files(photos, [0, 1, 0]));
    }

    [Fact]
    public async Task Search_OrdersByCosine_WithSkipThresholdAndVectors()
    {
        using var store = Open();
        var photos = await Filled(store);
        var found = await List(photos.SearchAsync(new ReadOnlyMemory<float>([2, 0, 0]), 10));
        Assert.Equal(["a.jpg", "b.jpg", "c.jpg"], found.Select(result => result.Record.File));
        Assert.Equal([1, 0.6, 0], found.Select(result => Math.Round(result.Score!.Value, 5)));
        Assert.Equal(["b.jpg"], (await List(photos.SearchAsync(new float[] { 2, 0, 0 }, 1,
            new VectorSearchOptions<Photo> { Skip = 1 }))).Select(result => result.Record.File));
        Assert.Equal(["a.jpg", "b.jpg"], (await List(photos.SearchAsync(new float[] { 2, 0, 0 }, 10,
            new VectorSearchOptions<Photo> { ScoreThreshold = 0.5 }))).Select(result => result.Record.File));
        var with = (await List(photos.SearchAsync(
            new float[] { 0, 0, -1 }, 1, new VectorSearchOptions<Photo> { IncludeVectors = true })))[0];
        Assert.Equal([0f, 0, -2], with.Record.Embedding!.Value.ToArray());
        Assert.Null(found[0].Record.Embedding);
    }

    [Fact]
    public async Task Filters_MeanWhatTheyMeanInCSharp()
    {
        using var store = Open();
        var photos = await Filled(store);
        var (year, names, dog) = (2021, new[] { "A cat", null }, "dog");
        string[] files = ["a.jpg", "d.jpg"];
        Expression<Func<Photo, bool>>[] filters =
        [
            photo => photo.Year == 2023, photo => photo.Year != year, photo => 2021 <= photo.Year,
            photo => photo.Year > 2019 && photo.Year < 2023,
            photo => photo.IsFavourite, photo => !photo.IsFavourite, photo => photo.Title == null, photo => photo.Title != "A cat",
            photo => !(photo.Title == "A cat"), photo => photo.Latitude > 0, photo => !(photo.Latitude > 0),
            photo => photo.Year == 2019 || photo.Bytes == 7, photo => files.Contains(photo.File), photo => names.Contains(photo.Title),
            photo => photo.Tags != null && photo.Tags.Contains(dog), photo => photo.Title != null && photo.Title.StartsWith("A "),
            photo => photo.Title != null && photo.Title.Contains("'dog'"), photo => photo.Title != null && photo.Title.EndsWith("cat"),
            photo => photo.Taken >= new DateTimeOffset(2021, 1, 1, 0, 0, 0, TimeSpan.Zero), photo => photo.Exposure == 0.5f,
            photo => photo.Owner == new Guid("8f0c2f6e-0000-4000-8000-000000000002"), photo => photo.Bytes >= 5_000_000_000,
            photo => photo.Title != null && photo.Title.Contains("%n"), photo => true,
        ];
        foreach (var filter in filters)
        {
            var expected = Photos.Where(filter.Compile()).Select(photo => photo.File).ToArray();
            Assert.Equal(expected, (await List(photos.GetAsync(filter, 10))).Select(photo => photo.File));
            var searched = await List(photos.SearchAsync(new float[] { 1, 1, 1 }, 10, new VectorSearchOptions<Photo> { Filter = filter }));
            Assert.Equal(expected.Where(file => file != "d.jpg"), searched.Select(result => result.Record.File).Order());
        }

        var unsupported = await Assert.ThrowsAsync<NotSupportedException>(() => List(photos.GetAsync(photo => photo.File.Length == 3, 1)));
        Assert.Contains("Contains", unsupported.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FilteredRecords_AreOrderedAndPaged()
    {
        using var store = Open();
        var photos = await Filled(store);
        var found = await List(photos.GetAsync(photo => photo.Year > 2000, 2, new FilteredRecordRetrievalOptions<Photo>
        {
            OrderBy = order => order.Descending(photo => photo.Year).Ascending(photo => photo.File), Skip = 1,
        }));
        Assert.Equal(["d.jpg", "b.jpg"], found.Select(photo => photo.File));
    }

    [Fact]
    public async Task Generator_EmbedsRecordsAndSearches()
    {
        using var store = Open();
        var notes = store.GetCollection<Guid, Note>("notes");
        await notes.EnsureCollectionExistsAsync();
        Note[] all = [new() { Text = "aab" }, new() { Text = "bbc" }, new() { Text = "ccc" }];
        await notes.UpsertAsync(all);
        Assert.DoesNotContain(Guid.Empty, all.Select(note => note.Id));
        Assert.Equal(["ccc", "bbc", "aab"], (await List(notes.SearchAsync("c", 3))).Select(result => result.Record.Text));
        await Assert.ThrowsAsync<NotSupportedException>(() => List(notes.SearchAsync("c", 3,
            new VectorSearchOptions<Note> { IncludeVectors = true })));
        await Assert.ThrowsAsync<ArgumentException>(() => List(notes.SearchAsync(new float[] { 1, 2 }, 3)));
    }

    [Fact]
    public async Task GeneratorOfTextsAndImages_EmbedsBoth()
    {
        using var store = Open();
        var snaps = store.GetCollection<int, Snap>("snaps");
        await snaps.EnsureCollectionExistsAsync();
        await snaps.UpsertAsync([new() { Id = 1, Image = Data(9, 1, 0) }, new() { Id = 2, Image = Data(0, 1, 9) }, new() { Id = 3 }]);
        Assert.Equal([1, 2], (await List(snaps.SearchAsync("aab", 5))).Select(result => result.Record.Id));
        Assert.Equal([2, 1], (await List(snaps.SearchAsync(Data(0, 0, 1), 5))).Select(result => result.Record.Id));

        static DataContent Data(params byte[] bytes) => new(bytes, "image/png");
    }

    [Fact]
    public async Task DistanceFunctions_GiveTheirScores()
    {
        using var store = Open();
        var pairs = store.GetCollection<long, Pair>("pairs");
        await pairs.EnsureCollectionExistsAsync();
        await pairs.UpsertAsync([new() { Id = 1, Place = [3, 4], Taste = [1, 0, 0] }, new() { Id = 2, Place = [0, 1], Taste = [5, 5, 5] },
            new() { Id = 3, Place = null, Taste = [-1, 0, 0] }]);
        var place = new VectorSearchOptions<Pair> { VectorProperty = pair => pair.Place };
        var near = await List(pairs.SearchAsync(new float[] { 0, 0 }, 5, place));
        Assert.Equal([(2L, 1.0), (1L, 5.0)], near.Select(result => (result.Record.Id, Math.Round(result.Score!.Value, 4))));
        await pairs.UpsertAsync([new() { Id = 4, Place = [1000, 1000.25f] }, new() { Id = 5, Place = [1000, 1000.125f] }]);
        var far = await List(pairs.SearchAsync(new float[] { 1000, 1000 }, 2, place));
        Assert.Equal([(5L, 0.125), (4L, 0.25)], far.Select(result => (result.Record.Id, Math.Round(result.Score!.Value, 4))));
        Assert.Single(await List(pairs.SearchAsync(new float[] { 0, 0 }, 5,
            new VectorSearchOptions<Pair> { VectorProperty = pair => pair.Place, ScoreThreshold = 2 })));
        var liked = await List(pairs.SearchAsync(
            new float[] { 1, 0, 0 }, 5, new VectorSearchOptions<Pair> { VectorProperty = pair => pair.Taste }));
        Assert.Equal([(2L, 5.0), (1L, 1.0), (3L, -1.0)], liked.Select(result => (result.Record.Id, Math.Round(result.Score!.Value, 4))));
    }

    [Theory]
    [InlineData(DistanceFunction.CosineSimilarity, 0.6)]
    [InlineData(DistanceFunction.CosineDistance, 0.4)]
    [InlineData(DistanceFunction.DotProductSimilarity, 6)]
    [InlineData(DistanceFunction.NegativeDotProductSimilarity, -6)]
    [InlineData(DistanceFunction.EuclideanDistance, 4.12311)]
    [InlineData(DistanceFunction.EuclideanSquaredDistance, 17)]
    public async Task DynamicRecords_AreStoredAndFound(string function, double score)
    {
        using var store = Open();
        var definition = new VectorStoreCollectionDefinition
        {
            Properties =
            [
                new VectorStoreKeyProperty("Id", typeof(int)), new VectorStoreDataProperty("Name", typeof(string)),
                new VectorStoreVectorProperty("V", typeof(ReadOnlyMemory<float>), 2) { DistanceFunction = function },
            ],
        };
        var records = store.GetDynamicCollection("dynamic", definition);
        await records.EnsureCollectionExistsAsync();
        await records.UpsertAsync([
            new() { ["Id"] = 1, ["Name"] = "one", ["V"] = new ReadOnlyMemory<float>([3, 4]) },
            new() { ["Id"] = 2, ["Name"] = "two", ["V"] = new ReadOnlyMemory<float>([-3, -4]) }]);
        var found = await List(records.SearchAsync(new ReadOnlyMemory<float>([2, 0]), 2));
        Assert.Equal([1, 2], found.Select(result => (int)result.Record["Id"]!));
        Assert.Equal(score, found[0].Score!.Value, 1e-4);
        Assert.Equal("two", (await records.GetAsync(2))!["Name"]);
        var named = await List(records.GetAsync(record => (string)record["Name"]! == "two", 5));
        Assert.Equal([2], named.Select(record => (int)record["Id"]!));
    }

    [Fact]
    public async Task Collections_AreMadeListedAndDeleted()
    {
        using var store = Open();
        var photos = store.GetCollection<string, Photo>("pho\"tos ñ");
        Assert.False(await photos.CollectionExistsAsync());
        var missing = await Assert.ThrowsAsync<VectorStoreException>(() => photos.GetAsync("a.jpg"));
        Assert.Contains("EnsureCollectionExistsAsync", missing.Message, StringComparison.Ordinal);
        Assert.Equal("pho\"tos ñ", missing.CollectionName);
        await Assert.ThrowsAsync<VectorStoreException>(() => photos.UpsertAsync(Photos));
        await Assert.ThrowsAsync<VectorStoreException>(() => List(photos.SearchAsync(new float[] { 1, 0, 0 }, 1)));
        await photos.EnsureCollectionExistsAsync();
        await photos.EnsureCollectionExistsAsync();
        await photos.UpsertAsync(Photos);
        Assert.True(await store.CollectionExistsAsync("pho\"tos ñ"));
        Assert.Equal(["pho\"tos ñ"], await List(store.ListCollectionNamesAsync()));

        // Records of other properties under the same name are refused.
        var other = await Assert.ThrowsAsync<VectorStoreException>(
            () => store.GetCollection<long, Pair>("pho\"tos ñ").EnsureCollectionExistsAsync());
        Assert.Contains("other properties", other.Message, StringComparison.Ordinal);
        await photos.EnsureCollectionDeletedAsync();
        await photos.EnsureCollectionDeletedAsync();
        Assert.False(await photos.CollectionExistsAsync());
        await store.EnsureCollectionDeletedAsync("none");
        var metadata = (VectorStoreCollectionMetadata)photos.GetService(typeof(VectorStoreCollectionMetadata))!;
        Assert.Equal("pho\"tos ñ", metadata.CollectionName);
        Assert.NotNull(store.GetService(typeof(VectorStoreMetadata)));
        Assert.Same(photos, photos.GetService(typeof(IVectorSearchable<Photo>)));
    }

    [Fact]
    public async Task Upsert_StoresAllOrNothing()
    {
        using var store = Open();
        var photos = await Filled(store);
        await Assert.ThrowsAsync<ArgumentException>(() => photos.UpsertAsync(
            [new Photo { File = "new.jpg", Embedding = new float[] { 1, 0, 0 } },
                new Photo { File = "bad.jpg", Embedding = new float[] { 1, 0 } }]));
        Assert.Null(await photos.GetAsync("new.jpg"));
        await Assert.ThrowsAnyAsync<Exception>(() => photos.UpsertAsync(
            [new Photo { File = "new.jpg" }, new Photo { File = "bad.jpg", Embedding = new float[] { 1, 0, float.NaN } }]));
        Assert.Null(await photos.GetAsync("new.jpg"));
    }

    [Fact]
    public async Task ManyRecords_AreSearchedWhileOthersAreStored()
    {
        using var store = Open();
        var photos = store.GetCollection<string, Photo>("many");
        await photos.EnsureCollectionExistsAsync();
        var writing = Task.Run(async () =>
        {
            for (var i = 0; i < 10; i++)
                await photos.UpsertAsync(Enumerable.Range(0, 20).Select(n => new Photo
                {
                    File = $"{(i * 20) + n}.jpg", Year = n, Embedding = new float[] { n + 1, i, 1 },
                }));
        });
        do
        {
            var found = await List(photos.SearchAsync(
                new float[] { 1, 0, 0 }, 5, new VectorSearchOptions<Photo> { Filter = p => p.Year == 7 }));
            Assert.All(found, result => Assert.Equal(7, result.Record.Year));
        }
        while (!writing.IsCompleted);
        await writing;
        Assert.Equal(10, (await List(photos.SearchAsync(new float[] { 1, 0, 0 }, 99,
            new VectorSearchOptions<Photo> { Filter = p => p.Year == 7 }))).Count);
        Assert.Equal(200, (await List(photos.SearchAsync(new float[] { 1, 0, 0 }, 500))).Count);
    }

    private protected static async Task<List<T>> List<T>(IAsyncEnumerable<T> items)
    {
        var list = new List<T>();
        await foreach (var item in items) list.Add(item);
        return list;
    }

    private static async Task<VectorStoreCollection<string, Photo>> Filled(VectorStore store)
    {
        var photos = store.GetCollection<string, Photo>("photos");
        await photos.EnsureCollectionExistsAsync();
        await photos.UpsertAsync(Photos);
        return photos;
    }

    private static async Task<IEnumerable<string>> Files(VectorStoreCollection<string, Photo> photos, float[] query) =>
        (await List(photos.SearchAsync(query, 10))).Select(result => result.Record.File);
}
