using System.IO.Enumeration;
using Alebrije.Preprocessing;

namespace Alebrije.Catalog;

/// <summary>
/// Files of a folder that is copied: regular ones inside it. Links are resolved. A link that leads out, a named pipe or a device causes
/// the whole folder to be refused: the copy would differ from the folder.
/// </summary>
internal static class FolderFiles
{
    private const int MostFolders = 100_000;
    private static readonly EnumerationOptions All = new() { AttributesToSkip = 0, IgnoreInaccessible = false };

    /// <summary>Names relative to the folder, with forward slashes, and sizes; links to nothing are left out.</summary>
    /// <param name="folder">The folder. A snapshot in the hub's cache may link to its repository's blobs.</param>
    /// <exception cref="HubException">A link leads out of the folder, or a file is not a regular one.</exception>
    public static IEnumerable<(string Name, long Bytes)> Of(string folder)
    {
        var root = AllowedRoot(folder);
        var (waiting, seen) = (new Queue<string>([folder]), new HashSet<string>(StringComparer.Ordinal) { RealPath.Of(folder) });
        while (waiting.TryDequeue(out var current))
        {
            var entries = new FileSystemEnumerable<(string Path, bool IsFolder, bool IsLink)>(current, (ref entry) =>
                (entry.ToSpecifiedFullPath(), entry.IsDirectory, entry.Attributes.HasFlag(FileAttributes.ReparsePoint)), All);
            foreach (var (path, isFolder, isLink) in entries.OrderBy(entry => entry.Path, StringComparer.Ordinal))
            {
                if (isLink && !RealPath.IsWithin(path, root))
                    throw new HubException($"{path} is a link that leads out of {folder}, to {RealPath.Of(path)}; the folder is refused. "
                        + "Put the file itself there.");
                if (isFolder)
                {
                    if (seen.Add(RealPath.Of(path)) && seen.Count <= MostFolders) waiting.Enqueue(path);
                    continue;
                }

                if (isLink && HubCache.SizeOf(path) < 0) continue;
                if (!RegularFile.Is(path))
                    throw new HubException($"{path} is a named pipe, a socket or a device; the folder is refused.");
                yield return (Path.GetRelativePath(folder, path).Replace('\\', '/'), HubCache.SizeOf(path));
            }
        }
    }

    private static string AllowedRoot(string folder)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        return Path.GetDirectoryName(full) is { } snapshots && Path.GetFileName(snapshots) == "snapshots"
            && Path.GetDirectoryName(snapshots) is { } repository
            && Path.GetFileName(repository).StartsWith("models--", StringComparison.Ordinal) ? repository : full;
    }
}
