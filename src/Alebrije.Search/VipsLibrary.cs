using System.Diagnostics;
using System.Runtime.InteropServices;
using NetVips;

namespace Alebrije.Search;

/// <summary>
/// The native library of libvips. The package NetVips.Native is one library with all in it. A distribution's is in parts, modules that it
/// loads into the space of all symbols together with the libraries that they need: with another SQLite and OpenMP, which the libraries of
/// this process would call from then on, and end by a segmentation fault. So its modules are not loaded, except the one of HEIC and AVIF,
/// and that one with symbols of its own.
/// </summary>
internal static partial class VipsLibrary
{
    /// <summary>Folder below which libvips looks for its modules.</summary>
    private const string ModulesBelow = "VIPSHOME";

    /// <summary>True if libvips is there.</summary>
    public static bool IsThere { get; } = Probe();

    /// <summary>True if libvips is there and reads HEIC or AVIF; which of both, its codecs decide.</summary>
    public static bool HasHeif { get; } = IsThere && Start.HasHeif();

    private static bool Probe()
    {
        if (OperatingSystem.IsLinux()) _ = SetVariable(ModulesBelow, "/nonexistent", 1);
        try
        {
            return Start.Succeeds();
        }
        catch (Exception e) when (e is TypeInitializationException or DllNotFoundException or BadImageFormatException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);

    /// <summary>Calls of NetVips, which starts libvips at the first of them.</summary>
    private static unsafe class Start
    {
        private static readonly Log.LogDelegate Silent = (_, _, _) => { };

        public static bool Succeeds()
        {
            if (!ModuleInitializer.VipsInitialized) return false;

            // Files are read by several threads, each once: no threads of its own, and no results kept. Its warnings, which hold text of
            // the files, would go to standard error.
            (NetVips.NetVips.Concurrency, Cache.Max) = (1, 0);
            Log.SetLogHandler("VIPS", Enums.LogLevelFlags.All, Silent);
            return true;
        }

        public static bool HasHeif()
        {
            if (IsKnown()) return true;
            if (!OperatingSystem.IsLinux()) return false;
            using var process = Process.GetCurrentProcess();
            var library = process.Modules.Cast<ProcessModule>()
                .FirstOrDefault(module => Path.GetFileName(module.FileName).StartsWith("libvips.so", StringComparison.Ordinal));
            var module = Path.Combine(Path.GetDirectoryName(library?.FileName) ?? "",
                $"vips-modules-{NetVips.NetVips.Version(0)}.{NetVips.NetVips.Version(1)}", "vips-heif.so");
            if (!NativeLibrary.TryLoad(module, out var handle)
                || !NativeLibrary.TryGetExport(handle, "g_module_check_init", out var register)) return false;
            ((delegate* unmanaged<nint, nint>)register)(0);
            return IsKnown();
        }

        private static bool IsKnown() => NetVips.NetVips.TypeFind("VipsOperation", "heifload_buffer") != 0;
    }
}
