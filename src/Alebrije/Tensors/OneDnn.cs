using System.IO.Compression;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tensors;

/// <summary>What is applied to a linear layer's outputs while they are still in the processor's registers.</summary>
internal enum LinearEpilogue
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>x Φ(x), exact.</summary>
    Gelu,

    /// <summary>x Φ(x) by the tanh formula.</summary>
    TanhGelu,

    /// <summary>x σ(x).</summary>
    Silu,
}

/// <summary>
/// Linear layers whose weights are laid out once as oneDNN's kernels read them, with the activation in the same pass. The operators are libtorch's own
/// (aten/src/ATen/native/mkldnn/Linear.cpp), but only a TorchScript program may name them, so this class writes one of a few lines and loads it.
/// </summary>
internal static class OneDnn
{
    /// <summary>Rows that the layout is chosen for; others are multiplied as well.</summary>
    private const long TypicalRows = 256;

    private const string Program = """
        class OneDnn(Module):
          __parameters__ = []
          __buffers__ = []
          training : bool
          _is_full_backward_hook : Optional[bool]
          def pack(self: __torch__.OneDnn, w: Tensor, rows: int) -> Tensor:
            return ops.mkldnn._reorder_linear_weight(w, rows)
          def linear(self: __torch__.OneDnn, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
            return ops.mkldnn._linear_pointwise(x, w, b, "none", [], None)
          def gelu(self: __torch__.OneDnn, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
            return ops.mkldnn._linear_pointwise(x, w, b, "gelu", [], "none")
          def tanh_gelu(self: __torch__.OneDnn, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
            return ops.mkldnn._linear_pointwise(x, w, b, "gelu", [], "tanh")
          def silu(self: __torch__.OneDnn, x: Tensor, w: Tensor, b: Tensor) -> Tensor:
            return ops.mkldnn._linear_pointwise(x, w, b, "swish", [], None)

        """;

    private static readonly Lazy<jit.ScriptModule?> Loaded = new(Load);

    /// <summary>Whether this libtorch has the operators; where it has not, layers run as usual.</summary>
    public static bool IsAvailable => Loaded.Value is not null;

    /// <summary>Lays a matrix out for <see cref="Linear"/>.</summary>
    /// <param name="weight">[output, input], float32 or bfloat16, contiguous.</param>
    /// <returns>The same matrix in a layout that only <see cref="Linear"/> reads.</returns>
    public static Tensor Pack(Tensor weight) => (Tensor)Script.invoke("pack", weight, TypicalRows);

    /// <summary>x · weightᵀ + bias, and what follows.</summary>
    /// <param name="x">[..., input] in the type of the weight.</param>
    /// <param name="packed">From <see cref="Pack"/>.</param>
    /// <param name="bias">[output] in the type of the weight.</param>
    /// <param name="epilogue">Applied to the result.</param>
    /// <returns>[..., output]</returns>
    public static Tensor Linear(Tensor x, Tensor packed, Tensor bias, LinearEpilogue epilogue) => (Tensor)Script.invoke(
        epilogue switch
        {
            LinearEpilogue.Gelu => "gelu",
            LinearEpilogue.TanhGelu => "tanh_gelu",
            LinearEpilogue.Silu => "silu",
            _ => "linear",
        },
        x, packed, bias);

    private static jit.ScriptModule Script => Loaded.Value ?? throw new InvalidOperationException("This libtorch has no oneDNN operators; ask IsAvailable first.");

    private static jit.ScriptModule? Load()
    {
        var path = Path.Combine(Path.GetTempPath(), $"alebrije-{Guid.NewGuid():N}.pt");
        try
        {
            Write(path);
            var script = jit.load(path);
            using var scope = NewDisposeScope();
            using var quiet = no_grad();

            // Operators are looked up when a method first runs, so one product is tried.
            Func<Tensor, Tensor> product = x => (Tensor)script.invoke("linear", x, (Tensor)script.invoke("pack", ones(2, 3), TypicalRows), zeros(2));
            return product(ones(1, 3)).allclose(full([1, 2], 3, ScalarType.Float32)) ? script : null;
        }
        catch (Exception e) when (e is System.Runtime.InteropServices.ExternalException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
        finally
        {
            if (File.Exists(path)) File.Delete(path);
        }
    }

    /// <summary>A TorchScript archive: the program, and a pickled object of its class without any state.</summary>
    private static void Write(string path)
    {
        using var archive = new ZipArchive(File.Create(path), ZipArchiveMode.Create);
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
        Add("code/__torch__.py", Encoding.ASCII.GetBytes(Program.ReplaceLineEndings("\n")));
        Add("constants.pkl", [0x80, 2, (byte)')', (byte)'.']);
        Add("version", "3\n"u8.ToArray());

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
