using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Alebrije.Preprocessing;

/// <summary>
/// Forms of JSON files: keys and enumerations in snake_case, letters unescaped (files are UTF-8 and never part of a web page),
/// infinities and NaN by name.
/// </summary>
internal static class JsonForms
{
    /// <summary>One line.</summary>
    public static readonly JsonSerializerOptions Line = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>One line; nulls are left out.</summary>
    public static readonly JsonSerializerOptions Sparse = new(Line) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    /// <summary>Indented.</summary>
    public static readonly JsonSerializerOptions Indented = new(Line) { WriteIndented = true };
}
