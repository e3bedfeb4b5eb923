using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Dropout without cost while it is off, as in every published network of the family.</summary>
internal static class Dropout
{
    /// <summary>Applies dropout in training; otherwise returns the tensor itself.</summary>
    public static Tensor Drop(this Tensor x, double probability, bool training) =>
        training && probability > 0 ? nn.functional.dropout(x, probability, training) : x;
}
