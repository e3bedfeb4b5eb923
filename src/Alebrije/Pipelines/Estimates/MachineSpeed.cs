using System.Diagnostics;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Estimates;

/// <summary>Current speed of this machine, measured in a second on layers of the size that the large models have.</summary>
/// <param name="Convolutions">Multiplications a second in convolutions.</param>
/// <param name="Products">Multiplications a second in products of large matrices.</param>
/// <param name="WeightBytes">Bytes of weights a second where few rows meet a large matrix: the speed of the memory.</param>
/// <param name="Call">Seconds that calling a layer takes, however little it computes: what small networks cost.</param>
/// <param name="FirstUse">Seconds that the first calls of the measured layers took beyond the later ones: what a network's first run costs
/// once.</param>
internal sealed record MachineSpeed(double Convolutions, double Products, double WeightBytes, double Call, double FirstUse)
{
    /// <summary>Multiplications a second in attention, scores and their use.</summary>
    public double Attention { get; private init; }

    /// <summary>Numbers a second through a normalisation and an activation, memory for the results included.</summary>
    public double Maps { get; private init; }

    /// <summary>Bytes of a file of weights to read before its speed is judged: less is done in a moment.</summary>
    public const long LoadingSample = 96L << 20;

    private const int Channels = 320, Side = 64, Width = 2048, Rows = 512,
        FewRows = 6, SmallWidth = 32, SmallCalls = 40, Heads = 4, Tokens = 2048, HeadWidth = 40,
        MapChannels = 128, MapSide = 256;

    /// <summary>Time for which a measurement counts as current.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);

    private static readonly Dictionary<(ScalarType Type, int Threads), (MachineSpeed Speed, long Time)> Measured = [];

    /// <summary>The last measurement of this type and number of threads if it is less than a minute old, otherwise a new one.</summary>
    /// <param name="type">Type of the large networks.</param>
    public static MachineSpeed Current(ScalarType type)
    {
        lock (Measured)
        {
            var key = (type, get_num_threads());
            if (Measured.TryGetValue(key, out var last) && Stopwatch.GetElapsedTime(last.Time) < Fresh) return last.Speed;
            var speed = Measure(type);
            Measured[key] = (speed, Stopwatch.GetTimestamp());
            return speed;
        }
    }

    /// <summary>Measures; takes about a second.</summary>
    private static MachineSpeed Measure(ScalarType type)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        var first = 0.0;
        var (picture, kernel) = (rand(2, Channels, Side, Side).to(type), rand(Channels, Channels, 3, 3).to(type));
        var convolution = Seconds(() => nn.functional.conv2d(picture, kernel, padding: [1, 1]));
        var (rows, matrix) = (rand(Rows, Width).to(type), rand(Width, Width).to(type));
        var product = Seconds(() => nn.functional.linear(rows, matrix));
        var queries = rand(1, Heads, Tokens, HeadWidth).to(type);
        var attention = Seconds(() => nn.functional.scaled_dot_product_attention(queries, queries, queries));
        var map = rand(1, MapChannels, MapSide, MapSide).to(type);
        var maps = Seconds(() => nn.functional.silu(nn.functional.group_norm(map, 32)));
        // Larger than any cache.
        var (few, large) = (rand(FewRows, Width), rand(8 * Width, Width));
        var reading = Seconds(() => nn.functional.linear(few, large));
        var (small, layer) = (rand(FewRows, SmallWidth), rand(SmallWidth, SmallWidth));
        var calls = Seconds(() =>
        {
            using var inner = NewDisposeScope();
            var x = small;
            for (var i = 0; i < SmallCalls; i++) x = nn.functional.gelu(nn.functional.linear(x, layer)).view(FewRows, SmallWidth);
            return x.MoveToOuterDisposeScope();
        });
        return new MachineSpeed(
            2.0 * Channels * Channels * 9 * Side * Side / convolution, (double)Rows * Width * Width / product,
            4.0 * 8 * Width * Width / reading, calls / SmallCalls, first)
        {
            Attention = 2.0 * Heads * Tokens * Tokens * HeadWidth / attention,
            Maps = (double)MapChannels * MapSide * MapSide / maps,
        };

        double Seconds(Func<Tensor> work)
        {
            var (once, usual) = MachineSpeed.Seconds(work);
            first += Math.Max(0, once - usual);
            return usual;
        }
    }

    /// <summary>Bytes of weights a second, read from a file into networks of a type; null if the file is too small to measure.</summary>
    /// <param name="weights">The file.</param>
    /// <param name="type">Type of the network.</param>
    public static double? Loading(TensorSource weights, ScalarType type)
    {
        using var guard = no_grad();
        var (bytes, clock) = (0L, Stopwatch.StartNew());
        foreach (var name in weights.Names)
        {
            var entry = weights.Describe(name);
            using var target = empty(entry.Shape, TensorTypes.IsFloating(entry.Type) ? type : entry.Type, CPU);
            weights.ReadInto(name, target);
            bytes += entry.Count * TensorTypes.SizeOf(entry.Type);
            if (bytes >= LoadingSample) return bytes / clock.Elapsed.TotalSeconds;
        }

        return null;
    }

    /// <summary>The first run, and the mean of a few later ones: unlike a median, it includes the load by other programs.</summary>
    internal static (double First, double Usual) Seconds(Func<Tensor> work)
    {
        var warming = Stopwatch.StartNew();
        work().Dispose();
        var (first, count, clock) = (warming.Elapsed.TotalSeconds, 0, Stopwatch.StartNew());
        while (count < 3 || (clock.Elapsed.TotalSeconds < 0.25 && count < 50))
        {
            work().Dispose();
            count++;
        }

        return (first, clock.Elapsed.TotalSeconds / count);
    }
}
