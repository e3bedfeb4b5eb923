using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>
/// Names of the original checkpoints, written down from the original networks (kakaobrain/karlo, modules/unet.py and xf.py;
/// ai-forever/Kandinsky-2, model/text2im_model2_1.py; openai/CLIP, model.py) and independently of the key maps under test.
/// </summary>
internal static class OriginalNames
{
    public const int HeadWidth = 64, Blocks = 3;

    private static readonly Dictionary<string, string> Residual = new()
    {
        ["norm1"] = "in_layers.0", ["conv1"] = "in_layers.2", ["time_emb_proj"] = "emb_layers.1",
            ["norm2"] = "out_layers.0", ["conv2"] = "out_layers.3",
        ["conv_shortcut"] = "skip_connection",
    };

    private static readonly Dictionary<string, string> Others = new()
    {
        // The trunk.
        ["time_embedding.linear_1"] = "time_embed.0", ["time_embedding.linear_2"] = "time_embed.2",
            ["conv_in"] = "input_blocks.0.0", ["conv_norm_out"] = "out.0", ["conv_out"] = "out.2",
        // Kandinsky's heads.
        ["encoder_hid_proj.image_embeds"] = "clip_to_seq", ["encoder_hid_proj.text_proj"] = "to_model_dim_n",
            ["add_embedding.text_norm"] = "ln_model_n",
        ["add_embedding.text_proj"] = "proj_n", ["add_embedding.image_proj"] = "img_layer",
        // Karlo's text projection.
        ["encoder_hidden_states_proj"] = "text_seq_proj.0", ["text_encoder_hidden_states_norm"] = "text_seq_proj.1",
            ["clip_extra_context_tokens_proj"] = "clip_tok_proj",
        ["embedding_proj"] = "text_feat_proj", ["clip_image_embeddings_project_to_time_embeddings"] = "clip_emb",
    };

    /// <summary>A decoder's or an upsampler's tensors as the original network numbers its blocks.</summary>
    /// <param name="network">Its state dictionary.</param>
    /// <param name="attends">Levels with attention, the finest first; empty for upsamplers.</param>
    public static Dictionary<string, Tensor> Decoder(IReadOnlyDictionary<string, Tensor> network, params bool[] attends)
    {
        var levels = attends.Length;
        return Fuse(network.ToDictionary(pair => Rename(pair.Key), pair => pair.Value));

        string Rename(string name)
        {
            if (name == "learned_classifier_free_guidance_embeddings") return "cf_param";
            var (stem, end) = (name[..name.LastIndexOf('.')], name[name.LastIndexOf('.')..]);
            if (Others.TryGetValue(stem, out var other)) return other + end;
            var parts = stem.Split('.');
            var inner = string.Join('.', parts.Skip(parts[0] == "mid_block" ? 3 : 4));
            int Number(int at) => int.Parse(parts[at], System.Globalization.CultureInfo.InvariantCulture);
            var block = (parts[0], parts[0] == "mid_block" ? parts[1] : parts[2]) switch
            {
                ("down_blocks", "resnets") => $"input_blocks.{1 + (4 * Number(1)) + Number(3)}.0",
                ("down_blocks", "attentions") => $"input_blocks.{1 + (4 * Number(1)) + Number(3)}.1",
                ("down_blocks", "downsamplers") => $"input_blocks.{4 + (4 * Number(1))}.0",
                ("mid_block", "attentions") => "middle_block.1",
                ("mid_block", _) => $"middle_block.{(Number(2) == 0 ? 0 : attends.Any(at => at) ? 2 : 1)}",
                ("up_blocks", "resnets") => $"output_blocks.{(4 * Number(1)) + Number(3)}.0",
                ("up_blocks", "attentions") => $"output_blocks.{(4 * Number(1)) + Number(3)}.1",
                ("up_blocks", "upsamplers") => $"output_blocks.{(4 * Number(1)) + 3}.{(attends[levels - 1 - Number(1)] ? 2 : 1)}",
                _ => throw new InvalidOperationException(name),
            };
            return $"{block}.{(Residual.TryGetValue(inner, out var residual) ? residual : inner)}{end}";
        }
    }

