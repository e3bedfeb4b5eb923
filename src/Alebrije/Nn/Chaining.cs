using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Chains of layers whose intermediate maps are freed as soon as the next one is computed.</summary>
internal static class Chaining
{
    /// <summary>
    /// Applies a layer and disposes its input. A dispose scope would hold every map of a chain until its end; autograd keeps what it needs
    /// by itself.
    /// </summary>
    /// <param name="x">Owned by the caller: an intermediate result, never an argument.</param>
    /// <param name="layer">May return its input.</param>
    public static Tensor Then(this Tensor x, Func<Tensor, Tensor> layer)
    {
        var result = layer(x);
        if (!ReferenceEquals(result, x)) x.Dispose();
        return result;
    }
}
