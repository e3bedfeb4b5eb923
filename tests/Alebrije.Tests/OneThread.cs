using System.Runtime.CompilerServices;
using Alebrije.Tensors;

namespace Alebrije.Tests;

/// <summary>One thread of libtorch for each test, unless the user decides: tests run beside each other, and two threads of one wait for those of the other.</summary>
internal static class OneThread
{
    private const string Variable = "OMP_NUM_THREADS";

    [ModuleInitializer]
    internal static void Set()
    {
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable))) return;
        Environment.SetEnvironmentVariable(Variable, "1");
        OpenMpWaiting.SetNative(Variable, "1");
    }
}
