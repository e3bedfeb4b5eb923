using System.Globalization;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>
/// Names of Stable Diffusion's networks in a checkpoint of one file, written down from the original networks (CompVis/stable-diffusion,
/// ldm/modules/diffusionmodules/openaimodel.py and model.py; mlfoundations/open_clip) and independently of the key maps under test.
/// </summary>
internal static class SingleFileNames
{
    private static readonly Dictionary<string, string> Ends = new()
    {
        ["time_embedding.linear_1"] = "time_embed.0", ["time_embedding.linear_2"] = "time_embed.2", ["conv_in"] = "input_blocks.0.0",
        ["conv_norm_out"] = "out.0", ["conv_out"] = "out.2", ["add_embedding.linear_1"] = "label_emb.0.0",
            ["add_embedding.linear_2"] = "label_emb.0.2",
        ["class_embedding"] = "label_emb",
    };

    private static readonly Dictionary<string, string> Residual = new()
    {
        ["norm1"] = "in_layers.0", ["conv1"] = "in_layers.2", ["time_emb_proj"] = "emb_layers.1",
            ["norm2"] = "out_layers.0", ["conv2"] = "out_layers.3",
        ["conv_shortcut"] = "skip_connection",
    };

    /// <summary>A UNet's tensors as the original numbers its blocks.</summary>
    /// <param name="network">Its state dictionary.</param>
    /// <param name="layers">Residual blocks of a level.</param>
    /// <param name="attends">Levels with attention, the finest first.</param>
    public static Dictionary<string, Tensor> UNet(IReadOnlyDictionary<string, Tensor> network, int layers, params bool[] attends)
    {
        return network.ToDictionary(pair => Rename(pair.Key), pair => pair.Value);

        string Rename(string name)
        {
            var (stem, end) = (name[..name.LastIndexOf('.')], name[name.LastIndexOf('.')..]);
            if (Ends.TryGetValue(stem, out var known)) return known + end;
            var parts = stem.Split('.');
            int Number(int at) => int.Parse(parts[at], CultureInfo.InvariantCulture);
            if (parts[0] == "mid_block")
                return $"middle_block.{(parts[1] == "attentions" ? 1 : 2 * Number(2))}."
                    + $"{Inner(string.Join('.', parts[3..]), parts[1])}{end}";
            var (level, kind, block, rest) = (Number(1), parts[2], Number(3), string.Join('.', parts[4..]));
            return (parts[0], kind) switch
            {
                ("down_blocks", "downsamplers") => $"input_blocks.{(layers + 1) * (level + 1)}.0.op{end}",
                ("down_blocks", _) =>
                     $"input_blocks.{1 + ((layers + 1) * level) + block}.{(kind == "resnets" ? 0 : 1)}.{Inner(rest, kind)}{end}",
                ("up_blocks", "upsamplers") =>
                    $"output_blocks.{((layers + 1) * level) + layers}.{(attends[^(level + 1)] ? 2 : 1)}.conv{end}",
                ("up_blocks", _) =>
                     $"output_blocks.{((layers + 1) * level) + block}.{(kind == "resnets" ? 0 : 1)}.{Inner(rest, kind)}{end}",
                _ => throw new InvalidOperationException(name),
            };
        }
    }

    /// <summary>An autoencoder's tensors; the matrices of its attention are 1 x 1 convolutions.</summary>
    /// <param name="network">Its state dictionary.</param>
    /// <param name="levels">Its levels.</param>
    public static Dictionary<string, Tensor> Autoencoder(IReadOnlyDictionary<string, Tensor> network, int levels)
    {
        return network.ToDictionary(pair => Rename(pair.Key), pair =>
            pair.Key.Contains(".attentions.", StringComparison.Ordinal)
            && pair.Value.ndim == 2 ? pair.Value.unsqueeze(-1).unsqueeze(-1) : pair.Value);

        string Rename(string name)
        {
            var parts = name.Split('.').ToList();
            if (parts[1] is "down_blocks" or "up_blocks")
            {
                var level = int.Parse(parts[2], CultureInfo.InvariantCulture);
                (parts[1], parts[2]) = parts[1] == "down_blocks" ? ("down", $"{level}") : ("up", $"{levels - 1 - level}");
                if (parts[3] == "resnets") parts[3] = "block";
                else (parts[3], parts[4]) = (parts[3] == "downsamplers" ? "downsample" : "upsample", "");
            }
            else if (parts[1] == "mid_block")
            {
                (parts[1], parts[2], parts[3]) = ("mid",
                    parts[2] == "attentions" ? "attn_1" : $"block_{1 + int.Parse(parts[3], CultureInfo.InvariantCulture)}", "");
                parts = [.. string.Join('.', parts).Replace("to_out.0", "proj_out", StringComparison.Ordinal).Split('.')
                    .Select(part => part switch { "group_norm" => "norm", "to_q" => "q", "to_k" => "k", "to_v" => "v", _ => part })];
            }

            return string.Join('.', parts.Where(part => part.Length > 0).Select(part => part switch
            {
                "conv_shortcut" => "nin_shortcut",
                "conv_norm_out" => "norm_out",
                _ => part,
            }));
        }
    }

    private static string Inner(string rest, string kind) => kind == "resnets" ? Residual[rest] : rest;
}
