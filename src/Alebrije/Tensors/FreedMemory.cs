using System.Runtime.InteropServices;

namespace Alebrije.Tensors;

/// <summary>Memory of networks that are gone.</summary>
internal static partial class FreedMemory
{
    private static bool lacks;

    /// <summary>
    /// Returns freed memory to the system. glibc keeps blocks of up to 32 MB in its heap, and so most matrices of a network that was
    /// disposed; other allocators return theirs by themselves.
    /// </summary>
    public static void Return()
    {
        if (lacks || !OperatingSystem.IsLinux()) return;
        try
        {
            _ = Trim(0);
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            lacks = true;
        }
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint kept);
}
