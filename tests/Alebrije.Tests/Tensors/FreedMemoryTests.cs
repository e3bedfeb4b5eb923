using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Tests.Runtime;

/// <summary>Memory of disposed tensors goes back to the system, also where glibc would keep it.</summary>
public sealed class FreedMemoryTests
{
    [Fact]
    public void BlocksBetweenLivingOnes_AreReturned()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Directory.Exists("/lib64"), "The heap is that of glibc on Linux.");
        TorchRuntime.Initialize();
        using var scope = NewDisposeScope();
        // Freeing a large block once makes glibc serve smaller ones from its heap.
        zeros(31 << 20, dtype: ScalarType.Byte).Dispose();
        var blocks = new List<Tensor>();
        for (var i = 0; i < 400; i++)
        {
            blocks.Add(ones(1 << 20, dtype: ScalarType.Byte));
            ones(64, dtype: ScalarType.Byte);
        }

        foreach (var block in blocks) block.Dispose();
        var kept = Environment.WorkingSet;
        FreedMemory.Return();
        Assert.InRange(kept - Environment.WorkingSet, 200L << 20, long.MaxValue);
    }
}
