using System.Security.Cryptography;
using System.Text;
using Alebrije.Pipelines;
using Alebrije.Weights;

namespace Alebrije.Search;

/// <summary>
/// Fingerprint of a model's weights: two models of one name, before and after further training, have different ones. Hashes of files are
/// kept in the index by size and time, so that large files are read once.
/// </summary>
internal static class ModelIdentity
{
    private static readonly string[] Endings = [".safetensors", ".bin", ".pt", ".pth", ".ckpt"];

    /// <summary>The fingerprint, 16 hexadecimal digits.</summary>
    public static string Of(ClipModel model, IndexDatabase database)
    {
        var text = new StringBuilder();
        foreach (var path in Files(model.Folder))
            text.Append(Path.GetFileName(path)).Append(' ').Append(HashOf(path, database)).Append('\n');
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())).AsSpan(0, 8));
    }

    private static IEnumerable<string> Files(string folder)
    {
        var found = ClipModelFolder.Open(folder);
        var places = new[] { found.WholeModel, found.TextModel, found.VisionModel, found.OpenClip }.OfType<string>()
            .Distinct(StringComparer.Ordinal);
        return places.SelectMany(InPlace);

        static IEnumerable<string> InPlace(string place) => File.Exists(place) ? [place]
            : Directory.Exists(place) ? Directory.EnumerateFiles(place).Where(IsWeights).Order(StringComparer.Ordinal) : [];

        static bool IsWeights(string path) => Endings.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);
    }

    private static string HashOf(string path, IndexDatabase database)
    {
        var file = new FileInfo(Path.GetFullPath(path));
        var (bytes, modified) = (file.Length, file.LastWriteTimeUtc.Ticks);
        if (database.Value<string>("SELECT hash FROM weights WHERE path = $0 AND bytes = $1 AND modified = $2",
            file.FullName, bytes, modified) is { } known)
            return known;
        var hash = FileHash.Sha256(file.FullName);
        database.Run("INSERT OR REPLACE INTO weights(path, bytes, modified, hash) VALUES ($0, $1, $2, $3)",
            file.FullName, bytes, modified, hash);
        return hash;
    }
}
