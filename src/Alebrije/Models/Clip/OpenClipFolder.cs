using System.Text.RegularExpressions;
using Alebrije.Nn;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>Where a CLIP in OpenAI's names is kept: one <c>.pt</c> file of OpenAI's, or open_clip's folder with its config.</summary>
internal static partial class OpenClipFolder
{
    private const string TextModule = "text.", TokenEmbedding = "token_embedding.weight";

    /// <summary>What OpenAI's files hold beside the weights (openai/CLIP, model.py, build_model).</summary>
    public static readonly string[] Sizes = ["input_resolution", "context_length", "vocab_size"];

    /// <summary>What is no weight in such files: <see cref="Sizes"/>, and the mask that tracing leaves.</summary>
    public static readonly string[] NoWeights = [.. Sizes, "*attn_mask"];

    /// <summary>Builds the network that a file or folder describes and loads its weights, as float32.</summary>
    /// <param name="path">A <c>.pt</c> file, a folder with <c>open_clip_config.json</c>, or a folder with a single <c>.pt</c> file.</param>
    /// <param name="origin">The library that computes with a bare state dictionary; null reads it off the file.</param>
    /// <exception cref="WeightsException">It is damaged, not a CLIP in these names, or of an architecture that is not built in.</exception>
    public static OpenClipNetwork Load(string path, OpenClipOrigin? origin = null)
    {
        using var weights = OpenWeights(path);
        if (File.Exists(Path.Combine(path, OpenClipConfig.FileName)))
        {
            var config = OpenClipConfig.Read(path);
            return Load(config, weights, PrefixOf(weights, config.CustomText && HasTextModule(weights) ? TextModule : ""));
        }

        var prefix = PrefixOf(weights);
        origin ??= OpenClipOrigin.Of(weights, prefix);
        var network = Load(OpenClipConfig.Infer(weights, prefix, origin), weights, prefix);
        if (origin.IsOpenAi) RoundToHalf(network);
        return network;
    }

    /// <summary>Sizes of a file's or folder's network.</summary>
    public static OpenClipConfig ConfigOf(string path)
    {
        if (File.Exists(Path.Combine(path, OpenClipConfig.FileName))) return OpenClipConfig.Read(path);
        using var weights = OpenWeights(path);
        var prefix = PrefixOf(weights);
        return OpenClipConfig.Infer(weights, prefix, OpenClipOrigin.Of(weights, prefix));
    }

    /// <summary>Builds a network of known sizes and loads weights into it.</summary>
    /// <param name="config">Sizes.</param>
    /// <param name="weights">The tensors.</param>
    /// <param name="prefix">What stands before OpenAI's names; other tensors are left alone.</param>
    public static OpenClipNetwork Load(OpenClipConfig config, TensorSource weights, string prefix = "")
    {
        using var skip = WeightInit.Skip();
        var network = new OpenClipNetwork(config);
        network.eval();
        // A text tower that is a module of its own is loaded from the older names too (open_clip, model.py, convert_to_custom_text_state_dict).
        IReadOnlyList<(string, string)> renames = config.CustomText && !HasTextModule(weights) ? [(@"^(positional_embedding$|token_embedding\.|transformer\.|ln_final\.|text_projection)", TextModule + "$1")] : [];
        StateDict.Load(network, weights, new StateDictOptions { Prefix = prefix, Ignored = NoWeights, Renames = renames });
        return network;
    }

    private static bool HasTextModule(TensorSource weights) => weights.Names.Any(name => name.EndsWith(TextModule + TokenEmbedding, StringComparison.Ordinal));

    /// <summary>OpenAI's file: the path itself, or the only <c>.pt</c> file of a folder; null when there is none.</summary>
    public static string? PickleOf(string path)
    {
        if (File.Exists(path)) return path.EndsWith(".pt", StringComparison.OrdinalIgnoreCase) ? path : null;
        if (!Directory.Exists(path)) return null;
        var files = Directory.GetFiles(path, "*.pt");
        return files.Length == 1 ? files[0] : null;
    }

    /// <summary>The weights under the names of a published folder, else the only <c>.pt</c> file.</summary>
    private static TensorSource OpenWeights(string path) => CheckpointFolder.OpenWeights(CheckpointFolder.HasWeights(path) ? path : PickleOf(path) ?? path);

    /// <summary>A training checkpoint keeps the weights under a name of its own, with <c>module.</c> before each where several machines trained.</summary>
    /// <param name="weights">The tensors.</param>
    /// <param name="tower">Name of the module that the text tower stands in, with a dot behind it; empty where it has none.</param>
    private static string PrefixOf(TensorSource weights, string tower = "")
    {
        var known = tower + TokenEmbedding;
        return weights.Names.Where(name => name.EndsWith(known, StringComparison.Ordinal)).MinBy(name => name.Length)?[..^known.Length] ?? "";
    }

    /// <summary>
    /// openai/CLIP keeps convolutions, products and projections in half precision whatever the file holds (model.py, convert_weights): the numbers are
    /// rounded so, and computed with in float32 as on its CPU.
    /// </summary>
    private static void RoundToHalf(OpenClipNetwork network)
    {
        using var guard = no_grad();
        foreach (var (name, parameter) in network.named_parameters())
        {
            if (parameter.ndim == 0 || name.Contains("embedding", StringComparison.Ordinal) || NormName().IsMatch(name)) continue;
            using var half = parameter.to(ScalarType.Float16);
            parameter.copy_(half);
        }
    }

    [GeneratedRegex(@"(^|\.)(ln_\w+|bn\d|downsample\.1)\.", RegexOptions.CultureInvariant)]
    private static partial Regex NormName();
}
