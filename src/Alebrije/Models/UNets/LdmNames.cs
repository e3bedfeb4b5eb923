using System.Globalization;
using System.Text.RegularExpressions;

namespace Alebrije.Models.UNets;

/// <summary>
/// Names of the modules of a Stable Diffusion denoiser in the original code, which numbers blocks through all levels
/// (CompVis/latent-diffusion, ldm/modules/diffusionmodules/openaimodel.py).
/// </summary>
internal sealed partial class LdmNames
{
    private static readonly Dictionary<string, string> Ends = new(StringComparer.Ordinal)
    {
        ["conv_in"] = "input_blocks.0.0", ["conv_norm_out"] = "out.0", ["conv_out"] = "out.2",
        ["time_embedding.linear_1"] = "time_embed.0", ["time_embedding.linear_2"] = "time_embed.2",
        ["add_embedding.linear_1"] = "label_emb.0.0", ["add_embedding.linear_2"] = "label_emb.0.2",
        ["mid_block.resnets.0"] = "middle_block.0", ["mid_block.attentions.0"] = "middle_block.1",
        ["mid_block.resnets.1"] = "middle_block.2",
    };

    private static readonly Dictionary<string, string> InResnets = new(StringComparer.Ordinal)
    {
        ["norm1"] = "in_layers.0", ["conv1"] = "in_layers.2", ["time_emb_proj"] = "emb_layers.1", ["norm2"] = "out_layers.0",
        ["conv2"] = "out_layers.3", ["conv_shortcut"] = "skip_connection",
    };

    private readonly UNet2DConditionConfig config;

    /// <param name="config">Sizes of the denoiser.</param>
    public LdmNames(UNet2DConditionConfig config) => this.config = config;

    /// <summary>
    /// Maps a module's name to the original one, such as <c>input_blocks.4.1.proj_in</c> for <c>down_blocks.1.attentions.0.proj_in</c>;
    /// null if it has none.
    /// </summary>
    public string? Of(string module)
    {
        if (Ends.TryGetValue(module, out var end)) return end;
        var above = Ends.FirstOrDefault(known => module.StartsWith(known.Key + ".", StringComparison.Ordinal));
        if (above is { Key: { } key, Value: { } block })
            return Join(block, key.Contains("resnets", StringComparison.Ordinal), module[(key.Length + 1)..]);
        if (Block().Match(module) is not { Success: true } match) return null;
        var (isDown, level, kind) = (match.Groups["way"].Value == "down", Number(match, "level"), match.Groups["kind"].Value);
        // A level of the down path has its blocks and a downsampler; of the up path one block more, and its last one upsamples.
        var first = Enumerable.Range(0, level).Sum(below => Blocks(isDown ? below : config.BlockOutChannels.Length - 1 - below) + 1);
        var blocks = Blocks(isDown ? level : config.BlockOutChannels.Length - 1 - level);
        var (number, rest) = (Number(match, "number"), match.Groups["rest"].Value);
        if (kind == "downsamplers") return $"input_blocks.{1 + first + blocks}.0.op";
        var attends = config.UpBlockTypes[level].Contains("CrossAttn", StringComparison.Ordinal);
        if (kind == "upsamplers") return $"output_blocks.{first + blocks}.{(attends ? 2 : 1)}.conv";
        var name = (isDown ? $"input_blocks.{1 + first + number}" : $"output_blocks.{first + number}") + (kind == "resnets" ? ".0" : ".1");
        return Join(name, kind == "resnets", rest);
    }

    private int Blocks(int level) => config.LayersPerBlock[config.LayersPerBlock.Length == 1 ? 0 : level];

    private static string? Join(string block, bool isResnet, string rest) =>
        !isResnet ? $"{block}.{rest}" : InResnets.TryGetValue(rest, out var inner) ? $"{block}.{inner}" : null;

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(
        @"^(?<way>down|up)_blocks\.(?<level>\d+)\.(?<kind>resnets|attentions|downsamplers|upsamplers)\.(?<number>\d+)\.(?<rest>.+)$",
        RegexOptions.CultureInvariant)]
    private static partial Regex Block();
}
