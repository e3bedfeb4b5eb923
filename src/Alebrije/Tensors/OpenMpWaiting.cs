using System.Runtime.InteropServices;

namespace Alebrije.Tensors;

/// <summary>
/// Wait policy of OpenMP threads at the end of a parallel region. By default they spin, which occupies a core; if other programs use the
/// cores too, the awaited thread is not scheduled, and an image takes twenty times as long. A passive policy lets them sleep.
/// </summary>
internal static partial class OpenMpWaiting
{
    /// <summary>Variables that set the wait policy: OpenMP's own, GNU's and LLVM's.</summary>
    private static readonly string[] Decisions = [Policy, "GOMP_SPINCOUNT", "KMP_BLOCKTIME"];

    private const string Policy = "OMP_WAIT_POLICY";

    /// <summary>Sets the passive policy for libraries loaded later. The user's own settings take precedence.</summary>
    /// <returns>True if it was set.</returns>
    public static bool MakePassive()
    {
        if (Decisions.Any(name => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name)))) return false;
        return SetNative(Policy, "passive");
    }

    /// <summary>
    /// Sets a variable for libraries loaded later: on Unix the runtime has its own copy of the environment, which native libraries do not
    /// read.
    /// </summary>
    /// <returns>True if it was set.</returns>
    internal static bool SetNative(string name, string value)
    {
        if (!OperatingSystem.IsWindows()) return SetVariable(name, value, 1) == 0;
        Environment.SetEnvironmentVariable(name, value);
        return true;
    }

    /// <summary>The value for native libraries; null if unset. On Windows it is the runtime's own.</summary>
    internal static string? NativeValue => OperatingSystem.IsWindows()
        ? Environment.GetEnvironmentVariable(Policy) : Marshal.PtrToStringUTF8(Variable(Policy));

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Variable(string name);
}
