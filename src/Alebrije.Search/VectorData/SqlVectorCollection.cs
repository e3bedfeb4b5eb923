using System.Data.Common;
using System.Globalization;
using System.Linq.Expressions;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;
using Microsoft.Extensions.VectorData.ProviderServices;

namespace Alebrije.Search.VectorData;

/// <summary>
/// A collection of records with vectors in a table; the stores differ in their dialect and in the search of vectors. A vector property
/// has columns of its own, whose values the store makes. Thread-safe.
/// </summary>
/// <typeparam name="TKey">string, int, long or Guid.</typeparam>
/// <typeparam name="TRecord">A class with the attributes of VectorData, or a dictionary with a definition.</typeparam>
public abstract class SqlVectorCollection<TKey, TRecord> : VectorStoreCollection<TKey, TRecord>
    where TKey : notnull
    where TRecord : class
{
    private const int MostKeysOfStatement = 500, MostAttempts = 8;
    private readonly string store;

    private protected SqlVectorCollection(string name, string store, CollectionModel model, SqlDialect dialect)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        (Name, this.store, Model, Dialect) = (name, store, model, dialect);
    }

    /// <inheritdoc/>
    public override string Name { get; }

    private protected CollectionModel Model { get; }

    private protected SqlDialect Dialect { get; }

    /// <summary>Name of the table in SQL.</summary>
    private protected abstract string Table { get; }

    private protected string KeyColumn => SqlDialect.Quote(Model.KeyProperty.StorageName);

    /// <summary>Columns of key and data, in the order in which records are read.</summary>
    private protected IReadOnlyList<PropertyModel> Stored => field ??= [Model.KeyProperty, .. Model.DataProperties];

    private protected string StoredColumns => string.Join(", ", Stored.Select(property => SqlDialect.Quote(property.StorageName)));

    /// <inheritdoc/>
    public override object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null) return null;
        return serviceType == typeof(VectorStoreCollectionMetadata)
            ? new VectorStoreCollectionMetadata { VectorStoreSystemName = Dialect.System, VectorStoreName = store, CollectionName = Name }
            : serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <inheritdoc/>
    public override async Task<TRecord?> GetAsync(
        TKey key, RecordRetrievalOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        await foreach (var record in GetAsync([key], options, cancellationToken).ConfigureAwait(false)) return record;
        return null;
    }

    /// <inheritdoc/>
    public override async IAsyncEnumerable<TRecord> GetAsync(IEnumerable<TKey> keys, RecordRetrievalOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(keys);
        var withVectors = WithVectors(options?.IncludeVectors ?? false);
        foreach (var some in keys.Chunk(MostKeysOfStatement))
        {
            var parameters = new List<object?>();
            var condition = IsOneOf(some, parameters);
            foreach (var record in await RunAsync("Get", connection => ReadAsync(connection, withVectors, condition, "", parameters,
                cancellationToken), cancellationToken).ConfigureAwait(false))
                yield return record;
        }
    }

    /// <inheritdoc/>
    public override async IAsyncEnumerable<TRecord> GetAsync(Expression<Func<TRecord, bool>> filter, int top,
        FilteredRecordRetrievalOptions<TRecord>? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        var withVectors = WithVectors(options?.IncludeVectors ?? false);
        var parameters = new List<object?>();
        var condition = SqlFilter.Translate(filter, Model, Dialect, parameters);
        var order = options?.OrderBy?.Invoke(new()).Values.Select(one =>
        {
            var property = Model.GetDataOrKeyProperty(one.PropertySelector);
            return Dialect.OrderTerm(SqlDialect.Quote(property.StorageName), property.Type) + (one.Ascending ? "" : " DESC");
        }).ToArray() ?? [];
        var tail = string.Create(CultureInfo.InvariantCulture, $"ORDER BY {string.Join(", ", order.Append(Dialect.OrderTerm(KeyColumn,
            Model.KeyProperty.Type)))} LIMIT {top} OFFSET {options?.Skip ?? 0}");
        foreach (var record in await RunAsync("Get", connection => ReadAsync(connection, withVectors, condition, tail, parameters,
            cancellationToken), cancellationToken).ConfigureAwait(false))
            yield return record;
    }

    /// <inheritdoc/>
    public override Task DeleteAsync(TKey key, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        return DeleteAsync([key], cancellationToken);
    }

    /// <inheritdoc/>
    public override Task DeleteAsync(IEnumerable<TKey> keys, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return RunAsync("Delete", async connection =>
        {
            foreach (var some in keys.Chunk(MostKeysOfStatement))
            {
                var parameters = new List<object?>();
                await ExecuteAsync(connection, $"DELETE FROM {Table} WHERE {IsOneOf(some, parameters)}", parameters, cancellationToken)
                    .ConfigureAwait(false);
            }

            return true;
        }, cancellationToken);
    }

    /// <inheritdoc/>
    public override Task UpsertAsync(TRecord record, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(record);
        return UpsertAsync([record], cancellationToken);
    }

    /// <inheritdoc/>
    /// <remarks>All records or, where one cannot be stored, none.</remarks>
    public override async Task UpsertAsync(IEnumerable<TRecord> records, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(records);
        var all = records.ToArray();
        if (all.Length == 0) return;
        foreach (var record in all)
        {
            var key = Model.KeyProperty.GetValueAsObject(record);
            if (Model.KeyProperty.IsAutoGenerated && (key is null || key is Guid id && id == Guid.Empty))
                Model.KeyProperty.SetValueAsObject(record, Guid.NewGuid());
            else if (key is null)
                throw new ArgumentException($"A record has no {Model.KeyProperty.ModelName}, its key.", nameof(records));
        }

        var vectors = new ReadOnlyMemory<float>?[Model.VectorProperties.Count][];
        foreach (var (i, property) in Model.VectorProperties.Index())
            vectors[i] = await EmbedAsync(property, all, cancellationToken).ConfigureAwait(false);
        await RunAsync("Upsert", async connection =>
        {
            var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                var columns = StoreVectors(connection, vectors);
                await InsertAsync(connection, all, columns, cancellationToken).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            }

            return true;
        }, cancellationToken).ConfigureAwait(false);
        await StoredAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override async IAsyncEnumerable<VectorSearchResult<TRecord>> SearchAsync<TInput>(TInput searchValue, int top,
        VectorSearchOptions<TRecord>? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(searchValue);
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        options ??= new VectorSearchOptions<TRecord>();
        var property = Model.GetVectorPropertyOrSingle(options);
        var withVectors = WithVectors(options.IncludeVectors);
        var query = RecordModel.VectorOf(searchValue);
        if (query is null)
        {
            if (property.EmbeddingGenerator is null) throw new NotSupportedException(
                $"{typeof(TInput).Name} is not a vector, and {property.ModelName} has no generator of embeddings; give a vector of floats, "
                + "or set EmbeddingGenerator.");
            query = RecordModel.VectorOf(searchValue is DataContent
                ? (await GenerateAsync(property, [searchValue], cancellationToken).ConfigureAwait(false))[0]
                : await property.GenerateEmbeddingAsync(searchValue, cancellationToken).ConfigureAwait(false));
        }

        if (query!.Value.Length != property.Dimensions) throw new ArgumentException(
            $"The search vector has {query.Value.Length} components; {property.ModelName} has {property.Dimensions}.", nameof(searchValue));
        var parameters = new List<object?>();
        var condition = SqlFilter.Translate(options.Filter, Model, Dialect, parameters);
        var search = new VectorSearch(property, query.Value, top, options.Skip, options.ScoreThreshold, options.Filter is not null,
            condition, parameters, withVectors);
        foreach (var result in await RunAsync("VectorizedSearch", connection => SearchAsync(connection, search, cancellationToken),
            cancellationToken).ConfigureAwait(false))
            yield return result;
    }

    private protected abstract ValueTask<DbConnection> ConnectAsync(CancellationToken cancellation);

    /// <summary>Columns of a vector property, in SQL.</summary>
    private protected abstract IReadOnlyList<string> VectorColumns(VectorPropertyModel property);

    /// <summary>Values of <see cref="VectorColumns"/> for each record, within the transaction that stores them.</summary>
    /// <param name="connection">The connection in the transaction.</param>
    /// <param name="vectors">[properties][records].</param>
    /// <returns>[records][columns of all properties].</returns>
    private protected abstract object[][] StoreVectors(DbConnection connection, ReadOnlyMemory<float>?[][] vectors);

    /// <summary>Work after records were stored.</summary>
    private protected virtual Task StoredAsync(CancellationToken cancellation) => Task.CompletedTask;

    /// <summary>The vector of a read record.</summary>
    /// <param name="connection">The connection of the reader.</param>
    /// <param name="reader">The reader, at the record.</param>
    /// <param name="column">The first of <see cref="VectorColumns"/>.</param>
    /// <param name="property">The property.</param>
    private protected abstract float[]? ReadVector(DbConnection connection, DbDataReader reader, int column, VectorPropertyModel property);

    /// <summary>True for an error that a retry resolves, because another process or thread changed the store meanwhile.</summary>
    private protected virtual bool IsPassing(Exception error) => false;

    private protected abstract Task<List<VectorSearchResult<TRecord>>> SearchAsync(
        DbConnection connection, VectorSearch search, CancellationToken cancellation);

    private protected IEnumerable<string> ColumnsOf(bool withVectors) => withVectors
        ? [StoredColumns, .. Model.VectorProperties.SelectMany(VectorColumns)] : [StoredColumns];

    /// <summary>A record from <see cref="ColumnsOf"/>.</summary>
    private protected TRecord Read(DbConnection connection, DbDataReader reader, bool withVectors)
    {
        var column = 0;
        var record = Model.CreateRecord<TRecord>()!;
        foreach (var property in Stored) property.SetValueAsObject(record, Dialect.FromDatabase(reader, column++, property.Type));
        if (!withVectors) return record;
        foreach (var property in Model.VectorProperties)
        {
            if (ReadVector(connection, reader, column, property) is { } vector)
                property.SetValueAsObject(record, RecordModel.ToProperty(vector, property.Type));
            column += VectorColumns(property).Count;
        }

        return record;
    }

    private protected async Task<T> RunAsync<T>(string operation, Func<DbConnection, Task<T>> run, CancellationToken cancellation)
    {
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                var connection = await ConnectAsync(cancellation).ConfigureAwait(false);
                await using (connection.ConfigureAwait(false))
                {
                    try
                    {
                        return await run(connection).ConfigureAwait(false);
                    }
                    catch (Exception e) when (attempt < MostAttempts && IsPassing(e))
                    {
                        // With a new connection, which sees the tables as they are now.
                    }
                }
            }
        }
        catch (Exception e) when (e is DbException or IOException or InvalidDataException or UnauthorizedAccessException)
        {
            var message = e is DbException error && Dialect.IsMissingTable(error)
                ? $"There is no collection '{Name}' in {store}; call EnsureCollectionExistsAsync first."
                : $"{operation} of the collection '{Name}' failed: {e.Message}";
            throw new VectorStoreException(message, e)
            {
                VectorStoreSystemName = Dialect.System, VectorStoreName = store, CollectionName = Name, OperationName = operation,
            };
        }
    }

    private protected static async Task<int> ExecuteAsync(
        DbConnection connection, string sql, IReadOnlyList<object?> parameters, CancellationToken cancellation)
    {
        var command = Command(connection, sql, parameters);
        await using (command.ConfigureAwait(false)) return await command.ExecuteNonQueryAsync(cancellation).ConfigureAwait(false);
    }

    private protected static DbCommand Command(DbConnection connection, string sql, IReadOnlyList<object?> parameters)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (i, value) in parameters.Index())
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (string.Create(CultureInfo.InvariantCulture, $"@p{i}"), value);
            command.Parameters.Add(parameter);
        }

        return command;
    }

    private bool WithVectors(bool wanted) => !wanted || Model.VectorProperties.All(RecordModel.HoldsVector) ? wanted
        : throw new NotSupportedException("The records hold texts or images that are embedded, not vectors; leave IncludeVectors out.");

    private string IsOneOf(TKey[] keys, List<object?> parameters)
    {
        foreach (var key in keys) parameters.Add(Dialect.ToDatabase(key));
        var names = Enumerable.Range(parameters.Count - keys.Length, keys.Length)
            .Select(i => string.Create(CultureInfo.InvariantCulture, $"@p{i}"));
        return keys.Length == 0 ? "FALSE" : $"{KeyColumn} IN ({string.Join(", ", names)})";
    }

    private async Task<List<TRecord>> ReadAsync(DbConnection connection, bool withVectors, string condition, string tail,
        List<object?> parameters, CancellationToken cancellation)
    {
        var command = Command(
            connection, $"SELECT {string.Join(", ", ColumnsOf(withVectors))} FROM {Table} WHERE {condition} {tail}", parameters);
        await using (command.ConfigureAwait(false))
        {
            var records = new List<TRecord>();
            var reader = await command.ExecuteReaderAsync(cancellation).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
                while (await reader.ReadAsync(cancellation).ConfigureAwait(false))
                    records.Add(Read(connection, reader, withVectors));
            return records;
        }
    }

    private async Task InsertAsync(DbConnection connection, TRecord[] records, object[][] vectors, CancellationToken cancellation)
    {
        string[] columns = [.. Stored.Select(property => SqlDialect.Quote(property.StorageName)),
            .. Model.VectorProperties.SelectMany(VectorColumns)];
        var values = Enumerable.Range(0, columns.Length).Select(i => string.Create(CultureInfo.InvariantCulture, $"@p{i}"));
        var change = columns.Length == 1 ? "NOTHING"
            : $"UPDATE SET {string.Join(", ", columns.Skip(1).Select(column => $"{column} = excluded.{column}"))}";
        var sql = $"INSERT INTO {Table} ({string.Join(", ", columns)}) VALUES ({string.Join(", ", values)}) "
            + $"ON CONFLICT ({KeyColumn}) DO {change}";
        foreach (var (record, own) in records.Zip(vectors))
        {
            var row = Stored.Select(property => Dialect.ToDatabase(property.GetValueAsObject(record))).Concat(own);
            await ExecuteAsync(connection, sql, [.. row], cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Vectors of records: those that they hold, or embeddings of their values.</summary>
    private static async Task<ReadOnlyMemory<float>?[]> EmbedAsync(
        VectorPropertyModel property, TRecord[] records, CancellationToken cancellation)
    {
        var values = records.Select(property.GetValueAsObject).ToArray();
        var vectors = values.Select(RecordModel.VectorOf).ToArray();
        if (!RecordModel.HoldsVector(property))
        {
            var there = Enumerable.Range(0, values.Length).Where(i => values[i] is not null).ToArray();
            var made = await GenerateAsync(property, [.. there.Select(i => values[i])], cancellation).ConfigureAwait(false);
            foreach (var (i, embedding) in there.Zip(made)) vectors[i] = RecordModel.VectorOf(embedding);
        }

        foreach (var vector in vectors)
        {
            if (vector is { } one && one.Length != property.Dimensions) throw new ArgumentException($"A vector of {property.ModelName} "
                + $"has {one.Length} components; the collection has {property.Dimensions}.", nameof(records));
        }

        return vectors;
    }

    /// <summary>
    /// Embeddings of values. A generator of texts and of images, such as CLIP's, is called by the kind of the values: VectorData's own call
    /// of it takes texts alone.
    /// </summary>
    private static async Task<IReadOnlyList<Embedding>> GenerateAsync(
        VectorPropertyModel property, object?[] values, CancellationToken cancellation) =>
        property.EmbeddingGenerator is IEmbeddingGenerator<DataContent, Embedding<float>> images
            && values.All(value => value is DataContent)
            ? [.. await images.GenerateAsync(values.Cast<DataContent>(), null, cancellation).ConfigureAwait(false)]
            : await property.GenerateEmbeddingsAsync(values, cancellation).ConfigureAwait(false);
}
