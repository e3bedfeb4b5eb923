using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Tests.Runtime;

/// <summary>Threads of tensor operations of one calling thread.</summary>
public sealed class LocalThreadsTests
{
    [Fact]
    public void Number_IsThatOfTheCallingThread_AndIsRestored()
    {
        var usual = TorchRuntime.Threads;
        var (inner, beside) = LocalThreads.Run(usual + 2, () => (get_num_threads(), OnAnotherThread()));
        Assert.Equal((usual + 2, usual), (inner, beside));
        Assert.Equal(usual, get_num_threads());
        Assert.Throws<FormatException>(() => LocalThreads.Run<int>(usual + 1, () => throw new FormatException()));
        Assert.Equal(usual, get_num_threads());
    }

    private static int OnAnotherThread()
    {
        var number = 0;
        var thread = new Thread(() => number = get_num_threads());
        thread.Start();
        thread.Join();
        return number;
    }
}
