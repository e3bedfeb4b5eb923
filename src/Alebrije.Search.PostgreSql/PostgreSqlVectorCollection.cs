using System.Data.Common;
using System.Globalization;
using Alebrije.Search.VectorData;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;
using Microsoft.Extensions.VectorData.ProviderServices;
using Pgvector;

namespace Alebrije.Search.PostgreSql;

/// <summary>A collection of a <see cref="PostgreSqlVectorStore"/>: a table with a column of pgvector's type for each vector.</summary>
/// <inheritdoc cref="SqlVectorCollection{TKey, TRecord}"/>
public sealed class PostgreSqlVectorCollection<TKey, TRecord> : SqlVectorCollection<TKey, TRecord>
    where TKey : notnull
    where TRecord : class
{
    /// <summary>Dimensions that pgvector's graph takes.</summary>
    private const int MostGraphDimensions = 2000;

    private readonly PostgreSqlDatabase database;

    internal PostgreSqlVectorCollection(
        PostgreSqlDatabase database, string name, VectorStoreCollectionDefinition? definition, IEmbeddingGenerator? generator)
        : base(name, database.Name, RecordModel.Of(typeof(TRecord), typeof(TKey), definition, generator), new PostgreSqlDialect())
    {
        this.database = database;
        Table = database.TableOf(name);
    }

    private protected override string Table { get; }

    /// <inheritdoc/>
    public override async Task<bool> CollectionExistsAsync(CancellationToken cancellationToken = default) =>
        (await database.NamesAsync(cancellationToken).ConfigureAwait(false)).Contains(Name, StringComparer.Ordinal);

    /// <inheritdoc/>
    /// <exception cref="VectorStoreException">There is a table of this name with other columns, or the database refuses.</exception>
    public override Task EnsureCollectionExistsAsync(CancellationToken cancellationToken = default) =>
        RunAsync("EnsureCollectionExists", async connection =>
        {
            var columns = Stored.Select(property => (Name: property.StorageName, Type: Dialect.ColumnType(property.Type)))
                .Concat(Model.VectorProperties.Select(property => (Name: property.StorageName,
                    Type: string.Create(CultureInfo.InvariantCulture, $"vector({property.Dimensions})")))).ToArray();
            var made = await ColumnsAsync(connection, cancellationToken).ConfigureAwait(false);
            if (made.Count > 0)
            {
                return columns.All(column => made.TryGetValue(column.Name, out var type) && type == column.Type) ? true
                    : throw new InvalidDataException($"The collection '{Name}' was made with other properties; delete it, or take another "
                        + $"name. It has: {string.Join(", ", made.Select(column => $"{column.Key} {column.Value}"))}. "
                        + $"Requested: {string.Join(", ", columns.Select(column => $"{column.Name} {column.Type}"))}.");
            }

            var definitions = columns.Select((column, i) =>
                $"{SqlDialect.Quote(column.Name)} {column.Type}{(i == 0 ? " PRIMARY KEY" : "")}");
            var statements = new List<string> { $"CREATE TABLE IF NOT EXISTS {Table} ({string.Join(", ", definitions)})" };
            foreach (var property in Model.DataProperties.Where(property => property.IsIndexed))
                statements.Add($"CREATE INDEX ON {Table} ({SqlDialect.Quote(property.StorageName)})");
            foreach (var property in Model.VectorProperties.Where(property => property.IndexKind == IndexKind.Hnsw))
            {
                if (property.Dimensions > MostGraphDimensions) throw new NotSupportedException(
                    $"pgvector's graph takes {MostGraphDimensions} dimensions, {property.ModelName} has {property.Dimensions}; take Flat.");
                statements.Add($"CREATE INDEX ON {Table} USING hnsw ({SqlDialect.Quote(property.StorageName)} {Operators(property)})");
            }

            await ExecuteAsync(connection, string.Join("; ", statements), [], cancellationToken).ConfigureAwait(false);
            return true;
        }, cancellationToken);

    /// <inheritdoc/>
    public override Task EnsureCollectionDeletedAsync(CancellationToken cancellationToken = default) =>
        database.ExecuteAsync($"DROP TABLE IF EXISTS {Table}", cancellationToken);

    private protected override async ValueTask<DbConnection> ConnectAsync(CancellationToken cancellation) =>
        await database.ConnectAsync(cancellation).ConfigureAwait(false);

    private protected override IReadOnlyList<string> VectorColumns(VectorPropertyModel property) =>
        [SqlDialect.Quote(property.StorageName)];

    private protected override object[][] StoreVectors(DbConnection connection, ReadOnlyMemory<float>?[][] vectors)
    {
        var records = vectors.Length == 0 ? 0 : vectors[0].Length;
        return [.. Enumerable.Range(0, records).Select(record =>
            vectors.Select(of => of[record] is { } vector ? new Vector(vector) : (object)DBNull.Value).ToArray())];
    }

    private protected override float[]? ReadVector(
        DbConnection connection, DbDataReader reader, int column, VectorPropertyModel property) =>
        reader.IsDBNull(column) ? null : reader.GetFieldValue<Vector>(column).ToArray();

    private protected override async Task<List<VectorSearchResult<TRecord>>> SearchAsync(
        DbConnection connection, VectorSearch search, CancellationToken cancellation)
    {
        var distance = VectorDistance.Of(search.Property.DistanceFunction);
        var transaction = await connection.BeginTransactionAsync(cancellation).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            // A graph visits few rows and may miss those that the filter lets through.
            if (search.IsFiltered)
                await ExecuteAsync(connection, "SET LOCAL enable_indexscan = off", [], cancellation).ConfigureAwait(false);
            else if (search.Property.IndexKind == IndexKind.Hnsw)
                await ExecuteAsync(connection, string.Create(CultureInfo.InvariantCulture,
                    $"SET LOCAL hnsw.ef_search = {Math.Clamp(4L * (search.Top + search.Skip), 100, 1000)}"), [], cancellation)
                    .ConfigureAwait(false);
            var column = SqlDialect.Quote(search.Property.StorageName);
            var query = string.Create(CultureInfo.InvariantCulture, $"@p{search.Parameters.Count}");
            var nearness = $"{column} {Operator(search.Property)} {query}";
            var sql = string.Create(CultureInfo.InvariantCulture, $"""
                SELECT {string.Join(", ", ColumnsOf(search.WithVectors))}, {nearness} FROM {Table}
                WHERE {column} IS NOT NULL AND {search.Condition} ORDER BY {nearness} LIMIT {search.Top} OFFSET {search.Skip}
                """);
            var command = Command(connection, sql, [.. search.Parameters, new Vector(search.Query)]);
            await using (command.ConfigureAwait(false))
            {
                var results = new List<VectorSearchResult<TRecord>>();
                var reader = await command.ExecuteReaderAsync(cancellation).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    while (await reader.ReadAsync(cancellation).ConfigureAwait(false))
                    {
                        var score = Score(search.Property, reader.GetDouble(reader.FieldCount - 1));
                        if (!distance.Passes(score, search.Threshold)) break;
                        results.Add(new VectorSearchResult<TRecord>(Read(connection, reader, search.WithVectors), score));
                    }
                }

                return results;
            }
        }
    }

    private static string Operator(VectorPropertyModel property) => property.DistanceFunction switch
    {
        DistanceFunction.DotProductSimilarity or DistanceFunction.NegativeDotProductSimilarity => "<#>",
        DistanceFunction.EuclideanDistance or DistanceFunction.EuclideanSquaredDistance => "<->",
        _ => "<=>",
    };

    private static string Operators(VectorPropertyModel property) => Operator(property) switch
    {
        "<#>" => "vector_ip_ops",
        "<->" => "vector_l2_ops",
        _ => "vector_cosine_ops",
    };

    /// <summary>The score from pgvector's operator: cosine distance, negative inner product or Euclidean distance.</summary>
    private static double Score(VectorPropertyModel property, double value) => property.DistanceFunction switch
    {
        null or DistanceFunction.CosineSimilarity => 1 - value,
        DistanceFunction.DotProductSimilarity => -value,
        DistanceFunction.EuclideanSquaredDistance => value * value,
        _ => value,
    };

    /// <summary>Columns of the table with their types; none where there is no table.</summary>
    private async Task<Dictionary<string, string>> ColumnsAsync(DbConnection connection, CancellationToken cancellation)
    {
        var command = Command(connection, "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            + "WHERE attrelid = to_regclass(@p0) AND attnum > 0 AND NOT attisdropped ORDER BY attnum", [Table]);
        await using (command.ConfigureAwait(false))
        {
            var columns = new Dictionary<string, string>(StringComparer.Ordinal);
            var reader = await command.ExecuteReaderAsync(cancellation).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
                while (await reader.ReadAsync(cancellation).ConfigureAwait(false)) columns[reader.GetString(0)] = reader.GetString(1);
            return columns;
        }
    }
}
