using System.Security.Cryptography;

namespace Alebrije.Pipelines;

/// <summary>Short names of contents: whatever has another one is different.</summary>
internal static class Fingerprint
{
    private const int Bytes = 8;

    /// <summary>The first 8 bytes of the SHA-256, as 16 hexadecimal digits.</summary>
    public static string Of(ReadOnlySpan<byte> content) => Convert.ToHexStringLower(SHA256.HashData(content).AsSpan(0, Bytes));
}
