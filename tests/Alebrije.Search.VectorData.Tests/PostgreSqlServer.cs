using System.Diagnostics;
using Npgsql;

namespace Alebrije.Search.VectorData.Tests;

/// <summary>
/// A PostgreSQL of this test run, in a folder of its own, reached by a socket in it. PostgreSQL does not run as root: root starts it as
/// the user of the number 65534, nobody.
/// </summary>
public sealed class PostgreSqlServer : IAsyncLifetime
{
    private const string Nobody = "65534";
    private readonly string root = Directory.CreateTempSubdirectory("alebrije-pg-").FullName;
    private string? programs;
    private bool isRunning;

    /// <summary>Reason that there is no server with pgvector, or null.</summary>
    public string? Missing { get; private set; }

    /// <summary>Connection string.</summary>
    public string Connection => $"Host={root};Database=postgres;Username=postgres;Maximum Pool Size=5;Include Error Detail=true";

    private string Data => Path.Combine(root, "data");

    public async ValueTask InitializeAsync()
    {
        programs = Programs();
        if (programs is null)
        {
            Missing = "PostgreSQL is not installed (Debian's package postgresql)";
            return;
        }

        if (Environment.IsPrivilegedProcess) await RunAsync("chown", [Nobody, root]);
        await RunAsync(Path.Combine(programs, "initdb"), ["-D", Data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N"]);
        await RunAsync(Path.Combine(programs, "pg_ctl"), ["-D", Data, "-l", Path.Combine(root, "log"), "-w", "-t", "60",
            "-o", $"-F -k {root} -c listen_addresses= -c shared_buffers=16MB -c max_connections=20", "start"]);
        isRunning = true;
        try
        {
            await using var source = NpgsqlDataSource.Create(Connection);
            await using var command = source.CreateCommand("CREATE EXTENSION vector");
            await command.ExecuteNonQueryAsync();
        }
        catch (PostgresException e)
        {
            Missing = $"PostgreSQL has no pgvector (a package such as postgresql-15-pgvector has it): {e.MessageText}";
        }
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        if (isRunning) await RunAsync(Path.Combine(programs!, "pg_ctl"), ["-D", Data, "-m", "immediate", "-w", "stop"]);
        Directory.Delete(root, recursive: true);
    }

    /// <summary>Folder of initdb and pg_ctl: the newest version of Debian's, else on the path.</summary>
    private static string? Programs()
    {
        const string debian = "/usr/lib/postgresql";
        var versions = Directory.Exists(debian) ? Directory.GetDirectories(debian).Select(version => Path.Combine(version, "bin")) : [];
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        return versions.OrderDescending().Concat(path).FirstOrDefault(folder =>
            File.Exists(Path.Combine(folder, "initdb")) && File.Exists(Path.Combine(folder, "pg_ctl")));
    }

    private async Task RunAsync(string program, string[] arguments)
    {
        // The server keeps the output of its parent open, so it goes into a file.
        var log = Path.Combine(root, "out");
        string[] command = Environment.IsPrivilegedProcess && program != "chown"
            ? ["setpriv", $"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups", program, .. arguments] : [program, .. arguments];
        var start = new ProcessStartInfo("sh", ["-c", "\"$@\" > \"$0\" 2>&1 < /dev/null", log, .. command]) { WorkingDirectory = root };
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} failed: {(File.Exists(log) ? await File.ReadAllTextAsync(log) : "")}");
    }
}
