using System.Text;
using Alebrije.Search.VectorData;
using Microsoft.Extensions.VectorData;
using Npgsql;

namespace Alebrije.Search.PostgreSql;

/// <summary>Connections to a database with pgvector, which is switched on at the first.</summary>
internal sealed class PostgreSqlDatabase : IDisposable
{
    private const int MostNameBytes = 63;
    private readonly string schema;
    private readonly SemaphoreSlim gate = new(1);
    private volatile bool isPrepared;

    public PostgreSqlDatabase(string connection, string schema)
    {
        this.schema = schema;
        var builder = new NpgsqlDataSourceBuilder(connection);
        builder.UseVector();
        Source = builder.Build();
        Name = builder.ConnectionStringBuilder.Database ?? "";
    }

    public NpgsqlDataSource Source { get; }

    /// <summary>Name of the database.</summary>
    public string Name { get; }

    /// <summary>Table of a collection.</summary>
    /// <exception cref="ArgumentException">The name is longer than PostgreSQL keeps.</exception>
    public string TableOf(string name) => Encoding.UTF8.GetByteCount(name) <= MostNameBytes
        ? $"{SqlDialect.Quote(schema)}.{SqlDialect.Quote(name)}"
        : throw new ArgumentException(
            $"The collection name '{name}' has more than PostgreSQL's {MostNameBytes} bytes; shorten it.", nameof(name));

    /// <summary>A new connection, open.</summary>
    public async Task<NpgsqlConnection> ConnectAsync(CancellationToken cancellation)
    {
        if (!isPrepared)
        {
            await gate.WaitAsync(cancellation).ConfigureAwait(false);
            try
            {
                if (!isPrepared) await PrepareAsync(cancellation).ConfigureAwait(false);
                isPrepared = true;
            }
            finally
            {
                gate.Release();
            }
        }

        return await Source.OpenConnectionAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Names of the schema's tables, in order.</summary>
    /// <exception cref="VectorStoreException">The database does not answer.</exception>
    public Task<List<string>> NamesAsync(CancellationToken cancellation) => RunAsync("ListCollectionNames", async connection =>
    {
        var command = connection.CreateCommand();
        await using (command.ConfigureAwait(false))
        {
            command.CommandText = "SELECT table_name FROM information_schema.tables WHERE table_schema = @schema "
                + "AND table_type = 'BASE TABLE' ORDER BY table_name COLLATE \"C\"";
            command.Parameters.AddWithValue("schema", schema);
            var names = new List<string>();
            var reader = await command.ExecuteReaderAsync(cancellation).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
                while (await reader.ReadAsync(cancellation).ConfigureAwait(false)) names.Add(reader.GetString(0));
            return names;
        }
    }, cancellation);

    /// <summary>Runs a statement.</summary>
    /// <exception cref="VectorStoreException">The database refuses it, or does not answer.</exception>
    public Task<int> ExecuteAsync(string sql, CancellationToken cancellation) => RunAsync("Execute", async connection =>
    {
        var command = connection.CreateCommand();
        await using (command.ConfigureAwait(false))
        {
            command.CommandText = sql;
            return await command.ExecuteNonQueryAsync(cancellation).ConfigureAwait(false);
        }
    }, cancellation);

    public void Dispose()
    {
        Source.Dispose();
        gate.Dispose();
    }

    private async Task<T> RunAsync<T>(string operation, Func<NpgsqlConnection, Task<T>> run, CancellationToken cancellation)
    {
        try
        {
            var connection = await ConnectAsync(cancellation).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false)) return await run(connection).ConfigureAwait(false);
        }
        catch (NpgsqlException e)
        {
            throw new VectorStoreException($"{operation} failed: {e.Message}", e)
            {
                VectorStoreSystemName = "postgresql", VectorStoreName = Name, OperationName = operation,
            };
        }
    }

    private async Task PrepareAsync(CancellationToken cancellation)
    {
        var connection = await Source.OpenConnectionAsync(cancellation).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var command = connection.CreateCommand();
            await using (command.ConfigureAwait(false))
            {
                command.CommandText = $"CREATE EXTENSION IF NOT EXISTS vector; CREATE SCHEMA IF NOT EXISTS {SqlDialect.Quote(schema)}";
                await command.ExecuteNonQueryAsync(cancellation).ConfigureAwait(false);
            }

            await connection.ReloadTypesAsync(cancellation).ConfigureAwait(false);
        }
    }
}
