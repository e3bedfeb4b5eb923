using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tensors;

/// <summary>Function applied to a linear layer's outputs while they are in the processor's registers.</summary>
internal enum LinearEpilogue
{
    /// <summary>None.</summary>
    None,

    /// <summary>x Φ(x), exact.</summary>
    Gelu,

    /// <summary>x Φ(x) by the tanh formula.</summary>
    TanhGelu,

    /// <summary>x σ(x).</summary>
    Silu,
}

/// <summary>
/// Linear layers with weights in the layout of oneDNN's kernels and the activation in the same pass. The operators are libtorch's own
/// (aten/src/ATen/native/mkldnn/Linear.cpp and native/quantized/cpu/qlinear.cpp), but accessible only from TorchScript, so this class
/// writes and loads a short TorchScript program.
/// </summary>
internal static class OneDnn
{
    /// <summary>Number of rows for which the layout is optimised; other numbers work as well.</summary>
    private const long TypicalRows = 256;

    /// <summary>Largest magnitude of an int8 weight.</summary>
    private const int LargestWeight = 127;

    private const string Head = """
        class OneDnn(Module):
          __parameters__ = []
          __buffers__ = []
          training : bool
          _is_full_backward_hook : Optional[bool]
          def pack(self: __torch__.OneDnn, w: Tensor, rows: int) -> Tensor:
            return ops.mkldnn._reorder_linear_weight(w, rows)
          def pack_int8(self: __torch__.OneDnn, w: Tensor, rows: int, columns: int) -> Tensor:
            return ops.onednn.qlinear_prepack(w, [rows, columns])

        """;

    // 13 is quint8 and 6 float32. An input is quantised to 8 bits, or 7 if narrow, between its minimum and its maximum.
    private const string Layer = """
          def NAME(self: __torch__.OneDnn, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
            return ops.mkldnn._linear_pointwise(x, w, b, "OPERATOR", [], "ALGORITHM")
          def NAME_int8(self: __torch__.OneDnn, x: Tensor, w: Tensor, s: Tensor, z: Tensor, b: Tensor, narrow: bool) -> Tensor:
            q = torch.quantize_per_tensor_dynamic(x, 13, narrow)
            return ops.onednn.qlinear_pointwise(torch.int_repr(q), torch.q_scale(q), torch.q_zero_point(q), w, s, z, b, 1., 0, 6, "OPERATOR", [], "ALGORITHM")

        """;

    private static readonly (string Name, string Operator, string Algorithm)[] Layers =
        [("linear", "none", "none"), ("gelu", "gelu", "none"), ("tanh_gelu", "gelu", "tanh"), ("silu", "swish", "none")];

    private static readonly Lazy<jit.ScriptModule?> Loaded = new(Load);
    private static readonly Lazy<bool> PacksBf16 = new(() => IsAvailable && Multiplies(Loaded.Value!, ScalarType.BFloat16));
    private static readonly Lazy<long?> Int8Sum = new(SumInInt8);

    /// <summary>True if this libtorch has the operators; otherwise layers run unpacked.</summary>
    public static bool IsAvailable => Loaded.Value is not null;

    /// <summary>True if matrices of a type can be packed; bfloat16 requires a processor with AVX-512.</summary>
    public static bool Packs(ScalarType type) => type == ScalarType.BFloat16 ? PacksBf16.Value : IsAvailable;

    /// <summary>True if the int8 operators exist and work.</summary>
    public static bool HasInt8 => Int8Sum.Value is not null;

    /// <exception cref="NotSupportedException">There are no int8 operators for this processor.</exception>
    public static void RequireInt8()
    {
        if (!HasInt8)
            throw new NotSupportedException(
                "This libtorch has no int8 products for this processor; use fp32, or bf16 where 'doctor' names it.");
    }

    /// <summary>
    /// True if 8-bit by 8-bit products overflow: processors without VNNI add two of them in 16 bits, which hold 2 · 127 · 127 but not 2 ·
    /// 255 · 127. Inputs then have 7 bits.
    /// </summary>
    private static bool Overflows => Int8Sum.Value != ProbeSum;

    /// <summary>Packs a matrix for <see cref="Linear"/>.</summary>
    /// <param name="weight">[output, input], float32 or bfloat16, contiguous.</param>
    /// <returns>The same matrix in a layout specific to <see cref="Linear"/>.</returns>
    public static Tensor Pack(Tensor weight) => (Tensor)Script.invoke("pack", weight, TypicalRows);

    /// <summary>epilogue(x · weightᵀ + bias).</summary>
    /// <param name="x">[..., input] in the type of the weight.</param>
    /// <param name="packed">From <see cref="Pack"/>.</param>
    /// <param name="bias">[output] in the type of the weight.</param>
    /// <param name="epilogue">Applied to the result.</param>
    /// <returns>[..., output]</returns>
    public static Tensor Linear(Tensor x, Tensor packed, Tensor bias, LinearEpilogue epilogue) =>
        (Tensor)Script.invoke(NameOf(epilogue), x, packed, bias);

