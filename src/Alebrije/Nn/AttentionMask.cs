using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Terms of attention scores that hide tokens.</summary>
internal static class AttentionMask
{
    /// <summary>Term of a hidden token, as in diffusers, in place of minus infinity.</summary>
    public const double Masked = -10_000;

    /// <summary>Mask of later tokens: [tokens, tokens], 0 for a token itself and earlier ones.</summary>
    /// <param name="tokens">Tokens of the sequence.</param>
    /// <param name="like">A tensor of the type and device of the scores.</param>
    /// <param name="masked">Term of a hidden token.</param>
    public static Tensor Causal(long tokens, Tensor like, double masked = Masked) =>
        full([tokens, tokens], masked, dtype: like.dtype, device: like.device).triu(1);
}
