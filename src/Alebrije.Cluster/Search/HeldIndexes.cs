using Alebrije.Cluster.Jobs;

namespace Alebrije.Cluster.Search;

/// <summary>Index shards on this machine: the parts of a job's results, by collection.</summary>
internal sealed class HeldIndexes
{
    private const string Prefix = "index/";
    private const char Separator = '\n';

    private readonly IReadOnlyDictionary<string, string> folders;

    /// <exception cref="DirectoryNotFoundException">A folder is missing.</exception>
    public HeldIndexes(IReadOnlyDictionary<string, string> folders)
    {
        this.folders = folders;
        Parts = folders.ToDictionary(pair => pair.Key, pair => PartsOf(pair.Value));
    }

    /// <summary>Names of the parts, by collection.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Parts { get; }

    /// <summary>Path of a part without its ending; null if it is not here.</summary>
    public string? Find(string collection, string part) =>
        Parts.TryGetValue(collection, out var parts) && parts.Contains(part) ? Path.Combine(folders[collection], part) : null;

    /// <summary>The parts in the form that other silos read.</summary>
    public Dictionary<string, string> ToMetadata() =>
        Parts.ToDictionary(pair => Prefix + pair.Key, pair => string.Join(Separator, pair.Value));

    /// <summary>True if a silo of this metadata holds a part.</summary>
    public static bool Holds(IReadOnlyDictionary<string, string> metadata, string collection, string part) =>
        metadata.TryGetValue(Prefix + collection, out var parts) && parts.Split(Separator).Contains(part);

    private static IReadOnlyList<string> PartsOf(string folder)
    {
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"There is no folder {folder} of index shards.");
        return [.. Directory.EnumerateFiles(folder, "part-*" + PartFile.VectorsEnding)
            .Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)];
    }
}
