namespace Alebrije.Catalog;

/// <summary>
/// Address of the model hub, token, and folder of fetched files. Environment variables are those of other tools of the hub.
/// </summary>
public sealed record HubSettings
{
    /// <summary>The public hub.</summary>
    public static readonly Uri PublicHub = new("https://huggingface.co");

    private static readonly string[] Yes = ["1", "ON", "YES", "TRUE"];

    /// <summary>Address of the hub or of a mirror (<c>HF_ENDPOINT</c>).</summary>
    public Uri Endpoint { get; init; } = PublicHub;

    /// <summary>
    /// The user's token (<c>HF_TOKEN</c>, or the file written at login), or null. It is sent to <see cref="Endpoint"/> alone.
    /// </summary>
    public string? Token { get; init; }

    /// <summary>True if nothing may be fetched (<c>HF_HUB_OFFLINE</c>).</summary>
    public bool Offline { get; init; }

    /// <summary>
    /// Folder of the hub's cache (<c>HF_HUB_CACHE</c>, else <c>hub</c> in <c>HF_HOME</c>, by default <c>~/.cache/huggingface</c>).
    /// </summary>
    public required string Cache { get; init; }

    /// <summary>Time without a byte after which a connection counts as stalled; above zero.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Tries of one request before it is given up; a try that brought a megabyte counts anew.</summary>
    public int Attempts { get; init; } = 6;

    /// <summary>Wait before the second try; each further one waits twice as long, at most <see cref="LongestBackoff"/>.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait between two tries, even if the hub requests more.</summary>
    public TimeSpan LongestBackoff { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Free bytes at a present or future folder; null queries the disk.</summary>
    internal Func<string, long>? FreeBytes { get; init; }

    /// <summary>The folder of the hub's cache that the environment names; needs no other setting to be valid.</summary>
    internal static string CacheFromEnvironment() =>
        CacheOf(Environment.GetEnvironmentVariable, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile));

    /// <summary>The settings of this process's environment.</summary>
    /// <exception cref="HubException">A variable has a value that cannot be used.</exception>
    public static HubSettings FromEnvironment() =>
        From(Environment.GetEnvironmentVariable, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile));

    /// <summary>Endpoint and cache folder, never the token.</summary>
    public override string ToString() => $"{Endpoint}, cache {Cache}";

    internal static HubSettings From(Func<string, string?> variable, string profile)
    {
        bool Is(string name) => First(variable, name) is { } value && Yes.Contains(value.ToUpperInvariant());
        var token = Is("HF_HUB_DISABLE_IMPLICIT_TOKEN") ? null
            : First(variable, "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
                ?? ReadToken(Expand(First(variable, "HF_TOKEN_PATH"), profile) ?? Path.Combine(HomeOf(variable, profile), "token"));
        if (token is not null && token.Any(c => c is <= ' ' or > '~'))
            throw new HubException("The token in HF_TOKEN (or in the token "
                + "file) holds spaces or characters that no token has; copy it anew.");
        return new HubSettings
        {
            Endpoint = EndpointOf(First(variable, "HF_ENDPOINT")), Token = token,
            Offline = Is("HF_HUB_OFFLINE") || Is("TRANSFORMERS_OFFLINE"), Cache = CacheOf(variable, profile),
        };
    }

    private static string CacheOf(Func<string, string?> variable, string profile) =>
        Path.GetFullPath(Expand(First(variable, "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"), profile)
            ?? Path.Combine(HomeOf(variable, profile), "hub"));

    private static string HomeOf(Func<string, string?> variable, string profile) => Expand(First(variable, "HF_HOME"), profile)
        ?? Path.Combine(Expand(First(variable, "XDG_CACHE_HOME"), profile) ?? Path.Combine(profile, ".cache"), "huggingface");

    private static string? First(Func<string, string?> variable, params string[] names) =>
        names.Select(name => variable(name)?.Trim()).FirstOrDefault(value => !string.IsNullOrEmpty(value));

    private static Uri EndpointOf(string? given)
    {
        if (given is null) return PublicHub;
        return Uri.TryCreate(given.TrimEnd('/'), UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? uri : throw new HubException($"HF_ENDPOINT is '{given}', which is no address; it must begin with https:// or http://.");
    }

    private static string? Expand(string? path, string profile) =>
        path is null ? null : path == "~" || path.StartsWith("~/", StringComparison.Ordinal)
        ? Path.Combine(profile, path[1..].TrimStart('/')) : path;

    private static string? ReadToken(string file)
    {
        try
        {
            return File.Exists(file) && File.ReadAllText(file).Trim() is { Length: > 0 } token ? token : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HubException($"The token file {file} cannot be read: {e.Message}", e);
        }
    }
}
