namespace Alebrije.Pipelines;

/// <summary>The single file that a model was loaded from.</summary>
/// <param name="File">Path of the file.</param>
/// <param name="Sha256">SHA-256 of the file, 64 hexadecimal digits.</param>
public sealed record ModelFile(string File, string Sha256)
{
    /// <summary>Start of the hash, as recipes of web interfaces hold it: 10 hexadecimal digits.</summary>
    internal string ShortHash => Sha256[..10];
}
