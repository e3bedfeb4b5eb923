using Alebrije.Tests;
using Alebrije.Tests.Fuzzing;

namespace Alebrije.Benchmarks;

/// <summary>Damaged files against every reader, as many as asked; the suite runs the same for seconds.</summary>
internal static class ReaderFuzzing
{
    /// <summary>Runs it; a file that is neither read nor refused as it should ends the run and is kept.</summary>
    /// <param name="rounds">Files for each reader.</param>
    public static void Run(int rounds)
    {
        var seed = Environment.TickCount;
        Console.WriteLine($"seed {seed}, {rounds} damaged files for each reader");
        foreach (var target in ReaderFuzz.Targets(Path.Combine(Repository.Root, "tests", "Alebrije.Tests", "Fixtures")))
        {
            var result = ReaderFuzz.Run(target, seed, rounds, TimeSpan.MaxValue);
            Console.WriteLine($"{target.Name,-20} {result.Read,8} read "
                + $"{result.Refused,8} refused   at most {result.MostBytes / 1048576.0:0.0} MiB for one file");
        }
    }
}
