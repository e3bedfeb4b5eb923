using System.Text.RegularExpressions;

namespace Alebrije.Catalog;

/// <summary>A repository of the hub: <c>owner/name</c>.</summary>
/// <param name="Owner">User or organisation.</param>
/// <param name="Name">Its name there.</param>
internal readonly partial record struct HubRepository(string Owner, string Name)
{
    private const string Prefix = "models--";

    /// <summary>The repository that a text names, or null if it names none.</summary>
    public static HubRepository? TryParse(string text) =>
        Form().Match(text) is { Success: true } match && !text.Contains("--", StringComparison.Ordinal)
        && !text.Contains("..", StringComparison.Ordinal)
            ? new HubRepository(match.Groups[1].Value, match.Groups[2].Value) : null;

    /// <summary>The repository and the checkpoint in one file that <c>owner/name/file</c> names, or null if it names none.</summary>
    public static (HubRepository Repository, string File)? TryParseFile(string text) =>
        text.Split('/', 3) is [var owner, var name, var file] && TryParse($"{owner}/{name}") is { } repository
            && Weights.SingleFileLayout.HasEnding(file) && RelativePath.IsSafe(file) ? (repository, file) : null;

    /// <summary>The repository whose folder in the cache has this name, or null.</summary>
    public static HubRepository? FromFolder(string folder) =>
        folder.StartsWith(Prefix, StringComparison.Ordinal)
        && folder[Prefix.Length..].Split("--") is [var owner, var name] ? TryParse($"{owner}/{name}") : null;

    /// <summary>Its folder in the cache.</summary>
    public string Folder => $"{Prefix}{Owner}--{Name}";

    /// <inheritdoc/>
    public override string ToString() => $"{Owner}/{Name}";

    [GeneratedRegex(@"^([A-Za-z0-9][\w.-]{0,95})/([A-Za-z0-9_][\w.-]{0,95})$", RegexOptions.CultureInvariant | RegexOptions.ECMAScript)]
    private static partial Regex Form();
}

/// <summary>Names that come from elsewhere and become paths here.</summary>
internal static partial class RelativePath
{
    /// <summary>True if a name with forward slashes stays below its target folder on every system.</summary>
    public static bool IsSafe(string path) => path.Length is > 0 and <= 512 && path.Split('/').All(IsSafeSegment);

    /// <summary>True if a text is a commit.</summary>
    public static bool IsCommit(string text) => Commit().IsMatch(text);

    private static bool IsSafeSegment(string part) =>
        part.Length > 0 && part is not ("." or "..") && part.IndexOfAny(['\\', ':', '*', '?', '"', '<', '>', '|']) < 0
        && !part.Any(char.IsControl)
        && !part.EndsWith('.') && !part.EndsWith(' ') && !Device().IsMatch(part);

    [GeneratedRegex("^[0-9a-f]{40}$", RegexOptions.CultureInvariant)]
    private static partial Regex Commit();

    /// <summary>Names that Windows keeps for devices, with any ending.</summary>
    [GeneratedRegex(@"^(con|prn|aux|nul|com\d|lpt\d)(\.|$)", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Device();
}
