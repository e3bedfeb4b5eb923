using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tensors;

/// <summary>Operations on shapes that libtorch does not check.</summary>
internal static class Shapes
{
    /// <summary>
    /// Matrix product with broadcast leading axes, in place of <c>torch.matmul</c>, whose shape errors abort the process.
    /// </summary>
    /// <param name="a">[..., rows, inner]</param>
    /// <param name="b">[..., inner, columns]</param>
    /// <returns>[..., rows, columns]</returns>
    /// <exception cref="ArgumentException">The inner sizes differ, or the leading axes do not broadcast.</exception>
    public static Tensor MatMul(Tensor a, Tensor b)
    {
        var (left, right) = (a.shape, b.shape);
        if (left.Length < 2 || right.Length < 2 || left[^1] != right[^2])
            throw new ArgumentException($"[{string.Join(", ", left)}] and [{string.Join(", ", right)}] "
                + $"cannot be multiplied: the last size of the first has to be the last but one of the second.");
        if (left.Length == 2 && right.Length == 2) return a.mm(b);
        using var scope = NewDisposeScope();
        var batch = Broadcast(left[..^2], right[..^2]);
        var product = a.expand([.. batch, left[^2], left[^1]]).reshape(-1, left[^2], left[^1])
            .bmm(b.expand([.. batch, right[^2], right[^1]]).reshape(-1, right[^2], right[^1]));
        return product.reshape([.. batch, left[^2], right[^1]]).MoveToOuterDisposeScope();
    }

    private static long[] Broadcast(long[] left, long[] right)
    {
        var result = new long[Math.Max(left.Length, right.Length)];
        for (var i = 1; i <= result.Length; i++)
        {
            var (x, y) = (i <= left.Length ? left[^i] : 1, i <= right.Length ? right[^i] : 1);
            if (x != y && x != 1 && y != 1)
                throw new ArgumentException($"The leading axes [{string.Join(", ", left)}] "
                    + $"and [{string.Join(", ", right)}] do not broadcast: sizes have to be equal or 1.");
            result[^i] = Math.Max(x, y);
        }

        return result;
    }
}