    /// <summary>A prior's tensors, except the statistics.</summary>
    public static Dictionary<string, Tensor> Prior(IReadOnlyDictionary<string, Tensor> network) =>
        Fuse(network.Where(pair => !pair.Key.StartsWith("clip_", StringComparison.Ordinal)).ToDictionary(
        pair => Replace(pair.Key, ("time_embedding.linear_1", "time_embed.0"),
            ("time_embedding.linear_2", "time_embed.2"), ("proj_in", "clip_img_proj"),
            ("encoder_hidden_states_proj", "text_enc_proj"), ("proj_to_clip_embeddings", "out_proj"),
            ("prd_embedding", "prd_emb"), ("norm_out", "final_ln"),
            ("transformer_blocks", "transformer.resblocks"), (".norm1.", ".ln_1."),
            (".norm3.", ".ln_2."), (".attn1.to_out.0.", ".attn.c_proj."), (".attn1.", ".attn."),
            (".ff.net.0.proj.", ".mlp.c_fc."), (".ff.net.2.", ".mlp.c_proj.")) switch
            {
                var name when name.StartsWith("embedding_proj", StringComparison.Ordinal) =>
                    "text_emb_proj" + name["embedding_proj".Length..],
                var name => name,
            },
        pair => pair.Value));

    /// <summary>A tower of CLIP.</summary>
    public static Dictionary<string, Tensor> Tower(IReadOnlyDictionary<string, Tensor> network, bool isVision)
    {
        var prefix = isVision ? "visual." : "";
        var named = network.ToDictionary(
            pair => prefix + Replace(pair.Key, ("text_model.", ""), ("vision_model.", ""),
                ("embeddings.patch_embedding", "conv1"), ("embeddings.position_embedding.weight", "positional_embedding"),
                ("embeddings.", ""), ("encoder.layers", "transformer.resblocks"),
                ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), ("pre_layrnorm", "ln_pre"), ("post_layernorm", "ln_post"),
                ("final_layer_norm", "ln_final"), ("self_attn", "attn"), ("fc1", "c_fc"),
                ("fc2", "c_proj"), ("text_projection.weight", "text_projection"), ("visual_projection.weight", "proj")),
            pair => pair.Key.Contains("projection.weight", StringComparison.Ordinal) ? pair.Value.t() : pair.Value);
        foreach (var q in named.Keys.Where(name => name.Contains("q_proj", StringComparison.Ordinal)).ToArray())
        {
            var parts = new[] { q, q.Replace("q_proj", "k_proj", StringComparison.Ordinal),
                q.Replace("q_proj", "v_proj", StringComparison.Ordinal) };
            named[q.Replace("q_proj.", "in_proj_", StringComparison.Ordinal)] = cat([.. parts.Select(part => named[part])]);
            foreach (var part in parts) named.Remove(part);
        }

        return named;
    }

    private static string Replace(string name, params (string Old, string New)[] pairs) =>
        pairs.Aggregate(name, (text, pair) => text.Replace(pair.Old, pair.New, StringComparison.Ordinal));

    /// <summary>Fuses queries, keys and values head by head; in decoders as convolutions over a sequence.</summary>
    private static Dictionary<string, Tensor> Fuse(Dictionary<string, Tensor> named)
    {
        foreach (var name in named.Keys.ToArray())
        {
            if (name.Contains(".to_q.", StringComparison.Ordinal))
                Join(name, "to_q", name.Contains(".attn.", StringComparison.Ordinal) ? "c_qkv" : "qkv", "to_k", "to_v");
            else if (name.Contains(".add_k_proj.", StringComparison.Ordinal)) Join(name, "add_k_proj", "encoder_kv", "add_v_proj");
            else if (name.Contains(".to_out.0.", StringComparison.Ordinal))
                Move(name, name.Replace("to_out.0", "proj_out", StringComparison.Ordinal), Sequence(name, named[name]));
            else if (name.Contains(".group_norm.", StringComparison.Ordinal))
                Move(name, name.Replace("group_norm", "norm", StringComparison.Ordinal), named[name]);
        }

        return named;

        void Join(string name, string first, string fused, params string[] others)
        {
            var parts = others.Prepend(first).Select(part => name.Replace(first, part, StringComparison.Ordinal)).ToArray();
            var tensors = parts.Select(part => named[part]).ToArray();
            var heads = stack([.. tensors.Select(part => part.reshape([part.shape[0] / HeadWidth, HeadWidth, .. part.shape[1..]]))], 1);
            var joined = heads.reshape([parts.Length * tensors[0].shape[0], .. tensors[0].shape[1..]]);
            foreach (var part in parts) named.Remove(part);
            named[name.Replace(first, fused, StringComparison.Ordinal)] = fused == "c_qkv" ? joined : Sequence(name, joined);
        }

        void Move(string from, string to, Tensor tensor)
        {
            named.Remove(from);
            named[to] = tensor;
        }
    }

    private static Tensor Sequence(string name, Tensor matrix) =>
        name.EndsWith(".weight", StringComparison.Ordinal) ? matrix.unsqueeze(-1) : matrix;
}
