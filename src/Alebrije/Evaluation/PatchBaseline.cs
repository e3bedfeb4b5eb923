using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Evaluation;

/// <summary>
/// Linear autoencoder: principal components of square patches, as many per patch as the latent channels of the compared autoencoder.
/// It has the smallest square error on its training images of all linear maps of patches of that rank.
/// </summary>
internal sealed class PatchBaseline : IDisposable
{
    private const int Channels = 3;
    private readonly int side;
    private readonly Tensor mean, components;

    private PatchBaseline(int side, Tensor mean, Tensor components) => (this.side, this.mean, this.components) = (side, mean, components);

    /// <summary>Fits the components in double precision.</summary>
    /// <param name="batches">[batch, 3, h, w] each; h and w multiples of <paramref name="side"/>. Disposed after use.</param>
    /// <param name="side">Side of a patch in pixels.</param>
    /// <param name="components">Components per patch; at most 3 · side².</param>
    public static PatchBaseline Fit(IEnumerable<Tensor> batches, int side, int components)
    {
        using var scope = NewDisposeScope();
        var width = Channels * side * side;
        var count = 0L;
        var (sum, products) = (zeros(width, dtype: ScalarType.Float64), zeros(width, width, dtype: ScalarType.Float64));
        foreach (var batch in batches)
        {
            using var inner = NewDisposeScope();
            var patches = Cut(batch, side).to(ScalarType.Float64);
            count += patches.shape[0];
            sum.add_(patches.sum(dim: 0));
            products.add_(patches.t().mm(patches));
            batch.Dispose();
        }

        if (count == 0) throw new ArgumentException("The baseline needs at least one image to be fitted on.", nameof(batches));
        var mean = sum / count;
        var (_, vectors) = linalg.eigh((products / count) - mean.outer(mean));
        var most = Math.Min(components, width);                                                         // eigh sorts upwards
        var kept = vectors.narrow(1, width - most, most).t().to(ScalarType.Float32).contiguous();
        return new PatchBaseline(side, mean.to(ScalarType.Float32).DetachFromDisposeScope(), kept.DetachFromDisposeScope());
    }

    /// <param name="pixels">[batch, 3, h, w]</param>
    /// <returns>[batch, 3, h, w], each patch projected on the components</returns>
    public Tensor Reconstruct(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var patches = (Cut(pixels, side) - mean).mm(components.t()).mm(components) + mean;
        var (n, h, w) = (pixels.shape[0], pixels.shape[2] / side, pixels.shape[3] / side);
        return patches.reshape(n, h, w, Channels, side, side).permute(0, 3, 1, 4, 2, 5).reshape(pixels.shape).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        mean.Dispose();
        components.Dispose();
    }

    /// <returns>[batch · patches, 3 · side²]</returns>
    private static Tensor Cut(Tensor pixels, int side)
    {
        var (n, h, w) = (pixels.shape[0], pixels.shape[2] / side, pixels.shape[3] / side);
        return pixels.reshape(n, Channels, h, side, w, side).permute(0, 2, 4, 1, 3, 5).reshape(n * h * w, Channels * side * side);
    }
}
