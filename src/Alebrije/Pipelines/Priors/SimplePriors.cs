using Alebrije.Models.Priors;
using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Priors;

/// <summary>No prior: the text embedding as it is.</summary>
internal sealed class NoPrior : IPrior
{
    /// <inheritdoc/>
    public PriorKind Kind => PriorKind.None;

    /// <inheritdoc/>
    public PriorSpaces Spaces { get; } = new(0, 0);

    /// <inheritdoc/>
    public IReadOnlyList<Tensor> Draw(PriorText text, PriorOptions how, Noise noise) => [text.Conditions.TextEmbedding.alias()];

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}

/// <summary>The linear prior: one product.</summary>
/// <param name="map">It is disposed of with this object.</param>
internal sealed class LinearPrior(LinearPriorMap map) : IPrior
{
    /// <summary>Its folder, next to the published components.</summary>
    public const string FolderName = "prior_linear";

    /// <inheritdoc/>
    public PriorKind Kind => PriorKind.Linear;

    /// <inheritdoc/>
    public PriorSpaces Spaces { get; } = new(map.Config.EmbeddingProjDim ?? map.Config.EmbeddingDim,
        map.Config.EmbeddingDim, map.Config.EmbeddingSpace);

    /// <inheritdoc/>
    public IReadOnlyList<Tensor> Draw(PriorText text, PriorOptions how, Noise noise) => [map.call(text.Conditions.TextEmbedding)];

    /// <inheritdoc/>
    public void Dispose() => map.Dispose();
}

/// <summary>
/// The prior of ECLIPSE (Patel et al., 2024): a prior transformer without time, run once on pure noise. What comes out is the embedding
/// itself; there is no guidance and nothing to be undone.
/// </summary>
/// <param name="network">It is disposed of with this object.</param>
internal sealed class OneStepPrior(PriorTransformer network) : IPrior
{
    /// <summary>Its folder, next to the published components.</summary>
    public const string FolderName = "prior_one_step";

    /// <summary>True if Dispose also disposes the network; a trainer passes false and keeps it.</summary>
    public bool OwnsNetwork { get; init; } = true;

    /// <inheritdoc/>
    public PriorKind Kind => PriorKind.OneStep;

    /// <inheritdoc/>
    public PriorSpaces Spaces { get; } = DiffusionPrior.Of(network.Config);

    /// <inheritdoc/>
    public IReadOnlyList<Tensor> Draw(PriorText text, PriorOptions how, Noise noise)
    {
        var drawn = new Tensor[how.Candidates];
        for (var i = 0; i < drawn.Length; i++)
        {
            how.Cancellation.ThrowIfCancellationRequested();
            using var start = noise.Randn(text.Batch, network.Config.EmbeddingDim);
            drawn[i] = network.call(start, null, text.Conditions);
            how.Report?.Invoke(1, 1);
        }

        return drawn;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (OwnsNetwork) network.Dispose();
    }
}
