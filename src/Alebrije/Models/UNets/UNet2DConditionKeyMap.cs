using Alebrije.Weights;

namespace Alebrije.Models.UNets;

/// <summary>
/// Names of the original decoders of Karlo and Kandinsky 2.1: one trunk (<see cref="KarloTrunk"/>) with heads of their own.
/// </summary>
internal static class UNet2DConditionKeyMap
{
    /// <summary>Matrices here, convolutions over a sequence there.</summary>
    private static readonly string[] Matrices = ["*.attentions.*.weight"];

    private static readonly string[] KarloHeads = ["text_seq_proj.*", "clip_tok_proj.*", "text_feat_proj.*", "clip_emb.*", "cf_param"];
    private static readonly string[] Trunk = ["time_embed.*", "input_blocks.*", "middle_block.*", "output_blocks.*", "out.*"];

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
        Read(config) with { Prefix = prefix, Renames = [.. Trunks(config), .. KandinskyHeads] };

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
        Renames = [.. Trunks(config)], Pointwise = Matrices, Fused =
        [
            new(@"(\.attentions\.\d+)\.qkv\.", ["$1.to_q.", "$1.to_k.", "$1.to_v."], config.AttentionHeadDim[0]),
            new(@"(\.attentions\.\d+)\.encoder_kv\.", ["$1.add_k_proj.", "$1.add_v_proj."], config.AttentionHeadDim[0]),
        ],
    };

    private static IEnumerable<(string Pattern, string Replacement)> Trunks(UNet2DConditionConfig config)
    {
        var levels = config.BlockOutChannels.Length;
        return KarloTrunk.Renames(
            levels, config.LayersPerBlock[0], level => level == levels ||
                config.UpBlockTypes[level].Contains("CrossAttn", StringComparison.Ordinal));
    }
}
