using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Alebrije.Server.Security;

/// <summary>Requests a minute of each client, in windows of a minute.</summary>
internal sealed class RateLimits(ServerOptions options, TimeProvider clock)
{
    private const int MostClients = 10_000, WindowSeconds = 60;

    private readonly ConcurrentDictionary<string, (long Window, int Count)> clients = new(StringComparer.Ordinal);

    /// <summary>Counts a request.</summary>
    /// <returns>Null if it is within the limit; otherwise seconds until the next window.</returns>
    public int? Take(string client)
    {
        if (options.RatePerMinute <= 0) return null;
        var now = clock.GetUtcNow().ToUnixTimeSeconds();
        var window = now / WindowSeconds;
        if (clients.Count > MostClients) clients.Clear();
        // Keys of clients are not kept in clear.
        var name = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(client)));
        var (_, count) = clients.AddOrUpdate(name, (window, 1),
            (_, before) => before.Window == window ? (window, before.Count + 1) : (window, 1));
        return count <= options.RatePerMinute ? null : (int)(WindowSeconds - (now % WindowSeconds));
    }
}
