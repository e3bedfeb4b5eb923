using System.Globalization;
using System.Text.Json;
using Alebrije.Pipelines;
using Microsoft.Extensions.AI;

namespace Alebrije.Extensions.AI.Images;

/// <summary>Additional properties of image options: numbers and texts by the names that diffusers and this project use.</summary>
internal sealed class ImageFields(AdditionalPropertiesDictionary? values)
{
    /// <summary>The request that prompt and additional properties describe.</summary>
    /// <param name="prompt">The prompt, or an empty text.</param>
    /// <param name="size">Size of the drawing; null: the model's own.</param>
    /// <exception cref="ArgumentException">A property has a value that cannot be.</exception>
    public GenerationRequest Request(string prompt, (int Width, int Height)? size)
    {
        var name = Text("prior");
        var prior = PriorKind.Diffusion;
        if (name is not null && !PriorNames.TryParse(name, out prior))
            throw new ArgumentException($"There is no prior '{name}'; there are {string.Join(", ", PriorNames.All)}.");
        var request = new GenerationRequest
        {
            Prompt = prompt, Negative = Text("negative_prompt") ?? "", Prior = prior, Seed = Seed(),
            Steps = Whole("steps") ?? Whole("num_inference_steps"), Guidance = Number("guidance") ?? Number("guidance_scale"),
            PriorSteps = Whole("prior_steps"), PriorGuidance = Number("prior_guidance") ?? Number("prior_guidance_scale"),
            Scheduler = Text("scheduler"), Eta = Number("eta"),
        };
        return size is not var (width, height) ? request
            : width == height ? request with { Size = width } : request with { Width = width, Height = height };
    }

    /// <summary>Share of steps from an image, for models that embed none; null: the model's own.</summary>
    public double? Strength => Number("strength");

    /// <summary>The seed: a whole number from 0, or -1 or nothing for a random one.</summary>
    private ulong Seed()
    {
        if (Raw("seed") is not { } value || value is "-1") return (ulong)Random.Shared.NextInt64(1L << 40);
        return ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seed) ? seed
            : throw Wrong("seed", value, "a whole number from 0, or -1 for a random one");
    }

    private int? Whole(string name) => Raw(name) is not { } value ? null
        : int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number
        : throw Wrong(name, value, "a whole number");

    private double? Number(string name) => Raw(name) is not { } value ? null
        : double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number
        : throw Wrong(name, value, "a number");

    private string? Text(string name) => Raw(name) is { Length: > 0 } value ? value : null;

    /// <summary>A value as text, whatever type a caller or a chat model's JSON gave it; null where it is missing.</summary>
    private string? Raw(string name)
    {
        if (values is null || !values.TryGetValue(name, out var value)) return null;
        return value switch
        {
            null or JsonElement { ValueKind: JsonValueKind.Null or JsonValueKind.Undefined } => null,
            JsonElement { ValueKind: JsonValueKind.String } text => text.GetString(),
            JsonElement element => element.GetRawText(),
            IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
            _ => value.ToString(),
        };
    }

    private static ArgumentException Wrong(string name, string value, string expected) =>
        new($"The property {name} is '{value}'; it has to be {expected}.");
}
