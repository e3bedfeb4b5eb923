using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>
/// Evidence of the library that computes with a bare state dictionary in OpenAI's names. openai/CLIP computes with QuickGELU and rounds weights to half
/// precision; open_clip computes with GELU unless a model's name says quickgelu.
/// </summary>
/// <param name="IsOpenAi">Whether it is computed as openai/CLIP does.</param>
/// <param name="QuickGelu">Whether the activation is QuickGELU.</param>
/// <param name="HeadWidth">Features of one head of the image tower.</param>
internal sealed record OpenClipOrigin(bool IsOpenAi, bool QuickGelu, int HeadWidth)
{
    private const int UsualHeadWidth = 64;
    private const string NameOfQuickGelu = "quickgelu";

    /// <summary>Widths of open_clip's image towers whose heads have other than 64 features: ViT-H, ViT-g, ViT-bigG and ViT-e.</summary>
    private static readonly Dictionary<int, int> HeadWidths = new() { [1280] = 80, [1408] = 88, [1664] = 104, [1792] = 112 };

    /// <summary>openai/CLIP, whatever the file looks like.</summary>
    public static OpenClipOrigin OpenAi { get; } = new(IsOpenAi: true, QuickGelu: true, UsualHeadWidth);

    /// <summary>A sentence about what the file does not say and was assumed; null where nothing was.</summary>
    public string? Assumption { get; init; }

    /// <summary>The library that a file is of, as far as it shows.</summary>
    /// <param name="weights">The tensors.</param>
    /// <param name="prefix">What stands before OpenAI's names: a training checkpoint keeps the weights under a name of its own.</param>
    public static OpenClipOrigin Of(TensorSource weights, string prefix)
    {
        if (prefix.Length == 0 && (weights.IsScript || OpenClipFolder.Sizes.Any(weights.Contains) || IsHalf(weights))) return OpenAi;
        var file = Path.GetFileName(weights.Location);
        var quick = Named(file) || Named(weights.Text("name"));
        var width = weights.Contains(prefix + "visual.proj") && weights.Describe(prefix + "visual.proj").Shape is [var features, _] ? (int)features : 0;
        var heads = HeadWidths.GetValueOrDefault(width, UsualHeadWidth);
        var form = prefix.Length > 0 ? "is a training checkpoint and" : "has no config and";
        return new OpenClipOrigin(IsOpenAi: false, quick, heads)
        {
            Assumption = quick && heads == UsualHeadWidth ? null
                : $"{file} {form} does not say how it is computed: {(quick ? "QuickGELU" : "GELU")}{(width > 0 ? $" and heads of {heads} features in the image tower" : "")} {(width > 0 ? "are" : "is")} assumed, as in open_clip. "
                    + $"For QuickGELU let the file's name contain {NameOfQuickGelu}; for anything else put the file alone into a folder with the {OpenClipConfig.FileName} of its model.",
        };
    }

    /// <summary>openai/CLIP's half precision leaves norms in full precision (model.py, convert_weights).</summary>
    private static bool IsHalf(TensorSource weights) =>
        TypeOf(weights, "visual.conv1.weight") == ScalarType.Float16 && TypeOf(weights, "ln_final.weight") == ScalarType.Float32;

    private static ScalarType? TypeOf(TensorSource weights, string name) => weights.Contains(name) ? weights.Describe(name).Type : null;

    private static bool Named(string? name) => name?.Replace("_", "", StringComparison.Ordinal).Contains(NameOfQuickGelu, StringComparison.OrdinalIgnoreCase) == true;
}
