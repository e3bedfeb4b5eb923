using System.Globalization;
using Alebrije.Evaluation;

namespace Alebrije.Benchmarks;

/// <summary>Embedding by a CLIP of ViT-B/32's size, plain and as in <c>ClipModel</c>: the measurement of <c>alebrije bench</c>.</summary>
internal static class ClipTowers
{
    /// <summary>Runs the benchmark.</summary>
    /// <param name="rounds">Number of rounds; each runs every way once.</param>
    public static void Run(int rounds)
    {
        Console.WriteLine($"{"what",-8}{"batch",6}  {"way",-12}{"ms",9}{"ratio",8}  {"p10-p90",-14}least cosine");
        foreach (var row in ClipBenchmark.Run(null, rounds))
            Console.WriteLine($"{row.What,-8}{row.Batch,6}  "
                + $"{row.Way,-12}{row.Milliseconds,9:0.0}{"x" + row.Ratio.ToString("0.00", CultureInfo.InvariantCulture),8}  "
                    + $"{$"{row.Low:0.00}-{row.High:0.00}",-14}{row.Cosine:0.0000000}");
    }
}
