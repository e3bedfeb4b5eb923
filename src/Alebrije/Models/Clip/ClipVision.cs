using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>What the image tower gives for a batch.</summary>
/// <param name="LastHiddenState">[batch, 1 + grid², width], before the final norm.</param>
/// <param name="Penultimate">[batch, 1 + grid², width], the hidden state before the last block.</param>
/// <param name="Pooled">[batch, width], the class token after the final norm.</param>
internal sealed record ClipVisionOutput(Tensor LastHiddenState, Tensor Penultimate, Tensor Pooled);

/// <summary>Image tower of CLIP (Radford et al., 2021, §2.4): patches, transformer, class token; transformers' <c>CLIPVisionTransformer</c>.</summary>
internal sealed class ClipVisionTransformer : nn.Module
{
    private readonly ClipVisionEmbeddings embeddings;
    private readonly LayerNormLayer pre_layrnorm;
    private readonly ClipEncoder encoder;
    private readonly LayerNormLayer post_layernorm;

    public ClipVisionTransformer(ClipVisionConfig config) : base(nameof(ClipVisionTransformer))
    {
        embeddings = new ClipVisionEmbeddings(config);
        pre_layrnorm = Layers.LayerNorm(config.HiddenSize, config.LayerNormEps);
        encoder = new ClipEncoder(config.HiddenSize, config.IntermediateSize, config.NumAttentionHeads, config.NumHiddenLayers,
            new ClipBlockOptions(config.HiddenAct, config.LayerNormEps));
        post_layernorm = Layers.LayerNorm(config.HiddenSize, config.LayerNormEps);
        RegisterComponents();
    }

    /// <param name="pixels">[batch, 3, size, size], normalised as the checkpoint's image processor says.</param>
    /// <param name="keep">[batch, kept] int64, the patches that are seen (Li et al., 2023, FLIP); null sees all.</param>
    /// <param name="dtype">Type of the computation; null is that of the pixels.</param>
    public ClipVisionOutput Encode(Tensor pixels, Tensor? keep = null, ScalarType? dtype = null)
    {
        var x = pre_layrnorm.call(embeddings.Embed(dtype is { } type ? pixels.to(type) : pixels, keep));
        var (last, penultimate) = encoder.Encode(x, mask: null, causal: false);
        return new ClipVisionOutput(last, penultimate, post_layernorm.call(last.select(1, 0)));
    }

    /// <summary>The tower made ready for inference.</summary>
    /// <param name="projection">Into the joint space.</param>
    /// <param name="type">Type of the products.</param>
    public PackedVisionTower Pack(LinearLayer projection, ScalarType type) => new(encoder.Weights(), new ClipVisionEnds(
        embeddings.Patches, embeddings.Class, embeddings.Positions, (pre_layrnorm.Pair.Scale, pre_layrnorm.Pair.Shift, pre_layrnorm.Eps),
        (post_layernorm.Pair.Scale, post_layernorm.Pair.Shift, post_layernorm.Eps), projection.Weight), type);
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
        if (config.ImageSize % config.PatchSize != 0)
            throw new ArgumentException($"image_size {config.ImageSize} is not divisible by patch_size {config.PatchSize}.");
        size = config.ImageSize;
        class_embedding = WeightInit.Normal(1, config.HiddenSize);
        patch_embedding = Layers.Conv2d(config.NumChannels, config.HiddenSize, config.PatchSize, stride: config.PatchSize, bias: false);
        position_embedding = Layers.Embedding((config.Grid * config.Grid) + 1, config.HiddenSize);
        RegisterComponents();
    }

    /// <summary>[width, 3, patch, patch]</summary>
    public Tensor Patches => patch_embedding.Weight;

    /// <summary>[width]</summary>
    public Tensor Class => class_embedding;

    /// <summary>[1 + grid², width]</summary>
    public Tensor Positions => position_embedding.Weight;

    /// <returns>[batch, 1 + kept, width]</returns>
    public Tensor Embed(Tensor pixels, Tensor? keep)
    {
        if (pixels.shape[2] != size || pixels.shape[3] != size)
            throw new ArgumentException($"The image tower takes pictures of {size} x {size} pixels, not {pixels.shape[3]} x {pixels.shape[2]}.");
        var positions = position_embedding.Weight.to(pixels.dtype);
        var patches = patch_embedding.call(pixels).flatten(2).transpose(1, 2) + positions[1..]; // [batch, grid², width]
        if (keep is not null) patches = patches.gather(1, keep.unsqueeze(-1).expand(-1, -1, patches.shape[2]));
        var first = (class_embedding.to(pixels.dtype) + positions[0]).expand(patches.shape[0], 1, -1);
        return cat([first, patches], dim: 1);
    }
}

/// <summary>transformers' <c>CLIPVisionModel</c>, and <c>CLIPVisionModelWithProjection</c> when it projects: an image tower in a folder of its own.</summary>
internal sealed class ClipVisionModel : nn.Module
{
    private readonly ClipVisionTransformer vision_model;
    private readonly LinearLayer? visual_projection;

    public ClipVisionModel(ClipVisionConfig config, bool projects) : base(nameof(ClipVisionModel))
    {
        Config = config;
        vision_model = new ClipVisionTransformer(config);
        visual_projection = projects ? Layers.Linear(config.HiddenSize, config.ProjectionDim, bias: false) : null;
        RegisterComponents();
    }

    public ClipVisionConfig Config { get; }

    /// <inheritdoc cref="ClipVisionTransformer.Encode"/>
    public ClipVisionOutput Encode(Tensor pixels, Tensor? keep = null, ScalarType? dtype = null) => vision_model.Encode(pixels, keep, dtype);

    /// <param name="pooled">[batch, width]</param>
    /// <returns>Image embedding [batch, projection], not normalised.</returns>
    public Tensor Project(Tensor pooled) => Projection.call(pooled);

    /// <inheritdoc cref="ClipVisionTransformer.Pack"/>
    public PackedVisionTower Pack(ScalarType type) => vision_model.Pack(Projection, type);

    private LinearLayer Projection => visual_projection
        ?? throw new InvalidOperationException("This image encoder (CLIPVisionModel) has no projection; CLIPVisionModelWithProjection has one.");
}
