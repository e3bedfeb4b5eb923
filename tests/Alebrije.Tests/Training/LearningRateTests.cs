using Alebrije.Training;

namespace Alebrije.Tests.Training;

public sealed class LearningRateTests
{
    private static readonly LearningRate Rate = new(Peak: 2, WarmUp: 10, Total: 110, Floor: 0.1);

    [Theory]
    [InlineData(0, 0.2)]
    [InlineData(4, 1.0)]
    [InlineData(9, 2.0)]
    [InlineData(10, 2.0)]
    [InlineData(60, 1.1)]
    [InlineData(35, 2 * (0.1 + (0.9 * 0.85355339059)))]
    [InlineData(110, 0.2)]
    [InlineData(100_000, 0.2)]
    public void At_Step_IsWarmUpThenCosineThenFloor(long step, double expected) => Assert.Equal(expected, Rate.At(step), 1e-9);

    [Fact]
    public void At_WithoutWarmUp_StartsAtThePeak() => Assert.Equal(3, new LearningRate(3, 0, 100).At(0), 1e-12);

    [Fact]
    public void At_WarmUpAsLongAsTheRun_IsFiniteEverywhere()
    {
        var rate = new LearningRate(1, 5, 5);
        Assert.All(Enumerable.Range(0, 20), step => Assert.InRange(rate.At(step), 0, 1));
    }
}
