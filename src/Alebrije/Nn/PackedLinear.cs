using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>
/// A linear layer packed for inference: weights in the type of the computation and in the layout of the processor's kernels.
/// </summary>
internal sealed class PackedLinear : IDisposable
{
    /// <summary>Outputs in one block of oneDNN's float32 layout.</summary>
    private const long Block = 64;

    private readonly long outputs;
    private readonly Tensor weight, bias;
    private readonly Tensor? steps;
    private readonly LinearEpilogue epilogue;
    private readonly bool packed;

    /// <param name="weight">[output, input]</param>
    /// <param name="bias">[output], or null for none.</param>
    /// <param name="type">Type of the matrix products: float32, bfloat16 or, if <see cref="OneDnn.HasInt8"/>, int8.</param>
    /// <param name="epilogue">Function applied to the output.</param>
    public PackedLinear(Tensor weight, Tensor? bias, ScalarType type, LinearEpilogue epilogue = LinearEpilogue.None)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        this.epilogue = epilogue;
        Type = type == ScalarType.Int8 ? ScalarType.Float32 : type;
        packed = OneDnn.Packs(Type) && weight.device_type == DeviceType.CPU;
        var matrix = weight.detach().to(Type).contiguous();
        outputs = weight.shape[0];

        // If outputs do not fill blocks, float32 products of packed matrices depend on uninitialised memory (libtorch 2.10 on AVX-512):
        // zero rows fill them.
        var missing = packed && type == ScalarType.Float32 ? (Block - (outputs % Block)) % Block : 0;
        if (missing > 0) matrix = nn.functional.pad(matrix, [0, 0, 0, missing]);
        if (type == ScalarType.Int8)
        {
            (this.weight, steps) = OneDnn.PackInt8(matrix);
            steps.DetachFromDisposeScope();
        }
        else this.weight = packed ? OneDnn.Pack(matrix) : matrix.clone();

        this.weight.DetachFromDisposeScope();
        var shift = bias is null ? zeros(outputs, Type, weight.device) : bias.detach().to(Type).clone();
        this.bias = (missing > 0 ? nn.functional.pad(shift, [0, missing]) : shift).DetachFromDisposeScope();
    }

    /// <summary>Type of the computation and the output.</summary>
    public ScalarType Type { get; }

    /// <param name="x">[..., input], of any floating-point type.</param>
    /// <returns>[..., output] in <see cref="Type"/></returns>
    public Tensor Call(Tensor x)
    {
        using var scope = NewDisposeScope();
        x = x.to(Type);
        if (steps is not null) return OneDnn.LinearInt8(x, weight, steps, bias, epilogue).MoveToOuterDisposeScope();
        if (packed)
        {
            var product = OneDnn.Linear(x, weight, bias, epilogue);
            return (bias.shape[0] == outputs ? product : product.narrow(-1, 0, outputs).contiguous()).MoveToOuterDisposeScope();
        }

        var y = nn.functional.linear(x, weight, bias);
        return (epilogue switch
        {
            LinearEpilogue.Gelu => nn.functional.gelu(y),
            LinearEpilogue.TanhGelu => Activation.TanhGelu(y),
            LinearEpilogue.Silu => nn.functional.silu(y),
            _ => y,
        }).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        weight.Dispose();
        bias.Dispose();
        steps?.Dispose();
    }
}
