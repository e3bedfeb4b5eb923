using System.Net;
using System.Net.Sockets;

namespace Alebrije.Cluster;

/// <summary>Ports that nothing listens at.</summary>
internal static class FreePorts
{
    public static int Take(IPAddress host)
    {
        using var listener = new TcpListener(host, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
