namespace Alebrije.Weights;

/// <summary>Finds the weights of a component in its folder, under the names that transformers, diffusers and open_clip publish.</summary>
internal static class CheckpointFolder
{
    private static readonly string[] Stems = ["model", "diffusion_pytorch_model", "open_clip_model"];

    /// <summary>Opens the weights of a component folder, or one file of weights.</summary>
    /// <exception cref="CheckpointNotFoundException">There are none; the message lists the names that were looked for.</exception>
    /// <exception cref="WeightsException">The file is damaged or refused.</exception>
    public static TensorSource OpenWeights(string folder)
    {
        if (File.Exists(folder)) return OpenFile(folder);
        if (!Directory.Exists(folder)) throw new CheckpointNotFoundException($"there is no folder {folder}.");
        foreach (var name in Candidates())
            if (Path.Combine(folder, name) is var path && File.Exists(path)) return OpenFile(path);
        throw new CheckpointNotFoundException($"{folder} holds no weights; looked for {string.Join(", ", Candidates())}.");
    }

    private static TensorSource OpenFile(string path)
    {
        if (Path.GetFileName(path).Contains(".index.", StringComparison.Ordinal)) return new ShardedSource(path, OpenFile);
        return new SafeTensorsFile(path);
    }

    /// <summary>In order of preference: full precision before fp16, one file before shards.</summary>
    private static IEnumerable<string> Candidates()
    {
        foreach (var variant in new[] { "", ".fp16" })
        {
            foreach (var stem in Stems) yield return $"{stem}{variant}.safetensors";
            foreach (var stem in Stems) yield return $"{stem}.safetensors.index{variant}.json";
        }
    }
}
