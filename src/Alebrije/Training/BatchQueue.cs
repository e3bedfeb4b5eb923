using System.Runtime.ExceptionServices;
using System.Threading.Channels;

namespace Alebrije.Training;

/// <summary>Batches of a run in order.</summary>
/// <typeparam name="T">One batch.</typeparam>
internal interface IBatches<out T> : IDisposable
{
    /// <summary>The next batch.</summary>
    T Next();
}

/// <summary>
/// Makes batches ahead of the training loop on one thread. Batch i depends only on i, so a resumed run gets the same batches.
/// </summary>
/// <typeparam name="T">One batch.</typeparam>
internal sealed class BatchQueue<T> : IBatches<T>
{
    private readonly Channel<T> channel;
    private readonly CancellationTokenSource stop = new();
    private readonly Task producer;

    /// <param name="make">Makes batch i.</param>
    /// <param name="first">Number of the first batch.</param>
    /// <param name="ahead">Batches that may wait.</param>
    public BatchQueue(Func<long, T> make, long first, int ahead = 3)
    {
        channel = Channel.CreateBounded<T>(ahead);
        producer = Task.Factory.StartNew(() => Produce(make, first),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Returns the next batch, in order; rethrows an exception of the producer unchanged.</summary>
    public T Next()
    {
        try
        {
            return channel.Reader.ReadAsync().AsTask().GetAwaiter().GetResult();
        }
        catch (ChannelClosedException e) when (e.InnerException is { } fault)
        {
            ExceptionDispatchInfo.Throw(fault);
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        stop.Cancel();
        while (!producer.IsCompleted)
            if (channel.Reader.TryRead(out var dropped)) (dropped as IDisposable)?.Dispose();
            else producer.Wait(TimeSpan.FromMilliseconds(20));
        while (channel.Reader.TryRead(out var dropped)) (dropped as IDisposable)?.Dispose();
        stop.Dispose();
    }

    private void Produce(Func<long, T> make, long first)
    {
        try
        {
            for (var i = first; !stop.IsCancellationRequested; i++)
                channel.Writer.WriteAsync(make(i), stop.Token).AsTask().GetAwaiter().GetResult();
            channel.Writer.Complete();
        }
        catch (OperationCanceledException)
        {
            channel.Writer.Complete();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            channel.Writer.Complete(e);
        }
    }
}
