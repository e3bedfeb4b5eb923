using Alebrije.Nn;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Priors;

/// <summary>
/// Image embeddings as short sequences of integers (Ramesh et al., 2022, §2.2): coordinates along the principal components, largest
/// variance first, each in one of equal buckets between <c>-range</c> and <c>range</c> standard deviations. Cosines of text and image are
/// quantised too, into buckets with equal shares of the training pairs.
/// </summary>
internal sealed class EmbeddingQuantizer : nn.Module<Tensor, Tensor>
{
    private readonly long buckets;
    private readonly double range;
    private readonly Tensor mean, components, deviation, cosine_edges;

    public EmbeddingQuantizer(AutoregressivePriorConfig config) : base(nameof(EmbeddingQuantizer))
    {
        (buckets, range) = (config.NumBuckets, config.BucketRange);
        mean = WeightInit.Buffer(0, ScalarType.Float32, config.EmbeddingDim);
        components = WeightInit.Buffer(0, ScalarType.Float32, config.NumCodes, config.EmbeddingDim);
        deviation = WeightInit.Buffer(1, ScalarType.Float32, config.NumCodes);
        cosine_edges = WeightInit.Buffer(0, ScalarType.Float32, config.NumCosines - 1);
        RegisterComponents();
    }

    /// <summary>Mean of the image embeddings, [features].</summary>
    public Tensor Mean => mean;

    /// <summary>Orthonormal directions, by falling variance, [codes, features].</summary>
    public Tensor Components => components;

    /// <summary>Standard deviation of the embeddings along each direction, [codes].</summary>
    public Tensor Deviation => deviation;

    /// <summary>Fits directions, standard deviations and the edges of the cosines' buckets.</summary>
    /// <param name="images">[n, features], n ≥ 2.</param>
    /// <param name="texts">[n, features], the text of each image.</param>
    public void Fit(Tensor images, Tensor texts)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var axes = PrincipalAxes.Of(images, components.shape[0]);
        mean.copy_(axes.Mean);
        components.copy_(axes.Directions);
        deviation.copy_(axes.Variance.clamp(min: 1e-12).sqrt());
        var sorted = Cosines(images, texts).sort().Values;
        for (var i = 0L; i < cosine_edges.shape[0]; i++) cosine_edges[i] = sorted[(i + 1) * sorted.shape[0] / (cosine_edges.shape[0] + 1)];
    }

    /// <param name="embeddings">[batch, features] on CLIP's scale.</param>
    /// <returns>[batch, codes] int64 in [0, buckets)</returns>
    public Tensor Encode(Tensor embeddings)
    {
        using var scope = NewDisposeScope();
        var coordinates = (embeddings - mean).mm(components.t()) / deviation;
        return ((coordinates + range) * (buckets / (2 * range))).floor()
            .clamp(0, buckets - 1).to(ScalarType.Int64).MoveToOuterDisposeScope();
    }

    /// <summary>Decodes codes to embeddings at the centres of their buckets.</summary>
    /// <param name="codes">[batch, codes] int64 in [0, buckets)</param>
    /// <returns>[batch, features] on CLIP's scale.</returns>
    public Tensor Decode(Tensor codes)
    {
        using var scope = NewDisposeScope();
        var coordinates = ((codes.to(ScalarType.Float32) + 0.5) * (2 * range / buckets)) - range;
        return (mean + (coordinates * deviation).mm(components)).MoveToOuterDisposeScope();
    }

    /// <summary>Quantises the cosines between images and texts.</summary>
    /// <param name="images">[batch, features]</param>
    /// <param name="texts">[batch, features]</param>
    /// <returns>[batch] int64 in [0, cosine buckets), increasing with the cosine.</returns>
    public Tensor EncodeCosines(Tensor images, Tensor texts)
    {
        using var scope = NewDisposeScope();
        return Cosines(images, texts).unsqueeze(1).ge(cosine_edges).sum(1).to(ScalarType.Int64).MoveToOuterDisposeScope();
    }

    /// <inheritdoc cref="Encode"/>
    public override Tensor forward(Tensor embeddings) => Encode(embeddings);

    private static Tensor Cosines(Tensor a, Tensor b) => nn.functional.cosine_similarity(a, b, dim: 1);
}
