using System.Text.Json.Serialization;
using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.UNets;

/// <summary>
/// config.json of an <see cref="UnClipTextProjection"/> (diffusers, pipelines/unclip/text_proj.py), with the reference's defaults.
/// </summary>
internal sealed record UnClipTextProjectionConfig
{
    /// <summary>Number of context tokens from an image embedding.</summary>
    public int ClipExtraContextTokens { get; init; } = 4;

    /// <summary>Width of text and image embeddings, and of text encodings.</summary>
    public int ClipEmbeddingsDim { get; init; } = 768;

    /// <summary>Width of the denoiser's time embedding.</summary>
    public int TimeEmbedDim { get; init; }

    /// <summary>Width of the denoiser's context tokens.</summary>
    public int CrossAttentionDim { get; init; }

    /// <summary>The configuration, with its sizes checked.</summary>
    /// <exception cref="ArgumentException">A size is missing or below 1.</exception>
    [JsonIgnore]
    public UnClipTextProjectionConfig Checked => TimeEmbedDim >= 1
        && CrossAttentionDim >= 1 && ClipEmbeddingsDim >= 1 && ClipExtraContextTokens >= 1
        ? this
        : throw new ArgumentException("The config must have time_embed_dim, "
            + "cross_attention_dim, clip_embeddings_dim and clip_extra_context_tokens, each at least 1.");
}

/// <summary>
/// Conditions of Karlo's decoder: an image embedding becomes a term of the time embedding and additional context tokens before those of the
/// text (Ramesh et al., 2022, §2.1; diffusers, pipelines/unclip/text_proj.py).
/// </summary>
internal sealed class UnClipTextProjection : nn.Module
{
    private readonly int tokens;
    private readonly Parameter learned_classifier_free_guidance_embeddings;
    private readonly LinearLayer embedding_proj, clip_image_embeddings_project_to_time_embeddings,
        clip_extra_context_tokens_proj, encoder_hidden_states_proj;
    private readonly LayerNormLayer text_encoder_hidden_states_norm;

    public UnClipTextProjection(UnClipTextProjectionConfig config) : base(nameof(UnClipTextProjection))
    {
        Config = config.Checked;
        tokens = config.ClipExtraContextTokens;
        learned_classifier_free_guidance_embeddings = WeightInit.Constant(0, config.ClipEmbeddingsDim);
        embedding_proj = Layers.Linear(config.ClipEmbeddingsDim, config.TimeEmbedDim);
        clip_image_embeddings_project_to_time_embeddings = Layers.Linear(config.ClipEmbeddingsDim, config.TimeEmbedDim);
        clip_extra_context_tokens_proj = Layers.Linear(config.ClipEmbeddingsDim, tokens * config.CrossAttentionDim);
        encoder_hidden_states_proj = Layers.Linear(config.ClipEmbeddingsDim, config.CrossAttentionDim);
        text_encoder_hidden_states_norm = Layers.LayerNorm(config.CrossAttentionDim);
        RegisterComponents();
    }

    /// <summary>Configuration of the network.</summary>
    public UnClipTextProjectionConfig Config { get; }

    /// <summary>Learned embedding of the unconditional half, [features].</summary>
    public Tensor NullEmbedding => learned_classifier_free_guidance_embeddings;

    /// <summary>Computes context and time conditions of a batch.</summary>
    /// <param name="image">[images, features]: image embeddings.</param>
    /// <param name="text">[batch, features]: text embeddings; a batch of twice the images has the unconditional half first, which takes the
    /// learned embedding.</param>
    /// <param name="encodings">[batch, tokens, features]</param>
    /// <returns>Context tokens [batch, extra + tokens, context width], and the term of the time embedding, [batch, time width].</returns>
    /// <exception cref="ArgumentException">The batch is neither that of the images nor twice it.</exception>
    public (Tensor Context, Tensor Time) Condition(Tensor image, Tensor text, Tensor encodings)
    {
        using var scope = NewDisposeScope();
        var images = image.shape[0];
        if (text.shape[0] == 2 * images)
            image = cat([learned_classifier_free_guidance_embeddings.As(image).unsqueeze(0).expand(images, -1), image]);
        else if (text.shape[0] != images)
            throw new ArgumentException($"{images} image embeddings and "
                + $"{text.shape[0]} texts do not go together: there must be as many texts, or twice as many with guidance.");
        var time = clip_image_embeddings_project_to_time_embeddings.call(image) + embedding_proj.call(text);
        // The projection's output has channels first, tokens last, unlike Kandinsky's.
        // [batch, extra, context width]
        var extra = clip_extra_context_tokens_proj.call(image).reshape(image.shape[0], -1, tokens).permute(0, 2, 1);
        var words = text_encoder_hidden_states_norm.call(encoder_hidden_states_proj.call(encodings));
        return (cat([extra, words], dim: 1).MoveToOuterDisposeScope(), time.MoveToOuterDisposeScope());
    }
}
