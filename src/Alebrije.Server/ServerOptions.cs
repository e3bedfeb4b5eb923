using System.Net;
using Alebrije.Catalog;

namespace Alebrije.Server;

/// <summary>Options of the service.</summary>
public sealed record ServerOptions
{
    /// <summary>Default port.</summary>
    public const int DefaultPort = 5511;

    /// <summary>Address to listen on: an IP address, <c>localhost</c>, or <c>*</c> for all.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>Port, 1 to 65535; 0 takes a free one.</summary>
    public int Port { get; init; } = DefaultPort;

    /// <summary>Keys of clients, in clear or as <c>sha256:</c> and 64 hexadecimal digits; empty: no key is needed.</summary>
    public IReadOnlyList<string> Keys { get; init; } = [];

    /// <summary>Model of requests that name none, and of <c>dall-e-2</c>.</summary>
    public string Model { get; init; } = ModelCatalog.DefaultName;

    /// <summary>Model of chats that name none: a Flamingo, by its name or the path of its folder.</summary>
    public string ChatModel { get; init; } = ModelCatalog.CaptioningName;

    /// <summary>Time that an unused model stays in memory; null: no limit, zero: unloaded at once.</summary>
    public TimeSpan? KeepAlive { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Jobs that wait at most, 1 to 10000.</summary>
    public int QueueLength { get; init; } = 32;

    /// <summary>Threads of tensor operations; null leaves libtorch's choice.</summary>
    public int? Threads { get; init; }

    /// <summary>Hosts from which images may be fetched by address; empty fetches nothing.</summary>
    public IReadOnlyList<string> FetchHosts { get; init; } = [];

    /// <summary>Origins of web pages that may call the API besides the service's own; empty: none.</summary>
    public IReadOnlyList<string> Origins { get; init; } = [];

    /// <summary>Further names under which the service is reached (the Host header); loopback names always are.</summary>
    public IReadOnlyList<string> HostNames { get; init; } = [];

    /// <summary>Largest body of a request in bytes.</summary>
    public long MaxBodyBytes { get; init; } = 32L << 20;

    /// <summary>Most pixels of an uploaded image.</summary>
    public long MaxPixels { get; init; } = 4096L * 4096;

    /// <summary>Most steps of a generation.</summary>
    public int MaxSteps { get; init; } = 250;

    /// <summary>Most images of a request.</summary>
    public int MaxImages { get; init; } = 10;

    /// <summary>Requests a minute of one client; 0 sets no limit.</summary>
    public int RatePerMinute { get; init; } = 6000;

    /// <summary>Longest estimate of an answer that is not streamed, in seconds: OpenAI's .NET client gives up after 100.</summary>
    public double LongestPlainSeconds { get; init; } = 80;

    /// <summary>Time between two pings of a stream.</summary>
    public TimeSpan Ping { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time in which an identical request joins a pending job.</summary>
    public TimeSpan JoinWindow { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time for accepted jobs after the signal to stop; then the rest is reported as canceled.</summary>
    public TimeSpan Shutdown { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>True binds to the network without a key.</summary>
    public bool Insecure { get; init; }

    /// <summary>True if only this machine reaches <see cref="Host"/>.</summary>
    public bool IsLoopback => Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(Host, out var address) && IPAddress.IsLoopback(address));

    /// <summary>Errors in these options, a sentence each.</summary>
    public IEnumerable<string> Faults()
    {
        if (Host is not ("*" or "localhost") && !IPAddress.TryParse(Host, out _))
            yield return $"'{Host}' is not an address to listen on; give an IP address such as 127.0.0.1, localhost, or * for all.";
        if (Port is < 0 or > 65535) yield return $"The port is {Port}; it has to lie between 1 and 65535.";
        if (!IsLoopback && Keys.Count == 0 && !Insecure)
            yield return $"The address {Host} is reachable from the network and no key is set: "
                + "set one (--key or ALEBRIJE_KEY), or listen on 127.0.0.1.";
        if (Keys.Any(key => key.Length < 8))
            yield return "A key is shorter than 8 characters; take a longer one, such as 32 random hexadecimal digits.";
        if (QueueLength is < 1 or > 10_000) yield return $"The queue length is {QueueLength}, but must be between 1 and 10000.";
        if (KeepAlive < TimeSpan.Zero) yield return "The keep-alive is negative; give seconds, 0 to unload at once, or -1 for no limit.";
        if (Threads < 1) yield return $"The number of threads is {Threads}, but must be at least 1.";
        if (MaxBodyBytes < 1024) yield return $"The body limit is {MaxBodyBytes} bytes, but must be at least 1024.";
    }
}
