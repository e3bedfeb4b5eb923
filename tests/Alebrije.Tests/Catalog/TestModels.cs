namespace Alebrije.Tests.Catalog;

/// <summary>Tiny checkpoints in the published layouts.</summary>
internal static class TestModels
{
    /// <summary>A Stable unCLIP pipeline with random weights.</summary>
    public static string StableUnClip => Path.Combine(AppContext.BaseDirectory, "Fixtures", "stable-unclip-euler", "model");

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
