using System.Reflection;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Runtime;

/// <summary>
/// TorchSharp passes handles of objects that nothing else references; the build marks its methods as not to be optimised, so that a
/// collection during a native call cannot free them (build/KeepArgumentsAlive.cs).
/// </summary>
public sealed class ArgumentLifetimeTests
{
    public ArgumentLifetimeTests() => TorchRuntime.Initialize();

    [Fact]
    public void TorchSharp_InTheOutput_HoldsItsArguments()
    {
        var methods = typeof(Tensor).GetMethods(
            BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
            .Where(m => m.GetMethodBody() is not null).ToArray();
        Assert.True(methods.Length > 500);
        Assert.All(methods, m => Assert.True(m.MethodImplementationFlags.HasFlag(MethodImplAttributes.NoOptimization),
            $"{m} may be optimised"));
    }

    [Fact]
    public void Scalars_UnderCollections_KeepTheirValues()
    {
        using var stop = new CancellationTokenSource();
        var collector = new Thread(() =>
        {
            while (!stop.IsCancellationRequested) GC.Collect(0);
        })
        { IsBackground = true };
        collector.Start();
        try
        {
            // Before the fix, twenty seconds of this failed three hundred times.
            using var x = ones(32, 32, dtype: ScalarType.BFloat16);
            for (var until = Environment.TickCount64 + 1500; Environment.TickCount64 < until;)
            {
                using var scope = NewDisposeScope();
                for (var i = 0; i < 100; i++) Assert.Equal(3 * 32 * 32, ((x + x) * 1.5).sum(ScalarType.Float32).ToSingle());
            }
        }
        finally
        {
            stop.Cancel();
            collector.Join();
        }
    }
}
