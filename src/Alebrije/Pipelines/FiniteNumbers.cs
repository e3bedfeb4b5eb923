using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>Checks the outputs of a network; on overflow in half precision, reports the first such layer and uses float32.</summary>
/// <param name="name">Component name of the network.</param>
/// <param name="type">Type in which it computes to begin with.</param>
/// <param name="note">Called with a sentence on what happened; may be null.</param>
internal sealed class FiniteNumbers(string name, ScalarType type, Action<RunNote>? note)
{
    private ScalarType current = type;

    /// <summary>Runs a network.</summary>
    /// <param name="network">The network, for finding the layer.</param>
    /// <param name="predict">Runs it on inputs of a type.</param>
    /// <returns>Its result, float32, all finite.</returns>
    /// <exception cref="InvalidDataException">It gives infinities or NaN in float32 too; the layer is named.</exception>
    public Tensor Run(nn.Module network, Func<ScalarType, Tensor> predict)
    {
        var output = predict(current).to(ScalarType.Float32);
        if (IsFinite(output)) return output;
        var layer = FirstLayer(network, () => predict(current));
        if (current == ScalarType.Float32)
        {
            throw new InvalidDataException(
                $"The network {name} gives numbers that are not finite, first "
                    + $"in its layer {layer}: its weights are damaged, or its input is; check it with 'alebrije verify'.");
        }

        note?.Invoke(new OutOfRangeNote(name, current.ToString(), layer));
        current = ScalarType.Float32;
        return Run(network, predict);
    }

    private static bool IsFinite(Tensor x)
    {
        using var finite = x.isfinite();
        using var all = finite.all();
        return all.item<bool>();
    }

    /// <summary>Runs once more with an eye on every layer that has weights.</summary>
    private static string FirstLayer(nn.Module network, Func<Tensor> run)
    {
        string? first = null;
        var removals = new List<Action>();
        foreach (var (path, module) in network.named_modules())
        {
            if (module is not nn.Module<Tensor, Tensor> layer) continue;
            var handle = layer.register_forward_hook((_, _, output) =>
            {
                if (first is null && !IsFinite(output)) first = path;
                return output;
            });
            removals.Add(handle.remove);
        }

        try
        {
            using var output = run();
        }
        finally
        {
            foreach (var remove in removals) remove();
        }

        return first ?? "(between two layers)";
    }
}
