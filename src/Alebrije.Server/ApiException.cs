namespace Alebrije.Server;

/// <summary>A request that is refused, with the message and fields of its response.</summary>
internal sealed class ApiException(int status, string message, string? param = null, string? code = null) : Exception(message)
{
    /// <summary>HTTP status.</summary>
    public int Status { get; } = status;

    /// <summary>Field that is at fault, or null.</summary>
    public string? Param { get; } = param;

    /// <summary>Short name of the fault.</summary>
    public string? Code { get; } = code;

    /// <summary>Whole seconds until a retry, for responses 429 and 503.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>A field with an invalid value.</summary>
    public static ApiException Field(string param, string message) => new(400, message, param, $"invalid_{param}");

    /// <summary>A service that is busy; the client may retry.</summary>
    public static ApiException Busy(string message, string code, double seconds) =>
        new(503, message, null, code) { RetryAfter = (int)Math.Clamp(Math.Ceiling(seconds), 1, 3600) };
}
