using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tensors;

/// <summary>Tensors of a tokenizer's output.</summary>
internal static class TokenTensors
{
    /// <param name="rows">[texts][tokens], all of one length.</param>
    /// <returns>[texts, tokens] int64</returns>
    public static Tensor Ids(IReadOnlyList<int[]> rows) =>
        tensor(rows.SelectMany(row => row.Select(id => (long)id)).ToArray(), [rows.Count, rows[0].Length]);

    /// <param name="lengths">[texts]: number of text tokens before the padding.</param>
    /// <param name="tokens">Number of tokens of a row.</param>
    /// <returns>[texts, tokens] bool, true for text</returns>
    public static Tensor Mask(IReadOnlyList<int> lengths, long tokens)
    {
        using var scope = NewDisposeScope();
        return arange(tokens).unsqueeze(0).lt(tensor(lengths.Select(length => (long)length).ToArray()).unsqueeze(1))
            .MoveToOuterDisposeScope();
    }
}
