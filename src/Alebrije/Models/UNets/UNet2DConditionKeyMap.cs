using Alebrije.Weights;

namespace Alebrije.Models.UNets;

/// <summary>
/// Names of the original decoders of Karlo, Kandinsky 2.1 and Stable Diffusion: one trunk (<see cref="OriginalTrunk"/>) and the heads of
/// each.
/// </summary>
internal static class UNet2DConditionKeyMap
{
    /// <summary>Matrices here that files hold as convolutions over a sequence.</summary>
    private static readonly string[] Matrices = ["*.attentions.*.weight"];

    private static readonly string[] KarloHeads = ["text_seq_proj.*", "clip_tok_proj.*", "text_feat_proj.*", "clip_emb.*", "cf_param"];
    private static readonly string[] TrunkNames = ["time_embed.*", "input_blocks.*", "middle_block.*", "output_blocks.*", "out.*"];

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

    /// <summary>
    /// Options to read Karlo's decoder file as a <see cref="UNet2DConditionModel"/>; it contains the text projection too.
    /// </summary>
    public static StateDictOptions FromKarlo(UNet2DConditionConfig config, string prefix) =>
        Read(config) with { Prefix = prefix, Ignored = KarloHeads };

    /// <summary>Options to read Kandinsky's decoder file.</summary>
    public static StateDictOptions FromKandinsky(UNet2DConditionConfig config, string prefix = "") =>
        Read(config) with { Prefix = prefix, Renames = [.. Trunk(config), .. KandinskyHeads] };

    /// <summary>Options to read Stable Diffusion's UNet in a single-file checkpoint.</summary>
    public static StateDictOptions FromStableDiffusion(UNet2DConditionConfig config, string prefix) => new()
    {
        Prefix = prefix, Renames = [.. OriginalTrunk.OfStableDiffusion(config.BlockOutChannels.Length, LayersOf(config), Attends(config)),
            .. StableDiffusionHeads],
    };

    /// <summary>Options to read Karlo's decoder file as a <see cref="UnClipTextProjection"/>.</summary>
    public static StateDictOptions TextProjection(string prefix) => new()
    {
        Prefix = prefix, Ignored = TrunkNames, Renames =
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
        Renames = [.. Trunk(config)], Pointwise = Matrices, Fused =
        [
            new(@"(\.attentions\.\d+)\.qkv\.", ["$1.to_q.", "$1.to_k.", "$1.to_v."], config.AttentionHeadDim[0]),
            new(@"(\.attentions\.\d+)\.encoder_kv\.", ["$1.add_k_proj.", "$1.add_v_proj."], config.AttentionHeadDim[0]),
        ],
    };

    private static IEnumerable<(string Pattern, string Replacement)> Trunk(UNet2DConditionConfig config) =>
        OriginalTrunk.OfKarlo(config.BlockOutChannels.Length, LayersOf(config), Attends(config));

    private static Func<int, int> LayersOf(UNet2DConditionConfig config) =>
        level => config.LayersPerBlock[config.LayersPerBlock.Length == 1 ? 0 : level];

    private static Func<int, bool> Attends(UNet2DConditionConfig config) => level => level == config.BlockOutChannels.Length
        || config.UpBlockTypes[level].Contains("CrossAttn", StringComparison.Ordinal);
}
