using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Alebrije.Tensors;

/// <summary>
/// A file for a native library that reads paths alone. On Linux it lies in memory, so that nothing is left of it whenever the process
/// ends; elsewhere in the temporary folder until it is disposed.
/// </summary>
internal sealed partial class MemoryFile : IDisposable
{
    private readonly SafeFileHandle? handle;

    /// <summary>Writes a file.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The temporary folder takes no files.</exception>
    public MemoryFile(ReadOnlySpan<byte> bytes)
    {
        handle = Anonymous();
        Path = handle is null ? System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"alebrije-{Guid.NewGuid():N}")
            : $"/proc/self/fd/{handle.DangerousGetHandle()}";
        if (handle is null) File.WriteAllBytes(Path, bytes);
        else RandomAccess.Write(handle, bytes, 0);
    }

    /// <summary>Path of the file, for this process alone.</summary>
    public string Path { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (handle is null) File.Delete(Path);
        handle?.Dispose();
    }

    private static SafeFileHandle? Anonymous()
    {
        if (!OperatingSystem.IsLinux()) return null;
        try
        {
            const uint closeOnExec = 1;
            return Create("alebrije", closeOnExec) is var number and >= 0 ? new SafeFileHandle(number, ownsHandle: true) : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Create(string name, uint flags);
}
