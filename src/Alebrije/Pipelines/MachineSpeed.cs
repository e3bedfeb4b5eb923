using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>How fast this machine is right now, measured in a second on layers of the size that the large models have.</summary>
/// <param name="Convolutions">Multiplications a second in convolutions.</param>
/// <param name="Products">Multiplications a second in products of large matrices.</param>
/// <param name="WeightBytes">Bytes of weights a second where few rows meet a large matrix: the speed of the memory.</param>
internal sealed record MachineSpeed(double Convolutions, double Products, double WeightBytes)
{
    private const int Channels = 320, Side = 64, Width = 2048, Rows = 512, FewRows = 6;

    /// <summary>Measures; takes about a second.</summary>
    /// <param name="type">Type of the large networks.</param>
    public static MachineSpeed Measure(ScalarType type)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var (picture, kernel) = (rand(2, Channels, Side, Side).to(type), rand(Channels, Channels, 3, 3).to(type));
        var convolution = Seconds(() => nn.functional.conv2d(picture, kernel, padding: [1, 1]));
        var (rows, matrix) = (rand(Rows, Width).to(type), rand(Width, Width).to(type));
        var product = Seconds(() => nn.functional.linear(rows, matrix));
        // Larger than any cache.
        var (few, large) = (rand(FewRows, Width), rand(8 * Width, Width));
        var reading = Seconds(() => nn.functional.linear(few, large));
        return new MachineSpeed(
            2.0 * Channels * Channels * 9 * Side * Side / convolution, (double)Rows * Width * Width / product, 4.0 * 8 * Width * Width / reading);
    }

    /// <summary>The median of a few runs after one that warms up.</summary>
    private static double Seconds(Func<Tensor> work)
    {
        work().Dispose();
        var times = new List<double>();
        var all = Stopwatch.StartNew();
        while (times.Count < 3 || (all.Elapsed.TotalSeconds < 0.25 && times.Count < 50))
        {
            var clock = Stopwatch.StartNew();
            work().Dispose();
            times.Add(clock.Elapsed.TotalSeconds);
        }

        times.Sort();
        return times[times.Count / 2];
    }
}
