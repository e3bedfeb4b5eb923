using System.Threading.Channels;
using Alebrije.Pipelines;

namespace Alebrije.Extensions.AI;

/// <summary>
/// Gathers the inputs of all callers into batches and embeds one batch at a time. A caller that gives up does not disturb the others, an
/// input that cannot be embedded fails for its own caller alone, and disposal finishes what was accepted.
/// </summary>
internal sealed class EmbeddingBatcher : IAsyncDisposable
{
    private const int QueuedBatches = 4;

    private readonly Func<IReadOnlyList<EmbeddingInput>, float[][]> embed;
    private readonly int size;
    private readonly TimeSpan window;
    private readonly Channel<Item> queue;
    private readonly Task worker;

    /// <param name="embed">Embeds a batch, rows in its order; called by one thread at a time, and again one by one when it throws.</param>
    /// <param name="size">Inputs of a batch at most.</param>
    /// <param name="window">Time that the first of a batch waits for others.</param>
    public EmbeddingBatcher(Func<IReadOnlyList<EmbeddingInput>, float[][]> embed, int size, TimeSpan window)
    {
        (this.embed, this.size, this.window) = (embed, size, window);
        queue = Channel.CreateBounded<Item>(new BoundedChannelOptions(size * QueuedBatches) { SingleReader = true });
        worker = Task.Run(WorkAsync);
    }

    /// <summary>Batches that were computed.</summary>
    public int Batches { get; private set; }

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
        var batch = new List<Item>(size);
        while (await queue.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            await GatherAsync(batch).ConfigureAwait(false);
            batch.RemoveAll(item => item.Call.IsOver);
            if (batch.Count > 0) Embed(batch);
            batch.Clear();
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
        Batches++;
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
            if (--missing == 0) completion.TrySetResult(rows);
        }

        public void Fail(Exception error) => completion.TrySetException(error);

        public void Cancel(CancellationToken token) => completion.TrySetCanceled(token);
    }
}
