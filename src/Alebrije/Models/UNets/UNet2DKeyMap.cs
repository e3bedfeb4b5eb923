namespace Alebrije.Models.UNets;

/// <summary>Other names that an upsampler's tensors carry in published files, as (pattern, replacement) of regular expressions.</summary>
internal static class UNet2DKeyMap
{
    /// <summary>What Karlo's one file (improved-sr-ckpt) puts before the names of the network for all steps but the last.</summary>
    public const string KarloFirst = "model_first_steps.";

    /// <summary>What it puts before the names of the network for the last step.</summary>
    public const string KarloLast = "model_last_step.";

    private static readonly (string Pattern, string Replacement)[] WithinBlocks =
    [
        (@"\.in_layers\.0\.", ".norm1."),
        (@"\.in_layers\.2\.", ".conv1."),
        (@"\.emb_layers\.1\.", ".time_emb_proj."),
        (@"\.out_layers\.0\.", ".norm2."),
        (@"\.out_layers\.3\.", ".conv2."),
        (@"\.skip_connection\.", ".conv_shortcut."),
    ];

    private static readonly (string Pattern, string Replacement)[] Ends =
    [
        (@"^time_embed\.0\.", "time_embedding.linear_1."),
        (@"^time_embed\.2\.", "time_embedding.linear_2."),
        (@"^input_blocks\.0\.0\.", "conv_in."),
        (@"^middle_block\.(\d+)\.", "mid_block.resnets.$1."),
        (@"^out\.0\.", "conv_norm_out."),
        (@"^out\.2\.", "conv_out."),
    ];

    /// <summary>
    /// Karlo's own names, which number blocks through all levels (kakaobrain/karlo, modules/unet.py; diffusers,
    /// scripts/convert_kakao_brain_unclip_to_diffusers.py). The block that doubles shares its number with the last residual block of its level.
    /// </summary>
    public static IReadOnlyList<(string Pattern, string Replacement)> FromKarlo(UNet2DConfig config)
    {
        var (levels, blocks) = (config.BlockOutChannels.Length, config.LayersPerBlock);
        var map = new List<(string, string)>(Ends);
        for (var level = 0; level < levels; level++)
        {
            var first = 1 + (level * (blocks + 1));
            for (var block = 0; block < blocks; block++) map.Add(($@"^input_blocks\.{first + block}\.0\.", $"down_blocks.{level}.resnets.{block}."));
            if (level < levels - 1) map.Add(($@"^input_blocks\.{first + blocks}\.0\.", $"down_blocks.{level}.downsamplers.0."));
        }

        for (var level = 0; level < levels; level++)
        {
            var first = level * (blocks + 1);
            for (var block = 0; block <= blocks; block++) map.Add(($@"^output_blocks\.{first + block}\.0\.", $"up_blocks.{level}.resnets.{block}."));
            if (level < levels - 1) map.Add(($@"^output_blocks\.{first + blocks}\.1\.", $"up_blocks.{level}.upsamplers.0."));
        }

        return [.. map, .. WithinBlocks];
    }
}
