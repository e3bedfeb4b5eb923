using System.Globalization;
using Alebrije.Preprocessing;

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

    /// <summary>
    /// Time without a byte, or below <see cref="LeastRate"/>, after which a connection counts as stalled; above zero
    /// (<c>HF_HUB_DOWNLOAD_TIMEOUT</c>, in seconds).
    /// </summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Least rate of a connection, in bytes per second over <see cref="StallTimeout"/>; 0 allows any
    /// (<c>ALEBRIJE_HUB_LEAST_RATE</c>).</summary>
    public double LeastRate { get; init; } = 2000;

    /// <summary>
    /// Limit of listing a model's files, retries and small files included; above zero (<c>ALEBRIJE_HUB_LISTING_LIMIT</c>, in seconds).
    /// </summary>
    public TimeSpan ListingLimit { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Limit of the waits between the tries of one request together, even if the hub requests longer ones; above zero
    /// (<c>ALEBRIJE_HUB_RETRY_LIMIT</c>, in seconds).
    /// </summary>
    public TimeSpan RetryLimit { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>Tries of one request before it is given up; a try that brought a megabyte resets the count.</summary>
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
                + "file) holds spaces or characters that no token has; copy it again.");
        return new HubSettings
        {
            Endpoint = EndpointOf(First(variable, "HF_ENDPOINT")), Token = token,
            Offline = Is("HF_HUB_OFFLINE") || Is("TRANSFORMERS_OFFLINE"), Cache = CacheOf(variable, profile),
            StallTimeout = Seconds("HF_HUB_DOWNLOAD_TIMEOUT", 30), ListingLimit = Seconds("ALEBRIJE_HUB_LISTING_LIMIT", 60),
            RetryLimit = Seconds("ALEBRIJE_HUB_RETRY_LIMIT", 180), LeastRate = Number("ALEBRIJE_HUB_LEAST_RATE", 2000, least: 0),
        };

        double Number(string name, double usual, double least) => First(variable, name) is not { } given ? usual
            : double.TryParse(given, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= least && value <= 1e6
                ? value : throw new HubException(string.Create(CultureInfo.InvariantCulture,
                    $"{name} is '{given}'; a number from {least} to 1000000 is needed."));

        TimeSpan Seconds(string name, double usual) => TimeSpan.FromSeconds(Number(name, usual, least: 0.1));
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
            ? uri : throw new HubException($"HF_ENDPOINT is '{given}', which is not an address; it must begin with https:// or http://.");
    }

    private static string? Expand(string? path, string profile) =>
        path is null ? null : path == "~" || path.StartsWith("~/", StringComparison.Ordinal)
        ? Path.Combine(profile, path[1..].TrimStart('/')) : path;

    private static string? ReadToken(string file)
    {
        try
        {
            return File.Exists(file) && RegularFile.ReadAllText(file).Trim() is { Length: > 0 } token ? token : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HubException($"The token file {file} cannot be read: {e.Message}", e);
        }
    }
}
