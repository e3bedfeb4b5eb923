using System.Runtime.Intrinsics.X86;
using TorchSharp;

namespace Alebrije.Tensors;

/// <summary>Number format of a computation.</summary>
public enum Precision
{
    /// <summary>bf16 if the processor multiplies it faster than fp32, else fp32.</summary>
    Auto,

    /// <summary>float32, exact and always available.</summary>
    Fp32,

    /// <summary>bfloat16 matrix products; slower than fp32 by a factor of a hundred on processors without instructions for it.</summary>
    Bf16,

    /// <summary>
    /// 8-bit integer products, for CLIP's embeddings and Flamingo's language model: the fastest without bf16, and the coarsest. The
    /// composition of a batch changes the results slightly.
    /// </summary>
    Int8,
}

/// <summary>Capabilities of the processor.</summary>
public static class Processor
{
    /// <summary>True if bf16 products are faster than those of fp32: AVX-512 BF16 or AMX BF16.</summary>
    public static bool HasFastBf16 { get; } = DetectBf16();

    /// <summary>Short names of the relevant vector instructions, for display.</summary>
    public static IReadOnlyList<string> Features { get; } = DetectFeatures();

    /// <summary>Number of parameters below which float32 is fast enough; its results are the same on every machine.</summary>
    private const long SmallNetwork = 100_000_000;

    /// <summary>Type of a network's computation.</summary>
    /// <param name="precision">The requested precision.</param>
    /// <returns>Float32 or BFloat16</returns>
    /// <exception cref="NotSupportedException">The precision is int8, supported only by CLIP and Flamingo.</exception>
    public static torch.ScalarType ScalarType(Precision precision) =>
        precision == Precision.Int8
        ? throw new NotSupportedException("int8 is for embedding with CLIP and for captions; training and drawing take auto, fp32 or bf16.")
        : precision == Precision.Bf16 || (precision == Precision.Auto && HasFastBf16)
        ? torch.ScalarType.BFloat16 : torch.ScalarType.Float32;

    /// <summary>
    /// Type of the computation of a network of a given size; <see cref="Precision.Auto"/> selects float32 for small ones.
    /// </summary>
    /// <param name="precision">The requested precision.</param>
    /// <param name="parameters">Number of the network's parameters.</param>
    internal static torch.ScalarType ScalarType(Precision precision, long parameters) =>
        precision == Precision.Auto && parameters < SmallNetwork ? torch.ScalarType.Float32 : ScalarType(precision);

    private static bool DetectBf16()
    {
        if (!X86Base.IsSupported || X86Base.CpuId(0, 0).Eax < 7) return false;
        var leaf = X86Base.CpuId(7, 0);
        var amx = (leaf.Edx & (1 << 22)) != 0;
        var avx512 = leaf.Eax >= 1 && (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0;
        return Avx512F.IsSupported && (avx512 || amx);
    }

    private static List<string> DetectFeatures()
    {
        var features = new List<string>();
        if (Avx2.IsSupported) features.Add("AVX2");
        if (Fma.IsSupported) features.Add("FMA");
        if (Avx512F.IsSupported) features.Add("AVX-512");
        if (HasFastBf16) features.Add("bf16");
        return features;
    }
}
