using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>
/// CLIP (Radford et al., 2021, fig. 3): a text and an image tower that meet in one space; transformers' <c>CLIPModel</c> (modeling_clip.py).
/// </summary>
internal sealed class ClipNetwork : nn.Module
{
    private readonly ClipTextTransformer text_model;
    private readonly ClipVisionTransformer vision_model;
    private readonly LinearLayer visual_projection, text_projection;
    private readonly Parameter logit_scale;

    public ClipNetwork(ClipConfig config) : base(nameof(ClipNetwork))
    {
        Config = config;
        text_model = new ClipTextTransformer(config.TextConfig);
        vision_model = new ClipVisionTransformer(config.VisionConfig);
        visual_projection = Layers.Linear(config.VisionConfig.HiddenSize, config.ProjectionDim, bias: false);
        text_projection = Layers.Linear(config.TextConfig.HiddenSize, config.ProjectionDim, bias: false);
        logit_scale = WeightInit.Constant(config.LogitScaleInitValue);
        RegisterComponents();
    }

    public ClipConfig Config { get; }

    /// <summary>Logarithm of the scale of the logits, a scalar.</summary>
    public Parameter LogitScale => logit_scale;

    public ClipTextTransformer Text => text_model;

    public ClipVisionTransformer Vision => vision_model;

    /// <param name="pooled">[batch, width] of the text tower</param>
    /// <returns>[batch, projection], not normalised</returns>
    public Tensor ProjectText(Tensor pooled) => text_projection.call(pooled);

    /// <summary>The matrix that leads texts into the joint space, [projection, width].</summary>
    public Tensor TextProjection => text_projection.Weight;

    /// <param name="pooled">[batch, width] of the image tower</param>
    /// <returns>[batch, projection], not normalised</returns>
    public Tensor ProjectImage(Tensor pooled) => visual_projection.call(pooled);

    /// <param name="ids">[batch, tokens] int64</param>
    /// <param name="dtype">Type of the computation; null is that of the weights.</param>
    /// <returns>Text embedding [batch, projection] float32 of unit length.</returns>
    public Tensor EmbedText(Tensor ids, ScalarType? dtype = null) => Unit(ProjectText(text_model.Encode(ids, dtype: dtype).Pooled));

    /// <param name="pixels">[batch, 3, size, size], normalised</param>
    /// <param name="keep">[batch, kept] int64 patches that are seen, or null for all.</param>
    /// <param name="dtype">Type of the computation; null is that of the pixels.</param>
    /// <returns>Image embedding [batch, projection] float32 of unit length.</returns>
    public Tensor EmbedImage(Tensor pixels, Tensor? keep = null, ScalarType? dtype = null) =>
        Unit(ProjectImage(vision_model.Encode(pixels, keep, dtype).Pooled));

    /// <inheritdoc cref="ClipTextTransformer.Pack"/>
    public PackedTextTower PackText(ScalarType type) => text_model.Pack(text_projection, type);

    /// <inheritdoc cref="ClipVisionTransformer.Pack"/>
    public PackedVisionTower PackVision(ScalarType type) => vision_model.Pack(visual_projection, type);

    /// <param name="embedding">[batch, width]</param>
    /// <returns>[batch, width] float32 with rows of unit length</returns>
    public static Tensor Unit(Tensor embedding)
    {
        var x = embedding.to(ScalarType.Float32);
        return x / x.norm(1, keepdim: true, p: 2);
    }

    /// <summary>Mean cosine between the rows of two batches, [batch, width] each; one of them may have a single row.</summary>
    public static double Cosine(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        return (Unit(a) * Unit(b)).sum(-1).mean().ToDouble();
    }
}
