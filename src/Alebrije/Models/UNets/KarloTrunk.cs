namespace Alebrije.Models.UNets;

/// <summary>
/// Names of the trunk that Karlo's networks (kakaobrain/karlo, modules/unet.py) and Kandinsky 2.1's decoder (ai-forever/Kandinsky-2,
/// model/text2im_model2_1.py) share, whose blocks are numbered through all levels (diffusers,
/// scripts/convert_kakao_brain_unclip_to_diffusers.py and convert_kandinsky_to_diffusers.py), as (pattern, replacement) of regular
/// expressions.
/// </summary>
internal static class KarloTrunk
{
    private static readonly (string Pattern, string Replacement)[] Inner =
    [
        (@"^time_embed\.0\.", "time_embedding.linear_1."),
        (@"^time_embed\.2\.", "time_embedding.linear_2."),
        (@"^input_blocks\.0\.0\.", "conv_in."),
        (@"^out\.0\.", "conv_norm_out."),
        (@"^out\.2\.", "conv_out."),
        (@"\.in_layers\.0\.", ".norm1."),
        (@"\.in_layers\.2\.", ".conv1."),
        (@"\.emb_layers\.1\.", ".time_emb_proj."),
        (@"\.out_layers\.0\.", ".norm2."),
        (@"\.out_layers\.3\.", ".conv2."),
        (@"\.skip_connection\.", ".conv_shortcut."),
        (@"(\.attentions\.\d+)\.norm\.", "$1.group_norm."),
        (@"(\.attentions\.\d+)\.proj_out\.", "$1.to_out.0."),
    ];

    /// <summary>Renames of a whole trunk.</summary>
    /// <param name="levels">Resolutions.</param>
    /// <param name="blocks">Residual blocks of a level on the way down; the way up has one more.</param>
    /// <param name="attends">True for levels of the way up that attend, and for the middle, number <paramref name="levels"/>.</param>
    public static IEnumerable<(string Pattern, string Replacement)> Renames(int levels, int blocks, Func<int, bool> attends) =>
        [.. Blocks(levels, blocks, attends), .. Middle(attends(levels)), .. Inner];

    private static IEnumerable<(string Pattern, string Replacement)> Middle(bool attends)
    {
        string[] parts = attends ? ["resnets.0", "attentions.0", "resnets.1"] : ["resnets.0", "resnets.1"];
        return parts.Select((part, i) => ($@"^middle_block\.{i}\.", $"mid_block.{part}."));
    }

    /// <summary>The block that doubles shares its number with the last residual block of its level, after that one's attention.</summary>
    private static IEnumerable<(string Pattern, string Replacement)> Blocks(int levels, int blocks, Func<int, bool> attends)
    {
        for (var level = 0; level < levels; level++)
        {
            var first = 1 + (level * (blocks + 1));
            for (var block = 0; block < blocks; block++)
            {
                yield return ($@"^input_blocks\.{first + block}\.0\.", $"down_blocks.{level}.resnets.{block}.");
                yield return ($@"^input_blocks\.{first + block}\.1\.", $"down_blocks.{level}.attentions.{block}.");
            }

            if (level < levels - 1) yield return ($@"^input_blocks\.{first + blocks}\.0\.", $"down_blocks.{level}.downsamplers.0.");
        }

        for (var level = 0; level < levels; level++)
        {
            var first = level * (blocks + 1);
            if (level < levels - 1)
                yield return ($@"^output_blocks\.{first + blocks}\.{(attends(level) ? 2 : 1)}\.", $"up_blocks.{level}.upsamplers.0.");
            for (var block = 0; block <= blocks; block++)
            {
                yield return ($@"^output_blocks\.{first + block}\.0\.", $"up_blocks.{level}.resnets.{block}.");
                yield return ($@"^output_blocks\.{first + block}\.1\.", $"up_blocks.{level}.attentions.{block}.");
            }
        }
    }
}
