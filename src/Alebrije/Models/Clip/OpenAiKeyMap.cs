using Alebrije.Weights;

namespace Alebrije.Models.Clip;

/// <summary>
/// Names and forms of openai/CLIP's files (model.py) and open_clip's, mapped to those of transformers' <c>CLIPModel</c>
/// (convert_clip_original_pytorch_to_hf.py).
/// </summary>
internal static class OpenAiKeyMap
{
    private static readonly FusedTensor[] Attention =
    [
        new(@"\.(self_attn|attn_pool\.attn)\.in_proj_(weight|bias)$", [".$1.q_proj.$2", ".$1.k_proj.$2", ".$1.v_proj.$2"]),
        new(@"\.self_attn\.qkv\.(weight|bias)$", [".self_attn.q_proj.$1", ".self_attn.k_proj.$1", ".self_attn.v_proj.$1"]),
        new(@"\.head\.attention\.kv\.(weight|bias)$", [".head.attention.k_proj.$1", ".head.attention.v_proj.$1"]),
    ];

    private static readonly (string Pattern, string Replacement)[] Texts =
    [
        (@"^text\.", ""),
        (@"^token_embedding\.", "text_model.embeddings.token_embedding."),
        (@"^positional_embedding$", "text_model.embeddings.position_embedding.weight"),
        (@"^transformer\.resblocks\.", "text_model.encoder.layers."),
        (@"^ln_final\.", "text_model.final_layer_norm."),
        (@"^text_projection$", "text_projection.weight"),
    ];

    private static readonly (string Pattern, string Replacement)[] Images =
    [
        (@"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
        (@"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
        (@"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
        (@"^visual\.ln_pre\.", "vision_model.pre_layrnorm."),
        (@"^visual\.ln_post\.", "vision_model.post_layernorm."),
        (@"^visual\.proj$", "visual_projection.weight"),
        (@"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
        (@"^visual\.attn_pool\.", "vision_model.attn_pool."),
        (@"\.attn_pool\.attn\.([qkv])_proj_weight$", ".attn_pool.attn.$1_proj.weight"),
    ];

    /// <summary>timm's names, under <c>trunk</c> in open_clip's towers (timm, vision_transformer.py).</summary>
    private static readonly (string Pattern, string Replacement)[] SigLip =
    [
        (@"^visual\.trunk\.", "vision_model."),
        (@"^vision_model\.patch_embed\.proj\.", "vision_model.patch_embedding."),
        (@"^vision_model\.pos_embed$", "vision_model.position_embedding"),
        (@"^vision_model\.norm\.", "vision_model.post_layernorm."),
        (@"^vision_model\.blocks\.(\d+)\.norm([12])\.", "vision_model.encoder.layers.$1.layer_norm$2."),
        (@"^vision_model\.blocks\.(\d+)\.attn\.proj\.", "vision_model.encoder.layers.$1.self_attn.out_proj."),
        (@"^vision_model\.blocks\.", "vision_model.encoder.layers."),
        (@"^vision_model\.attn_pool\.latent$", "vision_model.head.probe"),
        (@"^vision_model\.attn_pool\.norm\.", "vision_model.head.layernorm."),
        (@"^vision_model\.attn_pool\.mlp\.", "vision_model.head.mlp."),
        (@"^vision_model\.attn_pool\.q\.", "vision_model.head.attention.q_proj."),
        (@"^vision_model\.attn_pool\.proj\.", "vision_model.head.attention.out_proj."),
        (@"^vision_model\.attn_pool\.", "vision_model.head.attention."),
    ];

    private static readonly (string Pattern, string Replacement)[] ResNet = [(@"^visual\.", "vision_model.")];

    private static readonly (string Pattern, string Replacement)[] Blocks =
    [
        (@"(layers\.\d+)\.ln_([12])\.", "$1.layer_norm$2."),
        (@"(layers\.\d+)\.attn\.", "$1.self_attn."),
        (@"(layers\.\d+)\.mlp\.c_fc\.", "$1.mlp.fc1."),
        (@"(layers\.\d+)\.mlp\.c_proj\.", "$1.mlp.fc2."),
        (@"(layers\.\d+)\.ls_([12])\.gamma$", "$1.layer_scale$2"),
    ];

    /// <summary>Options to read a file as a <see cref="ClipNetwork"/>.</summary>
    /// <param name="config">Sizes and options of the file's network.</param>
    /// <param name="prefix">Prefix of OpenAI's names; other tensors are ignored.</param>
    public static StateDictOptions Whole(OpenClipConfig config, string prefix = "") => new()
    {
        Prefix = prefix, Ignored = OpenClipFolder.NoWeights, Fused = Attention, Scalars = ["logit_scale", "logit_bias"],
        Transposed = ["visual_projection.weight", .. config.TextCfg.ProjBias ? Array.Empty<string>() : ["text_projection.weight"]],
        Scaled =
        [
            .. config.TextCfg.LsInitValue is null ? [] : Scales("text_model"),
            .. config.VisionCfg.LsInitValue is null || config.SigLip is not null ? [] : Scales("vision_model"),
        ],
        Renames = [.. Texts, .. config.SigLip is not null ? SigLip : config.VisionCfg.IsResNet ? ResNet : Images, .. Blocks],
    };

    /// <summary>Options to read a file of OpenAI's as a <see cref="ClipTextModel"/> with its projection.</summary>
    public static StateDictOptions TextFromOpenAi(string prefix) =>
        Whole(new OpenClipConfig(), prefix) with { Ignored = ["visual.*", "logit_scale", .. OpenClipFolder.NoWeights] };

    /// <summary>Options to read a file of OpenAI's as a <see cref="ClipVisionModel"/> with its projection.</summary>
    public static StateDictOptions VisionFromOpenAi(string prefix) => Whole(new OpenClipConfig(), prefix) with
    {
        Ignored =
        [
            "token_embedding.*", "positional_embedding", "transformer.*", "ln_final.*", "text_projection", "logit_scale",
            .. OpenClipFolder.NoWeights,
        ],
    };

    /// <summary>Scales of a block's branches (LayerScale; Touvron et al., 2021), merged into the matrices before them.</summary>
    private static ScaledTensor[] Scales(string tower) =>
    [
        new($@"^({tower}\.encoder\.layers\.\d+)\.self_attn\.out_proj\.(?:weight|bias)$", "$1.layer_scale1"),
        new($@"^({tower}\.encoder\.layers\.\d+)\.mlp\.fc2\.(?:weight|bias)$", "$1.layer_scale2"),
    ];
}
