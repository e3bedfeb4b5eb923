using Alebrije.Preprocessing;

using static TorchSharp.torch;

namespace Alebrije.Weights;

/// <summary>Finds the weights of a component in its folder, under the names published by transformers, diffusers and open_clip.</summary>
internal static class CheckpointFolder
{
    private static readonly string[] Stems = ["model", "diffusion_pytorch_model", "open_clip_model"];
    private static readonly string[] PickleStems = ["pytorch_model", "diffusion_pytorch_model", "open_clip_pytorch_model"];

    private static ReadOnlySpan<byte> PointerStart => "version https://git-lfs"u8;

    /// <summary>
    /// Display name of a model's folder or file: its own, or <c>owner/name</c> and <c>owner/name/file</c> in the cache of a model hub.
    /// </summary>
    public static string NameOf(string folder)
    {
        const string prefix = "models--";
        var path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        var name = Path.GetFileName(path);
        if (File.Exists(path) && Path.GetDirectoryName(path) is { } parent
            && NameOf(parent) is var owner && owner.Contains('/', StringComparison.Ordinal))
            return $"{owner}/{name}";
        return Path.GetDirectoryName(path) is { } snapshots && Path.GetFileName(snapshots) == "snapshots"
            && Path.GetFileName(Path.GetDirectoryName(snapshots)) is { } repository
            && repository.StartsWith(prefix, StringComparison.Ordinal)
                ? repository[prefix.Length..].Replace("--", "/", StringComparison.Ordinal) : name;
    }

    /// <summary>Opens the weights of a component folder, or one file of weights.</summary>
    /// <exception cref="CheckpointNotFoundException">There are none; the message lists the names searched for.</exception>
    /// <exception cref="WeightsException">The file is damaged or rejected.</exception>
    public static TensorSource OpenWeights(string folder)
    {
        if (File.Exists(folder)) return OpenFile(folder);
        if (!Directory.Exists(folder)) throw new CheckpointNotFoundException($"there is no folder {folder}.");
        foreach (var name in Candidates())
            if (Path.Combine(folder, name) is var path && File.Exists(path)) return OpenFile(path);
        throw new CheckpointNotFoundException($"{folder} holds no weights; looked for {string.Join(", ", Candidates())}.");
    }

    /// <summary>True if a folder contains weights under one of the published names.</summary>
    public static bool HasWeights(string folder) => Candidates().Any(name => File.Exists(Path.Combine(folder, name)));

    /// <summary>Loads the weights of a component folder into a network, strictly in both directions.</summary>
    /// <exception cref="CheckpointNotFoundException">The folder contains no weights.</exception>
    /// <exception cref="WeightsException">The file is damaged, or its tensors do not match the network; the first eight of a kind are
    /// listed.</exception>
    public static void Load(nn.Module network, string folder, StateDictOptions? options = null)
    {
        using var weights = OpenWeights(folder);
        StateDict.Load(network, weights, options);
    }

    private static TensorSource OpenFile(string path)
    {
        if (ShardedSource.IsIndex(path)) return new ShardedSource(path, OpenFile);
        using (var stream = RegularFile.Open(path))
        {
            Span<byte> start = stackalloc byte[PointerStart.Length];
            if (stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual(PointerStart))
                throw new WeightsException(
                    $"{path} is a Git LFS pointer, not the weights; run `git lfs pull` or download the file itself.");
        }

        return path.EndsWith(".safetensors", StringComparison.Ordinal) ? new SafeTensorsFile(path) : new PickleFile(path);
    }

    /// <summary>
    /// Candidates in order of preference: safetensors before pickles, full precision before fp16, one file before shards.
    /// </summary>
    private static IEnumerable<string> Candidates()
    {
        foreach (var (stems, extension) in new[] { (Stems, "safetensors"), (PickleStems, "bin") })
            foreach (var variant in new[] { "", ".fp16" })
            {
                foreach (var stem in stems) yield return $"{stem}{variant}.{extension}";
                foreach (var stem in stems) yield return $"{stem}.{extension}.index{variant}.json";
            }
    }
}
