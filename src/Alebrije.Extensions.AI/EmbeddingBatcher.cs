using System.Collections.Concurrent;
using System.Threading.Channels;
using Alebrije.Pipelines;

namespace Alebrije.Extensions.AI;

/// <summary>
/// Gathers the inputs of all callers into batches and embeds a few batches at a time, which share the threads of tensor operations. A
/// caller that gives up does not disturb the others, an input that cannot be embedded fails for its own caller alone, and disposal
/// finishes what was accepted.
/// </summary>
internal sealed class EmbeddingBatcher : IAsyncDisposable
{
    private const int QueuedBatches = 4;

    private readonly Func<IReadOnlyList<EmbeddingInput>, float[][]> embed;
    private readonly Func<int> lanes;
    private readonly int size;
    private readonly TimeSpan window;
    private readonly Channel<Item> queue;
    private readonly Task worker;
    private int batches, running;

    /// <param name="embed">Embeds a batch, rows in its order; called by as many threads at a time as there are lanes, and again one by one
    /// when it throws.</param>
    /// <param name="size">Inputs of a batch at most.</param>
    /// <param name="window">Time that the first of a batch waits for others.</param>
    /// <param name="lanes">Number of batches embedded side by side, 1 or more; called at the first batch. Null: one.</param>
    public EmbeddingBatcher(
        Func<IReadOnlyList<EmbeddingInput>, float[][]> embed, int size, TimeSpan window, Func<int>? lanes = null)
    {
        (this.embed, this.size, this.window, this.lanes) = (embed, size, window, lanes ?? (() => 1));
        queue = Channel.CreateBounded<Item>(new BoundedChannelOptions(size * QueuedBatches) { SingleReader = true });
        worker = Task.Run(WorkAsync);
    }

    /// <summary>Batches that were computed.</summary>
    public int Batches => Volatile.Read(ref batches);

    /// <summary>Batches that are being computed now.</summary>
    public int Running => Volatile.Read(ref running);

    /// <summary>Embeds inputs, in their order. No more than fit into the queue are in memory at once.</summary>
    /// <param name="count">Number of inputs.</param>
    /// <param name="read">Gives input i; what it throws fails the call.</param>
    /// <param name="cancellation">Gives up this call alone.</param>
    /// <exception cref="ObjectDisposedException">No more is accepted.</exception>
    public async Task<float[][]> EmbedAsync(int count, Func<int, EmbeddingInput> read, CancellationToken cancellation)
    {
        if (count == 0) return [];
        var call = new Call(count);
        await using var registration = cancellation.UnsafeRegister((_, token) => call.Cancel(token), null);
        try
        {
            for (var i = 0; i < count && !call.IsOver; i++)
                await queue.Writer.WriteAsync(new Item(call, i, read(i)), cancellation).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // What is queued of this call is passed over by the worker.
            if (e is OperationCanceledException) call.Cancel(cancellation);
            call.Fail(e is ChannelClosedException ? new ObjectDisposedException(nameof(ClipEmbeddingGenerator),
                "The embedding generator was disposed.") : e);
        }

        return await call.Rows.ConfigureAwait(false);
    }

    /// <summary>Accepts no more and waits until what was accepted is done.</summary>
    public async ValueTask DisposeAsync()
    {
        queue.Writer.TryComplete();
        await worker.ConfigureAwait(false);
    }

    private async Task WorkAsync()
    {
        if (!await queue.Reader.WaitToReadAsync().ConfigureAwait(false)) return;
        var count = Math.Max(1, lanes());
        using var free = new SemaphoreSlim(count);
        using var gathered = new BlockingCollection<List<Item>>();

        // Threads of their own: those of the pool answer callers, and a new thread for each batch costs a quarter of the speed.
        var threads = Enumerable.Range(0, count).Select(_ => Task.Factory.StartNew(() =>
        {
            foreach (var batch in gathered.GetConsumingEnumerable()) Run(batch, free);
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
        while (await queue.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            // Inputs gather while every lane is busy.
            await free.WaitAsync().ConfigureAwait(false);
            var batch = new List<Item>(size);
            await GatherAsync(batch).ConfigureAwait(false);
            batch.RemoveAll(item => item.Call.IsOver);
            if (batch.Count == 0) free.Release();
            else gathered.Add(batch);
        }

        gathered.CompleteAdding();
        await Task.WhenAll(threads).ConfigureAwait(false);
    }

    private void Run(List<Item> batch, SemaphoreSlim free)
    {
        Interlocked.Increment(ref running);
        try
        {
            Embed(batch);
        }
        finally
        {
            Interlocked.Decrement(ref running);
            free.Release();
        }
    }

    /// <summary>Takes what waits; while there is room, waits for more until the window closes.</summary>
    private async Task GatherAsync(List<Item> batch)
    {
        while (batch.Count < size && queue.Reader.TryRead(out var item)) batch.Add(item);
        if (window == TimeSpan.Zero || batch.Count == size) return;
        using var closing = new CancellationTokenSource(window);
        try
        {
            while (batch.Count < size && await queue.Reader.WaitToReadAsync(closing.Token).ConfigureAwait(false))
                while (batch.Count < size && queue.Reader.TryRead(out var item)) batch.Add(item);
        }
        catch (OperationCanceledException)
        {
            // The window closed.
        }
    }

    private void Embed(List<Item> batch)
    {
        Interlocked.Increment(ref batches);
        try
        {
            var rows = embed([.. batch.Select(item => item.Input)]);
            for (var i = 0; i < rows.Length; i++) batch[i].Call.Give(batch[i].Place, rows[i]);
        }
        catch (Exception e) when (batch.Count == 1)
        {
            batch[0].Call.Fail(e);
        }
        catch (Exception)
        {
            // Someone's input cannot be embedded: alone, each fails or succeeds for its own caller.
            foreach (var item in batch.Where(item => !item.Call.IsOver)) Embed([item]);
        }
    }

    private readonly record struct Item(Call Call, int Place, EmbeddingInput Input);

    /// <summary>Pending request of one caller.</summary>
    private sealed class Call(int count)
    {
        private readonly TaskCompletionSource<float[][]> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly float[][] rows = new float[count][];
        private int missing = count;

        public Task<float[][]> Rows => completion.Task;

        public bool IsOver => completion.Task.IsCompleted;

        public void Give(int place, float[] row)
        {
            rows[place] = row;
            if (Interlocked.Decrement(ref missing) == 0) completion.TrySetResult(rows);
        }

        public void Fail(Exception error) => completion.TrySetException(error);

        public void Cancel(CancellationToken token) => completion.TrySetCanceled(token);
    }
}
