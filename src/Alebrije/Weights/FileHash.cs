using System.Security.Cryptography;

namespace Alebrije.Weights;

/// <summary>Hashes of files.</summary>
internal static class FileHash
{
    /// <summary>SHA-256 of a file, 64 lower-case hexadecimal digits.</summary>
    public static string Sha256(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read,
            FileShare.Read | FileShare.Delete, bufferSize: 1 << 20, FileOptions.SequentialScan);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
