using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>Output of the image tower for a batch.</summary>
/// <param name="LastHiddenState">[batch, 1 + grid², width], before the final norm.</param>
/// <param name="Penultimate">[batch, 1 + grid², width], the hidden state before the last block.</param>
/// <param name="Pooled">[batch, width], the class token after the final norm, or as the config's pooling.</param>
internal sealed record ClipVisionOutput(Tensor LastHiddenState, Tensor Penultimate, Tensor Pooled);

/// <summary>A network from pixels to one row of features for each image.</summary>
internal interface IClipVisionTower
{
    /// <param name="pixels">[batch, 3, size, size], normalised as in the checkpoint's image processor.</param>
    /// <returns>[batch, width] in the type of the pixels, not projected</returns>
    Tensor Features(Tensor pixels);

    /// <summary>Packs the tower for inference; null for networks that cannot be packed.</summary>
    /// <param name="projection">Projection into the joint space, or null.</param>
    /// <param name="type">Type of the matrix products.</param>
    PackedVisionTower? Pack(LinearLayer? projection, ScalarType type);
}

/// <summary>
/// Image tower of CLIP (Radford et al., 2021, §2.4): patches, transformer, class token; transformers' <c>CLIPVisionTransformer</c>, with
/// open_clip's options.
/// </summary>
internal sealed class ClipVisionTransformer : nn.Module, IClipVisionTower
{
    private readonly ClipVisionConfig config;
    private readonly ClipVisionEmbeddings embeddings;
    private readonly LayerNormLayer? pre_layrnorm;
    private readonly ClipEncoder encoder;
    private readonly ClipPooler? attn_pool;
    private readonly LayerNormLayer post_layernorm;

    public ClipVisionTransformer(ClipVisionConfig config) : base(nameof(ClipVisionTransformer))
    {
        this.config = config;
        embeddings = new ClipVisionEmbeddings(config);
        if (!config.NoPreNorm) pre_layrnorm = Layers.LayerNorm(config.HiddenSize, config.LayerNormEps);
        encoder = new ClipEncoder(config.Blocks, config.NumHiddenLayers);
        if (config.Pooler is { } pooler) attn_pool = new ClipPooler(pooler, config.PooledSize, config.HiddenSize);
        post_layernorm = Layers.LayerNorm(config.PooledSize, config.LayerNormEps);
        RegisterComponents();
    }

    /// <param name="pixels">[batch, 3, size, size], normalised as in the checkpoint's image processor.</param>
    /// <param name="keep">[batch, kept] int64 indices of the visible patches (Li et al., 2023, FLIP); null: all are visible.</param>
    /// <param name="dtype">Type of the computation; null: that of the pixels.</param>
    public ClipVisionOutput Encode(Tensor pixels, Tensor? keep = null, ScalarType? dtype = null)
    {
        var x = embeddings.Embed(dtype is { } type ? pixels.to(type) : pixels, keep);
        if (pre_layrnorm is not null) x = pre_layrnorm.call(x);
        var (last, penultimate) = encoder.Encode(x, mask: null, causal: false);
        return new ClipVisionOutput(last, penultimate, Pool(last));
    }

