using System.Diagnostics;
using Alebrije.Pipelines.Estimates;
using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines.Estimates;

/// <summary>Measuring the machine for estimates.</summary>
public sealed class MachineSpeedTests
{
    public MachineSpeedTests() => TorchRuntime.Initialize();

    /// <summary>Other programs interrupt some short measurements and not others; the result includes these pauses.</summary>
    [Fact]
    public void Seconds_CountThePausesThatOtherProgramsForce()
    {
        var runs = 0;
        var (_, usual) = MachineSpeed.Seconds(() =>
        {
            var clock = Stopwatch.StartNew();
            while (runs % 3 == 2 && clock.ElapsedMilliseconds < 24)
            {
            }

            runs++;
            return zeros(1);
        });
        Assert.True(runs > 3);
        Assert.InRange(usual, 0.006, 0.1);
    }
}
