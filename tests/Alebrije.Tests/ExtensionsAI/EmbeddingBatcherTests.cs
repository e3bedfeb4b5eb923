using System.Collections.Concurrent;
using Alebrije.Extensions.AI;

namespace Alebrije.Tests.ExtensionsAI;

/// <summary>Many callers, and computations that the tests control.</summary>
public sealed class EmbeddingBatcherTests
{
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(1);

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Callers_AtOnce_ShareBatchesAndGetTheirOwnRows()
    {
        var gate = new TaskCompletionSource();
        var (running, most, sizes) = (0, 0, new ConcurrentQueue<int>());
        await using var batcher = new EmbeddingBatcher(
            batch =>
            {
                gate.Task.Wait(Now);
                most = Math.Max(most, Interlocked.Increment(ref running));
                sizes.Enqueue(batch.Count);
                var rows = batch.Select(Row).ToArray();
                Interlocked.Decrement(ref running);
                return rows;
            },
            8, Window);
        var calls = Enumerable.Range(0, 50).Select(i => Ask(batcher, [$"{i}", $"{i + 1000}", $"{i + 2000}"], Now)).ToArray();
        gate.SetResult();
        var rows = await Task.WhenAll(calls);

        for (var i = 0; i < rows.Length; i++) Assert.Equal([i, i + 1000, i + 2000], rows[i].Select(row => (int)row[0]));
        Assert.Equal(1, most);
        Assert.All(sizes, size => Assert.InRange(size, 1, 8));
        Assert.Equal(150, sizes.Sum());
        Assert.True(sizes.Count < 50, $"{sizes.Count} batches for 50 callers");
    }

    [Fact]
    public async Task Lanes_ComputeSideBySide_AndNoMoreThanThereAre()
    {
        using var both = new Barrier(2);
        var (running, most) = (0, 0);
        await using var batcher = new EmbeddingBatcher(
            batch =>
            {
                var now = Interlocked.Increment(ref running);
                lock (both) most = Math.Max(most, now);
                var met = both.SignalAndWait(TimeSpan.FromSeconds(60), Now);
                Interlocked.Decrement(ref running);
                return met ? [.. batch.Select(Row)] : throw new TimeoutException("no second batch");
            },
            2, TimeSpan.Zero, () => 2);
        var rows = await batcher.EmbedAsync(8, i => EmbeddingInput.OfText($"{i}", i), Now);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7], rows.Select(row => (int)row[0]));
        Assert.Equal(2, most);
        Assert.Equal(4, batcher.Batches);
    }

    [Fact]
    public async Task BadInput_FailsItsCallerAlone()
    {
        await using var batcher = new EmbeddingBatcher(
            batch => batch.Any(input => input.Text == "bad") ? throw new FormatException("bad") : [.. batch.Select(Row)],
            8, TimeSpan.FromMilliseconds(50));
        var (good, bad, other) = (Ask(batcher, ["1", "2"], Now), Ask(batcher, ["3", "bad", "4"], Now), Ask(batcher, ["5"], Now));
        Assert.Equal("bad", (await Assert.ThrowsAsync<FormatException>(() => bad)).Message);
        Assert.Equal([1, 2], (await good).Select(row => (int)row[0]));
        Assert.Equal([5], (await other).Select(row => (int)row[0]));
    }

    [Fact]
    public async Task Cancellation_OfOneCaller_LeavesTheOthers()
    {
        var (gate, started, seen) = (new TaskCompletionSource(), new TaskCompletionSource(), new ConcurrentQueue<string>());
        await using var batcher = new EmbeddingBatcher(
            batch =>
            {
                started.TrySetResult();
                gate.Task.Wait(Now);
                foreach (var input in batch) seen.Enqueue(input.Text!);
                return [.. batch.Select(Row)];
            },
            2, TimeSpan.Zero);
        using var cancelled = new CancellationTokenSource();
        var first = Ask(batcher, ["1"], Now);
        await started.Task;
        var (gone, last) = (Ask(batcher, ["2", "3", "4"], cancelled.Token), Ask(batcher, ["5"], Now));
        await cancelled.CancelAsync();
        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        Assert.Equal(cancelled.Token, error.CancellationToken);
        gate.SetResult();
        Assert.Equal(1, (int)(await first)[0][0]);
        Assert.Equal(5, (int)(await last)[0][0]);
        Assert.Equal(["1", "5"], seen);
    }

    [Fact]
    public async Task Cancelled_BeforeItBegins_IsNeverComputed()
    {
        var computed = 0;
        await using var batcher = new EmbeddingBatcher(batch => [.. batch.Select(input => { computed++; return Row(input); })], 4, Window);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Ask(batcher, ["1"], new CancellationToken(canceled: true)));
        Assert.Empty(await Ask(batcher, [], Now));
        Assert.Equal(0, computed);
    }

    [Fact]
    public async Task Disposal_FinishesWhatWasAccepted_AndTakesNoMore()
    {
        var (gate, started) = (new TaskCompletionSource(), new TaskCompletionSource());
        var batcher = new EmbeddingBatcher(
            batch =>
            {
                started.TrySetResult();
                gate.Task.Wait(Now);
                return [.. batch.Select(Row)];
            },
            2, TimeSpan.Zero);
        var accepted = Enumerable.Range(0, 6).Select(i => Ask(batcher, [$"{i}"], Now)).ToArray();
        await started.Task;
        var disposal = batcher.DisposeAsync().AsTask();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => Ask(batcher, ["late"], Now));
        Assert.False(disposal.IsCompleted);
        gate.SetResult();
        await disposal;
        Assert.Equal([0, 1, 2, 3, 4, 5], (await Task.WhenAll(accepted)).Select(rows => (int)rows[0][0]));
        await batcher.DisposeAsync();
    }

    [Fact]
    public async Task Reading_ThatFails_FailsItsCallerAndKeepsTheQueueGoing()
    {
        await using var batcher = new EmbeddingBatcher(batch => [.. batch.Select(Row)], 4, Window);
        await Assert.ThrowsAsync<FormatException>(() =>
            batcher.EmbedAsync(9, i => i == 5 ? throw new FormatException() : EmbeddingInput.OfText($"{i}", i), Now));
        Assert.Equal(7, (int)(await Ask(batcher, ["7"], Now))[0][0]);
    }

    private static Task<float[][]> Ask(EmbeddingBatcher batcher, string[] texts, CancellationToken cancellation) =>
        batcher.EmbedAsync(texts.Length, i => EmbeddingInput.OfText(texts[i], i), cancellation);

    private static float[] Row(EmbeddingInput input) => [float.Parse(input.Text!, System.Globalization.CultureInfo.InvariantCulture)];
}
