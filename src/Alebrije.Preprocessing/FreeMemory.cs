namespace Alebrije.Preprocessing;

/// <summary>Memory of the machine that is free now.</summary>
internal static class FreeMemory
{
    private const string Linux = "/proc/meminfo";

    /// <summary>Bytes available: the system's figure, at most the limit of this process.</summary>
    public static long Bytes()
    {
        var limit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (!File.Exists(Linux)) return limit;
        var line = File.ReadLines(Linux).FirstOrDefault(text => text.StartsWith("MemAvailable:", StringComparison.Ordinal));
        return line?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var kilobytes, ..]
            && long.TryParse(kilobytes, out var free) ? Math.Min(limit, free * 1024) : limit;
    }
}
