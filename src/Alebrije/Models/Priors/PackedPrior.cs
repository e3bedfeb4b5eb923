using Alebrije.Nn;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Priors;

/// <summary>Keys and values of the text part of a prior's sequence, computed once per prompt.</summary>
/// <param name="Text">Keys and values of every block.</param>
/// <param name="Padding">[batch or 1, 1, 1, tokens], the padding's term of the scores; null without padding.</param>
internal sealed record PriorPrefix(KeyValues Text, Tensor? Padding) : IDisposable
{
    /// <summary>Detaches the tensors from every dispose scope: they live until <see cref="Dispose"/>.</summary>
    public PriorPrefix Detach()
    {
        Text.Detach();
        Padding?.DetachFromDisposeScope();
        return this;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Text.Dispose();
        Padding?.Dispose();
    }
}

/// <summary>
/// A <see cref="PriorTransformer"/> packed for sampling. Its mask is causal, so no text token attends to the time or the noisy embedding:
/// the text is computed once per prompt, and a step computes only its own last tokens. The sums are those of the whole sequence, in a
/// different order.
/// </summary>
internal sealed class PackedPrior : IDisposable
{
    private readonly PriorTransformer network;
    private readonly PackedBlocks blocks;

    /// <param name="network">Its blocks are copied; its other layers are shared and stay the caller's.</param>
    /// <param name="type">Type of the blocks' matrix products: float32 or bfloat16.</param>
    public PackedPrior(PriorTransformer network, ScalarType type)
    {
        this.network = network;
        blocks = new PackedBlocks(network.Blocks.Select(block => block.Weights()), type);
    }

    /// <summary>Computes the text part.</summary>
    /// <param name="conditions">The prompts; one row is broadcast to any batch.</param>
    /// <returns>Null if the text cannot be computed separately: without a mask all tokens attend to all, and a text whose first token is
    /// masked attends, having no other, to later tokens.</returns>
    /// <exception cref="ArgumentException">The length of the mask differs from that of the network's text.</exception>
    public PriorPrefix? Remember(PriorConditions conditions)
    {
        if (conditions.TextMask is not { } mask) return null;
        using var scope = NewDisposeScope();
        var config = network.Config;
        var text = network.TextTokens(conditions);                                               // [batch, text + 1, width]
        if (text.shape[1] != config.NumEmbeddings + 1) return null;
        network.CheckMask(mask, config.Positions);
        if (!mask.select(1, 0).all().item<bool>()) return null;

        // Trailing padding common to all rows has weight exactly 0 everywhere: exp(-10000) is 0 in any floating type.
        var seen = mask.any(0, keepdim: false).nonzero().max().item<long>() + 1;
        var places = cat([arange(seen, dtype: ScalarType.Int64), full(1, config.NumEmbeddings, dtype: ScalarType.Int64)]).to(text.device);
        var x = network.Enter(text.index_select(1, places), places).to(ScalarType.Float32);
        var padded = (1 - mask.narrow(1, 0, seen).to(ScalarType.Float32)) * AttentionMask.Masked;
        var padding = nn.functional.pad(padded, (0, 1)).unsqueeze(1).unsqueeze(1);                // [batch, 1, 1, seen + 1]
        var bias = (padding + AttentionMask.Causal(seen + 1, x)).to(blocks.Type);
        var kept = new List<(Tensor, Tensor)>();
        blocks.Forward(x, [new SequencePart(x.shape[0], null, bias)], read: 0, kept);
        foreach (var (keys, values) in kept)
        {
            keys.MoveToOuterDisposeScope();
            values.MoveToOuterDisposeScope();
        }

        var isPadded = padded.count_nonzero().item<long>() > 0;
        return new PriorPrefix(new KeyValues(kept), isPadded ? padding.MoveToOuterDisposeScope() : null);
    }

    /// <summary>One step: equals <see cref="PriorTransformer.forward"/> for the same text.</summary>
    /// <param name="noisy">[batch, embedding features] or [batch, embeddings, embedding features], normalised.</param>
    /// <param name="steps">One step or [batch] of them; null for networks without time embedding.</param>
    /// <param name="prefixes">Texts; each conditions an equal share of the batch, in order.</param>
    /// <returns>As from the network: [batch, output features], normalised.</returns>
    public Tensor Predict(Tensor noisy, Tensor? steps, params PriorPrefix[] prefixes)
    {
        using var scope = NewDisposeScope();
        var tokens = network.StepTokens(noisy, steps);                                            // [batch, new, width]
        var (count, rows) = (tokens.shape[1], noisy.shape[0] / prefixes.Length);
        if (rows * prefixes.Length != noisy.shape[0])
            throw new ArgumentException(
                $"{noisy.shape[0]} embeddings cannot be shared out among {prefixes.Length} texts: give each as many.");
        var first = network.Config.NumEmbeddings + 1;
        if (first + count != network.Config.Positions)
            throw new ArgumentException($"The prior has {network.Config.Positions} "
                + $"positions, but {first + count} tokens came in: its additional_embeddings do not fit its other keys.");
        var x = network.Enter(tokens, arange(first, first + count, dtype: ScalarType.Int64, device: tokens.device)).to(ScalarType.Float32);
        var causal = AttentionMask.Causal(count, x);
        var parts = prefixes.Select(prefix => new SequencePart(rows, prefix.Text, Bias(prefix, causal))).ToArray();
        return network.Leave(blocks.Forward(x, parts, network.TokensRead(noisy)).to(noisy.dtype)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => blocks.Dispose();

    /// <summary>[batch or 1, 1, new, text + new]: padding of the text, causality of the new tokens.</summary>
    private Tensor Bias(PriorPrefix prefix, Tensor causal)
    {
        var count = causal.shape[0];
        var text = prefix.Padding ?? zeros(1, 1, 1, prefix.Text.Tokens, dtype: causal.dtype, device: causal.device);
        var batch = text.shape[0];
        return cat([text.expand(batch, 1, count, -1), causal.expand(batch, 1, count, count)], dim: 3).to(blocks.Type);
    }
}
