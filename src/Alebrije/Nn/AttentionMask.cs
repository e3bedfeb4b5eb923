using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Terms that are added to attention scores to hide tokens.</summary>
internal static class AttentionMask
{
    /// <summary>Term of a hidden token: diffusers adds this where others add minus infinity.</summary>
    public const double Masked = -10_000;

    /// <summary>Hides later tokens: [tokens, tokens], 0 for a token itself and those before it.</summary>
    /// <param name="tokens">Tokens of the sequence.</param>
    /// <param name="like">A tensor of the type and on the device of the scores.</param>
    /// <param name="masked">Term of a hidden token.</param>
    public static Tensor Causal(long tokens, Tensor like, double masked = Masked) =>
        full([tokens, tokens], masked, dtype: like.dtype, device: like.device).triu(1);
}
