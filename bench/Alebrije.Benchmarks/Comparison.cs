using System.Diagnostics;

namespace Alebrije.Benchmarks;

/// <summary>Median and spread of repeated measurements.</summary>
internal readonly record struct Spread(double Low, double Median, double High)
{
    /// <summary>Tenth percentile, median and ninetieth percentile, interpolated.</summary>
    public static Spread Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return new Spread(At(0.1), At(0.5), At(0.9));

        double At(double share)
        {
            var place = share * (sorted.Length - 1);
            var below = (int)place;
            return sorted[below] + ((place - below) * (sorted[Math.Min(below + 1, sorted.Length - 1)] - sorted[below]));
        }
    }

    public override string ToString() => FormattableString.Invariant($"{Median:0.00} ({Low:0.00}-{High:0.00})");
}

/// <summary>
/// Interleaved timing of two implementations: each round runs both in alternating order, so that other load affects both. The ratio is
/// taken within each round, since absolute times vary on a shared machine.
/// </summary>
/// <param name="Ours">Seconds per round.</param>
/// <param name="Theirs">Seconds per round.</param>
/// <param name="Ratio">Theirs over ours: above 1, ours is faster.</param>
internal sealed record Comparison(Spread Ours, Spread Theirs, Spread Ratio)
{
    /// <summary>Least number of rounds for a meaningful median and percentiles.</summary>
    public const int FewestRounds = 11;

    private const int WarmUps = 4;

    /// <param name="rounds">Number of timed rounds.</param>
    /// <param name="ours">Does the work of a round, whose index from 0 includes warm-ups.</param>
    /// <param name="theirs">Does the same work.</param>
    /// <param name="warmUps">Number of untimed rounds before.</param>
    public static Comparison Run(int rounds, Action<int> ours, Action<int> theirs, int warmUps = WarmUps)
    {
        var seconds = new List<(double Ours, double Theirs)>();
        for (var round = 0; round < rounds + warmUps; round++)
        {
            var (first, second) = round % 2 == 0 ? (ours, theirs) : (theirs, ours);
            var (a, b) = (Time(first, round), Time(second, round));
            if (round >= warmUps) seconds.Add(round % 2 == 0 ? (a, b) : (b, a));
        }

        return new Comparison(
            Spread.Of(seconds.Select(s => s.Ours)), Spread.Of(seconds.Select(s => s.Theirs)),
            Spread.Of(seconds.Select(s => s.Theirs / s.Ours)));
    }

    private static double Time(Action<int> work, int round)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var start = Stopwatch.GetTimestamp();
        work(round);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
