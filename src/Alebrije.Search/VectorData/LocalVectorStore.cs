using System.Runtime.CompilerServices;
using Alebrije.Search.Vectors;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;

namespace Alebrije.Search.VectorData;

/// <summary>Options of a local vector store.</summary>
public sealed class LocalVectorStoreOptions
{
    /// <summary>Generator of embeddings for vector properties that have none of their own.</summary>
    public IEmbeddingGenerator? EmbeddingGenerator { get; set; }

    /// <summary>Type of the stored components of new collections; half takes half of the disk and of the time of a search.</summary>
    public VectorType VectorType { get; set; } = VectorType.Single;

    /// <summary>
    /// Vectors from which on properties of the index kinds Hnsw and Dynamic with a cosine function get a graph. It is built and extended by
    /// the call that stores records, which takes longer then; a search is exact until there is one.
    /// </summary>
    public int ApproximateFrom { get; set; } = ApproximateIndex.LeastRows;
}

/// <summary>
/// A vector store in a folder: records in SQLite, vectors in memory-mapped files. Searches are exact, with a filter always; without one,
/// properties of the index kinds Hnsw and Dynamic are searched by a graph from
/// <see cref="LocalVectorStoreOptions.ApproximateFrom"/> vectors on. Safe from several threads and processes; what was stored survives
/// the end of the process at any moment.
/// </summary>
public sealed class LocalVectorStore : VectorStore
{
    private readonly LocalVectorStoreOptions options;
    private readonly LocalVectorFolder folder;

    /// <param name="path">The folder; made where it is not there.</param>
    /// <param name="options">Generator of embeddings, and the form of vectors.</param>
    /// <exception cref="IOException">The folder cannot be made.</exception>
    public LocalVectorStore(string path, LocalVectorStoreOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        this.options = options ?? new LocalVectorStoreOptions();
        folder = new LocalVectorFolder(Path.GetFullPath(path));
    }

    /// <inheritdoc/>
    public override VectorStoreCollection<TKey, TRecord> GetCollection<TKey, TRecord>(
        string name, VectorStoreCollectionDefinition? definition = null)
    {
        if (typeof(TRecord) == typeof(Dictionary<string, object?>))
            throw new ArgumentException("Use GetDynamicCollection for records that are dictionaries.", nameof(definition));
        return new LocalVectorCollection<TKey, TRecord>(folder, name, definition, options);
    }

    /// <inheritdoc/>
    public override VectorStoreCollection<object, Dictionary<string, object?>> GetDynamicCollection(
        string name, VectorStoreCollectionDefinition definition) =>
        new LocalVectorCollection<object, Dictionary<string, object?>>(folder, name, definition, options);

    /// <inheritdoc/>
    public override async IAsyncEnumerable<string> ListCollectionNamesAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        foreach (var name in await Task.Run(folder.Names, cancellationToken).ConfigureAwait(false)) yield return name;
    }

    /// <inheritdoc/>
    public override Task<bool> CollectionExistsAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return Task.Run(() => folder.Names().Contains(name, StringComparer.Ordinal), cancellationToken);
    }

    /// <inheritdoc/>
    public override Task EnsureCollectionDeletedAsync(string name, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return Task.Run(() => folder.Delete(name), cancellationToken);
    }

    /// <inheritdoc/>
    public override object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null) return null;
        return serviceType == typeof(VectorStoreMetadata)
            ? new VectorStoreMetadata { VectorStoreSystemName = "alebrije", VectorStoreName = folder.Path }
            : serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) folder.Dispose();
        base.Dispose(disposing);
    }
}
