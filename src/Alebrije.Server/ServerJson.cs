using System.Text.Json;
using System.Text.Json.Serialization;

namespace Alebrije.Server;

/// <summary>Form of the service's JSON: snake_case, nulls left out, HTML characters escaped.</summary>
internal static class ServerJson
{
    /// <summary>Most nested levels of a request.</summary>
    public const int MostDepth = 16;

    public static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    public static string Text(object value) => JsonSerializer.Serialize(value, Options);
}
