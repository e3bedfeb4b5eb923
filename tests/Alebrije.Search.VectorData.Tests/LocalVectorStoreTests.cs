using Alebrije.Search.Vectors;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.VectorData;

namespace Alebrije.Search.VectorData.Tests;

public sealed class LocalVectorStoreTests : VectorStoreConformance
{
    [Fact]
    public async Task Records_OutliveTheStore_AndNeedLittleRoom()
    {
        var options = new LocalVectorStoreOptions { VectorType = VectorType.Half };
        using (var store = new LocalVectorStore(Root, options))
        {
            var photos = store.GetCollection<string, Photo>("photos");
            await photos.EnsureCollectionExistsAsync();

            // Each round leaves 500 rows without a record; the file is written anew before they are many.
            for (var round = 0; round < 6; round++)
                await photos.UpsertAsync(Enumerable.Range(0, 500).Select(i =>
                    new Photo { File = $"{i}", Year = round, Embedding = new float[] { i + 1, round, 1 } }));
        }

        var file = Assert.Single(Directory.GetFiles(Root, "vectors-*.bin"));
        using (var vectors = VectorFile.Open(file)) Assert.InRange(vectors.Count, 500, 2100);
        using var again = new LocalVectorStore(Root, options);
        var found = await List(again.GetCollection<string, Photo>("photos").SearchAsync(new float[] { 1, 5, 1 }, 600));
        Assert.Equal(500, found.Count);
        Assert.Equal("0", found[0].Record.File);
        Assert.All(found, result => Assert.Equal(5, result.Record.Year));
    }

    [Theory]
    [InlineData("CREATE VIEW v AS SELECT 1", "has the view 'v', which computes its content")]
    [InlineData("CREATE TRIGGER t AFTER INSERT ON files BEGIN DELETE FROM files; END", "has the trigger 't', which computes its content")]
    [InlineData("CREATE VIRTUAL TABLE f USING fts5(x)", "has the table 'f', which computes its content")]
    [InlineData("ALTER TABLE files ADD COLUMN z GENERATED ALWAYS AS (hex(zeroblob(100000000)))",
        "has the column 'z', which computes its content")]
    [InlineData("UPDATE files SET file = '../precious'", "names '../precious' as a file of vectors; such a file lies beside it.")]
    [InlineData("UPDATE files SET file = ''", "names '' as a file of vectors; such a file lies beside it.")]
    public async Task Tables_OfAnotherMaker_AreRefused_AndNoFileIsTouched(string statement, string rule)
    {
        using (var store = new LocalVectorStore(Root))
        {
            var photos = store.GetCollection<string, Photo>("photos");
            await photos.EnsureCollectionExistsAsync();
            await photos.UpsertAsync(new Photo { File = "a", Embedding = new float[] { 1, 2, 3 } });
        }

        var precious = Path.Combine(Root, "..", "precious");
        File.WriteAllText(precious, "kept");
        try
        {
            using (var connection = new SqliteConnection($"Data Source={Path.Combine(Root, "store.db")};Pooling=False"))
            {
                connection.Open();
                using var command = connection.CreateCommand();
                command.CommandText = statement;
                command.ExecuteNonQuery();
            }

            var error = await Assert.ThrowsAnyAsync<Exception>(async () =>
            {
                using var store = new LocalVectorStore(Root);
                await store.EnsureCollectionDeletedAsync("photos");
            });
            Assert.Contains(rule, error.Message, StringComparison.Ordinal);
            Assert.Equal("kept", File.ReadAllText(precious));
            Assert.NotEmpty(Directory.GetFiles(Root, "vectors-*.bin"));
        }
        finally
        {
            File.Delete(precious);
        }
    }

    [Fact]
    public async Task Graph_AnswersFromTheSizeOn_AndFiltersAreExact()
    {
        using var store = new LocalVectorStore(Root, new LocalVectorStoreOptions { ApproximateFrom = 500 });
        var definition = new VectorStoreCollectionDefinition
        {
            Properties =
            [
                new VectorStoreKeyProperty("Id", typeof(int)),
                new VectorStoreVectorProperty("V", typeof(float[]), 16) { IndexKind = IndexKind.Hnsw },
            ],
        };
        var records = store.GetDynamicCollection("graph", definition);
        await records.EnsureCollectionExistsAsync();
        await records.UpsertAsync(Enumerable.Range(0, 600).Select(i =>
            new Dictionary<string, object?> { ["Id"] = i, ["V"] = VectorFileTests.Vector(16, i) }));
        var all = await List(records.SearchAsync(VectorFileTests.Vector(16, 42), 5));
        Assert.Equal(42, (int)all[0].Record["Id"]!);
        Assert.Single(Directory.GetFiles(Root, "*.usearch"));
        var odd = await List(records.SearchAsync(VectorFileTests.Vector(16, 42), 600,
            new VectorSearchOptions<Dictionary<string, object?>> { Filter = record => (int)record["Id"]! >= 300 }));
        Assert.Equal(300, odd.Count);
        await records.DeleteAsync(42);
        Assert.DoesNotContain(42, (await List(records.SearchAsync(VectorFileTests.Vector(16, 42), 5))).Select(r => (int)r.Record["Id"]!));

        // The nearest rows are without a record; those behind them are found.
        await records.DeleteAsync(Enumerable.Range(0, 300).Cast<object>());
        var rest = await List(records.SearchAsync(VectorFileTests.Vector(16, 42), 290));
        Assert.Equal(290, rest.Count);
        Assert.All(rest, result => Assert.InRange((int)result.Record["Id"]!, 300, 599));
        await records.EnsureCollectionDeletedAsync();
        Assert.Empty(Directory.GetFiles(Root, "vectors-*"));
    }

    [Fact]
    public async Task Vectors_WrittenAnewByAnotherStore_AreRead()
    {
        using var reading = new LocalVectorStore(Root);
        using var writing = new LocalVectorStore(Root);
        var (photos, others) = (reading.GetCollection<string, Photo>("photos"), writing.GetCollection<string, Photo>("photos"));
        await others.EnsureCollectionExistsAsync();
        for (var round = 0; round < 8; round++)
        {
            await others.UpsertAsync(Enumerable.Range(0, 400).Select(i =>
                new Photo { File = $"{i}", Year = round, Embedding = new float[] { i + 1, round + 1, 1 } }));
            var found = await List(photos.SearchAsync(
                new float[] { 1, round + 1, 1 }, 2, new VectorSearchOptions<Photo> { IncludeVectors = true }));
            Assert.Equal(("0", round), (found[0].Record.File, found[0].Record.Year));
            Assert.Equal(round + 1, found[0].Record.Embedding!.Value.Span[1], 1e-4);
        }
    }

    private protected override VectorStore Open() =>
        new LocalVectorStore(Path.Combine(Root, "store"), new LocalVectorStoreOptions { EmbeddingGenerator = new LetterGenerator() });
}
