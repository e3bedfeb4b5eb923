using System.Security.Cryptography;
using Alebrije.Preprocessing;

namespace Alebrije.Weights;

/// <summary>Hashes of files.</summary>
internal static class FileHash
{
    /// <summary>SHA-256 of a file, 64 lower-case hexadecimal digits.</summary>
    public static string Sha256(string path)
    {
        using var stream = RegularFile.Open(path, bufferSize: 1 << 20);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
