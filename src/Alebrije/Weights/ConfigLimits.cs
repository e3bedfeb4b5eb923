using System.Text.Json;
using System.Text.Json.Nodes;

namespace Alebrije.Weights;

/// <summary>
/// Limits of numbers in published configurations that lists, schedules and images are as long as, before any of them is made: a number
/// costs a byte in the file, and a list of its length costs memory and time.
/// </summary>
internal static class ConfigLimits
{
    /// <summary>Largest number of layers, ten times that of the deepest published networks.</summary>
    private const int Layers = 2000;

    /// <summary>Largest number of timesteps, ten times that of the published schedules.</summary>
    private const int Timesteps = 10_000;

    /// <summary>Largest side of an image, in pixels or latents.</summary>
    private const int Side = 16_384;

    private static readonly Dictionary<string, int> Most = new(StringComparer.Ordinal)
    {
        ["num_layers"] = Layers, ["num_hidden_layers"] = Layers, ["layers_per_block"] = Layers, ["layers"] = Layers,
        ["reader_layers"] = Layers, ["resampler_layers"] = Layers, ["n_layers"] = Layers,
        ["transformer_layers_per_block"] = Layers, ["reverse_transformer_layers_per_block"] = Layers, ["num_decoder_layers"] = Layers,
        ["num_train_timesteps"] = Timesteps, ["original_inference_steps"] = Timesteps, ["solver_order"] = Timesteps,
        ["sample_size"] = Side, ["image_size"] = Side, ["crop_size"] = Side,
    };

    private static readonly Dictionary<string, int> MostItems = new(StringComparer.Ordinal)
    {
        ["trained_betas"] = Timesteps, ["disable_corrector"] = Timesteps, ["block_out_channels"] = 30,
    };

    /// <summary>Checks all members of a configuration, nested ones included.</summary>
    /// <param name="root">The configuration.</param>
    /// <param name="file">Its file, for the error.</param>
    /// <exception cref="WeightsException">A number or list exceeds its limit; the message gives key, value and limit.</exception>
    public static void Check(JsonObject root, string file)
    {
        foreach (var (key, value) in root)
        {
            if (Most.TryGetValue(key, out var most)) Check(key, value, most, file);
            if (MostItems.TryGetValue(key, out var items) && value is JsonArray list && list.Count > items)
                throw new WeightsException($"{file}: \"{key}\" has {list.Count} items; at most {items} are read.");
            if (value is JsonObject inner) Check(inner, file);
        }
    }

    private static void Check(string key, JsonNode? value, int most, string file)
    {
        if (value is JsonArray list)
        {
            if (list.Count > Layers) throw new WeightsException($"{file}: \"{key}\" has {list.Count} items; at most {Layers} are read.");
            foreach (var item in list) Check(key, item, most, file);
        }
        else if (value?.GetValueKind() == JsonValueKind.Number && value.GetValue<double>() is var number && (number > most || number < 0))
        {
            if (number < 0)
                throw new WeightsException(System.FormattableString.Invariant($"{file}: \"{key}\" is {number}; it must be at least 0."));
            throw new WeightsException(System.FormattableString.Invariant(
                $"{file}: \"{key}\" is {number}; at most {most} is read, so the file is damaged or of another kind."));
        }
    }
}
