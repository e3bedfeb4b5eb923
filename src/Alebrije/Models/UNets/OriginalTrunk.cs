namespace Alebrije.Models.UNets;

/// <summary>
/// Names of the trunk common to the original denoisers, which number blocks through all levels: Karlo (kakaobrain/karlo, modules/unet.py),
/// Kandinsky 2.1 (ai-forever/Kandinsky-2, model/text2im_model2_1.py) and Stable Diffusion (CompVis/stable-diffusion,
/// ldm/modules/diffusionmodules/openaimodel.py), as (pattern, replacement) of regular expressions (diffusers, loaders/single_file_utils.py,
/// scripts/convert_kakao_brain_unclip_to_diffusers.py and convert_kandinsky_to_diffusers.py).
/// </summary>
internal static class OriginalTrunk
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
    ];

    /// <summary>Attention with added keys and values.</summary>
    private static readonly (string Pattern, string Replacement)[] AddedKv =
    [
        (@"(\.attentions\.\d+)\.norm\.", "$1.group_norm."),
        (@"(\.attentions\.\d+)\.proj_out\.", "$1.to_out.0."),
    ];

    /// <summary>Renames of a whole trunk of Karlo or Kandinsky 2.1.</summary>
    /// <param name="levels">Number of resolutions.</param>
    /// <param name="layers">Residual blocks of a level of the down path; the up path has one more.</param>
    /// <param name="attends">True for levels of the up path with attention; the middle has the index <paramref name="levels"/>.</param>
    public static IEnumerable<(string Pattern, string Replacement)> OfKarlo(int levels, Func<int, int> layers, Func<int, bool> attends) =>
        [.. Blocks(levels, layers, attends, ("", "", "")), .. Middle(attends(levels)), .. Inner, .. AddedKv];

    /// <summary>Renames of a whole trunk of Stable Diffusion.</summary>
    /// <inheritdoc cref="OfKarlo"/>
    public static IEnumerable<(string Pattern, string Replacement)> OfStableDiffusion(int levels,
        Func<int, int> layers, Func<int, bool> attends) =>
        [.. Blocks(levels, layers, attends, (@"op\.", @"conv\.", "conv.")), .. Middle(attends(levels)), .. Inner];

    /// <summary>
    /// Name of a module of Stable Diffusion in the original code, such as <c>input_blocks.4.1.proj_in</c> for
    /// <c>down_blocks.1.attentions.0.proj_in</c>: the renames backwards.
    /// </summary>
    /// <param name="module">Name of the module.</param>
    /// <param name="renames">From <see cref="OfStableDiffusion"/>, with the heads.</param>
    public static string Original(string module, IEnumerable<(string Pattern, string Replacement)> renames)
    {
        var (name, isResnet) = (module + ".", module.Contains("resnets", StringComparison.Ordinal));
        foreach (var (pattern, replacement) in renames)
        {
            var text = pattern.TrimStart('^').Replace(@"\.", ".", StringComparison.Ordinal);
            if (pattern[0] != '^') name = isResnet ? name.Replace(replacement, text, StringComparison.Ordinal) : name;
            else if (name.StartsWith(replacement, StringComparison.Ordinal)) name = text + name[replacement.Length..];
        }

        return name[..^1];
    }

    private static IEnumerable<(string Pattern, string Replacement)> Middle(bool attends)
    {
        string[] parts = attends ? ["resnets.0", "attentions.0", "resnets.1"] : ["resnets.0", "resnets.1"];
        return parts.Select((part, i) => ($@"^middle_block\.{i}\.", $"mid_block.{part}."));
    }

    /// <summary>The upsampling block has the index of the last residual block of its level and follows that one's attention.</summary>
    private static IEnumerable<(string Pattern, string Replacement)> Blocks(
        int levels, Func<int, int> layers, Func<int, bool> attends, (string Halving, string Doubling, string Name) resampling)
    {
        var next = 1;
        for (var level = 0; level < levels; level++, next++)
        {
            for (var block = 0; block < layers(level); block++, next++)
            {
                yield return ($@"^input_blocks\.{next}\.0\.", $"down_blocks.{level}.resnets.{block}.");
                yield return ($@"^input_blocks\.{next}\.1\.", $"down_blocks.{level}.attentions.{block}.");
            }

            if (level < levels - 1)
                yield return ($@"^input_blocks\.{next}\.0\.{resampling.Halving}", $"down_blocks.{level}.downsamplers.0.{resampling.Name}");
        }

        next = 0;
        for (var up = 0; up < levels; up++)
        {
            var last = next + layers(levels - 1 - up);
            if (up < levels - 1)
            {
                yield return (
                    $@"^output_blocks\.{last}\.{(attends(up) ? 2 : 1)}\.{resampling.Doubling}",
                    $"up_blocks.{up}.upsamplers.0.{resampling.Name}");
            }

            for (var block = 0; next <= last; block++, next++)
            {
                yield return ($@"^output_blocks\.{next}\.0\.", $"up_blocks.{up}.resnets.{block}.");
                yield return ($@"^output_blocks\.{next}\.1\.", $"up_blocks.{up}.attentions.{block}.");
            }
        }
    }
}
