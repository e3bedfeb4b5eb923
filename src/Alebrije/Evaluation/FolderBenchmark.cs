using System.Diagnostics;
using Alebrije.Datasets;
using Alebrije.Models.Clip;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Evaluation;

/// <summary>Speed of embedding image files.</summary>
/// <param name="Count">Images embedded for <paramref name="PerSecond"/>, without those skipped.</param>
/// <param name="PerSecond">Images per second from file to embedding.</param>
/// <param name="Ratio">Speed-up over the serial way: median over rounds.</param>
/// <param name="Low">10th percentile of the speed-up.</param>
/// <param name="High">90th percentile of the speed-up.</param>
/// <param name="Cosine">Smallest cosine to the serial way's embedding of the same image.</param>
/// <param name="PeakBytes">Peak memory of the process in bytes.</param>
public sealed record FolderBenchmarkResult(int Count, double PerSecond,
    double Ratio, double Low, double High, double Cosine, long PeakBytes);

/// <summary>
/// Compares <see cref="ClipModel.EmbedImages(IReadOnlyList{string}, Action{int}?, CancellationToken)"/> on image files with
/// reading, preparing and embedding one batch after the other with the unmodified network in float32.
/// </summary>
public static class FolderBenchmark
{
    private const int SerialBatch = 32;

    /// <summary>Runs the benchmark.</summary>
    /// <param name="folder">A CLIP, or null: the size of ViT-B/32 with random weights.</param>
    /// <param name="paths">Image files.</param>
    /// <param name="options">Images per round, rounds, and images of the long run, which repeats the files.</param>
    /// <param name="precision">Precision of the fast way.</param>
    /// <param name="progress">Called with a description of each round and batch.</param>
    /// <param name="reader">Skips and records unreadable images; null throws.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="ArgumentException">There are no files, or nothing to measure.</exception>
    /// <exception cref="ImageFormatException">None of the files can be read, or one without <paramref name="reader"/>.</exception>
    public static FolderBenchmarkResult Run(
        string? folder, IReadOnlyList<string> paths, (int Share, int Rounds, int Count) options,
        Precision precision = Precision.Auto, Action<string>? progress = null,
        PictureReader? reader = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(paths);
        if (paths.Count == 0) throw new ArgumentException("There are no images to embed.", nameof(paths));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Count, 1, nameof(options));
        var parts = ClipBenchmark.Parts(folder);
        using var model = new ClipModel(parts, precision);
        var tower = parts.Image ?? throw new ArgumentException($"{parts.Folder} embeds no images: {parts.WhyNoImages}.", nameof(folder));
        // Outside the timing: only readable files enter a round.
        var share = paths.Where(path => Picture(path) is not null).Take(options.Share).ToArray();
        if (share.Length == 0) throw new ImageFormatException($"None of the {paths.Count} images can be read; the first is {paths[0]}.");
        var (ratios, cosine) = (new double[options.Rounds], 1.0);
        for (var round = -1; round < options.Rounds; round++)
        {
            progress?.Invoke($"{share.Length} images both ways: {round + 1}/{options.Rounds}");
            var watch = Stopwatch.StartNew();
            var plain = Serial(tower, share, cancellation);
            var slow = watch.Elapsed;
            watch.Restart();
            var fast = model.EmbedImages(share, null, cancellation);
            if (round >= 0) ratios[round] = slow / watch.Elapsed;
            cosine = plain.Zip(fast, (a, b) => a.Zip(b, (x, y) => (double)x * y).Sum()).Append(cosine).Min();
        }

        Array.Sort(ratios);
        var clock = Stopwatch.StartNew();
        var count = 0;
        model.EmbedImages(options.Count, i => Picture(paths[i % paths.Count]), (from, batch) =>
        {
            count += batch.Count(embedding => embedding is not null);
            progress?.Invoke($"{from + batch.Length} of {options.Count} images");
        }, cancellation);
        var perSecond = count / clock.Elapsed.TotalSeconds;
        using var process = Process.GetCurrentProcess();
        return new FolderBenchmarkResult(count, perSecond, At(0.5), At(0.1), At(0.9), cosine, process.PeakWorkingSet64);

        PillowImage? Picture(string path) => reader is null ? PillowImage.Load(path) : reader.Read(path);

        double At(double quantile) => ratios.Length == 0 ? double.NaN : ratios[(int)Math.Round(quantile * (ratios.Length - 1))];
    }

    private static float[][] Serial(ClipImageTower tower, string[] paths, CancellationToken cancellation)
    {
        using var inference = inference_mode();
        var embeddings = new List<float[]>();
        foreach (var batch in paths.Chunk(SerialBatch))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var pixels = batch.SelectMany(path => tower.Processor.Prepare(PillowImage.Load(path))).ToArray();
            var embedded = tower.Network.Embed(tensor(pixels, [batch.Length, 3, tower.Size, tower.Size]), ScalarType.Float32);
            var values = ClipNetwork.Unit(embedded).data<float>().ToArray();
            embeddings.AddRange(values.Chunk(values.Length / batch.Length));
        }

        return [.. embeddings];
    }
}
