using Alebrije.Diffusion;
using Alebrije.Models.Priors;
using Alebrije.Nn;
using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Priors;

/// <summary>
/// The autoregressive prior (Ramesh et al., 2022, §2.2): the codes of an embedding are drawn one after the other, each looking at the keys
/// and values that those before it left. The cosine of text and image is drawn from the upper half of what training showed, as in the
/// paper.
/// </summary>
/// <param name="network">Disposed of with this object where it owns it.</param>
/// <param name="type">Type of the blocks' products: float32 or bfloat16.</param>
internal sealed class AutoregressivePrior(AutoregressivePriorTransformer network, ScalarType type) : IPrior
{
    /// <summary>Its folder, next to the published components.</summary>
    public const string FolderName = "prior_autoregressive";

    private readonly Lazy<PackedBlocks> blocks = new(() => new PackedBlocks(network.Blocks.Select(block => block.Weights()), type));

    /// <summary>Directions and buckets of the embeddings.</summary>
    public EmbeddingQuantizer Quantizer => network.Quantizer;

    /// <summary>True if Dispose also disposes the network; a trainer passes false and keeps it.</summary>
    public bool OwnsNetwork { get; init; } = true;

    /// <inheritdoc/>
    public PriorKind Kind => PriorKind.Autoregressive;

    /// <inheritdoc/>
    public PriorSpaces Spaces { get; } = new(network.Config.EmbeddingDim, network.Config.EmbeddingDim, network.Config.EmbeddingSpace);

    /// <inheritdoc/>
    public double? Guidance => network.Config.Guidance;

    /// <inheritdoc/>
    public IReadOnlyList<Tensor> Draw(PriorText text, PriorOptions how, Noise noise)
    {
        var drawn = new Tensor[how.Candidates];
        for (var i = 0; i < drawn.Length; i++)
        {
            using var scope = NewDisposeScope();
            drawn[i] = network.Quantizer.Decode(DrawCodes(text, how, noise)).MoveToOuterDisposeScope();
        }

        return drawn;
    }

    /// <summary>Draws the codes of one embedding of each text.</summary>
    /// <returns>[batch, codes] int64</returns>
    public Tensor DrawCodes(PriorText text, PriorOptions how, Noise noise)
    {
        using var scope = NewDisposeScope();
        var (config, batch, guided) = (network.Config, text.Batch, how.Guidance > 1);
        var cosines = (noise.Uniform(batch) * (config.NumCosines - (config.NumCosines / 2))).to(ScalarType.Int64) + (config.NumCosines / 2);
        if (guided) cosines = cat([full_like(cosines, network.UnknownCosine), cosines]);
        var (x, padding) = network.Prefix(guided ? text.Guided() : text.Conditions, cosines);
        var bias = (padding + AttentionMask.Causal(x.shape[1], x)).to(blocks.Value.Type);
        var (output, past) = Run(x, null, bias);                                                  // [batch or 2 batch, 1, width]
        var codes = new List<Tensor>();
        for (var i = 0; i < config.NumCodes; i++)
        {
            how.Cancellation.ThrowIfCancellationRequested();
            codes.Add(Choose(network.Logits(output).select(1, 0), how.Guidance, noise));
            how.Report?.Invoke(i + 1, config.NumCodes);
            if (i + 1 == config.NumCodes) break;
            var next = network.CodeTokens(guided ? cat([codes[^1], codes[^1]]).unsqueeze(1) : codes[^1].unsqueeze(1), i);
            var before = past;
            var tokens = nn.functional.pad(padding, (0, i + 1)).to(blocks.Value.Type);            // the padding stays masked
            (output, past) = Run(next, before, tokens);
            before.Dispose();
        }

        return stack(codes, dim: 1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (blocks.IsValueCreated) blocks.Value.Dispose();
        if (OwnsNetwork) network.Dispose();
    }

    private (Tensor Output, KeyValues Past) Run(Tensor x, KeyValues? before, Tensor bias)
    {
        var kept = new List<(Tensor, Tensor)>();
        var output = blocks.Value.Forward(x, [new SequencePart(x.shape[0], before, bias)], read: 1, kept);
        return (output, new KeyValues(kept));
    }

    /// <summary>Guides the logits, keeps the likeliest and draws one by the Gumbel-max rule, which needs uniform numbers alone.</summary>
    /// <param name="logits">[batch or 2 batch, buckets]</param>
    /// <param name="guidance">The guidance scale.</param>
    /// <param name="noise">One uniform number for each bucket.</param>
    /// <returns>[batch] int64</returns>
    private Tensor Choose(Tensor logits, double guidance, Noise noise)
    {
        using var scope = NewDisposeScope();
        var config = network.Config;
        if (guidance > 1) logits = Diffusion.Guidance.Combine(logits, logits.shape[1], guidance);
        if (config.TopK > 0 && config.TopK < config.NumBuckets)
        {
            var least = logits.topk(config.TopK, dim: 1).values.narrow(1, config.TopK - 1, 1);
            logits = logits.masked_fill(logits.lt(least), float.NegativeInfinity);
        }

        if (config.Temperature <= 0) return logits.argmax(1).MoveToOuterDisposeScope();
        var gumbel = -(-noise.Uniform(logits.shape).clamp(min: 1e-20).log()).log();
        return ((logits / config.Temperature) + gumbel).argmax(1).MoveToOuterDisposeScope();
    }
}
