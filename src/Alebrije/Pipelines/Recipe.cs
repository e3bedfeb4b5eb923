using System.Globalization;
using System.Text.Json;

namespace Alebrije.Pipelines;

/// <summary>What a picture's file says of how it was made: a line that other tools read, and all of it as JSON.</summary>
public static class Recipe
{
    /// <summary>Keyword of the text chunk that other tools read.</summary>
    public const string ParametersKeyword = "parameters";

    /// <summary>Keyword of the text chunk that holds the whole recipe as JSON.</summary>
    public const string JsonKeyword = "alebrije";

    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new System.Text.Json.Serialization.JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>Text chunks for the PNG of a result. The same request gives the same bytes: no time, no machine.</summary>
    public static IReadOnlyDictionary<string, string> Of(string model, GenerationResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        var request = result.Request;
        var negative = request.Negative.Length > 0 ? $"\nNegative prompt: {request.Negative}" : "";
        return new Dictionary<string, string>
        {
            [ParametersKeyword] = string.Create(CultureInfo.InvariantCulture,
                $"{request.Prompt}{negative}\nSteps: {request.Steps}, CFG scale: {request.Guidance}, Seed: {request.Seed}, Size: {result.Image.Width}x{result.Image.Height}, Model: {model}"),
            [JsonKeyword] = JsonSerializer.Serialize(new { software = "Alebrije", model, request }, Format),
        };
    }
}
