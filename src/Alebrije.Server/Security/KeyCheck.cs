using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Alebrije.Server.Security;

/// <summary>Keys of clients, kept as SHA-256 and compared in constant time.</summary>
internal sealed class KeyCheck
{
    private const string Hashed = "sha256:", Bearer = "Bearer ", Basic = "Basic ";
    private readonly byte[][] hashes;

    private readonly SignIns signIns;

    public KeyCheck(ServerOptions options, SignIns signIns) => (this.signIns, hashes) = (signIns, [.. options.Keys.Select(key =>
        key.StartsWith(Hashed, StringComparison.Ordinal) && key.Length == Hashed.Length + 64
            ? Convert.FromHexString(key[Hashed.Length..]) : SHA256.HashData(Encoding.UTF8.GetBytes(key)))]);

    public bool IsNeeded => hashes.Length > 0;

    /// <summary>True if the request has one of the keys or comes from a browser that gave one, or none is needed.</summary>
    public bool Allows(HttpRequest request)
    {
        if (!IsNeeded) return true;
        var header = request.Headers.Authorization.ToString();
        var given = header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? header[Bearer.Length..].Trim()
            : header.StartsWith(Basic, StringComparison.OrdinalIgnoreCase) ? Password(header[Basic.Length..].Trim())
            : request.Headers["X-Api-Key"].ToString();
        return given.Length == 0 ? signIns.Has(request) : IsKey(given);
    }

    /// <summary>The password of a name and password, as clients of the web UI's interface send a key.</summary>
    private static string Password(string encoded)
    {
        var bytes = new byte[encoded.Length];
        if (!Convert.TryFromBase64String(encoded, bytes, out var count)) return encoded;
        var text = Encoding.UTF8.GetString(bytes, 0, count);
        return text[(text.IndexOf(':', StringComparison.Ordinal) + 1)..] is { Length: > 0 } password ? password : encoded;
    }

    /// <summary>True for one of the keys.</summary>
    public bool IsKey(string given)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(given));
        var found = false;
        foreach (var each in hashes) found |= CryptographicOperations.FixedTimeEquals(hash, each);
        return found;
    }
}
