namespace Alebrije.Preprocessing;

/// <summary>Space on the disk.</summary>
internal static class DiskSpace
{
    /// <summary>Least space that a file takes, in bytes: one block of common file systems.</summary>
    public const long Block = 4096;

    /// <summary>Bytes that are free where a folder is or will be; the largest number where that is unknown.</summary>
    public static long FreeAt(string folder)
    {
        var there = new DirectoryInfo(RealPath.Of(folder));
        while (!there.Exists && there.Parent is { } parent) there = parent;
        try
        {
            var drive = new DriveInfo(there.FullName);
            return drive.TotalSize == 0 ? long.MaxValue : drive.AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return long.MaxValue;
        }
    }

    /// <summary>Refuses a file, or files next to it, for which there is too little space.</summary>
    /// <param name="path">The file; devices and pipes need no space.</param>
    /// <param name="bytes">Space that is taken at least.</param>
    /// <exception cref="UnwritableFileException">Less is free.</exception>
    public static void Require(string path, long bytes)
    {
        if (FileStatus.Of(path)?.SpecialKind is not null) return;
        var free = FreeAt(UnwritableFileException.FolderOf(RealPath.Of(path)));
        if (free < Math.Max(Block, bytes))
            throw new UnwritableFileException(path, free, Math.Max(Block, bytes));
    }

    /// <summary>A size in words.</summary>
    public static string Text(long bytes) => bytes switch
    {
        < 1_000_000 => FormattableString.Invariant($"{Math.Max(0, bytes) / 1e3:0.#} kB"),
        < 1_000_000_000 => FormattableString.Invariant($"{bytes / 1e6:0.#} MB"),
        _ => FormattableString.Invariant($"{bytes / 1e9:0.#} GB"),
    };
}
