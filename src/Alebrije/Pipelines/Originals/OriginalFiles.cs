using Alebrije.Weights;

namespace Alebrije.Pipelines.Originals;

/// <summary>Content of an original file.</summary>
internal enum OriginalRole
{
    Prior, KarloDecoder, Upsamplers, KandinskyDecoder, KandinskyInpainting, MoVq, Statistics, Clip,
}

/// <summary>A file and what stands before the names in it.</summary>
internal sealed record OriginalFile(string Path, string Prefix);

/// <summary>The original files of a folder, identified by the tensors that they hold, whatever their names.</summary>
internal static class OriginalFiles
{
    private static readonly string[] Endings = [".ckpt", ".th", ".pt", ".safetensors"];

    /// <summary>Files that mark folders of the published layouts.</summary>
    private static readonly string[] Layouts = ["model_index.json", "config.json", "open_clip_config.json"];

    /// <summary>A tensor that only one kind of file has.</summary>
    private static readonly (string Name, OriginalRole Role)[] Signs =
    [
        ("clip_img_proj.weight", OriginalRole.Prior), ("clip_tok_proj.weight", OriginalRole.KarloDecoder),
            ("model_first_steps.input_blocks.0.0.weight", OriginalRole.Upsamplers),
        ("clip_to_seq.weight", OriginalRole.KandinskyDecoder), ("decoder.norm_out.conv_y.weight", OriginalRole.MoVq),
        ("visual.conv1.weight", OriginalRole.Clip),
    ];

    /// <summary>Channels of the latents alone; inpainting networks take more.</summary>
    private const int LatentChannels = 4;

    /// <summary>Identifies every file at the top of a folder; null if none is a <c>.ckpt</c>, or for the published layouts.</summary>
    /// <exception cref="WeightsException">A file is damaged or refused, or two hold the same network.</exception>
    public static IReadOnlyDictionary<OriginalRole, OriginalFile>? Find(string folder)
    {
        if (!Directory.Exists(folder) || Layouts.Any(file => File.Exists(Path.Combine(folder, file)))) return null;
        var paths = Directory.EnumerateFiles(folder).Where(path => Endings.Contains(Path.GetExtension(path)))
            .Order(StringComparer.Ordinal).ToArray();
        if (!paths.Any(path => Path.GetExtension(path) == ".ckpt")) return null;
        var found = new Dictionary<OriginalRole, OriginalFile>();
        foreach (var path in paths)
        {
            using var file = CheckpointFolder.OpenWeights(path);
            if (Look(file) is not var (role, prefix)) continue;
            if (!found.TryAdd(role, new OriginalFile(path, prefix)))
                throw new WeightsException($"{folder} has two files of one "
                    + $"kind, {Path.GetFileName(found[role].Path)} and {Path.GetFileName(path)}: keep only the one that is needed.");
        }

        return found.ContainsKey(OriginalRole.KarloDecoder) || found.ContainsKey(OriginalRole.KandinskyDecoder)
            || found.ContainsKey(OriginalRole.KandinskyInpainting) ? found : null;
    }

    private static (OriginalRole Role, string Prefix)? Look(TensorSource file)
    {
        if (file.Names.Count == 2 && file.Contains("0") && file.Contains("1")) return (OriginalRole.Statistics, "");
        foreach (var (name, role) in Signs)
        {
            if (file.Names.FirstOrDefault(known => known == name || known.EndsWith("." + name, StringComparison.Ordinal)) is not { } sign)
                continue;
            var prefix = sign[..^name.Length];
            return role == OriginalRole.KandinskyDecoder && file.Describe(prefix + "input_blocks.0.0.weight")
                .Shape is [_, > LatentChannels, ..]
                ? (OriginalRole.KandinskyInpainting, prefix) : (role, prefix);
        }

        return null;
    }
}
