using System.Diagnostics;
using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
using Alebrije.Reports;
using Alebrije.Search.Vectors;

namespace Alebrije.Benchmarks;

/// <summary>
/// Search of 10^4 to 10^6 vectors of 512 components in half precision: exact search against the memory's bandwidth in the same rounds,
/// and USearch's graph against exact search. The vectors are 32 latent normal numbers through a random matrix, plus noise, at unit length.
/// <c>ALEBRIJE_BENCH_ROWS</c> and <c>ALEBRIJE_BENCH_GRAPH</c> set the most rows of exact search and of the graph.
/// </summary>
internal static class VectorSearchBenchmark
{
    private const int Width = 512, Latent = 32, Count = 10, Queries = 200;

    private static readonly int[] Sizes = [10_000, 30_000, 100_000, 300_000, 1_000_000];

    /// <summary>Runs the benchmark and draws <c>docs/images/search-cost.png</c>.</summary>
    /// <param name="rounds">Timed queries of exact search, each with one reading of the memory.</param>
    public static void Run(int rounds)
    {
        var (most, mostOfGraph) = (Setting("ALEBRIJE_BENCH_ROWS", 1_000_000), Setting("ALEBRIJE_BENCH_GRAPH", 100_000));
        var folder = Directory.CreateTempSubdirectory("alebrije-vectors-").FullName;
        var (exact, graph) = (new List<(double, double)>(), new List<(double, double)>());
        try
        {
            Console.WriteLine($"{Width} components in half precision, {Environment.ProcessorCount} threads, "
                + $"512-bit vectors {(Vector512.IsHardwareAccelerated ? "used" : "absent")}");
            Console.WriteLine("     rows    read GB/s  exact ms   GB/s  share | graph: build s  open ms   ms/query  queries/s  recall@10");
            var queries = Vectors(1_000_003, Queries).ToArray();
            using var file = VectorFile.Create(Path.Combine(folder, "vectors.bin"), Width);
            using var vectors = Vectors(7, most).GetEnumerator();
            var building = 0.0;
            foreach (var rows in Sizes.Where(rows => rows <= most))
            {
                while (file.Count < rows && vectors.MoveNext()) file.Append(vectors.Current);
                file.Flush();
                var search = Comparison.Run(rounds, round => ExactSearch.Top(file, queries[round], Count), _ => Read(file));
                var (bytes, cost) = ((double)rows * file.Stride, search.Ours.Median);
                exact.Add((rows, cost * 1e3));
                Write($"{rows,9} {bytes / search.Theirs.Median / 1e9,12:0.0} {cost * 1e3,9:0.000} {bytes / cost / 1e9,6:0.0} ");
                Write($"{search.Ratio.Median,6:P0} |");
                if (rows <= mostOfGraph) graph.Add((rows, Graph(file, queries, ref building)));
                Console.WriteLine();
            }

            var graphs = graph.Count > 0 ? [new LogSeries("graph (USearch)", graph)] : Array.Empty<LogSeries>();
            var plot = LogPlot.Render("Cost of a search", "rows (512 components, half precision)", "milliseconds a query",
                [new LogSeries("exact", exact), .. graphs]);
            var path = Path.Combine(Tests.Repository.Root, "docs", "images", "search-cost.png");
            File.WriteAllBytes(path, plot);
            Console.WriteLine($"drawn: {path}");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double Seconds(Action action)
    {
        var begin = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(begin).TotalSeconds;
    }

    /// <summary>Extends the graph to all rows, and writes its columns.</summary>
    /// <returns>Milliseconds a query.</returns>
    private static double Graph(VectorFile file, float[][] queries, ref double building)
    {
        building += Seconds(() => ApproximateIndex.Build(file).Dispose());
        ApproximateIndex? opened = null;
        var open = Seconds(() => opened = ApproximateIndex.TryOpen(file));
        using var graph = opened!;
        var found = queries.Sum(query => graph.Top(file, query, Count).Select(row => row.Row)
            .Intersect(ExactSearch.Top(file, query, Count).Select(row => row.Row)).Count());
        var seconds = Seconds(() => Array.ForEach(queries, query => graph.Top(file, query, Count))) / queries.Length;
        var recall = (double)found / (Count * queries.Length);
        Write($" {building,14:0.0} {open * 1e3,8:0.0} {seconds * 1e3,10:0.000} {1 / seconds,10:0} {recall,10:0.000}");
        return seconds * 1e3;
    }

    private static void Write(FormattableString text) => Console.Write(FormattableString.Invariant(text));

    /// <summary>Reads every byte of the rows once, on all threads.</summary>
    private static unsafe void Read(VectorFile file)
    {
        using var rows = file.Map();
        var (first, bytes, total) = ((nint)rows.First, rows.Count * rows.Stride, 0L);
        const long block = 1 << 20;
        Parallel.For(0L, (bytes + block - 1) / block, i =>
        {
            var from = (byte*)first + (i * block);
            var to = (byte*)first + Math.Min(bytes, (i + 1) * block);
            var (a, b, c, d) = (Vector512<long>.Zero, Vector512<long>.Zero, Vector512<long>.Zero, Vector512<long>.Zero);
            for (; from + 256 <= to; from += 256)
            {
                a ^= Vector512.Load((long*)from);
                b ^= Vector512.Load((long*)(from + 64));
                c ^= Vector512.Load((long*)(from + 128));
                d ^= Vector512.Load((long*)(from + 192));
            }

            Interlocked.Add(ref total, Vector512.Sum(a ^ b ^ c ^ d));
        });
        GC.KeepAlive(total);
    }

    private static IEnumerable<float[]> Vectors(int seed, int count)
    {
        var matrix = Normal(new Random(1), Latent * Width);
        var random = new Random(seed);

        // Noise from one long row at random offsets: a normal number for each component would take longer than the searches.
        var noise = Normal(random, 1 << 20);
        var vector = new float[Width];
        for (var n = 0; n < count; n++)
        {
            noise.AsSpan(random.Next(noise.Length - Width), Width).CopyTo(vector);
            TensorPrimitives.Multiply(vector, 2f, vector);
            for (var i = 0; i < Latent; i++)
                TensorPrimitives.MultiplyAdd(
                    matrix.AsSpan(i * Width, Width), noise[random.Next(noise.Length)], vector, vector);
            TensorPrimitives.Divide(vector, TensorPrimitives.Norm<float>(vector), vector);
            yield return [.. vector];
        }
    }

    private static float[] Normal(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ =>
        (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];

    private static int Setting(string name, int usual) => int.TryParse(
        Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : usual;
}
