using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Flamingo;

/// <summary>State of one call that all layers of a language model share.</summary>
/// <param name="Bias">Added to the scores, broadcast to [batch, heads, tokens, all tokens].</param>
/// <param name="Cache">Keys and values of earlier tokens, or null.</param>
internal sealed record DecoderContext(Tensor Bias, FlamingoCache? Cache)
{
    /// <summary>Cosines and sines of the rotary embedding, [tokens, rotated width], or null.</summary>
    public (Tensor Cos, Tensor Sin)? Rotation { get; init; }
}

/// <summary>One layer of a causal language model, and the gated block before it.</summary>
internal interface IDecoderLayer
{
    /// <summary>The gated block, or null.</summary>
    GatedCrossAttention? Gate { get; }

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="context">State of the call.</param>
    /// <returns>As the input.</returns>
    Tensor Run(Tensor x, DecoderContext context);
}

/// <summary>A causal language model: ids to logits, layer by layer.</summary>
internal interface ICausalLanguageModel
{
    /// <summary>Rows of the table of tokens.</summary>
    long VocabularySize { get; }

    /// <summary>Largest number of tokens in training.</summary>
    int ContextLength { get; }

    /// <summary>The layers in order.</summary>
    IReadOnlyList<IDecoderLayer> Decoders { get; }

    /// <param name="ids">[batch, tokens] int64</param>
    /// <returns>[batch, tokens, width]</returns>
    Tensor Embed(Tensor ids);

    /// <summary>State of a call for tokens that follow those of the cache.</summary>
    /// <param name="x">Embedded tokens, [batch, tokens, width].</param>
    /// <param name="mask">[batch, all tokens], 1 for visible tokens.</param>
    /// <param name="cache">Earlier tokens, or null.</param>
    DecoderContext Context(Tensor x, Tensor mask, FlamingoCache? cache);

    /// <summary>The last norm and the projection onto the vocabulary.</summary>
    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>[batch, tokens, vocabulary]</returns>
    Tensor Predict(Tensor x);

    /// <summary>Packs the table of tokens for <see cref="Predict"/> where it is the output layer too.</summary>
    void PackTable();
}

/// <summary>Masks of causal language models.</summary>
internal static class CausalMask
{
    /// <summary>True for hidden tokens: later ones and the padding.</summary>
    /// <param name="mask">[batch, all tokens], 1 for visible tokens.</param>
    /// <param name="tokens">Number of queries, the last of all tokens.</param>
    /// <returns>[batch, 1, tokens, all tokens] bool</returns>
    public static Tensor Hidden(Tensor mask, long tokens)
    {
        var all = mask.shape[1];
        var positions = arange(all, device: mask.device);
        var later = positions.unsqueeze(0).gt(positions.narrow(0, all - tokens, tokens).unsqueeze(1));   // [tokens, all tokens]
        return later.unsqueeze(0).unsqueeze(0).logical_or(mask.eq(0).unsqueeze(1).unsqueeze(1));
    }

    /// <summary>Scores with the lowest number at hidden tokens: rows that are hidden altogether stay finite.</summary>
    public static Tensor Hide(Tensor scores, Tensor hidden) => scores.masked_fill(hidden, finfo(scores.dtype).min);
}
