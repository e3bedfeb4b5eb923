using System.Runtime.InteropServices;

namespace Alebrije.Tensors;

/// <summary>Environment variables of the native libraries, set before these are loaded. The user's own settings take precedence.</summary>
internal static partial class NativeEnvironment
{
    /// <summary>
    /// Large tensors in pages of 2 MB (<c>THP_MEM_ALLOC_ENABLE</c> of c10's allocator, Linux). A tensor of 100 MB otherwise costs
    /// 25,000 page faults each time it is allocated.
    /// </summary>
    internal const string HugePages = "THP_MEM_ALLOC_ENABLE";

    private const string Policy = "OMP_WAIT_POLICY";

    /// <summary>Variables that set the wait policy: OpenMP's own, GNU's and LLVM's.</summary>
    private static readonly string[] Policies = [Policy, "GOMP_SPINCOUNT", "KMP_BLOCKTIME"];

    /// <summary>
    /// Sets the passive wait policy and large pages. By default OpenMP's threads spin at the end of a parallel region, which occupies a
    /// core; if other programs use the cores too, the awaited thread is not scheduled, and an image takes twenty times as long.
    /// </summary>
    public static void Prepare()
    {
        if (!Policies.Any(IsSet)) SetNative(Policy, "passive");
        if (OperatingSystem.IsLinux() && !IsSet(HugePages)) SetNative(HugePages, "1");

        static bool IsSet(string name) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name));
    }

    /// <summary>OpenMP's wait policy; null if unset.</summary>
    internal static string? WaitPolicy => NativeValue(Policy);

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

    /// <summary>A variable's value for native libraries; null if unset. On Windows it is the runtime's own.</summary>
    internal static string? NativeValue(string name) => OperatingSystem.IsWindows()
        ? Environment.GetEnvironmentVariable(name) : Marshal.PtrToStringUTF8(Variable(name));

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Variable(string name);
}
