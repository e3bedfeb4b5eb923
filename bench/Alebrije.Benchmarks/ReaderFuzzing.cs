using Alebrije.Tests;
using Alebrije.Tests.Fuzzing;

namespace Alebrije.Benchmarks;

/// <summary>Fuzzing of every reader with damaged files; the test suite runs the same for seconds.</summary>
internal static class ReaderFuzzing
{
    /// <summary>Runs the fuzzing; a file that is neither read nor properly rejected ends the run and is kept.</summary>
    /// <param name="rounds">Files per reader.</param>
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
