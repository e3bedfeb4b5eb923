using Alebrije.Search.PostgreSql;
using Microsoft.Extensions.VectorData;

namespace Alebrije.Search.VectorData.Tests;

/// <summary>The same demands on PostgreSQL; a schema for each test.</summary>
public sealed class PostgreSqlVectorStoreTests(PostgreSqlServer server) : VectorStoreConformance, IClassFixture<PostgreSqlServer>
{
    [Fact]
    public async Task Names_LongerThanPostgreSqlKeeps_AreRefused()
    {
        using var store = Open();
        await Assert.ThrowsAsync<ArgumentException>(() => Task.Run(() => store.GetCollection<string, Photo>(new string('x', 64))));
    }

    [Fact]
    public async Task Server_ThatIsNotThere_IsNamed()
    {
        using var store = new PostgreSqlVectorStore($"Host={Root};Database=none;Username=nobody;Timeout=2");
        var failed = await Assert.ThrowsAsync<VectorStoreException>(() => store.CollectionExistsAsync("photos"));
        Assert.Equal("postgresql", failed.VectorStoreSystemName);
    }

    private protected override VectorStore Open()
    {
        Assert.SkipWhen(server.Missing is not null, server.Missing ?? "");
        return new PostgreSqlVectorStore(server.Connection, new PostgreSqlVectorStoreOptions
        {
            EmbeddingGenerator = new LetterGenerator(), Schema = $"test {Guid.NewGuid():N}",
        });
    }
}
