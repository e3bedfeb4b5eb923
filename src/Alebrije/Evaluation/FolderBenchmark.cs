using System.Diagnostics;
using Alebrije.Datasets;
using Alebrije.Models.Clip;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Evaluation;

/// <summary>How fast picture files are embedded.</summary>
/// <param name="Count">Pictures that were embedded for <paramref name="PerSecond"/>, those that were left out not counted.</param>
/// <param name="PerSecond">Pictures a second from file to embedding.</param>
/// <param name="Ratio">Median of the serial way's time through this one's, in the same round.</param>
/// <param name="Low">10th percentile of that ratio.</param>
/// <param name="High">90th percentile of that ratio.</param>
/// <param name="Cosine">Least cosine to the serial way's embedding of the same picture.</param>
/// <param name="PeakBytes">Most memory that the process has held.</param>
public sealed record FolderBenchmarkResult(int Count, double PerSecond,
    double Ratio, double Low, double High, double Cosine, long PeakBytes);

/// <summary>
/// Measures the way from picture files to embeddings: <see cref="ClipModel.EmbedImages(IReadOnlyList{string}, Action{int}?, CancellationToken)"/> against
/// reading, preparing and embedding one batch after the other with the network as it is written, in float32.
/// </summary>
public static class FolderBenchmark
{
    private const int SerialBatch = 32;

    /// <summary>Runs it.</summary>
    /// <param name="folder">A CLIP, or null: the size of ViT-B/32 with random weights.</param>
    /// <param name="paths">Picture files.</param>
    /// <param name="options">Pictures of a round, rounds, and pictures of the long run, for which the files are taken again and again.</param>
    /// <param name="precision">Of the fast way.</param>
    /// <param name="progress">Told what is being measured.</param>
    /// <param name="reader">Leaves out pictures that cannot be read, and keeps them; null throws.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="ArgumentException">There are no files, or nothing to measure.</exception>
    /// <exception cref="ImageFormatException">None of the files can be read, or one without <paramref name="reader"/>.</exception>
    public static FolderBenchmarkResult Run(
        string? folder, IReadOnlyList<string> paths, (int Share, int Rounds, int Count) options,
        Precision precision = Precision.Auto, Action<string>? progress = null,
        PictureReader? reader = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(paths);
        if (paths.Count == 0) throw new ArgumentException("There are no pictures to embed.", nameof(paths));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Count, 1, nameof(options));
        var parts = ClipBenchmark.Parts(folder);
        using var model = new ClipModel(parts, precision);
        var tower = parts.Image ?? throw new ArgumentException($"{parts.Folder} embeds no pictures: {parts.WhyNoImages}.", nameof(folder));
        // Before the clock runs: every file of a round is one that can be read.
        var share = paths.Where(path => Picture(path) is not null).Take(options.Share).ToArray();
        if (share.Length == 0) throw new ImageFormatException($"None of the {paths.Count} pictures can be read; the first is {paths[0]}.");
        var (ratios, cosine) = (new double[options.Rounds], 1.0);
        for (var round = -1; round < options.Rounds; round++)
        {
            progress?.Invoke($"{share.Length} pictures both ways: {round + 1}/{options.Rounds}");
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
            progress?.Invoke($"{from + batch.Length} of {options.Count} pictures");
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
