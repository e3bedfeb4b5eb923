using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>
/// CLIP (Radford et al., 2021, fig. 3): a text and an image tower with a joint embedding space; transformers' <c>CLIPModel</c>
/// (modeling_clip.py), for every file layout.
/// </summary>
internal sealed class ClipNetwork : nn.Module
{
    private readonly Parameter logit_scale;
    private readonly Parameter? logit_bias;

    // In a tuple, which is not a submodule: the parts of both halves are registered under this module's own names.
    private readonly (ClipTextModel Text, ClipVisionModel Vision) halves;

    public ClipNetwork(ClipConfig config) : base(nameof(ClipNetwork))
    {
        Config = config;
        halves = (
            new ClipTextModel(config.TextConfig with { ProjectionDim = config.ProjectionDim }, projects: true),
            new ClipVisionModel(config.VisionConfig with { ProjectionDim = config.ProjectionDim }, projects: true));
        var parts = Text.named_children().Concat(Vision.named_children()).ToDictionary(part => part.name, part => part.module);
        foreach (var name in (string[])["text_model", "vision_model", "visual_projection", "text_projection"])
            if (parts.TryGetValue(name, out var part)) register_module(name, part);
        logit_scale = WeightInit.Constant(config.LogitScaleInitValue);
        if (config.InitLogitBias is { } bias) logit_bias = WeightInit.Constant(bias);
        RegisterComponents();
    }

    public ClipConfig Config { get; }

    /// <summary>Logarithm of the scale of the logits, a scalar.</summary>
    public Parameter LogitScale => logit_scale;

    /// <summary>Bias of the logits (Zhai et al., 2023), a scalar, or null.</summary>
    public Parameter? LogitBias => logit_bias;

    public ClipTextModel Text => halves.Text;

    public ClipVisionModel Vision => halves.Vision;

    /// <summary>Projection of texts into the joint space, [projection, width].</summary>
    public Tensor TextProjection => Text.Projection.Weight;

    /// <param name="ids">[batch, tokens] int64</param>
    /// <param name="dtype">Type of the computation; null: that of the weights.</param>
    /// <returns>Text embedding [batch, projection] float32 of unit length.</returns>
    public Tensor EmbedText(Tensor ids, ScalarType? dtype = null) => Unit(Text.Embed(ids, dtype));

    /// <param name="pixels">[batch, 3, size, size], normalised</param>
    /// <param name="keep">[batch, kept] int64 indices of the visible patches, or null for all; vision transformers only.</param>
    /// <param name="dtype">Type of the computation; null: that of the pixels.</param>
    /// <returns>Image embedding [batch, projection] float32 of unit length.</returns>
    public Tensor EmbedImage(Tensor pixels, Tensor? keep = null, ScalarType? dtype = null) =>
        Unit(keep is null ? Vision.Embed(pixels, dtype) : Vision.Project(Vision.Encode(pixels, keep, dtype).Pooled));

    /// <returns>[images, texts]: scaled cosines, plus the bias if there is one.</returns>
    public Tensor Logits(Tensor pixels, Tensor ids)
    {
        var logits = EmbedImage(pixels).mm(EmbedText(ids).t()) * logit_scale.exp();
        return logit_bias is null ? logits : logits + logit_bias;
    }

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
