namespace Alebrije.Pipelines.Estimates;

/// <summary>Memory of a model, and of the machine.</summary>
internal static class ModelMemory
{
    /// <summary>True if all networks of folders take less than half of the memory that is free.</summary>
    public static bool FitsTwice(params IReadOnlyList<PipelineFolder> folders) =>
        2 * folders.Sum(folder => folder.Components.Keys.SelectMany(folder.WeightBytes).Sum()) < Available();

    /// <summary>Bytes available: the system's figure, at most the limit of this process.</summary>
    public static long Available()
    {
        var limit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        const string file = "/proc/meminfo";
        if (!File.Exists(file)) return limit;
        var line = File.ReadLines(file).FirstOrDefault(text => text.StartsWith("MemAvailable:", StringComparison.Ordinal));
        return line?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var kilobytes, ..]
            && long.TryParse(kilobytes, out var free) ? Math.Min(limit, free * 1024) : limit;
    }
}
