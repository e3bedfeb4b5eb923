using System.Globalization;
using System.IO.Hashing;
using Alebrije.Preprocessing;

namespace Alebrije.Search.Vectors;

/// <summary>
/// Note next to the file of a graph: rows, width, length, time and hash of the file. USearch does not check the files that it maps. A
/// file of the noted length and time is taken as it was written; another one, such as a copy, is hashed.
/// </summary>
internal static class GraphNote
{
    /// <summary>Writes the note of a graph.</summary>
    public static void Write(string path, long rows, int width)
    {
        var file = new FileInfo(path);
        WrittenFile.Write(PathOf(path), string.Create(CultureInfo.InvariantCulture,
            $"{rows} {width} {file.Length} {file.LastWriteTimeUtc.Ticks} {HashOf(path)}"));
    }

    /// <summary>Rows of a graph.</summary>
    /// <returns>The rows, or null where there is no graph, or one that is damaged or not of these vectors.</returns>
    public static long? RowsOf(string path, VectorFile vectors)
    {
        var file = new FileInfo(path);
        if (!file.Exists || !File.Exists(PathOf(path))) return null;
        var note = RegularFile.ReadAllText(PathOf(path)).Split(' ');
        if (note.Length != 5 || Number(note[0]) is not { } rows || rows > vectors.Count || Number(note[1]) != vectors.Width
            || Number(note[2]) != file.Length) return null;
        return Number(note[3]) == file.LastWriteTimeUtc.Ticks || note[4] == HashOf(path) ? rows : null;
    }

    private static string PathOf(string path) => $"{path}.note";

    private static long? Number(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string HashOf(string path)
    {
        var hash = new XxHash3();
        using (var stream = RegularFile.Open(path)) hash.Append(stream);
        return hash.GetCurrentHashAsUInt64().ToString("x16", CultureInfo.InvariantCulture);
    }
}
