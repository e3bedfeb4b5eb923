using System.Net.Sockets;
using Orleans.Runtime;
using Orleans.Storage;
using StackExchange.Redis;

namespace Alebrije.Cluster.Jobs;

/// <summary>Repeats calls that fail while a silo dies or the store is away. Only for calls that are harmless when repeated.</summary>
internal static class GrainCalls
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(100), Longest = TimeSpan.FromSeconds(2);

    /// <summary>Time after which the last error is thrown.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromMinutes(5);

    /// <summary>Time after which a search throws the last error: a person waits for it.</summary>
    public static TimeSpan SearchPatience { get; } = TimeSpan.FromMinutes(1);

    public static async Task<T> RepeatAsync<T>(Func<Task<T>> call, CancellationToken cancellation, TimeSpan? patience = null)
    {
        var (pause, end) = (First, DateTime.UtcNow + (patience ?? Patience));
        while (true)
        {
            try
            {
                return await call().WaitAsync(cancellation);
            }
            catch (Exception e) when (IsPassing(e) && DateTime.UtcNow < end)
            {
                await Task.Delay(pause, cancellation);
                pause = pause + pause < Longest ? pause + pause : Longest;
            }
        }
    }

    public static Task RepeatAsync(Func<Task> call, CancellationToken cancellation) => RepeatAsync(async () =>
    {
        await call();
        return true;
    }, cancellation);

    /// <summary>True for errors of the connections between silos and to the store.</summary>
    public static bool IsPassing(Exception e) => e is OrleansException or InconsistentStateException or TimeoutException
        or RedisException or SocketException or IOException or OrleansMessageRejectionException or ObjectDisposedException
        || (e is AggregateException all && all.InnerExceptions.Any(IsPassing)) || (e.InnerException is { } inner && IsPassing(inner));
}
