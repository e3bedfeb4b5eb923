using Alebrije.Weights;

namespace Alebrije.Models.Autoencoders;

/// <summary>
/// Names of the original MoVQ checkpoint of Kandinsky (ai-forever/Kandinsky-2, movq_final.ckpt), which are those of taming-transformers, as
/// (pattern, replacement) of regular expressions (diffusers, scripts/convert_kandinsky_to_diffusers.py).
/// </summary>
internal static class MoVqKeyMap
{
    /// <summary>Matrices here, 1×1 convolutions there.</summary>
    private static readonly string[] Matrices = ["*.attentions.*.to_q.weight", "*.attentions.*.to_k.weight", "*.attentions.*.to_v.weight", "*.attentions.*.to_out.0.weight"];

    /// <summary>How an original file is loaded into a <see cref="VQModel"/> with a spatial norm.</summary>
    /// <param name="levels">Levels of the network: the original counts those of the decoder from the finest.</param>
    public static StateDictOptions FromOriginal(int levels) => new() { Renames = Renames(levels), Pointwise = Matrices };

    private static List<(string Pattern, string Replacement)> Renames(int levels) =>
    [
        .. Enumerable.Range(0, levels).Select(level => ($@"^decoder\.up\.{level}\.", $"decoder.up_blocks.{levels - 1 - level}.")),
        (@"^encoder\.down\.(\d+)\.", "encoder.down_blocks.$1."),
        (@"\.block\.(\d+)\.", ".resnets.$1."),
        (@"\.attn\.(\d+)\.", ".attentions.$1."),
        (@"\.downsample\.conv\.", ".downsamplers.0.conv."),
        (@"\.upsample\.conv\.", ".upsamplers.0.conv."),
        (@"\.mid\.block_1\.", ".mid_block.resnets.0."),
        (@"\.mid\.block_2\.", ".mid_block.resnets.1."),
        (@"\.mid\.attn_1\.", ".mid_block.attentions.0."),
        (@"\.nin_shortcut\.", ".conv_shortcut."),
        (@"\.norm_out\.", ".conv_norm_out."),
        (@"^decoder\.(.*\.attentions\.\d+)\.norm\.", "decoder.$1.spatial_norm."),
        (@"^encoder\.(.*\.attentions\.\d+)\.norm\.", "encoder.$1.group_norm."),
        (@"(\.attentions\.\d+)\.([qkv])\.", "$1.to_$2."),
        (@"(\.attentions\.\d+)\.proj_out\.", "$1.to_out.0."),
    ];
}
