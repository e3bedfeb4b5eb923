using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>
/// Library that a bare state dictionary with OpenAI's names belongs to. openai/CLIP uses QuickGELU and rounds weights to half precision;
/// open_clip uses GELU unless a model's name contains quickgelu.
/// </summary>
/// <param name="IsOpenAi">True for the computation of openai/CLIP.</param>
/// <param name="QuickGelu">True for QuickGELU.</param>
/// <param name="HeadWidth">Width of one head of the image tower.</param>
internal sealed record OpenClipOrigin(bool IsOpenAi, bool QuickGelu, int HeadWidth)
{
    private const int UsualHeadWidth = 64;
    private const string NameOfQuickGelu = "quickgelu";

    /// <summary>Head widths other than 64 by width of open_clip's image tower: ViT-H, ViT-g, ViT-bigG and ViT-e.</summary>
    private static readonly Dictionary<int, int> HeadWidths = new() { [1280] = 80, [1408] = 88, [1664] = 104, [1792] = 112 };

    /// <summary>openai/CLIP, independent of the file.</summary>
    public static OpenClipOrigin OpenAi { get; } = new(IsOpenAi: true, QuickGelu: true, UsualHeadWidth);

    /// <summary>A sentence about an assumption that the file does not confirm, or null.</summary>
    public string? Assumption { get; init; }

    /// <summary>Infers the library from a file's tensors.</summary>
    /// <param name="weights">The tensors.</param>
    /// <param name="prefix">Prefix of OpenAI's names: a training checkpoint stores the weights under a key of its own.</param>
    public static OpenClipOrigin Of(TensorSource weights, string prefix)
    {
        if (prefix.Length == 0 && (weights.IsScript || OpenClipFolder.Sizes.Any(weights.Contains) || IsHalf(weights))) return OpenAi;
        var file = Path.GetFileName(weights.Location);
        var quick = Named(file) || Named(weights.Text("name"));
        var width = weights.Contains(prefix + "visual.proj")
            && weights.Describe(prefix + "visual.proj").Shape is [var features, _] ? (int)features : 0;
        var heads = HeadWidths.GetValueOrDefault(width, UsualHeadWidth);
        var form = prefix.Length > 0 ? "is a training checkpoint and" : "has no config and";
        return new OpenClipOrigin(IsOpenAi: false, quick, heads)
        {
            Assumption = quick && heads == UsualHeadWidth ? null
                : $"{file} {form} does not specify its computation: "
                    + $"{(quick ? "QuickGELU" : "GELU")}{(width > 0 ? $" and heads of {heads} features in the image tower" : "")} "
                        + $"{(width > 0 ? "are" : "is")} assumed, as in open_clip. "
                    + $"For QuickGELU let the file's name contain {NameOfQuickGelu}; "
                        + $"for anything else put the file alone into a folder with the {OpenClipConfig.FileName} of its model.",
        };
    }

    /// <summary>True for openai/CLIP's half precision, with norms in full precision (model.py, convert_weights).</summary>
    private static bool IsHalf(TensorSource weights) =>
        TypeOf(weights, "visual.conv1.weight") == ScalarType.Float16 && TypeOf(weights, "ln_final.weight") == ScalarType.Float32;

    private static ScalarType? TypeOf(TensorSource weights, string name) => weights.Contains(name) ? weights.Describe(name).Type : null;

    private static bool Named(string? name) => name?.Replace("_", "", StringComparison.Ordinal)
        .Contains(NameOfQuickGelu, StringComparison.OrdinalIgnoreCase) == true;
}
