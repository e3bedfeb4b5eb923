using System.Globalization;
using Alebrije.Evaluation;

namespace Alebrije.Benchmarks;

/// <summary>Texts and pictures through a CLIP of ViT-B/32's size, plain and as <c>ClipModel</c> runs it: what <c>alebrije bench</c> measures.</summary>
internal static class ClipTowers
{
    /// <summary>Runs it.</summary>
    /// <param name="rounds">Rounds; every way once in each.</param>
    public static void Run(int rounds)
    {
        Console.WriteLine($"{"what",-8}{"batch",6}  {"way",-12}{"ms",9}{"ratio",8}  {"p10-p90",-14}least cosine");
        foreach (var row in ClipBenchmark.Run(null, rounds))
            Console.WriteLine($"{row.What,-8}{row.Batch,6}  "
                + $"{row.Way,-12}{row.Milliseconds,9:0.0}{"x" + row.Ratio.ToString("0.00", CultureInfo.InvariantCulture),8}  "
                    + $"{$"{row.Low:0.00}-{row.High:0.00}",-14}{row.Cosine:0.0000000}");
    }
}
