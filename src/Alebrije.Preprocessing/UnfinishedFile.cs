using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Alebrije.Preprocessing;

/// <summary>
/// A file that is written next to its place and moved there when it is whole: a process killed at any moment leaves the earlier file. The
/// unfinished one has a name of its own for each file and is locked, so that a second process is refused, and the next one that writes the
/// file takes it over.
/// </summary>
internal sealed partial class UnfinishedFile : IDisposable
{
    private const string Ending = ".alebrije";
    private const int SharedLock = 1, AtOnce = 4;

    /// <summary>Longest name of a file on common systems, in bytes.</summary>
    private const int LongestName = 255;

    private readonly string target;
    private readonly bool isDirect;
    private bool isFinished;

    /// <param name="path">The file; a link to one is followed. Special files, such as <c>/dev/stdout</c>, are written directly.</param>
    /// <param name="flushToDisk">True if the bytes are on the disk before the file is moved.</param>
    /// <exception cref="IOException">It cannot be written, or another process writes it now.</exception>
    public UnfinishedFile(string path, bool flushToDisk = false)
    {
        FlushToDisk = flushToDisk;
        isDirect = Directory.Exists(path) || FileStatus.Of(path)?.SpecialKind is not null;
        target = isDirect ? path : RealPath.Of(path);
        Name = isDirect ? path : NameOf(target);
        Stream = new FileStream(Name, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1 << 16);
    }

    /// <summary>Path of the unfinished file.</summary>
    public string Name { get; }

    /// <summary>Receives the bytes.</summary>
    public FileStream Stream { get; }

    private bool FlushToDisk { get; }

    /// <summary>Moves the file to its place.</summary>
    /// <param name="keepOpen">True keeps the stream open and the file locked where the system allows it.</param>
    public void Finish(bool keepOpen = false)
    {
        Stream.Flush(FlushToDisk);
        if (!isDirect)
        {
            // Moved while it is locked: between closing and moving, another process could begin to write it.
            if (OperatingSystem.IsWindows()) Stream.Dispose();
            else if (!keepOpen) ShareWithReaders();
            File.Move(Name, target, overwrite: true);
        }

        isFinished = true;
        if (!keepOpen) Stream.Dispose();
    }

    /// <summary>Lets readers open the file as soon as it is in its place; writers stay locked out until it is closed.</summary>
    private void ShareWithReaders()
    {
        try
        {
            if (Lock(Stream.SafeFileHandle, SharedLock | AtOnce) != 0) throw new IOException("another process has begun to write it");
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            Stream.Dispose();
        }
    }

    /// <summary>The runtime's own call for the locks that its streams take.</summary>
    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_FLock")]
    private static partial int Lock(SafeFileHandle file, int operation);

    /// <summary>Closes the file; one that is not finished is removed.</summary>
    public void Dispose()
    {
        if (!isFinished && !isDirect) File.Delete(Name);
        Stream.Dispose();
    }

    /// <summary>Path under which a file is written.</summary>
    public static string NameOf(string path)
    {
        var (folder, name) = (Path.GetDirectoryName(Path.GetFullPath(path)) ?? "", Path.GetFileName(path));
        if (Encoding.UTF8.GetByteCount(name) + Ending.Length >= LongestName)
            name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
        return Path.Combine(folder, $".{name}{Ending}");
    }

    /// <summary>Removes unfinished files that a killed process left in a folder; those that are being written now stay.</summary>
    /// <param name="folder">The folder; it may be missing.</param>
    /// <param name="below">True for the folders below it too.</param>
    public static void Sweep(string folder, bool below = false)
    {
        if (!Directory.Exists(folder)) return;
        var options = new EnumerationOptions { AttributesToSkip = FileAttributes.ReparsePoint, RecurseSubdirectories = below };
        foreach (var file in Directory.EnumerateFiles(folder, ".*" + Ending, options))
        {
            try
            {
                using (new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.None)) File.Delete(file);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Another process writes it.
            }
        }
    }
}
