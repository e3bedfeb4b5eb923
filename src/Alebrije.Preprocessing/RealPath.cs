namespace Alebrije.Preprocessing;

/// <summary>The path of a file or folder without links in it, as <c>realpath</c> gives it.</summary>
internal static class RealPath
{
    /// <summary>Links that are followed, as in Linux; a path that leads through more is left as it is.</summary>
    private const int MostLinks = 40;

    /// <summary>True if a path leads to a folder or into it, links resolved in both.</summary>
    public static bool IsWithin(string path, string folder) => Lies(Of(path), Of(folder));

    /// <summary>True if a full path is that of a folder or of something in it, as both are written.</summary>
    public static bool Lies(string path, string folder) => (path + Path.DirectorySeparatorChar).StartsWith(
        folder.TrimEnd(Path.DirectorySeparatorChar) + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    public static string Of(string path)
    {
        var full = Path.GetFullPath(path);
        var real = Path.GetPathRoot(full)!;
        var waiting = new Stack<string>();
        Push(full[real.Length..]);
        for (var links = 0; waiting.TryPop(out var part);)
        {
            if (part == "..")
            {
                real = Path.GetDirectoryName(real) ?? real;
                continue;
            }

            var next = Path.Combine(real, part);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                real = next;
                continue;
            }

            if (++links > MostLinks) return full;
            if (Path.IsPathRooted(target)) (real, target) = (Path.GetPathRoot(target)!, target[Path.GetPathRoot(target)!.Length..]);
            Push(target);
        }

        return real;

        void Push(string below)
        {
            foreach (var part in below.Split(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar).Reverse())
                if (part is not ("" or ".")) waiting.Push(part);
        }
    }
}
