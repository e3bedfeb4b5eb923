using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Forms of the Gaussian error linear unit in transformers' perceptrons.</summary>
internal enum GeluForm
{
    /// <summary>x Φ(x).</summary>
    Exact,

    /// <summary>x Φ(x) by the tanh formula.</summary>
    Tanh,

    /// <summary>x σ(1.702 x).</summary>
    Quick,
}

/// <summary>Activation functions by their names in published configs (diffusers, models/activations.py).</summary>
internal static class Activation
{
    /// <summary>Factor within <see cref="QuickGelu"/>.</summary>
    public const double QuickGeluScale = 1.702;

    /// <summary>x · sigmoid(1.702 x) (openai/CLIP, model.py, QuickGELU).</summary>
    public static Tensor QuickGelu(Tensor x) => x * (QuickGeluScale * x).sigmoid();

    /// <summary>Tanh approximation of GELU (Hendrycks and Gimpel, 2016).</summary>
    public static Tensor TanhGelu(Tensor x) => 0.5 * x * (1 + (Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x.pow(3)))).tanh());

    /// <returns>The form as a function of a tensor of any shape.</returns>
    public static Func<Tensor, Tensor> Function(this GeluForm form) => form switch
    {
        GeluForm.Quick => QuickGelu,
        GeluForm.Tanh => TanhGelu,
        _ => x => nn.functional.gelu(x),
    };

    /// <summary>Finds a function by name: silu (or swish), gelu (exact, by erf), relu or mish.</summary>
    /// <exception cref="ArgumentException">The name is none of these.</exception>
    public static Func<Tensor, Tensor> Named(string name) => name switch
    {
        "silu" or "swish" => x => nn.functional.silu(x),
        "gelu" => x => nn.functional.gelu(x),
        "relu" => x => nn.functional.relu(x),
        "mish" => x => nn.functional.mish(x),
        _ => throw new ArgumentException($"The activation \"{name}\" is not supported: it must be silu, swish, gelu, relu or mish."),
    };
}
