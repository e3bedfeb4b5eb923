using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Alebrije.Tests.Catalog;

/// <summary>An HTTP request.</summary>
internal sealed record HubRequest(string Method, string Path, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>First requested byte; 0 without a range.</summary>
    public int From => Headers.TryGetValue("range", out var range)
        ? int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture) : 0;

    public string? Token => Headers.GetValueOrDefault("authorization");
}

/// <summary>An HTTP response, possibly faulty.</summary>
internal sealed record HubAnswer(int Status, byte[] Body)
{
    public Dictionary<string, string> Headers { get; init; } = [];

    /// <summary>Value of Content-Length; null omits it.</summary>
    public long? Length { get; init; } = Body.Length;

    /// <summary>Number of bytes after which the connection closes or stalls.</summary>
    public int? CutAfter { get; init; }

    public bool Stalls { get; init; }

    /// <summary>Time between two bytes; null sends them at once.</summary>
    public TimeSpan? Drips { get; init; }

    public static HubAnswer Json(JsonNode node) => new(200, Encoding.UTF8.GetBytes(node.ToJsonString()));

    public static HubAnswer Error(int status, string? code = null) =>
        new(status, "no"u8.ToArray()) { Headers = code is null ? [] : new Dictionary<string, string> { ["X-Error-Code"] = code } };

    public static HubAnswer Redirect(string where) => new(302, []) { Headers = { ["Location"] = where } };
}

/// <summary>A model hub on the loopback interface with one repository, with configurable faults.</summary>
internal sealed class HubServer : IDisposable
{
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();

    public HubServer(string repository = "owner/model")
    {
        Repository = repository;
        listener.Start();
        _ = AcceptAsync();
    }

    public string Repository { get; }
    public string Address => $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
    public Dictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);
    public string Sha { get; set; } = Commit;
    public JsonObject Card { get; } = new() { ["license"] = "mit" };
    public ConcurrentQueue<HubRequest> Requests { get; } = new();

    /// <summary>Called before the usual response; null keeps that.</summary>
    public Func<HubRequest, HubAnswer?> Before { get; set; } = _ => null;

    /// <summary>Changes the list of files before it is sent.</summary>
    public Action<JsonObject> OnList { get; set; } = _ => { };

    public static string Sha256(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    public static bool IsLarge(string name) => Path.GetExtension(name) is ".safetensors" or ".bin" or ".pt";

    /// <summary>Name of a file's blob: SHA-256 of large files, Git's hash of the others.</summary>
    public static string Blob(string name, byte[] content)
    {
        if (IsLarge(name)) return Sha256(content);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(Encoding.ASCII.GetBytes($"blob {content.Length}\0"));
        hash.AppendData(content);
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    /// <summary>The usual response for a file, from the requested byte on.</summary>
    public static HubAnswer File(HubRequest request, byte[] content) => request.From == 0 ? new HubAnswer(200, content)
        : new HubAnswer(206, content[request.From..])
            { Headers = { ["Content-Range"] = $"bytes {request.From}-{content.Length - 1}/{content.Length}" } };

    public void Dispose()
    {
        stop.Cancel();
        listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await listener.AcceptTcpClientAsync(stop.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using (client)
            {
                await using var stream = client.GetStream();
                if (await ReadAsync(stream) is not { } request) return;
                Requests.Enqueue(request);
                var answer = Before(request) ?? Answer(request);
                var head = new StringBuilder($"HTTP/1.1 {answer.Status} X\r\nConnection: close\r\n");
                if (answer.Length is { } length) head.Append(CultureInfo.InvariantCulture, $"Content-Length: {length}\r\n");
                foreach (var (name, value) in answer.Headers) head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
                await stream.WriteAsync(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()), stop.Token);
                if (answer.Drips is { } pause)
                {
                    foreach (var one in answer.Body)
                    {
                        await stream.WriteAsync(new[] { one }, stop.Token);
                        await Task.Delay(pause, stop.Token);
                    }
                }
                else if (request.Method != "HEAD") await stream.WriteAsync(
                    answer.Body.AsMemory(0, Math.Min(answer.Body.Length, answer.CutAfter ?? int.MaxValue)), stop.Token);
                await stream.FlushAsync(stop.Token);
                if (answer.Stalls) await Task.Delay(Timeout.Infinite, stop.Token);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
        {
            // The client has closed the connection.
        }
    }

    private async Task<HubRequest?> ReadAsync(NetworkStream stream)
    {
        using var reader = new StreamReader(stream, Encoding.ASCII, false, 1024, leaveOpen: true);
        if (await reader.ReadLineAsync(stop.Token) is not { } first) return null;
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (await reader.ReadLineAsync(stop.Token) is { Length: > 0 } line)
            headers[line[..line.IndexOf(':', StringComparison.Ordinal)]] = line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
        var parts = first.Split(' ');
        return new HubRequest(parts[0], parts[1], headers);
    }

    private HubAnswer Answer(HubRequest request)
    {
        if (request.Path.StartsWith($"/api/models/{Repository}/revision/", StringComparison.Ordinal)) return HubAnswer.Json(List());
        var prefix = $"/{Repository}/resolve/{Sha}/";
        if (!request.Path.StartsWith(prefix, StringComparison.Ordinal)
            || !Files.TryGetValue(Uri.UnescapeDataString(request.Path[prefix.Length..]), out var content))
            return HubAnswer.Error(404, "EntryNotFound");
        var name = Uri.UnescapeDataString(request.Path[prefix.Length..]);
        var answer = File(request, content);
        answer.Headers["X-Repo-Commit"] = Sha;
        answer.Headers["ETag"] = $"\"{Blob(name, content)}\"";
        return answer;
    }

    private JsonObject List()
    {
        var list = new JsonObject
        {
            ["id"] = Repository, ["sha"] = Sha, ["gated"] = false, ["cardData"] = Card.DeepClone(),
                ["tags"] = new JsonArray("clip", "license:mit"),
            ["siblings"] = new JsonArray([.. Files.Select(file =>
            {
                var entry = new JsonObject { ["rfilename"] = file.Key, ["size"] = file.Value.Length, ["blobId"] = new string('a', 40) };
                if (IsLarge(file.Key)) entry["lfs"] = new JsonObject { ["sha256"] = Sha256(file.Value), ["size"] = file.Value.Length };
                else entry["blobId"] = Blob(file.Key, file.Value);
                return (JsonNode)entry;
            })]),
        };
        OnList(list);
        return list;
    }
}
