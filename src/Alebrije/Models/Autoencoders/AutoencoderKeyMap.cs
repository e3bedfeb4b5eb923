namespace Alebrije.Models.Autoencoders;

/// <summary>Other names that an autoencoder's tensors carry in published files, as (pattern, replacement) of regular expressions.</summary>
internal static class AutoencoderKeyMap
{
    /// <summary>The attention of diffusers before 0.15 (models/modeling_utils.py, _convert_deprecated_attention_blocks).</summary>
    public static IReadOnlyList<(string Pattern, string Replacement)> FromOldAttention { get; } =
    [
        (@"(\.attentions\.\d+)\.query\.", "$1.to_q."),
        (@"(\.attentions\.\d+)\.key\.", "$1.to_k."),
        (@"(\.attentions\.\d+)\.value\.", "$1.to_v."),
        (@"(\.attentions\.\d+)\.proj_attn\.", "$1.to_out.0."),
    ];
}
