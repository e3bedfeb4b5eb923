using System.Diagnostics;
using Alebrije.Embeddings;
using Alebrije.Models.Clip;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Evaluation;

/// <summary>Timing of one way of embedding.</summary>
/// <param name="What"><c>texts</c> or <c>images</c>.</param>
/// <param name="Batch">Batch size.</param>
/// <param name="Way"><c>fp32 plain</c>: the unmodified network; <c>packed</c>: the ways used by <see cref="ClipModel"/>.</param>
/// <param name="Milliseconds">Median time of a batch in milliseconds.</param>
/// <param name="Ratio">Speed-up over the plain way: median over rounds.</param>
/// <param name="Low">10th percentile of the speed-up.</param>
/// <param name="High">90th percentile of the speed-up.</param>
/// <param name="Cosine">Smallest cosine to the plain way's embedding of the same text or image.</param>
public sealed record BenchmarkRow(string What, int Batch, string Way,
    double Milliseconds, double Ratio, double Low, double High, double Cosine)
{
    /// <summary>Texts or images per second at the median time.</summary>
    public double PerSecond => Batch * 1000 / Milliseconds;
}

/// <summary>
/// Measures the embedding speed of a CLIP on this machine. Each round runs every way in turn, and ratios are taken within a round,
/// so that other load affects all ways alike.
/// </summary>
public static class ClipBenchmark
{
    private const int Least = 5, Most = 20;

    /// <summary>Batch sizes measured for images.</summary>
    private static readonly int[] Batches = [1, 8, 32];

