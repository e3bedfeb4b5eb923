using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Alebrije.Extensions.AI;

/// <summary>Streams of a model that computes one call at a time.</summary>
internal static class StreamedRun
{
    /// <summary>Runs on another thread and yields what the run reports. A reader that stops early stops the run.</summary>
    /// <param name="gate">Held during the run: calls wait for each other.</param>
    /// <param name="run">The run; its first argument takes an item.</param>
    /// <param name="cancellation">Stops waiting and the run.</param>
    /// <returns>Items in order; afterwards the run's failure is thrown, if it failed.</returns>
    public static async IAsyncEnumerable<T> ReadAsync<T>(
        SemaphoreSlim gate, Action<Action<T>, CancellationToken> run, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await gate.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var items = Channel.CreateUnbounded<T>();
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            var running = Task.Run(
                () =>
                {
                    try
                    {
                        run(item => items.Writer.TryWrite(item), stop.Token);
                    }
                    finally
                    {
                        items.Writer.Complete();
                    }
                },
                CancellationToken.None);
            try
            {
                await foreach (var item in items.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false)) yield return item;
                await running.ConfigureAwait(false);
            }
            finally
            {
                // The next call must not meet a run whose reader has left.
                await stop.CancelAsync().ConfigureAwait(false);
                await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        finally
        {
            gate.Release();
        }
    }
}
