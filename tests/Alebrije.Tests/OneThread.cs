using System.Runtime.CompilerServices;
using Alebrije.Tensors;

namespace Alebrije.Tests;

/// <summary>Limits libtorch to one thread for each test, unless the user sets another number: tests run in parallel.</summary>
internal static class OneThread
{
    private const string Variable = "OMP_NUM_THREADS";

    [ModuleInitializer]
    internal static void Set()
    {
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable))) return;
        Environment.SetEnvironmentVariable(Variable, "1");
        NativeEnvironment.SetNative(Variable, "1");
    }
}
