using Alebrije.Diffusion;
using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Priors;

/// <summary>
/// The diffusion prior (Ramesh et al., 2022, §2.2) as pipelines sample it: the text is computed once for each prompt, the empty text of
/// guidance once for all prompts, and each step computes its own last tokens. A network without a mask is run on the whole sequence.
/// </summary>
/// <param name="network">Disposed of with this object where it owns it.</param>
/// <param name="scheduler">Makes the scheduler of a run.</param>
/// <param name="type">Type of the products: float32, exact, or bfloat16.</param>
internal sealed class DiffusionPrior(PriorTransformer network, Func<IScheduler> scheduler, ScalarType type) : IPrior
{
    private readonly Lazy<PackedPrior> packed = new(() => new PackedPrior(network, type));
    private (PriorConditions Text, PriorPrefix Prefix)? empty;

    /// <summary>True if Dispose also disposes the network; a trainer passes false and keeps it.</summary>
    public bool OwnsNetwork { get; init; } = true;

    /// <inheritdoc/>
    public PriorKind Kind => PriorKind.Diffusion;

    /// <inheritdoc/>
    public PriorSpaces Spaces { get; } = Of(network.Config);

    /// <summary>The network.</summary>
    public PriorTransformer Network => network;

    /// <inheritdoc/>
    public IReadOnlyList<Tensor> Draw(PriorText text, PriorOptions how, Noise noise)
    {
        var denoiser = Denoise(text, how.Guidance);
        return [.. Enumerable.Range(0, how.Candidates).Select(_ => Run(text, how, denoiser, noise))];
    }

    /// <summary>The network with its texts bound and guided; valid until the current dispose scope ends.</summary>
    public Denoiser Denoise(PriorText text, double guidance)
    {
        var guided = guidance > 1;
        if (packed.Value.Remember(text.Conditions) is { } prefix)
        {
            if (!guided) return (x, t) => packed.Value.Predict(x, t, prefix);
            if (RememberEmpty(text.Empty()) is { } unconditional)
                return Guidance.ClassifierFree((x, t) => packed.Value.Predict(x, t, unconditional, prefix), guidance);
        }

        var whole = guided ? text.Guided() : text.Conditions;
        Denoiser uncached = (x, t) => network.call(x, t, whole);
        return guided ? Guidance.ClassifierFree(uncached, guidance) : uncached;
    }

    /// <summary>Spaces of a network of this layout.</summary>
    public static PriorSpaces Of(PriorTransformerConfig config) =>
        new(config.EmbeddingProjDim ?? config.EmbeddingDim, config.OutputDim, config.EmbeddingSpace);

    /// <inheritdoc/>
    public void Dispose()
    {
        empty?.Prefix.Dispose();
        if (packed.IsValueCreated) packed.Value.Dispose();
        if (OwnsNetwork) network.Dispose();
    }

    private PriorPrefix? RememberEmpty(PriorConditions text)
    {
        if (empty is { } known && ReferenceEquals(known.Text, text)) return known.Prefix;
        if (packed.Value.Remember(text) is not { } prefix) return null;
        empty?.Prefix.Dispose();
        empty = (text, prefix.Detach());
        return prefix;
    }

    private Tensor Run(PriorText text, PriorOptions how, Denoiser denoiser, Noise noise)
    {
        using var sampler = scheduler();
        sampler.SetTimesteps(how.Steps);
        var first = how.Start is null ? 0 : Sampling.FirstStep(how.Steps, how.Strength);
        var start = how.Start is { } given
            ? sampler.AddNoise(given.expand(text.Batch, -1), noise.Randn(text.Batch, network.Config.EmbeddingDim), first)
            : Sampling.Begin(sampler, noise, text.Batch, network.Config.EmbeddingDim);
        var samples = new List<Tensor>();
        var cosines = new List<double>();
        var options = new SamplingOptions
        {
            Start = first,
            Progress = p =>
            {
                how.Report?.Invoke(p.Step, p.Of);
                how.After?.Invoke(p.Sample);
                if (how.Trace is null) return;
                samples.Add(p.Sample.clone().MoveToOuterDisposeScope());
                cosines.Add((ClipNetwork.Unit(network.PostProcessLatents(p.Original)) * ClipNetwork.Unit(text.Conditions.TextEmbedding))
                    .sum(-1).mean().ToDouble());
            },
        };
        var x = Sampling.Run(sampler, denoiser, start, noise, options, how.Cancellation);
        how.Trace?.Add("prior trajectory", stack(samples),
            new { cosine_of_predicted_embedding_to_text = cosines, timesteps = sampler.Timesteps });
        return network.PostProcessLatents(x);
    }
}
