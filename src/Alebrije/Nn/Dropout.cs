using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Dropout that costs nothing where it is off, as it is in every published network of the family.</summary>
internal static class Dropout
{
    /// <summary>Zeroes features with a probability and scales the rest up, in training only; else the tensor itself.</summary>
    public static Tensor Drop(this Tensor x, double probability, bool training) =>
        training && probability > 0 ? nn.functional.dropout(x, probability, training) : x;
}