    /// <summary>Quantises a matrix to int8 and packs it for <see cref="LinearInt8"/>.</summary>
    /// <param name="weight">[output, input] float32</param>
    /// <returns>The matrix in a layout specific to <see cref="LinearInt8"/>, and the step of each row, [output] float32.</returns>
    public static (Tensor Packed, Tensor Steps) PackInt8(Tensor weight)
    {
        using var scope = NewDisposeScope();
        var steps = weight.abs().amax([1]).clamp_min(1e-12) / LargestWeight;
        var rounded = (weight / steps.unsqueeze(1)).round().to(ScalarType.Int8);
        return (((Tensor)Script.invoke("pack_int8", rounded, TypicalRows, weight.shape[1])).MoveToOuterDisposeScope(),
            steps.MoveToOuterDisposeScope());
    }

    /// <summary>
    /// As <see cref="Linear"/> with int8 products. The input is quantised with one step for all rows, set by the largest value.
    /// </summary>
    /// <param name="x">[..., input] float32</param>
    /// <param name="packed">From <see cref="PackInt8"/>.</param>
    /// <param name="steps">From <see cref="PackInt8"/>.</param>
    /// <param name="bias">[output] float32</param>
    /// <param name="epilogue">Applied to the result.</param>
    /// <returns>[..., output] float32</returns>
    public static Tensor LinearInt8(Tensor x, Tensor packed, Tensor steps, Tensor bias, LinearEpilogue epilogue)
    {
        using var zeros = steps.to(ScalarType.Int32).zero_();
        return (Tensor)Script.invoke(NameOf(epilogue) + "_int8", x, packed, steps, zeros, bias, Overflows);
    }

    private static jit.ScriptModule Script =>
        Loaded.Value ?? throw new InvalidOperationException("This libtorch has no oneDNN operators; check IsAvailable first.");

    private static string NameOf(LinearEpilogue epilogue) => Layers[(int)epilogue].Name;

    private static jit.ScriptModule? Load()
    {
        try
        {
            using var file = new MemoryFile(Archive());
            var script = jit.load(file.Path);
            return Multiplies(script, ScalarType.Float32) ? script : null;
        }
        catch (Exception e) when (e is ExternalException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Tests one product: operators and processors are checked only when a method first runs.</summary>
    private static bool Multiplies(jit.ScriptModule script, ScalarType type)
    {
        try
        {
            using var scope = NewDisposeScope();
            using var quiet = no_grad();
            var packed = (Tensor)script.invoke("pack", ones([2, 3], type), TypicalRows);
            return ((Tensor)script.invoke("linear", ones([1, 3], type), packed, zeros([2], type))).allclose(full([1, 2], 3, type));
        }
        catch (ExternalException)
        {
            return false;
        }
    }

    /// <summary>64 products of the largest input and the largest weight, which a kernel with overflowing sums does not reach.</summary>
    private const long ProbeSum = 64 * 255 * LargestWeight;

    private static long? SumInInt8()
    {
        if (!IsAvailable) return null;
        try
        {
            using var scope = NewDisposeScope();
            using var quiet = no_grad();

            // From 0 to 255 a step is 1, so nothing is rounded.
            var x = full([2, 64], 255, ScalarType.Float32);
            x[1] = 0;
            var packed = (Tensor)Script.invoke("pack_int8", full([16, 64], LargestWeight, ScalarType.Int8), TypicalRows, 64L);
            var sums = (Tensor)Script.invoke("linear_int8", x, packed, ones(16), torch.zeros(16, ScalarType.Int32), torch.zeros(16), false);
            return sums[1].abs().max().item<float>() == 0 ? (long)sums[0, 0].item<float>() : null;
        }
        catch (ExternalException)
        {
            return null;
        }
    }

    /// <summary>A TorchScript archive: the program, and a pickled object of its class without state.</summary>
    private static byte[] Archive()
    {
        var bytes = new MemoryStream();
        var archive = new ZipArchive(bytes, ZipArchiveMode.Create);
        var pickle = new MemoryStream();
        pickle.Write([0x80, 2]);
        pickle.Write("c__torch__\nOneDnn\n)"u8);
        pickle.Write([0x81]);
        pickle.Write("}("u8);
        WriteName("training");
        pickle.Write([0x89]);
        WriteName("_is_full_backward_hook");
        pickle.Write("Nub."u8);
        Add("data.pkl", pickle.ToArray());
        Add("code/__torch__.py", Encoding.ASCII.GetBytes(Program().ReplaceLineEndings("\n")));
        Add("constants.pkl", [0x80, 2, (byte)')', (byte)'.']);
        Add("version", "3\n"u8.ToArray());
        archive.Dispose();
        return bytes.ToArray();

        static string Program() => Head + string.Concat(Layers.Select(layer => Layer
            .Replace("NAME", layer.Name, StringComparison.Ordinal).Replace("OPERATOR", layer.Operator, StringComparison.Ordinal)
            .Replace("ALGORITHM", layer.Algorithm, StringComparison.Ordinal)));

        void WriteName(string name)
        {
            pickle.Write([(byte)'X', (byte)name.Length, 0, 0, 0]);
            pickle.Write(Encoding.ASCII.GetBytes(name));
        }

        void Add(string name, byte[] content)
        {
            using var stream = archive.CreateEntry($"onednn/{name}", CompressionLevel.NoCompression).Open();
            stream.Write(content);
        }
    }
}
