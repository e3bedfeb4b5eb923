using System.Security.Cryptography;

namespace Alebrije.Server.OpenAi;

/// <summary>Images that are served by address for an hour, in memory, the oldest dropped when there are too many bytes.</summary>
internal sealed class FileStore(TimeProvider clock)
{
    private const long MostBytes = 256L << 20;
    private static readonly TimeSpan Kept = TimeSpan.FromHours(1);

    private readonly Lock gate = new();
    private readonly Dictionary<string, (byte[] Bytes, string Type, DateTimeOffset Until)> files = new(StringComparer.Ordinal);
    private readonly Queue<string> order = new();
    private long bytes;

    /// <returns>A name of 128 random bits, with its ending.</returns>
    public string Add(byte[] file, string type)
    {
        var ending = type[(type.IndexOf('/', StringComparison.Ordinal) + 1)..];
        var name = $"{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16))}.{ending}";
        lock (gate)
        {
            files[name] = (file, type, clock.GetUtcNow() + Kept);
            order.Enqueue(name);
            bytes += file.Length;
            while (order.TryPeek(out var oldest) && (bytes > MostBytes || files[oldest].Until <= clock.GetUtcNow()))
            {
                bytes -= files[oldest].Bytes.Length;
                files.Remove(order.Dequeue());
            }
        }

        return name;
    }

    public (byte[] Bytes, string Type)? Find(string name)
    {
        lock (gate)
            return files.TryGetValue(name, out var file) && file.Until > clock.GetUtcNow() ? (file.Bytes, file.Type) : null;
    }
}
