using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Preprocessing;

namespace Alebrije.Catalog;

/// <summary>A file of a repository.</summary>
/// <param name="Path">Its name, with forward slashes.</param>
/// <param name="Bytes">Its size, or -1 if unknown.</param>
/// <param name="Hash">SHA-256 of a large file, Git's SHA-1 of a small one, in lower-case hexadecimal; the blob's name in the cache. Empty:
/// unknown.</param>
internal sealed record HubFile(string Path, long Bytes, string Hash)
{
    private const int Sha256Length = 64;

    /// <summary>True if size and hash are known.</summary>
    public bool IsKnown => Bytes >= 0 && Hash.Length > 0;

    /// <summary>Hash that its bytes are appended to. Git hashes a header first: <c>blob</c>, the size and a zero.</summary>
    public IncrementalHash StartHash()
    {
        if (Hash.Length == Sha256Length) return IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(Encoding.ASCII.GetBytes($"blob {Bytes}\0"));
        return hash;
    }

    /// <summary>True if a hash of the bytes so far equals this file's.</summary>
    public bool Matches(IncrementalHash hash) => Convert.ToHexStringLower(hash.GetCurrentHash()) == Hash;

    /// <summary>True if a text is a hash of one of the two kinds.</summary>
    public static bool IsHash(string? text) => text is { Length: 40 or Sha256Length }
        && text.All(c => c is >= '0' and <= '9' or >= 'a' and <= 'f');
}

/// <summary>The hub's metadata of a revision of a repository.</summary>
/// <param name="Commit">The commit, 40 hexadecimal digits.</param>
/// <param name="Files">Its files.</param>
/// <param name="Licence">As the model card names it, or null.</param>
/// <param name="LicencePage">Address of the licence's text, or null.</param>
/// <param name="Gated">True if a licence has to be accepted first.</param>
internal sealed record HubListing(string Commit, IReadOnlyList<HubFile> Files, string? Licence, string? LicencePage, bool Gated)
{
    /// <summary>Reads the hub's answer (<c>/api/models/…/revision/…?blobs=true</c>).</summary>
    /// <exception cref="HubException">It is not such an answer, or names a file that would lie outside its folder.</exception>
    public static HubListing Parse(HubRepository repository, byte[] answer)
    {
        JsonObject root;
        try
        {
            root = JsonText.ParseNode(answer) as JsonObject ?? throw new JsonException();
        }
        catch (JsonException e)
        {
            throw new HubException($"The list of files of {repository} does not have the form of a model hub; is HF_ENDPOINT right?", e);
        }

        if (Text(root["sha"]) is not { } commit || !RelativePath.IsCommit(commit) || root["siblings"] is not JsonArray siblings)
            throw new HubException($"The list of files of {repository} "
                + $"has no commit or no files; is HF_ENDPOINT the address of a model hub?");
        var files = siblings.OfType<JsonObject>().Select(FileOf).ToArray();
        if (files.FirstOrDefault(file => !RelativePath.IsSafe(file.Path)) is { } outside)
            throw new HubException($"{repository} lists a file '{Printable(outside.Path)}', "
                + $"a name that no file may have here; nothing was fetched.");
        var card = root["cardData"] as JsonObject;
        return new HubListing(commit, files, LicenceOf(root, card), Text(card?["license_link"]) is { } page ? Printable(page) : null,
            root["gated"] is JsonValue gated && gated.ToString() != "false");
    }

    private static HubFile FileOf(JsonObject file)
    {
        var lfs = file["lfs"] as JsonObject;
        var (hash, bytes) = (Text(lfs?["sha256"]) ?? Text(file["blobId"]), Whole(lfs?["size"]) ?? Whole(file["size"]));
        return new HubFile(Text(file["rfilename"]) ?? "", bytes is >= 0 ? bytes.Value : -1, HubFile.IsHash(hash) ? hash! : "");
    }

    private static string? LicenceOf(JsonObject root, JsonObject? card)
    {
        var named = card?["license"] is JsonArray several ? string.Join(", ", several.Select(Text).OfType<string>())
            : Text(card?["license"]);
        var tag = (root["tags"] as JsonArray)?.Select(Text)
            .FirstOrDefault(t => t?.StartsWith("license:", StringComparison.Ordinal) == true)?["license:".Length..];
        var licence = string.IsNullOrEmpty(named) ? tag : named;
        if (licence == "other" && Text(card?["license_name"]) is { } own) licence = own;
        return licence is null ? null : Printable(licence);
    }

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static long? Whole(JsonNode? node) => node is JsonValue value && value.TryGetValue<long>(out var number) ? number : null;

    /// <summary>A text of the hub's, short and without anything that would command a terminal.</summary>
    private static string Printable(string text) => PrintableText.Of(text[..Math.Min(120, text.Length)]);
}
