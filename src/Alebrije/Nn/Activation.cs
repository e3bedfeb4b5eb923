using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Activation functions by the names that published configs give them (diffusers, models/activations.py).</summary>
internal static class Activation
{
    /// <summary>Finds a function: silu (or swish), gelu (exact, by erf), relu or mish.</summary>
    /// <exception cref="ArgumentException">The name is none of these.</exception>
    public static Func<Tensor, Tensor> Named(string name) => name switch
    {
        "silu" or "swish" => x => nn.functional.silu(x),
        "gelu" => x => nn.functional.gelu(x),
        "relu" => x => nn.functional.relu(x),
        "mish" => x => nn.functional.mish(x),
        _ => throw new ArgumentException($"The activation \"{name}\" is not known: it must be silu, swish, gelu, relu or mish."),
    };
}
