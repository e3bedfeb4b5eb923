namespace Alebrije.Preprocessing;

/// <summary>
/// Reading of files from outside: only regular ones are opened. A named pipe blocks its reader without end, and a device has no end, or
/// reacts to being read.
/// </summary>
internal static class RegularFile
{
    /// <summary>Largest file that is read as a whole, in bytes.</summary>
    private const long MostBytes = 1L << 30;

    /// <summary>Opens a regular file for reading; others may read, replace and remove it meanwhile.</summary>
    /// <exception cref="IOException">It is a named pipe, a socket or a device.</exception>
    public static FileStream Open(string path, int bufferSize = 4096)
    {
        Require(path);
        return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize);
    }

    /// <summary>All bytes of a regular file.</summary>
    /// <exception cref="IOException">It is not a regular file, or larger than a gigabyte.</exception>
    public static byte[] ReadAllBytes(string path)
    {
        RequireSize(path);
        return File.ReadAllBytes(path);
    }

    /// <summary>The text of a regular file.</summary>
    /// <exception cref="IOException">It is not a regular file, or larger than a gigabyte.</exception>
    public static string ReadAllText(string path)
    {
        RequireSize(path);
        return File.ReadAllText(path);
    }

    /// <summary>The lines of a regular file, one by one.</summary>
    /// <exception cref="IOException">It is not a regular file.</exception>
    public static IEnumerable<string> ReadLines(string path)
    {
        Require(path);
        return File.ReadLines(path);
    }

    /// <summary>True if a path leads to a regular file, through links if need be.</summary>
    public static bool Is(string path) => Special(path) is null && File.Exists(path);

    /// <summary>Refuses an existing file that is not regular; a missing one is reported by the caller that opens it.</summary>
    /// <exception cref="IOException">It is a named pipe, a socket or a device.</exception>
    public static void Require(string path)
    {
        if (Special(path) is { } kind) throw new IOException($"{path} is {kind}, and only regular files are read.");
    }

    private static void RequireSize(string path)
    {
        Require(path);
        if (new FileInfo(path) is { Exists: true, Length: > MostBytes and var length })
            throw new IOException($"{path} has {length} bytes, and at most {MostBytes} are read.");
    }

    /// <summary>Kind of a special file; null for regular files, folders, and nothing.</summary>
    private static string? Special(string path) => OperatingSystem.IsWindows()
        ? File.Exists(path) && File.GetAttributes(path).HasFlag(FileAttributes.Device) ? "a device" : null
        : FileStatus.Of(path)?.SpecialKind;
}
