using System.Text.RegularExpressions;
using Alebrije.Nn;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>CLIP with OpenAI's names: one <c>.pt</c> file of OpenAI's, or open_clip's folder with its config.</summary>
internal static partial class OpenClipFolder
{
    private const string TextModule = "text.", TokenEmbedding = "token_embedding.weight";

    /// <summary>Entries for sizes in OpenAI's files (openai/CLIP, model.py, build_model).</summary>
    public static readonly string[] Sizes = ["input_resolution", "context_length", "vocab_size"];

    /// <summary>Entries of such files that are not weights: <see cref="Sizes"/>, and the mask from tracing.</summary>
    public static readonly string[] NoWeights = [.. Sizes, "*attn_mask"];

    /// <summary>Builds the network that a file or folder describes and loads its weights, as float32.</summary>
    /// <param name="path">A <c>.pt</c> file, a folder with <c>open_clip_config.json</c>, or a folder with a single <c>.pt</c> file.</param>
    /// <param name="origin">Library of a bare state dictionary; null: inferred from the file.</param>
    /// <exception cref="WeightsException">The file is damaged, not a CLIP with these names, or of an architecture that is not built
    /// in.</exception>
    public static ClipNetwork Load(string path, OpenClipOrigin? origin = null)
    {
        using var weights = OpenWeights(path);
        var (config, bare) = Describe(path, weights, origin);
        var network = Load(config, weights);
        if (bare is { IsOpenAi: true }) RoundToHalf(network);
        return network;
    }

    /// <summary>Builds a network of known sizes and loads weights into it.</summary>
    public static ClipNetwork Load(OpenClipConfig config, TensorSource weights)
    {
        using var skip = WeightInit.Skip(within: WeightLimit.Of("The configuration of " + weights.Location,
            weights.Location, (weights.Elements, weights.Names.Count), sentence => new WeightsException(sentence)));
        var network = new ClipNetwork(config.ToClip());
        network.eval();
        StateDict.Load(network, weights, OpenAiKeyMap.Whole(config, PrefixOf(weights)));
        return network;
    }

    /// <summary>Loads the weights of a file or folder into a network of the same sizes, to continue training.</summary>
    /// <param name="network">The network.</param>
    /// <param name="path">As for <see cref="Load(string, OpenClipOrigin)"/>.</param>
    public static void Fill(ClipNetwork network, string path)
    {
        using var weights = OpenWeights(path);
        var (config, bare) = Describe(path, weights, origin: null);
        StateDict.Load(network, weights, OpenAiKeyMap.Whole(config, PrefixOf(weights)));
        if (bare is { IsOpenAi: true }) RoundToHalf(network);
    }

    /// <summary>Sizes of a file's or folder's network.</summary>
    public static OpenClipConfig ConfigOf(string path)
    {
        if (HasConfig(path)) return OpenClipConfig.Read(path);
        using var weights = OpenWeights(path);
        return Describe(path, weights, origin: null).Config;
    }

    /// <summary>Path of OpenAI's file: the path itself, or the only <c>.pt</c> file of a folder; null if there is none.</summary>
    public static string? PickleOf(string path)
    {
        if (File.Exists(path)) return path.EndsWith(".pt", StringComparison.OrdinalIgnoreCase) ? path : null;
        if (!Directory.Exists(path)) return null;
        var files = Directory.GetFiles(path, "*.pt");
        return files.Length == 1 ? files[0] : null;
    }

    private static bool HasConfig(string path) => File.Exists(Path.Combine(path, OpenClipConfig.FileName));

    /// <summary>Sizes, and the library of a bare state dictionary; null if a config defines it.</summary>
    private static (OpenClipConfig Config, OpenClipOrigin? Bare) Describe(string path, TensorSource weights, OpenClipOrigin? origin)
    {
        if (HasConfig(path)) return (OpenClipConfig.Read(path), null);
        var prefix = PrefixOf(weights);
        origin ??= OpenClipOrigin.Of(weights, prefix);
        return (OpenClipConfig.Infer(weights, prefix, origin), origin);
    }

    /// <summary>The weights under the names of a published folder, else the only <c>.pt</c> file.</summary>
    private static TensorSource OpenWeights(string path) =>
        CheckpointFolder.OpenWeights(CheckpointFolder.HasWeights(path) ? path : PickleOf(path) ?? path);

    /// <summary>
    /// Prefix of OpenAI's names: a training checkpoint stores the weights under a key of its own, with <c>module.</c> before each name
    /// after distributed training. The text tower is at the top or under <c>text</c>, regardless of the config (open_clip,
    /// convert_to_custom_text_state_dict).
    /// </summary>
    private static string PrefixOf(TensorSource weights)
    {
        var known = weights.Names.Where(name => name.EndsWith(TokenEmbedding, StringComparison.Ordinal)).MinBy(name => name.Length);
        var prefix = known?[..^TokenEmbedding.Length] ?? "";
        return prefix == TextModule || prefix.EndsWith("." + TextModule, StringComparison.Ordinal) ? prefix[..^TextModule.Length] : prefix;
    }

    /// <summary>
    /// Rounds convolutions, linear layers and projections to half precision, as openai/CLIP does for every file (model.py,
    /// convert_weights); the computation is in float32 as on its CPU.
    /// </summary>
    private static void RoundToHalf(ClipNetwork network)
    {
        using var guard = no_grad();
        foreach (var (name, parameter) in network.named_parameters())
        {
            if (parameter.ndim == 0 || StaysFull().IsMatch(name)) continue;
            using var half = parameter.to(ScalarType.Float16);
            parameter.copy_(half);
        }
    }

    /// <summary>Pattern of norms and embedding tables.</summary>
    [GeneratedRegex(
        @"(^|\.)(\w*(layer_?norm|layrnorm)\d?|bn\d|downsample\.1|(class|token|position|positional)_embedding)(\.|$)",
        RegexOptions.CultureInvariant)]
    private static partial Regex StaysFull();
}
