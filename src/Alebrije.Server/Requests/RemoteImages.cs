using System.Net;
using System.Net.Sockets;

namespace Alebrije.Server.Requests;

/// <summary>
/// Fetches images from allowed hosts: the resolved address is checked and then connected to, private ranges, redirects and large or slow
/// answers are refused.
/// </summary>
internal sealed class RemoteImages : IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    private readonly ServerOptions options;
    private readonly HttpClient client;

    public RemoteImages(ServerOptions options)
    {
        this.options = options;
        client = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false, UseProxy = false, UseCookies = false, ConnectTimeout = Longest, ConnectCallback = ConnectAsync,
        })
        {
            Timeout = Longest, MaxResponseContentBufferSize = options.MaxBodyBytes,
        };
    }

    /// <exception cref="ApiException">The host is not allowed, private, or does not answer with a small file.</exception>
    public async Task<byte[]> FetchAsync(string address, string field, CancellationToken cancellation)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.UserInfo.Length > 0)
            throw Refuse(field, $"The field {field} is not the address of an image.");
        if (!options.FetchHosts.Contains(uri.IdnHost, StringComparer.OrdinalIgnoreCase))
            throw Refuse(field, $"Nothing is fetched from {RequestFields.Short(uri.IdnHost)}: send the image itself in base64, "
                + "or allow the host (--fetch-host).");
        try
        {
            return await client.GetByteArrayAsync(uri, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is HttpRequestException or IOException
            || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            throw Refuse(field, $"The image at {RequestFields.Short(uri.IdnHost)} could not be fetched.");
        }
    }

    public void Dispose() => client.Dispose();

    /// <summary>True for addresses of the public network.</summary>
    internal static bool IsPublic(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (IPAddress.IsLoopback(address)) return false;
        var b = address.GetAddressBytes();
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
            return !address.IsIPv6LinkLocal && !address.IsIPv6SiteLocal && !address.IsIPv6UniqueLocal
                && !address.IsIPv6Multicast && !address.Equals(IPAddress.IPv6Any) && (b[0] & 0xe0) == 0x20;
        return b[0] is not (0 or 10 or 127) && b[0] < 224 && !(b[0] == 172 && b[1] is >= 16 and < 32) && !(b[0] == 192 && b[1] == 168)
            && !(b[0] == 169 && b[1] == 254) && !(b[0] == 100 && b[1] is >= 64 and < 128) && !(b[0] == 192 && b[1] == 0)
            && !(b[0] == 198 && b[1] is 18 or 19);
    }

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var addresses = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, cancellation).ConfigureAwait(false);
        if (addresses.Length == 0 || !addresses.All(IsPublic)) throw new HttpRequestException("The host has a private address.");
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, context.DnsEndPoint.Port, cancellation).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static ApiException Refuse(string field, string message) => new(400, message, field, "invalid_image_url");
}
