using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Garnet;
using Garnet.common;

namespace Alebrije.Cluster;

/// <summary>A store in this process, Garnet: for clusters without a server of their own. On the disk it survives the process.</summary>
public sealed class ClusterStore : IDisposable
{
    private readonly GarnetServer server;

    private ClusterStore(GarnetServer server, string address) => (this.server, Address) = (server, address);

    /// <summary>HOST:PORT.</summary>
    public string Address { get; }

    /// <summary>Starts a store.</summary>
    /// <param name="host">Address to listen at.</param>
    /// <param name="port">Port; 0 for a free one.</param>
    /// <param name="folder">Folder of its log, from which a later start recovers; null keeps all in memory.</param>
    /// <exception cref="IOException">The port is in use.</exception>
    public static ClusterStore Start(IPAddress host, int port, string? folder = null)
    {
        ArgumentNullException.ThrowIfNull(host);
        if (port == 0) port = FreePorts.Take(host);
        var number = port.ToString(CultureInfo.InvariantCulture);
        string[] memory = ["--bind", host.ToString(), "--port", number, "--lua", "--device-type", "RandomAccess", "--memory", "64m",
            "--page", "1m", "--index", "8m", "-q"];
        string[] disk = folder is null ? [] : ["--aof", "--aof-commit-wait", "--recover",
            "--aof-memory", "32m", "--aof-page-size", "4m", "--checkpointdir", Path.GetFullPath(folder)];
        if (folder is not null) Directory.CreateDirectory(folder);
        try
        {
            var server = new GarnetServer([.. memory, .. disk]);
            server.Start();
            return new ClusterStore(server, $"{host}:{number}");
        }
        catch (Exception e) when (e is SocketException || e.InnerException is SocketException)
        {
            throw new IOException($"The store cannot listen at {host}:{number}: {e.GetBaseException().Message}. Give another port.", e);
        }
        catch (GarnetException e)
        {
            throw new IOException($"The store does not start: {e.GetBaseException().Message}", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => server.Dispose();
}
