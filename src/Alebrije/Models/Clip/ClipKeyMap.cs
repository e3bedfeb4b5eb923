using Alebrije.Weights;

namespace Alebrije.Models.Clip;

/// <summary>Names of openai/CLIP's own files (model.py), read as the towers that transformers publishes.</summary>
internal static class ClipKeyMap
{
    private static readonly FusedTensor Attention = new(@"\.attn\.in_proj_(weight|bias)$", [".self_attn.q_proj.$1", ".self_attn.k_proj.$1", ".self_attn.v_proj.$1"]);

    private static readonly (string Pattern, string Replacement)[] Blocks =
    [
        (@"\.ln_1\.", ".layer_norm1."),
        (@"\.ln_2\.", ".layer_norm2."),
        (@"\.attn\.out_proj\.", ".self_attn.out_proj."),
        (@"\.mlp\.c_fc\.", ".mlp.fc1."),
        (@"\.mlp\.c_proj\.", ".mlp.fc2."),
    ];

    /// <summary>How a file is read as a <see cref="ClipTextModel"/> with its projection.</summary>
    public static StateDictOptions TextFromOpenAi(string prefix) => new()
    {
        Prefix = prefix, Ignored = ["visual.*", "logit_scale", .. OpenClipFolder.NoWeights], Fused = [Attention], Transposed = ["text_projection.weight"], Renames =
        [
            (@"^token_embedding\.", "text_model.embeddings.token_embedding."),
            (@"^positional_embedding$", "text_model.embeddings.position_embedding.weight"),
            (@"^transformer\.resblocks\.(\d+)\.", "text_model.encoder.layers.$1."),
            (@"^ln_final\.", "text_model.final_layer_norm."),
            (@"^text_projection$", "text_projection.weight"),
            .. Blocks,
        ],
    };

    /// <summary>How a file is read as a <see cref="ClipVisionModel"/> with its projection.</summary>
    public static StateDictOptions VisionFromOpenAi(string prefix) => new()
    {
        Prefix = prefix + "visual.", Ignored = OpenClipFolder.NoWeights, Fused = [Attention], Transposed = ["visual_projection.weight"], Renames =
        [
            (@"^class_embedding$", "vision_model.embeddings.class_embedding"),
            (@"^conv1\.", "vision_model.embeddings.patch_embedding."),
            (@"^positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
            (@"^ln_pre\.", "vision_model.pre_layrnorm."),
            (@"^ln_post\.", "vision_model.post_layernorm."),
            (@"^proj$", "visual_projection.weight"),
            (@"^transformer\.resblocks\.(\d+)\.", "vision_model.encoder.layers.$1."),
            .. Blocks,
        ],
    };
}