    /// <summary>Runs the benchmark.</summary>
    /// <param name="folder">A CLIP; null: the size of ViT-B/32 with random weights, which take as long as trained ones.</param>
    /// <param name="rounds">Number of rounds, at least 3; a warm-up round precedes them.</param>
    /// <param name="progress">Called before each round with a description.</param>
    /// <param name="cancellation">Stops between rounds.</param>
    /// <exception cref="ArgumentOutOfRangeException">Too few rounds.</exception>
    public static IReadOnlyList<BenchmarkRow> Run(string? folder,
        int rounds, Action<string>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rounds, 3);
        TorchRuntime.Initialize();
        using var parts = Parts(folder);
        var (text, image) = (parts.Text, parts.Image);
        List<ScalarType> types = [ScalarType.Float32];
        if (Processor.HasFastBf16) types.Add(ScalarType.BFloat16);
        if (OneDnn.HasInt8) types.Add(ScalarType.Int8);
        var rows = new List<BenchmarkRow>();
        if (text is not null) rows.AddRange(Texts(text, types, rounds, progress, cancellation));
        if (image is not null)
            foreach (var batch in Batches) rows.AddRange(Images(image, batch, types, rounds, progress, cancellation));
        return rows;
    }

    private static List<BenchmarkRow> Texts(ClipTextTower tower,
        List<ScalarType> types, int rounds, Action<string>? progress, CancellationToken cancellation)
    {
        const int batch = 32;
        var sentences = ZeroShotSet.All.SelectMany(set =>
            set.Classes.Select((name, i) => set.Templates[i % set.Templates.Count].Replace("{}", name, StringComparison.Ordinal)));
        var all = tower.Tokenizer.EncodeBatch([.. sentences], tower.Length, out var lengths);
        var fitting = Enumerable.Range(0, all.Length).Where(i => lengths[i] is >= Least and <= Most).ToArray();
        var rows = Enumerable.Range(0, batch).Select(i => all[fitting[(int)((long)i * fitting.Length / batch)]]).ToArray();
        using var ids = TokenTensors.Ids(rows);
        var ways = new List<(string, Func<Tensor>)> { ("fp32 plain", () => tower.Network.Embed(ids, ScalarType.Float32)) };
        var packed = types.Select(type => (Type: type, Tower: tower.Network.Pack(type))).ToArray();
        foreach (var (type, way) in packed) ways.Add(($"{Name(type)} packed", () => Packed(way, rows)));
        try
        {
            return Measure("texts", batch, ways, rounds, progress, cancellation);
        }
        finally
        {
            foreach (var (_, way) in packed) way.Dispose();
        }
    }

    private static Tensor Packed(PackedTextTower tower, int[][] rows)
    {
        var parts = new (int[] Places, Tensor Values)[rows.Length];
        var count = 0;
        tower.Embed(rows, (places, values) => parts[count++] = (places, values.DetachFromDisposeScope()));
        var order = parts.Take(count).SelectMany(p => p.Places).Select((place, i) => (place, i))
            .OrderBy(p => p.place).Select(p => (long)p.i).ToArray();
        var joined = cat([.. parts.Take(count).Select(p => p.Values)]);
        foreach (var (_, values) in parts.Take(count)) values.Dispose();
        return joined.index_select(0, tensor(order));
    }

    private static List<BenchmarkRow> Images(ClipImageTower tower,
        int batch, List<ScalarType> types, int rounds, Action<string>? progress, CancellationToken cancellation)
    {
        using var draws = new Noise(7);
        using var noise = draws.Randn(batch, 3, tower.Size, tower.Size);
        using var pixels = nn.functional.avg_pool2d(noise, [5, 5], stride: [1, 1], padding: [2, 2]) * 5;
        var ways = new List<(string, Func<Tensor>)>();
        foreach (var type in types.Where(type => type != ScalarType.Int8))
            ways.Add(($"{Name(type)} plain", () => tower.Network.Embed(pixels, type)));
        var packed = types.Select(type => (Type: type, Tower: tower.Network.Pack(type))).Where(p => p.Tower is not null).ToArray();
        foreach (var (type, way) in packed) ways.Add(($"{Name(type)} packed", () => way!.Embed(pixels)));
        try
        {
            return Measure("images", batch, ways, rounds, progress, cancellation);
        }
        finally
        {
            foreach (var (_, way) in packed) way?.Dispose();
        }
    }

    private static List<BenchmarkRow> Measure(
        string what, int batch, List<(string Name, Func<Tensor> Embed)> ways,
        int rounds, Action<string>? progress, CancellationToken cancellation)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var embeddings = ways.Select(way => ClipNetwork.Unit(way.Embed())).ToArray();        // Also warms up.
        var times = ways.Select(_ => new double[rounds]).ToArray();
        for (var round = -1; round < rounds; round++)
        {
            progress?.Invoke($"{what}, {batch} at once: {round + 1}/{rounds}");
            for (var w = 0; w < ways.Count; w++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var once = NewDisposeScope();
                var watch = Stopwatch.StartNew();
                ways[w].Embed();
                if (round >= 0) times[w][round] = watch.Elapsed.TotalMilliseconds;
            }
        }

        return [.. ways.Select((way, w) =>
        {
            var ratios = times[w].Select((t, round) => times[0][round] / t).Order().ToArray();
            var cosine = (embeddings[w] * embeddings[0]).sum(-1).min().item<float>();
            return new BenchmarkRow(what, batch, way.Name, At([.. times[w].Order()], 0.5),
                At(ratios, 0.5), At(ratios, 0.1), At(ratios, 0.9), cosine);
        })];
    }

    private static double At(double[] sorted, double share) => sorted[(int)Math.Round(share * (sorted.Length - 1))];

    private static string Name(ScalarType type) => type switch { ScalarType.BFloat16 => "bf16", ScalarType.Int8 => "int8", _ => "fp32" };

    /// <summary>A loaded CLIP, or a random one of ViT-B/32's size (Radford et al., 2021, tables 19 and 20), the default.</summary>
    internal static ClipModelParts Parts(string? folder)
    {
        TorchRuntime.Initialize();
        return folder is null ? ClipModelParts.Random(new ClipConfig()) : ClipModelParts.Load(folder);
    }
}
