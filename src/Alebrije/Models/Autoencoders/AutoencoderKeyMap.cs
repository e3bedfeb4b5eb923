using Alebrije.Weights;

namespace Alebrije.Models.Autoencoders;

/// <summary>Names of an autoencoder's tensors in published files, as (pattern, replacement) of regular expressions.</summary>
internal static class AutoencoderKeyMap
{
    /// <summary>Matrices here that files hold as 1×1 convolutions.</summary>
    private static readonly string[] Matrices =
        ["*.attentions.*.to_q.weight", "*.attentions.*.to_k.weight", "*.attentions.*.to_v.weight", "*.attentions.*.to_out.0.weight"];

    /// <summary>The attention of diffusers before 0.15 (models/modeling_utils.py, _convert_deprecated_attention_blocks).</summary>
    public static IReadOnlyList<(string Pattern, string Replacement)> FromOldAttention { get; } =
    [
        (@"(\.attentions\.\d+)\.query\.", "$1.to_q."),
        (@"(\.attentions\.\d+)\.key\.", "$1.to_k."),
        (@"(\.attentions\.\d+)\.value\.", "$1.to_v."),
        (@"(\.attentions\.\d+)\.proj_attn\.", "$1.to_out.0."),
    ];

    /// <summary>
    /// Names of taming-transformers: those of Kandinsky's MoVQ (ai-forever/Kandinsky-2, movq_final.ckpt; diffusers,
    /// scripts/convert_kandinsky_to_diffusers.py) and of Stable Diffusion's autoencoder in a single-file checkpoint (diffusers,
    /// loaders/single_file_utils.py). Tensors of a training loss are ignored.
    /// </summary>
    /// <param name="levels">Levels of the network; the original numbers those of the decoder from the finest.</param>
    /// <param name="hasSpatialNorm">True for MoVQ, whose decoder normalisation is conditioned on the latents.</param>
    public static StateDictOptions FromOriginal(int levels, bool hasSpatialNorm = false) => new()
    {
        Pointwise = Matrices, Ignored = ["loss.*", "model_ema.*"], Renames =
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
            (@"^decoder\.(.*\.attentions\.\d+)\.norm\.", hasSpatialNorm ? "decoder.$1.spatial_norm." : "decoder.$1.group_norm."),
            (@"^encoder\.(.*\.attentions\.\d+)\.norm\.", "encoder.$1.group_norm."),
            (@"(\.attentions\.\d+)\.([qkv])\.", "$1.to_$2."),
            (@"(\.attentions\.\d+)\.proj_out\.", "$1.to_out.0."),
        ],
    };
}
