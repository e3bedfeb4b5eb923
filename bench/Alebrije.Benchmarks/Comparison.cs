using System.Diagnostics;

namespace Alebrije.Benchmarks;

/// <summary>Middle and spread of repeated measurements.</summary>
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
/// Two ways to do one thing, timed in turns: each round runs both, the first of them changing, so that whatever else the machine does
/// falls on both sides. The ratio is taken round by round; seconds alone say little on a shared machine.
/// </summary>
/// <param name="Ours">Seconds of a round.</param>
/// <param name="Theirs">Seconds of a round.</param>
/// <param name="Ratio">Theirs over ours: above 1, ours is faster.</param>
internal sealed record Comparison(Spread Ours, Spread Theirs, Spread Ratio)
{
    /// <summary>Below this a median and its tenths mean nothing.</summary>
    public const int FewestRounds = 11;

    private const int WarmUps = 4;

    /// <param name="rounds">How many rounds count.</param>
    /// <param name="ours">Does the work of a round; given its number, from 0, warm-ups included.</param>
    /// <param name="theirs">Does the same work.</param>
    /// <param name="warmUps">Rounds before those that count.</param>
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
