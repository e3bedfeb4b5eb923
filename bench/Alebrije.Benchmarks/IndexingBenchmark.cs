using System.Diagnostics;
using System.Globalization;
using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Search;

namespace Alebrije.Benchmarks;

/// <summary>
/// <c>index add</c> of EmojiWorld scenes with <c>mini</c> against their embedding alone, in turns; then the peak memory of the command
/// that indexes 1,000 and <c>ALEBRIJE_BENCH_IMAGES</c> (10,000 by default) images. Needs the built command.
/// </summary>
internal static class IndexingBenchmark
{
    private const int OfRound = 250, First = 1000;

    /// <summary>Runs the benchmark.</summary>
    public static void Run(int rounds)
    {
        var folder = Directory.CreateTempSubdirectory("alebrije-indexing-").FullName;
        try
        {
            using var model = ClipModel.Load(Path.Combine(Tests.Repository.Root, "models", "mini"));
            var images = Draw(Path.Combine(folder, "images"), 0, OfRound);
            var comparison = Comparison.Run(rounds,
                round => Add(Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"index-{round}")), "images", model),
                _ => model.EmbedImages(images), warmUps: 1);
            var (indexed, embedded) = (OfRound / comparison.Ours.Median, OfRound / comparison.Theirs.Median);
            Write($"{OfRound} images: {indexed:0.0} a second into an index, {embedded:0.0} embedded alone; share {comparison.Ratio}");

            var most = int.TryParse(Environment.GetEnvironmentVariable("ALEBRIJE_BENCH_IMAGES"), out var asked) ? asked : 10 * First;
            var drawn = 0;
            foreach (var count in most > First ? [First, most] : (int[])[most])
            {
                Draw(Path.Combine(folder, "many"), drawn + OfRound, count - drawn);
                drawn = count;
                var begin = Stopwatch.GetTimestamp();
                var peak = PeakOf(["index", "add", Path.Combine(folder, "many"),
                    "--model", Path.Combine(Tests.Repository.Root, "models", "mini"),
                    "--index", Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"index-of-{count}"))]);
                var perSecond = count / Stopwatch.GetElapsedTime(begin).TotalSeconds;
                Write($"{count} images into an index: peak memory {peak >> 20} MiB, {perSecond:0.0} images a second");
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Most memory that a run of the command had.</summary>
    private static long PeakOf(string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(KilledVerbs.Cli, arguments) { RedirectStandardOutput = true })!;
        var (output, peak) = (process.StandardOutput.ReadToEndAsync(), 0L);
        while (!process.WaitForExit(100))
        {
            try
            {
                process.Refresh();
                peak = Math.Max(peak, process.PeakWorkingSet64);
            }
            catch (InvalidOperationException)
            {
                // It has ended meanwhile.
            }
        }

        output.Wait();
        return process.ExitCode == 0 ? peak : throw new InvalidOperationException($"index add ends with {process.ExitCode}.");
    }

    private static void Write(FormattableString text) => Console.WriteLine(FormattableString.Invariant(text));

    private static void Add(string path, string images, ClipModel model)
    {
        using var index = PictureIndex.OpenOrCreate(path);
        index.Add([Path.Combine(Path.GetDirectoryName(path)!, images)], model);
    }

    private static string[] Draw(string folder, int from, int count)
    {
        Directory.CreateDirectory(folder);
        var world = EmojiWorld.Open();
        return [.. Enumerable.Range(from, count).Select(i =>
        {
            var path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{i:00000}.png"));
            new RgbImage(Scene.Side, Scene.Side, world.Render(world.Scene(5, i), Scene.Side)).SavePng(path);
            return path;
        })];
    }
}
