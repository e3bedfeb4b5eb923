using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tensors;

/// <summary>What tokenizers give, as networks take it.</summary>
internal static class TokenTensors
{
    /// <param name="rows">[texts][tokens], all of one length.</param>
    /// <returns>[texts, tokens] int64</returns>
    public static Tensor Ids(IReadOnlyList<int[]> rows) => tensor(rows.SelectMany(row => row.Select(id => (long)id)).ToArray(), [rows.Count, rows[0].Length]);

    /// <param name="lengths">[texts]: tokens that are text and not padding.</param>
    /// <param name="tokens">Tokens of a row.</param>
    /// <returns>[texts, tokens] bool, true for text</returns>
    public static Tensor Mask(IReadOnlyList<int> lengths, long tokens)
    {
        using var scope = NewDisposeScope();
        return arange(tokens).unsqueeze(0).lt(tensor(lengths.Select(length => (long)length).ToArray()).unsqueeze(1)).MoveToOuterDisposeScope();
    }
}
