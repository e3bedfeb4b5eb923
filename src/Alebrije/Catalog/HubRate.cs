using System.Diagnostics;

namespace Alebrije.Catalog;

/// <summary>Rate of one connection: one that drips counts as stalled, although each byte comes in time.</summary>
/// <param name="settings">Least rate, and the time over which it is measured.</param>
internal sealed class HubRate(HubSettings settings)
{
    private readonly Stopwatch waiting = new();
    private long bytes;

    /// <summary>Measures a read; the time between reads is the caller's own and not counted.</summary>
    /// <exception cref="TransientHubException">The connection was below the least rate.</exception>
    public async ValueTask<int> MeasureAsync(Func<ValueTask<int>> read)
    {
        waiting.Start();
        var count = await read();
        waiting.Stop();
        bytes += count;
        var seconds = waiting.Elapsed.TotalSeconds;
        if (count == 0 || seconds < settings.StallTimeout.TotalSeconds) return count;
        if (bytes < settings.LeastRate * seconds)
            throw new TransientHubException(FormattableString.Invariant(
                $"only {bytes / seconds:0} bytes a second came for {seconds:0.#} s (ALEBRIJE_HUB_LEAST_RATE allows fewer)"));
        bytes = 0;
        waiting.Reset();
        return count;
    }
}
