using Alebrije.Preprocessing;

namespace Alebrije.Embeddings;

/// <summary>A measured figure with its 95 % interval, as <c>evaluate</c> reports it.</summary>
/// <param name="Value">The figure: a share in [0, 1] or a mean.</param>
/// <param name="Count">Number of observations behind it.</param>
/// <param name="Low">Lower end of the 95 % interval.</param>
/// <param name="High">Upper end of the 95 % interval.</param>
public sealed record Figure(double Value, int Count, double Low, double High)
{
    private const double Normal975 = 1.959963984540054;

    /// <summary>Share of successes with Wilson's score interval (Wilson, 1927, JASA 22, p. 209).</summary>
    /// <param name="successes">0 to <paramref name="count"/>; a fraction where a mean of draws is meant.</param>
    /// <param name="count">Observations, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">No observations, or more successes than observations.</exception>
    public static Figure Proportion(double successes, int count)
    {
        if (count < 1) throw new ArgumentOutOfRangeException(nameof(count),
            $"A share of {count} observations is undefined; at least 1 is needed.");
        if (!(successes >= 0 && successes <= count))
            throw new ArgumentOutOfRangeException(nameof(successes),
                $"{successes} successes in {count} observations; expected 0 to {count}.");
        var share = successes / count;
        const double square = Normal975 * Normal975;
        var centre = (share + square / (2 * count)) / (1 + square / count);
        var half = Normal975 / (1 + square / count) * Math.Sqrt(share * (1 - share) / count + square / (4.0 * count * count));
        return new Figure(share, count, successes == 0 ? 0 : Math.Max(0, centre - half),
            successes == count ? 1 : Math.Min(1, centre + half));
    }

    /// <summary>Share of outcomes that are true, with Wilson's interval.</summary>
    public static Figure Proportion(IReadOnlyCollection<bool> outcomes)
    {
        ArgumentNullException.ThrowIfNull(outcomes);
        return Proportion(outcomes.Count(outcome => outcome), outcomes.Count);
    }

    /// <summary>Mean with the normal interval: mean ± 1.96 standard errors (sample variance over n - 1).</summary>
    /// <param name="samples">At least one finite number; a single one gives an interval of no width.</param>
    /// <exception cref="ArgumentException">No samples.</exception>
    public static Figure Mean(IReadOnlyCollection<double> samples)
    {
        ArgumentNullException.ThrowIfNull(samples);
        if (samples.Count == 0) throw new ArgumentException("A mean of no samples is undefined; at least one is needed.", nameof(samples));
        var mean = samples.Average();
        var variance = samples.Count < 2 ? 0 : samples.Sum(x => (x - mean) * (x - mean)) / (samples.Count - 1);
        var half = Normal975 * Math.Sqrt(variance / samples.Count);
        return new Figure(mean, samples.Count, mean - half, mean + half);
    }

    /// <summary>
    /// A statistic with its percentile bootstrap interval (Efron, 1979): 2.5 % and 97.5 % quantiles over resampled items.
    /// </summary>
    /// <param name="count">Number of items that are resampled.</param>
    /// <param name="statistic">The figure for the items with these indices; called with resamples and with 0..count-1.</param>
    /// <param name="seed">The same seed gives the same interval.</param>
    /// <param name="resamples">At least 20.</param>
    /// <exception cref="ArgumentOutOfRangeException">No items or too few resamples.</exception>
    public static Figure Bootstrap(int count, Func<IReadOnlyList<int>, double> statistic, int seed = 0, int resamples = 1000)
    {
        ArgumentNullException.ThrowIfNull(statistic);
        if (count < 1) throw new ArgumentOutOfRangeException(nameof(count), $"There are {count} items to resample; at least 1 is needed.");
        if (resamples < 20)
            throw new ArgumentOutOfRangeException(nameof(resamples),
                $"{resamples} resamples cannot show a 95 % interval; take at least 20.");
        var random = new SeededRandom(seed);
        var drawn = new double[resamples];
        for (var r = 0; r < resamples; r++) drawn[r] = statistic(random.Sample(count));
        return FromResamples(statistic([.. Enumerable.Range(0, count)]), count, drawn);
    }

    /// <summary>A value with the 2.5 % and 97.5 % quantiles of its resamples, which are sorted in place.</summary>
    internal static Figure FromResamples(double value, int count, double[] drawn)
    {
        Array.Sort(drawn);
        return new Figure(value, count, Quantile(drawn, 0.025), Quantile(drawn, 0.975));
    }

    private static double Quantile(double[] sorted, double share)
    {
        var place = share * (sorted.Length - 1);
        var below = (int)place;
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    }
}
