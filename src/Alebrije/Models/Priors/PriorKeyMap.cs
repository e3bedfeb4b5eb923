using Alebrije.Weights;

namespace Alebrije.Models.Priors;

/// <summary>
/// Names of the original prior, the same in Karlo (kakaobrain/karlo, modules/xf.py) and Kandinsky 2.1 (ai-forever/Kandinsky-2,
/// model/prior.py), after diffusers, scripts/convert_kakao_brain_unclip_to_diffusers.py.
/// </summary>
internal static class PriorKeyMap
{
    /// <summary>Options to read mean and standard deviation of image embeddings from their own file (<c>ViT-L-14_stats.th</c>).</summary>
    public static StateDictOptions Statistics { get; } = new() { Renames = [("^0$", "clip_mean"), ("^1$", "clip_std")],
        Rows = ["clip_mean", "clip_std"] };

    private static readonly (string Pattern, string Replacement)[] Names =
    [
        (@"^time_embed\.0\.", "time_embedding.linear_1."),
        (@"^time_embed\.2\.", "time_embedding.linear_2."),
        (@"^clip_img_proj\.", "proj_in."),
        (@"^text_emb_proj\.", "embedding_proj."),
        (@"^text_enc_proj\.", "encoder_hidden_states_proj."),
        (@"^prd_emb$", "prd_embedding"),
        (@"^final_ln\.", "norm_out."),
        (@"^out_proj\.", "proj_to_clip_embeddings."),
        (@"^transformer\.resblocks\.(\d+)\.", "transformer_blocks.$1."),
        (@"\.attn\.c_proj\.", ".attn1.to_out.0."),
        (@"\.mlp\.c_fc\.", ".ff.net.0.proj."),
        (@"\.mlp\.c_proj\.", ".ff.net.2."),
        (@"\.ln_1\.", ".norm1."),
        (@"\.ln_2\.", ".norm3."),
    ];

    /// <summary>Options to read an original file as a <see cref="PriorTransformer"/>, without the statistics.</summary>
    /// <param name="headWidth">Rows of a head: queries, keys and values are interleaved head by head.</param>
    /// <param name="prefix">Prefix of the names.</param>
    public static StateDictOptions FromOriginal(int headWidth, string prefix) => new()
    {
        Prefix = prefix, Renames = Names, Fused = [new(@"\.attn\.c_qkv\.", [".attn1.to_q.", ".attn1.to_k.", ".attn1.to_v."], headWidth)],
    };
}
