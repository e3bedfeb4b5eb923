using System.Diagnostics;
using System.Globalization;
using Alebrije.Tests;
using Alebrije.Tests.Fuzzing;

namespace Alebrije.Benchmarks;

/// <summary>
/// Hostile files against all readers for a time: <c>campaign --minutes M --seed S</c>. Readers take turns of the same time, so quick ones
/// read more files. Every file is read, or refused with a sentence, within ten seconds and the memory limit of its reader; the first other
/// one ends the campaign and is kept.
/// </summary>
internal static class Campaign
{
    public const string Usage = "hostile files against every reader: campaign [--minutes M] [--seed S], 1 minute by default";

    /// <summary>Time of a reader in one turn.</summary>
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(2);

    public static int Run(string[] options)
    {
        var (minutes, seed) = (1.0, 1);
        for (var i = 0; i < options.Length; i += 2)
        {
            if (i + 1 == options.Length || !(options[i] switch
            {
                "--minutes" => double.TryParse(options[i + 1], CultureInfo.InvariantCulture, out minutes) && minutes > 0,
                "--seed" => int.TryParse(options[i + 1], CultureInfo.InvariantCulture, out seed),
                _ => false,
            }))
            {
                Console.Error.WriteLine(Usage);
                return 2;
            }
        }

        var targets = ReaderFuzz.Targets(Path.Combine(Repository.Root, "tests", "Alebrije.Tests", "Fixtures"));
        var (clock, limit) = (Stopwatch.StartNew(), TimeSpan.FromMinutes(minutes));
        var totals = targets.ToDictionary(target => target.Name, _ => new FuzzResult(0, 0, 0));
        for (var turn = 0; clock.Elapsed < limit; turn++)
        {
            foreach (var target in targets)
            {
                var left = limit - clock.Elapsed;
                if (left <= TimeSpan.Zero) break;
                var share = TimeSpan.FromTicks(Math.Min(Turn.Ticks, left.Ticks / (turn == 0 ? targets.Count : 1)));
                FuzzResult result;
                try
                {
                    result = ReaderFuzz.Run(target, unchecked(seed + turn), int.MaxValue, share);
                }
                catch (FuzzException e)
                {
                    Console.Error.WriteLine(e.Message);
                    return 1;
                }

                var before = totals[target.Name];
                totals[target.Name] = new FuzzResult(before.Read + result.Read, before.Refused + result.Refused,
                    Math.Max(before.MostBytes, result.MostBytes));
            }
        }

        foreach (var (name, total) in totals)
            Console.WriteLine($"{name,-32} {total.Read,9} read {total.Refused,9} refused   "
                + $"at most {total.MostBytes >> 20} MiB for one file");
        using var process = Process.GetCurrentProcess();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{totals.Values.Sum(t => (long)t.Read + t.Refused)} files of {targets.Count} readers in {clock.Elapsed.TotalSeconds:0} s, "
                + $"seed {seed}: no hang, no other error; the process took {process.PeakWorkingSet64 >> 20} MiB at most"));
        return 0;
    }
}
