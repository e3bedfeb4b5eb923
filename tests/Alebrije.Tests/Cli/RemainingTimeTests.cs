using Alebrije.Cli;

namespace Alebrije.Tests.Cli;

/// <summary>Remaining time with a clock set by the test.</summary>
public sealed class RemainingTimeTests
{
    [Fact]
    public void Left_IsTheTimeOfWhatIsMissing_AtTheSpeedSoFar()
    {
        var clock = new SetClock();
        var remaining = new RemainingTime(12, time: clock);
        Assert.Null(remaining.Left);
        Assert.Equal("", remaining.Sentence(new Words("en")));
        clock.Seconds = 30;
        remaining.Add(3);
        Assert.Equal(TimeSpan.FromSeconds(90), remaining.Left);
        Assert.Equal(", about 2 min left", remaining.Sentence(new Words("en")));
        remaining.Add(8);
        Assert.Equal(", quedan unos 3 s", remaining.Sentence(new Words("es")));
        remaining.Add(1);
        Assert.Equal("", remaining.Sentence(new Words("en")));
    }

    [Fact]
    public void Left_OfARunThatGoesOn_CountsItsOwnPiecesAlone()
    {
        var clock = new SetClock();
        var remaining = new RemainingTime(100, before: 90, clock);
        Assert.Null(remaining.Left);
        clock.Seconds = 10;
        remaining.Add(2);
        Assert.Equal(92, remaining.Done);
        Assert.Equal(TimeSpan.FromSeconds(40), remaining.Left);
    }

    private sealed class SetClock : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }
}
