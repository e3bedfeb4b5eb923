using System.Runtime.CompilerServices;
using Alebrije.Search.VectorData;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;
using Npgsql;

namespace Alebrije.Search.PostgreSql;

/// <summary>Options of a vector store in PostgreSQL.</summary>
public sealed class PostgreSqlVectorStoreOptions
{
    /// <summary>Generator of embeddings for vector properties that have none of their own.</summary>
    public IEmbeddingGenerator? EmbeddingGenerator { get; set; }

    /// <summary>Schema of the tables.</summary>
    public string Schema { get; set; } = "public";
}

/// <summary>
/// A vector store in PostgreSQL with pgvector; a collection is a table. Searches are exact unless a property has the index kind Hnsw;
/// with a filter they are always exact. Thread-safe.
/// </summary>
public sealed class PostgreSqlVectorStore : VectorStore
{
    private readonly PostgreSqlVectorStoreOptions options;
    private readonly PostgreSqlDatabase database;

    /// <param name="connection">Connection string of Npgsql.</param>
    /// <param name="options">Generator of embeddings, and the schema.</param>
    /// <exception cref="ArgumentException">The connection string is invalid.</exception>
    public PostgreSqlVectorStore(string connection, PostgreSqlVectorStoreOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(connection);
        this.options = options ?? new PostgreSqlVectorStoreOptions();
        database = new PostgreSqlDatabase(connection, this.options.Schema);
    }

    /// <inheritdoc/>
    public override VectorStoreCollection<TKey, TRecord> GetCollection<TKey, TRecord>(
        string name, VectorStoreCollectionDefinition? definition = null)
    {
        if (typeof(TRecord) == typeof(Dictionary<string, object?>))
            throw new ArgumentException("Use GetDynamicCollection for records that are dictionaries.", nameof(definition));
        return new PostgreSqlVectorCollection<TKey, TRecord>(database, name, definition, options.EmbeddingGenerator);
    }

    /// <inheritdoc/>
    public override VectorStoreCollection<object, Dictionary<string, object?>> GetDynamicCollection(
        string name, VectorStoreCollectionDefinition definition) =>
        new PostgreSqlVectorCollection<object, Dictionary<string, object?>>(database, name, definition, options.EmbeddingGenerator);

    /// <inheritdoc/>
    /// <remarks>All tables of the schema, also those that other programs made.</remarks>
    public override async IAsyncEnumerable<string> ListCollectionNamesAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        foreach (var name in await database.NamesAsync(cancellationToken).ConfigureAwait(false)) yield return name;
    }

    /// <inheritdoc/>
    public override async Task<bool> CollectionExistsAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return (await database.NamesAsync(cancellationToken).ConfigureAwait(false)).Contains(name, StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public override Task EnsureCollectionDeletedAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return database.ExecuteAsync($"DROP TABLE IF EXISTS {database.TableOf(name)}", cancellationToken);
    }

    /// <inheritdoc/>
    public override object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null) return null;
        return serviceType == typeof(VectorStoreMetadata)
            ? new VectorStoreMetadata { VectorStoreSystemName = "postgresql", VectorStoreName = database.Name }
            : serviceType == typeof(NpgsqlDataSource) ? database.Source
            : serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) database.Dispose();
        base.Dispose(disposing);
    }
}
