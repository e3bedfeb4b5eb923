using System.Runtime.Intrinsics.X86;
using TorchSharp;

namespace Alebrije.Tensors;

/// <summary>Number format of a computation.</summary>
public enum Precision
{
    /// <summary>bf16 where the processor multiplies it faster than fp32, else fp32.</summary>
    Auto,

    /// <summary>float32, exact and always available.</summary>
    Fp32,

    /// <summary>bfloat16 products; slower than fp32 by a factor of a hundred on processors without instructions for it.</summary>
    Bf16,

    /// <summary>
    /// Products of 8-bit whole numbers, for CLIP's embeddings alone: the fastest where there is no bf16, and the coarsest. What a text or picture is computed
    /// together with changes its embedding a little.
    /// </summary>
    Int8,
}

/// <summary>What the processor can do, asked before bf16 is used.</summary>
public static class Processor
{
    /// <summary>Whether products of bf16 are faster than those of fp32: AVX-512 BF16 or AMX BF16.</summary>
    public static bool HasFastBf16 { get; } = DetectBf16();

    /// <summary>Short names of the vector instructions that matter here, for people to read.</summary>
    public static IReadOnlyList<string> Features { get; } = DetectFeatures();

    /// <summary>Below this many parameters float32 is fast enough, and the same numbers come out on every machine.</summary>
    private const long SmallNetwork = 100_000_000;

    /// <summary>The type in which a network computes.</summary>
    /// <param name="precision">What the user asked for.</param>
    /// <returns>Float32 or BFloat16</returns>
    /// <exception cref="NotSupportedException">int8, in which only CLIP embeds.</exception>
    public static torch.ScalarType ScalarType(Precision precision) =>
        precision == Precision.Int8 ? throw new NotSupportedException("int8 is for embedding with CLIP; training and drawing take auto, fp32 or bf16.")
        : precision == Precision.Bf16 || (precision == Precision.Auto && HasFastBf16) ? torch.ScalarType.BFloat16 : torch.ScalarType.Float32;

    /// <summary>The type in which a network of a size computes; <see cref="Precision.Auto"/> keeps small ones in float32.</summary>
    /// <param name="precision">Format that the user asked for.</param>
    /// <param name="parameters">Parameters of the network.</param>
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
