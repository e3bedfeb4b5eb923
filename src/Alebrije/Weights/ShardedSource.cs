using System.Text.Json;
using Alebrije.Preprocessing;
using static TorchSharp.torch;

namespace Alebrije.Weights;

/// <summary>Tensors spread over several files, listed by an index (<c>*.safetensors.index.json</c>, <c>*.bin.index.json</c>).</summary>
internal sealed class ShardedSource : TensorSource
{
    private readonly Dictionary<string, TensorSource> files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorSource> owners = new(StringComparer.Ordinal);

    /// <summary>Opens the index and every file that it lists.</summary>
    /// <param name="indexPath">The index file.</param>
    /// <param name="open">Opens a shard.</param>
    /// <exception cref="WeightsException">The index is damaged, or lists a missing file or tensor.</exception>
    public ShardedSource(string indexPath, Func<string, TensorSource> open)
    {
        Location = indexPath;
        var folder = Path.GetDirectoryName(Path.GetFullPath(indexPath))!;
        try
        {
            foreach (var (name, file) in ReadMap(indexPath))
            {
                if (!files.TryGetValue(file, out var shard))
                {
                    var path = Path.Combine(folder, file);
                    if (!File.Exists(path))
                        throw new CheckpointNotFoundException($"{indexPath} names the shard {file}, which is not in {folder}.");
                    files[file] = shard = open(path);
                }

                if (!shard.Contains(name))
                    throw new WeightsException($"{indexPath} places tensor '{name}' in {file}, which does not hold it.");
                owners.Add(name, shard);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override string Location { get; }

    /// <inheritdoc/>
    public override double Elements => files.Values.Sum(file => file.Elements);

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Names => owners.Keys;

    /// <inheritdoc/>
    public override bool Contains(string name) => owners.ContainsKey(name);

    /// <inheritdoc/>
    public override TensorEntry Describe(string name) => Owner(name).Describe(name);

    /// <inheritdoc/>
    public override Tensor Read(string name) => Owner(name).Read(name);

    /// <inheritdoc/>
    protected internal override bool CanFill(string name) => false;

    /// <inheritdoc/>
    protected internal override void CopyBytes(string name, long offset, Span<byte> destination) =>
        throw new NotSupportedException("Shards read their own tensors.");

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            foreach (var file in files.Values) file.Dispose();
        base.Dispose(disposing);
    }

    private TensorSource Owner(string name) => owners.TryGetValue(name, out var shard)
        ? shard
        : throw new WeightsException($"{Location} lists no tensor '{name}' among its {owners.Count}.");

    /// <summary>True for the name of an index of shards.</summary>
    public static bool IsIndex(string file) => Path.GetFileName(file).Contains(".index.", StringComparison.Ordinal);

    private static bool IsPlain(string file) => file.Length > 0 && file is not ("." or "..") && !file.AsSpan().ContainsAny('/', '\\', ':');

    /// <summary>True for <c>../component/file</c> inside one pipeline folder: two roles may share the weights of one network.</summary>
    private static bool IsSibling(string file, string index)
    {
        var parts = file.Split('/');
        return parts.Length == 3 && parts[0] == ".." && IsPlain(parts[1]) && IsPlain(parts[2])
            && File.Exists(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(index))!, "..", "model_index.json"));
    }

    private static List<(string Name, string File)> ReadMap(string path)
    {
        var entries = new List<(string, string)>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            using var document = JsonText.Parse(RegularFile.ReadAllBytes(path));
            foreach (var item in document.RootElement.GetProperty("weight_map").EnumerateObject())
            {
                var file = item.Value.GetString() ?? "";
                if (!IsPlain(file) && !IsSibling(file, path))
                    throw new WeightsException(
                        $"{path} names the shard '{file}', which is neither a plain file name nor a file of a sibling component.");
                // An index that names an index could name itself.
                if (IsIndex(file))
                    throw new WeightsException($"{path} names the shard '{file}', which is an index: a shard is a file of weights.");
                if (!seen.Add(item.Name)) throw new WeightsException($"{path} lists tensor '{item.Name}' twice.");
                entries.Add((item.Name, file));
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new WeightsException($"{path} is not an index of shards: it must be JSON with a weight_map of tensor names to files.",
                e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeightsException($"{path} cannot be read: {e.Message}", e);
        }

        // File by file, so that reading in this order opens each shard once.
        return [.. entries.OrderBy(e => e.Item2, StringComparer.Ordinal)];
    }
}
