using System.Globalization;
using Alebrije.Tensors;
using Xunit;
using static TorchSharp.torch;

namespace Alebrije.Tests.Runtime;

public sealed class NativeEnvironmentTests
{
    [Fact]
    public void Initialize_UserSetNothing_ThreadsWaitPassively()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Linux");
        Assert.SkipUnless(Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null, "Set by the user");
        TorchRuntime.Initialize();

        Assert.Equal("passive", TorchRuntime.WaitPolicy);
    }

    [Fact]
    public void Tensor_Of64Megabytes_LiesInLargePages()
    {
        const string setting = "/sys/kernel/mm/transparent_hugepage/enabled";
        Assert.SkipUnless(File.Exists(setting), "No large pages");
        Assert.SkipWhen(File.ReadAllText(setting).Contains("[never]", StringComparison.Ordinal), "Large pages are off");
        Assert.SkipUnless(Environment.GetEnvironmentVariable(NativeEnvironment.HugePages) is null, "Set by the user");
        TorchRuntime.Initialize();
        var before = LargePages();

        using var tensor = ones(16 << 20);

        Assert.InRange(LargePages() - before, 32 << 10, 65 << 10);
    }

    /// <summary>Memory of this process in large pages, in kB.</summary>
    private static long LargePages() => File.ReadLines("/proc/self/smaps_rollup")
        .Where(line => line.StartsWith("AnonHugePages:", StringComparison.Ordinal))
        .Sum(line => long.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture));
}
