using TorchSharp;

namespace Alebrije.Tests;

public sealed class ArchitectureTests
{
    [Fact]
    public void TorchRuntime_OnThisMachine_Starts()
    {
        Tensors.TorchRuntime.Initialize();
        Assert.Equal(6f, torch.ones(2, 3).sum().ToSingle());
    }
}
