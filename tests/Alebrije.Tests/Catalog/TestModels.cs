namespace Alebrije.Tests.Catalog;

/// <summary>Tiny checkpoints in the published layouts.</summary>
internal static class TestModels
{
    /// <summary>A Stable unCLIP pipeline with random weights.</summary>
    public static string StableUnClip => Path.Combine(AppContext.BaseDirectory, "Fixtures", "stable-unclip-euler", "model");

    /// <summary>A Karlo pipeline with random weights and images of 16 pixels: no image encoder.</summary>
    public static string Karlo => Path.Combine(AppContext.BaseDirectory, "Fixtures", "unclip-pipeline-karlo", "model");

    /// <summary>Kandinsky 2.2's decoder with random weights: no prior.</summary>
    public static string Kandinsky => Path.Combine(AppContext.BaseDirectory, "Fixtures", "kandinsky22-pipeline", "model");

    /// <summary>The prior of <see cref="Kandinsky"/>, with both towers of its CLIP.</summary>
    public static string KandinskyPrior => Path.Combine(AppContext.BaseDirectory, "Fixtures", "kandinsky22-prior-pipeline", "model");

    /// <summary>A whole CLIPModel in shards, without tokenizer.</summary>
    public static string Clip => Path.Combine(AppContext.BaseDirectory, "Fixtures", "clip-hf-model-sharded", "model");

    /// <summary>A text tower alone, pickled, without tokenizer.</summary>
    public static string TextTower => Path.Combine(AppContext.BaseDirectory, "Fixtures", "clip-hf-text-projection", "model");

    /// <summary>Copies a folder, all files writable.</summary>
    public static string Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.WriteAllBytes(target, File.ReadAllBytes(file));
        }

        return to;
    }
}
