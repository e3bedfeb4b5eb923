using System.Runtime.InteropServices;

namespace Alebrije.Tensors;

/// <summary>
/// Waiting of OpenMP threads at the end of a parallel region. By default they spin, which keeps a core busy; where other programs use the cores too, the thread
/// that is waited for does not run meanwhile, and a picture takes twenty times as long. A passive policy lets them sleep.
/// </summary>
internal static partial class OpenMpWaiting
{
    /// <summary>Variables by which a user decides how threads wait: OpenMP's own, GNU's and LLVM's.</summary>
    private static readonly string[] Decisions = [Policy, "GOMP_SPINCOUNT", "KMP_BLOCKTIME"];

    private const string Policy = "OMP_WAIT_POLICY";

    /// <summary>Sets the passive policy for libraries that are loaded later. Values of the user stay.</summary>
    /// <returns>True if it was set.</returns>
    public static bool MakePassive()
    {
        if (Decisions.Any(name => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name)))) return false;
        return SetNative(Policy, "passive");
    }

    /// <summary>Sets a variable for libraries that are loaded later: on Unix the runtime keeps a copy of the environment, which native libraries do not read.</summary>
    /// <returns>True if it was set.</returns>
    internal static bool SetNative(string name, string value)
    {
        if (!OperatingSystem.IsWindows()) return SetVariable(name, value, 1) == 0;
        Environment.SetEnvironmentVariable(name, value);
        return true;
    }

    /// <summary>The value that native libraries read; null where there is none, and on Windows, where it is the runtime's own.</summary>
    internal static string? NativeValue => OperatingSystem.IsWindows() ? Environment.GetEnvironmentVariable(Policy) : Marshal.PtrToStringUTF8(Variable(Policy));

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Variable(string name);
}
