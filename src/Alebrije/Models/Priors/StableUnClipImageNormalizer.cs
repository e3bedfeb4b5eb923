using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Priors;

/// <summary>config.json of a <see cref="StableUnClipImageNormalizer"/>.</summary>
internal sealed record StableUnClipImageNormalizerConfig
{
    /// <summary>Width of an image embedding.</summary>
    public int EmbeddingDim { get; init; } = 768;
}

/// <summary>
/// Mean and standard deviation of CLIP's image embeddings, for the noise augmentation of Stable unCLIP (diffusers,
/// pipelines/stable_diffusion/stable_unclip_image_normalizer.py).
/// </summary>
internal sealed class StableUnClipImageNormalizer : nn.Module<Tensor, Tensor>
{
    private readonly Parameter mean, std;

    public StableUnClipImageNormalizer(StableUnClipImageNormalizerConfig config) : base(nameof(StableUnClipImageNormalizer))
    {
        mean = WeightInit.Constant(0, 1, config.EmbeddingDim);
        std = WeightInit.Constant(1, 1, config.EmbeddingDim);
        RegisterComponents();
    }

    /// <summary>[1, features]</summary>
    public Parameter Mean => mean;

    /// <summary>[1, features]</summary>
    public Parameter Std => std;

    /// <summary>Standardises embeddings: (x - mean) / std.</summary>
    /// <param name="embeddings">[batch, features] on CLIP's scale.</param>
    /// <returns>As the input, with mean near 0 and standard deviation near 1.</returns>
    public Tensor Scale(Tensor embeddings)
    {
        using var scope = NewDisposeScope();
        return ((embeddings - mean) / std).MoveToOuterDisposeScope();
    }

    /// <summary>Undoes <see cref="Scale"/>.</summary>
    /// <param name="embeddings">[batch, features], normalised.</param>
    /// <returns>As the input, on CLIP's scale.</returns>
    public Tensor Unscale(Tensor embeddings)
    {
        using var scope = NewDisposeScope();
        return (embeddings * std + mean).MoveToOuterDisposeScope();
    }

    /// <inheritdoc cref="Scale"/>
    public override Tensor forward(Tensor embeddings) => Scale(embeddings);
}
