using Alebrije.Weights;

namespace Alebrije.Models.UNets;

/// <summary>
/// Names of the original decoders of Karlo (kakaobrain/karlo, modules/unet.py), Kandinsky 2.1 (ai-forever/Kandinsky-2, model/text2im_model2_1.py) and
/// Stable Diffusion (CompVis/stable-diffusion, ldm/modules/diffusionmodules/openaimodel.py): one trunk, whose blocks are numbered through all levels,
/// with heads of their own (diffusers, scripts/convert_kakao_brain_unclip_to_diffusers.py, convert_kandinsky_to_diffusers.py and
/// loaders/single_file_utils.py).
/// </summary>
internal static class UNet2DConditionKeyMap
{
    /// <summary>Matrices here, convolutions over a sequence there.</summary>
    private static readonly string[] Matrices = ["*.attentions.*.weight"];

    private static readonly string[] KarloHeads = ["text_seq_proj.*", "clip_tok_proj.*", "text_feat_proj.*", "clip_emb.*", "cf_param"];
    private static readonly string[] Trunk = ["time_embed.*", "input_blocks.*", "middle_block.*", "output_blocks.*", "out.*"];

    private static readonly (string Pattern, string Replacement)[] Inner =
    [
        (@"^time_embed\.0\.", "time_embedding.linear_1."),
        (@"^time_embed\.2\.", "time_embedding.linear_2."),
        (@"^input_blocks\.0\.0\.", "conv_in."),
        (@"^middle_block\.0\.", "mid_block.resnets.0."),
        (@"^middle_block\.1\.", "mid_block.attentions.0."),
        (@"^middle_block\.2\.", "mid_block.resnets.1."),
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

    /// <summary>Sizes and pooled text of SDXL; noise level of the upscaler.</summary>
    private static readonly (string Pattern, string Replacement)[] StableDiffusionHeads =
    [
        (@"^label_emb\.0\.0\.", "add_embedding.linear_1."),
        (@"^label_emb\.0\.2\.", "add_embedding.linear_2."),
        (@"^label_emb\.weight$", "class_embedding.weight"),
    ];

    private static readonly (string Pattern, string Replacement)[] KandinskyHeads =
    [
        (@"^clip_to_seq\.", "encoder_hid_proj.image_embeds."),
        (@"^to_model_dim_n\.", "encoder_hid_proj.text_proj."),
        (@"^ln_model_n\.", "add_embedding.text_norm."),
        (@"^proj_n\.", "add_embedding.text_proj."),
        (@"^img_layer\.", "add_embedding.image_proj."),
    ];

    /// <summary>How Karlo's decoder file is read as a <see cref="UNet2DConditionModel"/>; it holds the text projection too.</summary>
    public static StateDictOptions FromKarlo(UNet2DConditionConfig config, string prefix) =>
        Read(config) with { Prefix = prefix, Ignored = KarloHeads };

    /// <summary>How Kandinsky's decoder file is read.</summary>
    public static StateDictOptions FromKandinsky(UNet2DConditionConfig config, string prefix = "") =>
        Read(config) with { Prefix = prefix, Renames = [.. Blocks(config), .. Inner, .. AddedKv, .. KandinskyHeads] };

    /// <summary>Reading of Stable Diffusion's UNet in a checkpoint of one file.</summary>
    public static StateDictOptions FromStableDiffusion(UNet2DConditionConfig config, string prefix) => new()
    {
        Prefix = prefix, Renames = [.. Blocks(config, @"op\.", @"conv\.", "conv."), .. Inner, .. StableDiffusionHeads],
    };

    /// <summary>How Karlo's decoder file is read as a <see cref="UnClipTextProjection"/>.</summary>
    public static StateDictOptions TextProjection(string prefix) => new()
    {
        Prefix = prefix, Ignored = Trunk, Renames =
        [
            (@"^text_seq_proj\.0\.", "encoder_hidden_states_proj."),
            (@"^text_seq_proj\.1\.", "text_encoder_hidden_states_norm."),
            (@"^clip_tok_proj\.", "clip_extra_context_tokens_proj."),
            (@"^text_feat_proj\.", "embedding_proj."),
            (@"^cf_param$", "learned_classifier_free_guidance_embeddings"),
            (@"^clip_emb\.", "clip_image_embeddings_project_to_time_embeddings."),
        ],
    };

    private static StateDictOptions Read(UNet2DConditionConfig config) => new()
    {
        Renames = [.. Blocks(config), .. Inner, .. AddedKv], Pointwise = Matrices, Fused =
        [
            new(@"(\.attentions\.\d+)\.qkv\.", ["$1.to_q.", "$1.to_k.", "$1.to_v."], config.AttentionHeadDim[0]),
            new(@"(\.attentions\.\d+)\.encoder_kv\.", ["$1.add_k_proj.", "$1.add_v_proj."], config.AttentionHeadDim[0]),
        ],
    };

    /// <summary>The block that doubles shares its number with the last residual block of its level, after that one's attention.</summary>
    /// <param name="config">Sizes of the network.</param>
    /// <param name="halving">Pattern of the layer that halves, within its block.</param>
    /// <param name="doubling">Pattern of the layer that doubles, within its block.</param>
    /// <param name="resampling">The same in the network.</param>
    private static IEnumerable<(string Pattern, string Replacement)> Blocks(
        UNet2DConditionConfig config, string halving = "", string doubling = "", string resampling = "")
    {
        var (levels, next) = (config.BlockOutChannels.Length, 1);
        int LayersOf(int level) => config.LayersPerBlock[config.LayersPerBlock.Length == 1 ? 0 : level];
        for (var level = 0; level < levels; level++)
        {
            for (var block = 0; block < LayersOf(level); block++, next++)
            {
                yield return ($@"^input_blocks\.{next}\.0\.", $"down_blocks.{level}.resnets.{block}.");
                yield return ($@"^input_blocks\.{next}\.1\.", $"down_blocks.{level}.attentions.{block}.");
            }

            if (level < levels - 1) yield return ($@"^input_blocks\.{next}\.0\.{halving}", $"down_blocks.{level}.downsamplers.0.{resampling}");
            next++;
        }

        next = 0;
        for (var up = 0; up < levels; up++)
        {
            var last = next + LayersOf(levels - 1 - up);
            var attends = config.UpBlockTypes[up].Contains("CrossAttn", StringComparison.Ordinal);
            if (up < levels - 1) yield return ($@"^output_blocks\.{last}\.{(attends ? 2 : 1)}\.{doubling}", $"up_blocks.{up}.upsamplers.0.{resampling}");
            for (var block = 0; next <= last; block++, next++)
            {
                yield return ($@"^output_blocks\.{next}\.0\.", $"up_blocks.{up}.resnets.{block}.");
                yield return ($@"^output_blocks\.{next}\.1\.", $"up_blocks.{up}.attentions.{block}.");
            }
        }
    }
}
