using Alebrije.Tensors;
using Alebrije.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

public sealed class NoiseLevelsTests
{
    private const int Rows = 4000;

    public NoiseLevelsTests() => TorchRuntime.Initialize();

    [Fact]
    public void Draw_TakesTheNoisyShare_FromTheNoisyLevels()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var levels = NoiseLevels.Draw(Rows, 1000, 0.5, 700, generator);
        Assert.InRange(levels.min().ToInt64(), 0, 20);
        Assert.InRange(levels.max().ToInt64(), 980, 999);
        // Half of the rows, and three tenths of the other half.
        Assert.InRange(levels.ge(700).sum().ToInt64() / (double)Rows, 0.62, 0.68);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.75, 0.75)]
    [InlineData(1, 1)]
    public void Lower_ReplacesItsShare_ByLevelsBelowTheBound(double share, double expected)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var levels = NoiseLevels.Lower(full([Rows], 900, ScalarType.Int64), share, 200, generator);
        var low = levels.lt(200);
        Assert.InRange(low.sum().ToInt64() / (double)Rows, expected - 0.03, expected + 0.03);
        Assert.True(levels.masked_select(low.logical_not()).eq(900).all().ToBoolean());
        if (share > 0) Assert.InRange(levels.masked_select(low).to(ScalarType.Float64).mean().ToDouble(), 94, 105);
    }
}
