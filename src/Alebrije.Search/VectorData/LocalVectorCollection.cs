using System.Data.Common;
using System.Globalization;
using System.Numerics.Tensors;
using Alebrije.Search.Vectors;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.VectorData;
using Microsoft.Extensions.VectorData.ProviderServices;

namespace Alebrije.Search.VectorData;

/// <summary>
/// A collection of a <see cref="LocalVectorStore"/>. A record's row has, for each vector, its row in the file of vectors and the factor to
/// its length; vectors are appended before the transaction that names them is committed, so a killed process leaves unnamed rows at most.
/// </summary>
/// <inheritdoc cref="SqlVectorCollection{TKey, TRecord}"/>
public sealed class LocalVectorCollection<TKey, TRecord> : SqlVectorCollection<TKey, TRecord>
    where TKey : notnull
    where TRecord : class
{
    /// <summary>Rows without a record that a file may hold, and their share, before it is rewritten.</summary>
    private const int MostOrphans = 1024, OrphanShare = 4;

    private readonly LocalVectorFolder folder;
    private readonly LocalVectorStoreOptions options;

    internal LocalVectorCollection(
        LocalVectorFolder folder, string name, VectorStoreCollectionDefinition? definition, LocalVectorStoreOptions options)
        : base(name, folder.Path, RecordModel.Of(typeof(TRecord), typeof(TKey), definition, options.EmbeddingGenerator),
            new SqliteDialect()) => (this.folder, this.options) = (folder, options);

    private protected override string Table => LocalVectorFolder.TableOf(Name);

    /// <inheritdoc/>
    public override Task<bool> CollectionExistsAsync(CancellationToken cancellationToken = default) =>
        Task.Run(() => folder.Names().Contains(Name, StringComparer.Ordinal), cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="VectorStoreException">There is one of this name with other properties.</exception>
    public override Task EnsureCollectionExistsAsync(CancellationToken cancellationToken = default) =>
        RunAsync("EnsureCollectionExists", _ =>
        {
            var columns = Stored.Select(property => $"{SqlDialect.Quote(property.StorageName)} {Dialect.ColumnType(property.Type)}"
                + (property is KeyPropertyModel ? " PRIMARY KEY NOT NULL" : ""));
            var vectors = Model.VectorProperties.SelectMany(property =>
                new[] { $"{RowColumn(property)} INTEGER UNIQUE", $"{ScaleColumn(property)} REAL" });
            var indexes = Model.DataProperties.Where(property => property.IsIndexed).Select(property => "CREATE INDEX "
                + $"{SqlDialect.Quote($"{Name} by {property.StorageName}")} ON {Table} ({SqlDialect.Quote(property.StorageName)})");
            string[] schema = [.. Stored.Select(property => $"{property.StorageName} {Dialect.ColumnType(property.Type)}"),
                .. Model.VectorProperties.Select(property => string.Create(CultureInfo.InvariantCulture,
                    $"{property.StorageName} vector({property.Dimensions}) {VectorDistance.Of(property.DistanceFunction)}"))];
            folder.Create(Name, schema, [$"CREATE TABLE {Table} ({string.Join(", ", columns.Concat(vectors))})", .. indexes],
                [.. Model.VectorProperties.Select(property => (property.StorageName, property.Dimensions,
                    VectorDistance.Of(property.DistanceFunction).IsCosine ? options.VectorType : VectorType.Single))]);
            return Task.FromResult(true);
        }, cancellationToken);

    /// <inheritdoc/>
    public override Task EnsureCollectionDeletedAsync(CancellationToken cancellationToken = default) =>
        Task.Run(() => folder.Delete(Name), cancellationToken);

    private protected override ValueTask<DbConnection> ConnectAsync(CancellationToken cancellation) =>
        ValueTask.FromResult<DbConnection>(folder.Connect());

    private protected override IReadOnlyList<string> VectorColumns(VectorPropertyModel property) =>
        [RowColumn(property), ScaleColumn(property)];

    private protected override object[][] StoreVectors(DbConnection connection, ReadOnlyMemory<float>?[][] vectors)
    {
        var records = vectors.Length == 0 ? 0 : vectors[0].Length;
        var values = Enumerable.Range(0, records)
            .Select(_ => Enumerable.Repeat<object>(DBNull.Value, 2 * vectors.Length).ToArray()).ToArray();
        folder.DropUnused((SqliteConnection)connection);
        foreach (var (i, property) in Model.VectorProperties.Index())
        {
            CompactIfWorthwhile((SqliteConnection)connection, property);
            var distance = VectorDistance.Of(property.DistanceFunction);
            using var file = folder.OpenForWriting(LocalVectorFolder.FileOf((SqliteConnection)connection, Name, property.StorageName));
            for (var record = 0; record < records; record++)
            {
                if (vectors[i][record] is not { } vector) continue;
                var (row, scale) = distance.Encode(vector.Span);
                (values[record][2 * i], values[record][(2 * i) + 1]) = (file.Append(row), (double)scale);
            }

            file.Flush();
        }

        return values;
    }

    private protected override float[]? ReadVector(
        DbConnection connection, DbDataReader reader, int column, VectorPropertyModel property)
    {
        if (reader.IsDBNull(column)) return null;
        var file = folder.Open(LocalVectorFolder.FileOf((SqliteConnection)connection, Name, property.StorageName));
        var (row, scale) = (new float[file.Width], (float)reader.GetDouble(column + 1));
        file.Row(reader.GetInt64(column), row);
        TensorPrimitives.Multiply(row, scale, row);
        return row;
    }

    private protected override Task StoredAsync(CancellationToken cancellation) => Task.Run(() =>
    {
        foreach (var property in Model.VectorProperties.Where(MayHaveGraph))
        {
            using var connection = folder.Connect();
            folder.BuildGraph(LocalVectorFolder.FileOf(connection, Name, property.StorageName), options.ApproximateFrom, cancellation);
        }
    }, cancellation);

    /// <summary>A file of vectors was rewritten, and the former one deleted, between the look into the tables and the reading.</summary>
    private protected override bool IsPassing(Exception error) => error is FileNotFoundException or ObjectDisposedException;

    private protected override Task<List<VectorSearchResult<TRecord>>> SearchAsync(
        DbConnection connection, VectorSearch search, CancellationToken cancellation) =>
        Task.Run(() => Search((SqliteConnection)connection, search, cancellation), cancellation);

    private List<VectorSearchResult<TRecord>> Search(SqliteConnection connection, VectorSearch search, CancellationToken cancellation)
    {
        // One moment of the tables for all statements.
        using var transaction = connection.BeginTransaction(deferred: true);
        var name = LocalVectorFolder.FileOf(connection, Name, search.Property.StorageName);
        var (file, column) = (folder.Open(name), RowColumn(search.Property));
        var distance = VectorDistance.Of(search.Property.DistanceFunction);
        var score = distance.RowScore(file, search.Query.Span);
        var wanted = (int)Math.Min((long)search.Top + search.Skip, int.MaxValue);
        if (search.IsFiltered)
        {
            var rows = Rows(connection, $"SELECT {column} FROM {Table} WHERE {column} IS NOT NULL AND {search.Condition} "
                + $"ORDER BY {column}", search.Parameters);
            return Results(connection, search, distance, ExactSearch.Top(file, score, wanted, rows), cancellation).Found;
        }

        var graph = MayHaveGraph(search.Property) && file.Count >= options.ApproximateFrom ? folder.Graph(name) : null;

        // Rows without a record are found, too, and left out: where too few remain, more are sought.
        for (var count = Math.Min(wanted, int.MaxValue / 4); ; count *= 4)
        {
            var most = (int)Math.Min(count, Math.Max(1, file.Count));
            var best = graph?.Top(file, distance.Encode(search.Query.Span).Row, most) ?? ExactSearch.Top(file, score, most, start: 0);
            var (found, isWhole) = Results(connection, search, distance, best, cancellation);
            if (isWhole || best.Count < count || count > int.MaxValue / 16) return found;
        }
    }

    /// <summary>A graph finds the nearest by the angle.</summary>
    private static bool MayHaveGraph(VectorPropertyModel property) =>
        property.IndexKind is IndexKind.Hnsw or IndexKind.Dynamic && VectorDistance.Of(property.DistanceFunction).IsCosine;

    /// <summary>Records of rows.</summary>
    /// <returns>The results, and true if further rows cannot add to them.</returns>
    private (List<VectorSearchResult<TRecord>> Found, bool IsWhole) Results(SqliteConnection connection, VectorSearch search,
        VectorDistance distance, IReadOnlyList<ScoredRow> best, CancellationToken cancellation)
    {
        var (results, skipped) = (new List<VectorSearchResult<TRecord>>(), 0);
        using var command = Command(connection, $"SELECT {string.Join(", ", ColumnsOf(search.WithVectors))} FROM {Table} "
            + $"WHERE {RowColumn(search.Property)} = @p0", [DBNull.Value]);
        foreach (var (row, rowScore) in best)
        {
            cancellation.ThrowIfCancellationRequested();
            var score = distance.Score(rowScore);
            if (!distance.Passes(score, search.Threshold)) return (results, true);
            command.Parameters[0].Value = row;
            using var reader = command.ExecuteReader();
            if (!reader.Read() || skipped++ < search.Skip) continue;
            results.Add(new VectorSearchResult<TRecord>(Read(connection, reader, search.WithVectors), score));
            if (results.Count == search.Top) return (results, true);
        }

        return (results, false);
    }

    private void CompactIfWorthwhile(SqliteConnection connection, VectorPropertyModel property)
    {
        long rows;
        using (var file = VectorFile.Open(Path.Combine(folder.Path, LocalVectorFolder.FileOf(connection, Name, property.StorageName))))
            rows = file.Count;
        var orphans = rows - Rows(connection, $"SELECT count({RowColumn(property)}) FROM {Table}", [])[0];
        if (orphans > MostOrphans && orphans * OrphanShare > rows)
            folder.Compact(connection, Name, property.StorageName, RowColumn(property));
    }

    private static List<long> Rows(DbConnection connection, string sql, IReadOnlyList<object?> parameters)
    {
        using var command = Command(connection, sql, parameters);
        using var reader = command.ExecuteReader();
        var rows = new List<long>();
        while (reader.Read()) rows.Add(reader.GetInt64(0));
        return rows;
    }

    private static string RowColumn(VectorPropertyModel property) => SqlDialect.Quote($"row of {property.StorageName}");

    private static string ScaleColumn(VectorPropertyModel property) => SqlDialect.Quote($"scale of {property.StorageName}");
}
