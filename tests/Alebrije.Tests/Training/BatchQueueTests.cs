using Alebrije.Training;

namespace Alebrije.Tests.Training;

public sealed class BatchQueueTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(41)]
    public void Batches_ComeInOrderFromTheFirst(long first)
    {
        using var queue = new BatchQueue<long>(i => i * i, first);
        for (var i = first; i < first + 20; i++) Assert.Equal(i * i, queue.Next());
    }

    [Fact]
    public void Fault_IsThrownAsItWas_AfterTheBatchesBeforeIt()
    {
        using var queue = new BatchQueue<long>(i => i < 2 ? i : throw new InvalidDataException("picture 2 is torn"), 0);
        Assert.Equal(0, queue.Next());
        Assert.Equal(1, queue.Next());
        Assert.Equal("picture 2 is torn", Assert.Throws<InvalidDataException>(() => queue.Next()).Message);
        Assert.Equal("picture 2 is torn", Assert.Throws<InvalidDataException>(() => queue.Next()).Message);
    }

    [Fact]
    public void Queue_MakesNoMoreThanMayWait()
    {
        var made = 0;
        using var waiting = new CountdownEvent(3);
        using (var queue = new BatchQueue<int>(i =>
        {
            Interlocked.Increment(ref made);
            if (!waiting.IsSet) waiting.Signal();
            return (int)i;
        }, 0, ahead: 2))
        {
            waiting.Wait(TestContext.Current.CancellationToken);
            Assert.InRange(made, 3, 3);                      // two that wait and one in the maker's hand
            Assert.Equal(0, queue.Next());
        }

        Assert.InRange(made, 3, 5);
    }

    [Fact]
    public void Dispose_WhileTheMakerIsBlocked_EndsItAndDropsWhatWaits()
    {
        var alive = 0;
        var queue = new BatchQueue<Batch>(_ => new Batch(() => Interlocked.Decrement(ref alive), Interlocked.Increment(ref alive)), 0);
        using (queue.Next()) { }
        queue.Dispose();
        Assert.InRange(alive, 0, 1);                         // the one in the maker's hand is nobody's
    }

    private sealed record Batch(Action OnDispose, int Number) : IDisposable
    {
        public void Dispose() => OnDispose();
    }
}