    /// <summary>Tokens of the patches, without the class token (open_clip, output_tokens).</summary>
    /// <param name="pixels">[batch, 3, size, size], normalised.</param>
    /// <param name="norm">True after the final norm, as open_clip from 2.24 on; false before it.</param>
    /// <param name="dtype">Type of the computation; null: that of the pixels.</param>
    /// <returns>[batch, grid², width]</returns>
    public Tensor Patches(Tensor pixels, bool norm, ScalarType? dtype = null)
    {
        using var scope = NewDisposeScope();
        if (attn_pool is not null) throw new InvalidOperationException("This image tower pools its patches by attention.");
        var tokens = Encode(pixels, keep: null, dtype).LastHiddenState;
        if (norm) tokens = post_layernorm.call(tokens);
        return tokens.narrow(1, 1, tokens.shape[1] - 1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Features(Tensor pixels) => Encode(pixels).Pooled;

    /// <inheritdoc/>
    public PackedVisionTower Pack(LinearLayer? projection, ScalarType type)
    {
        var ends = new ClipVisionEnds(embeddings.Patches, embeddings.Positions, Pool, projection)
        {
            Class = embeddings.Class, FirstNorm = pre_layrnorm, ReadsAll = config.PoolsMean || attn_pool is not null,
        };
        return new PackedVisionTower(new PackedBlocks(encoder.Weights(), type), ends, type);
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>[batch, width]</returns>
    private Tensor Pool(Tensor x)
    {
        if (attn_pool is not null) x = attn_pool.call(x);                                    // [batch, queries, features]
        if (!config.PoolsMean) return post_layernorm.call(x.select(1, 0));
        return config.NormAfterPooling && attn_pool is null ? post_layernorm.call(Mean(x)) : Mean(post_layernorm.call(x));
    }

    private static Tensor Mean(Tensor x) => x.narrow(1, 1, x.shape[1] - 1).mean([1]);
}

/// <summary>Patch, class and position embeddings.</summary>
internal sealed class ClipVisionEmbeddings : nn.Module
{
    private readonly Parameter class_embedding;
    private readonly ConvolutionLayer patch_embedding;
    private readonly EmbeddingLayer position_embedding;
    private readonly int size;

    public ClipVisionEmbeddings(ClipVisionConfig config) : base(nameof(ClipVisionEmbeddings))
    {
        if (config.PatchSize < 1 || config.ImageSize < config.PatchSize)
            throw new ArgumentException(
                $"Patches of {config.PatchSize} pixels (patch_size) do not fit images of {config.ImageSize} (image_size).");
        size = config.ImageSize;
        class_embedding = WeightInit.Normal(1, config.HiddenSize);
        patch_embedding = Layers.Conv2d(config.NumChannels, config.HiddenSize, config.PatchSize, stride: config.PatchSize, bias: false);
        position_embedding = Layers.Embedding((config.Grid * config.Grid) + 1, config.HiddenSize);
        RegisterComponents();
    }

    public ConvolutionLayer Patches => patch_embedding;

    /// <summary>[width]</summary>
    public Tensor Class => class_embedding;

    /// <summary>[1 + grid², width]</summary>
    public Tensor Positions => position_embedding.Weight;

    /// <returns>[batch, 1 + kept, width]</returns>
    public Tensor Embed(Tensor pixels, Tensor? keep)
    {
        CheckSize(pixels, size);
        var positions = position_embedding.Weight.to(pixels.dtype);
        var patches = patch_embedding.call(pixels).flatten(2).transpose(1, 2) + positions[1..]; // [batch, grid², width]
        if (keep is not null) patches = patches.gather(1, keep.unsqueeze(-1).expand(-1, -1, patches.shape[2]));
        var first = (class_embedding.to(pixels.dtype) + positions[0]).expand(patches.shape[0], 1, -1);
        return cat([first, patches], dim: 1);
    }

    /// <exception cref="ArgumentException">The pixels are not a square of this side.</exception>
    public static void CheckSize(Tensor pixels, int size)
    {
        if (pixels.shape[2] != size || pixels.shape[3] != size)
            throw new ArgumentException(
                $"The image tower takes images of {size} x {size} pixels, not {pixels.shape[3]} x {pixels.shape[2]}.");
    }
}

/// <summary>Learned queries that attend to all tokens (open_clip, transformer.py, AttentionalPooler).</summary>
internal sealed class ClipPooler : nn.Module<Tensor, Tensor>
{
    private readonly Parameter query;
    private readonly LayerNormLayer ln_q, ln_k;
    private readonly ClipAttention attn;

    /// <param name="config">Queries and heads.</param>
    /// <param name="features">Width of a query.</param>
    /// <param name="width">Width of a token.</param>
    public ClipPooler(ClipPoolerConfig config, int features, int width) : base(nameof(ClipPooler))
    {
        query = WeightInit.Normal(1, config.Queries, features);
        attn = new ClipAttention(features, config.Heads, width);
        (ln_q, ln_k) = (Layers.LayerNorm(features), Layers.LayerNorm(width));
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>[batch, queries, features]</returns>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return attn.Pool(ln_q.call(query.As(x)).unsqueeze(0).expand(x.shape[0], -1, -1), ln_k.call(x)).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// An image tower and its projection into the joint space: transformers' <c>CLIPVisionModelWithProjection</c>, <c>CLIPVisionModel</c>
/// without a projection, and the image half of <see cref="ClipNetwork"/>. ModifiedResNet and SigLIP's tower include their own projection.
/// </summary>
internal sealed class ClipVisionModel : nn.Module
{
    private readonly nn.Module vision_model;
    private readonly LinearLayer? visual_projection;

    public ClipVisionModel(ClipVisionConfig config, bool projects) : base(nameof(ClipVisionModel))
    {
        Config = config;
        vision_model = config.SigLip is { } sigLip ? new SigLipVision(sigLip, config.ProjectionDim)
            : config.ResNet is { } resNet ? new ModifiedResNet(resNet, config.ProjectionDim) : new ClipVisionTransformer(config);
        visual_projection = projects && config.IsTransformer ? Layers.Linear(config.PooledSize, config.ProjectionDim, bias: false) : null;
        RegisterComponents();
    }

    public ClipVisionConfig Config { get; }

    /// <summary>Hidden states and pooled features of a vision transformer.</summary>
    /// <exception cref="InvalidOperationException">The tower is another network.</exception>
    /// <inheritdoc cref="ClipVisionTransformer.Encode"/>
    public ClipVisionOutput Encode(Tensor pixels, Tensor? keep = null, ScalarType? dtype = null) =>
        vision_model is ClipVisionTransformer transformer ? transformer.Encode(pixels, keep, dtype)
            : throw new InvalidOperationException($"This image tower is a {vision_model.GetName()}, which has no class token.");

    /// <summary>Tokens of the patches of a vision transformer.</summary>
    /// <exception cref="InvalidOperationException">The tower is another network.</exception>
    /// <inheritdoc cref="ClipVisionTransformer.Patches"/>
    public Tensor Patches(Tensor pixels, bool norm, ScalarType? dtype = null) =>
        vision_model is ClipVisionTransformer transformer ? transformer.Patches(pixels, norm, dtype)
            : throw new InvalidOperationException($"This image tower is a {vision_model.GetName()}, which has no tokens of patches.");

    /// <param name="pooled">[batch, width]</param>
    /// <returns>Image embedding [batch, projection], not normalised.</returns>
    public Tensor Project(Tensor pooled) => Projection?.call(pooled) ?? pooled;

    /// <param name="pixels">[batch, 3, size, size], normalised</param>
    /// <param name="dtype">Type of the computation; null: that of the pixels.</param>
    /// <returns>Image embedding [batch, projection], not normalised.</returns>
    public Tensor Embed(Tensor pixels, ScalarType? dtype = null)
    {
        using var scope = NewDisposeScope();
        return Project(Tower.Features(dtype is { } type ? pixels.to(type) : pixels)).MoveToOuterDisposeScope();
    }

    /// <summary>Packs the tower and its projection for inference; null for networks that cannot be packed.</summary>
    /// <param name="type">Type of the matrix products.</param>
    public PackedVisionTower? Pack(ScalarType type) => Tower.Pack(Projection, type);

    private IClipVisionTower Tower => (IClipVisionTower)vision_model;

    private LinearLayer? Projection => visual_projection is not null || !Config.IsTransformer ? visual_projection
        : throw new InvalidOperationException(
            "This image encoder (CLIPVisionModel) has no projection; CLIPVisionModelWithProjection has one.");
}
