using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Alebrije.Search.Vectors;

/// <summary>
/// Inner product of one query with stored rows. float16 becomes float32 by shifts alone: its 5 + 10 bits are moved to the exponent and
/// mantissa of a float32, which is then 2^-112 of the value (also for subnormal numbers), and the query is multiplied by 2^112 once.
/// A 32-bit lane holds two neighbours, so the query is stored as lanes of even components followed by lanes of odd ones.
/// </summary>
internal sealed unsafe class InnerProduct : RowScore
{
    private const int LineBytes = 64;
    private const int Lanes = LineBytes / sizeof(int);
    private const float HalfScale = 5.192296858534828e33f; // 2^112
    private static readonly bool Wide = Vector512.IsHardwareAccelerated;
    private readonly float[] query;
    private readonly int lines;
    private readonly VectorType type;
    private readonly float norm;

    /// <param name="width">Components of a row.</param>
    /// <param name="type">Type of the components of a row.</param>
    /// <param name="query">[width].</param>
    public InnerProduct(int width, VectorType type, ReadOnlySpan<float> query)
    {
        if (query.Length != width)
            throw new ArgumentException($"The query has {query.Length} components, the vectors have {width}.", nameof(query));
        norm = TensorPrimitives.Norm(query);
        if (!float.IsFinite(norm)) throw new ArgumentException("The query has components that are infinite or not numbers.", nameof(query));
        this.type = type;
        if (type == VectorType.Single)
        {
            this.query = query.ToArray();
            norm = 1;
            return;
        }

        lines = ((width * sizeof(ushort)) + LineBytes - 1) / LineBytes;
        this.query = GC.AllocateArray<float>(lines * 2 * Lanes, pinned: true);
        if (norm == 0) return;
        for (var i = 0; i < width; i++)
        {
            var (line, within) = Math.DivRem(i, 2 * Lanes);
            this.query[(line * 2 * Lanes) + (within % 2 * Lanes) + (within / 2)] = query[i] / norm * HalfScale;
        }
    }

    /// <inheritdoc/>
    public override float Of(byte* row)
    {
        if (type == VectorType.Single) return TensorPrimitives.Dot(query, new ReadOnlySpan<float>(row, query.Length));
        return norm * (Wide ? Half512((int*)row) : Half128((int*)row));
    }

    /// <summary>The same by 128-bit vectors, for processors without wider ones and for tests.</summary>
    internal float Narrow(byte* row) => norm * Half128((int*)row);

    // A process that searches once does not wait for the just-in-time compiler to find these methods worth optimising.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private float Half512(int* row)
    {
        var mask = Vector512.Create(unchecked((int)0x8FFFE000));
        var (even, odd) = (Vector512<float>.Zero, Vector512<float>.Zero);
        ref var start = ref MemoryMarshal.GetArrayDataReference(query);
        for (var i = 0; i < lines; i++)
        {
            var pairs = Vector512.Load(row + (i * Lanes));
            var low = Vector512.ShiftRightArithmetic(pairs << 16, 3) & mask;
            var high = Vector512.ShiftRightArithmetic(pairs, 3) & mask;
            even = Vector512.FusedMultiplyAdd(low.AsSingle(), Vector512.LoadUnsafe(ref start, (nuint)(i * 2 * Lanes)), even);
            odd = Vector512.FusedMultiplyAdd(high.AsSingle(), Vector512.LoadUnsafe(ref start, (nuint)((i * 2 * Lanes) + Lanes)), odd);
        }

        return Vector512.Sum(even + odd);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private float Half128(int* row)
    {
        const int Quarter = 4;
        var mask = Vector128.Create(unchecked((int)0x8FFFE000));
        var (even, odd) = (Vector128<float>.Zero, Vector128<float>.Zero);
        ref var start = ref MemoryMarshal.GetArrayDataReference(query);
        for (var i = 0; i < lines * Lanes; i += Quarter)
        {
            var pairs = Vector128.Load(row + i);
            var low = Vector128.ShiftRightArithmetic(pairs << 16, 3) & mask;
            var high = Vector128.ShiftRightArithmetic(pairs, 3) & mask;
            var at = (nuint)((i / Lanes * 2 * Lanes) + (i % Lanes));
            even += low.AsSingle() * Vector128.LoadUnsafe(ref start, at);
            odd += high.AsSingle() * Vector128.LoadUnsafe(ref start, at + Lanes);
        }

        return Vector128.Sum(even + odd);
    }
}
