using System.Globalization;
using System.Runtime.CompilerServices;
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

        using var tensor = ones(16 << 20);
        var middle = Unsafe.ByteOffset(ref Unsafe.NullRef<byte>(), ref tensor.bytes[32 << 20]);

        Assert.True(LargePagesAround((ulong)middle) >= 32 << 10);
    }

    /// <summary>Memory in large pages of the mapping that holds an address, in kB; other tests allocate beside this one.</summary>
    private static long LargePagesAround(ulong address)
    {
        var inside = false;
        foreach (var line in File.ReadLines("/proc/self/smaps"))
        {
            var fields = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (fields[0].Split('-') is [var from, var to])
                inside = Hexadecimal(from) <= address && address < Hexadecimal(to);
            else if (inside && fields[0] == "AnonHugePages:")
                return long.Parse(fields[1], CultureInfo.InvariantCulture);
        }

        throw new InvalidOperationException("No mapping holds the tensor.");

        static ulong Hexadecimal(string text) => ulong.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }
}
