using Alebrije.Embeddings;

namespace Alebrije.Tests.Embeddings;

public sealed class ZeroShotTests
{
    [Fact]
    public void Softmax_HandCase_MatchesAndSumsToOne()
    {
        var p = ZeroShot.Softmax([0.30, 0.28, 0.25]);
        var sum = 1 + Math.Exp(-2) + Math.Exp(-5);
        Assert.Equal(1 / sum, p[0], 12);
        Assert.Equal(Math.Exp(-2) / sum, p[1], 12);
        Assert.Equal(1, p.Sum(), 14);
    }

    [Fact]
    public void Softmax_HugeScale_StaysFinite()
    {
        var p = ZeroShot.Softmax([1, -1, 1], 1e6);
        Assert.Equal([0.5, 0, 0.5], p);
    }

    [Fact]
    public void TopK_Ties_KeepTheOrderGiven() => Assert.Equal([2, 0, 1], ZeroShot.TopK([0.5, 0.5, 0.9, 0.1], 3));

    [Fact]
    public void TopAccuracy_CountsTiesAgainstTheModel()
    {
        double[][] scores = [[0.9, 0.1, 0.2], [0.5, 0.5, 0.1], [0.1, 0.2, 0.3]];
        Assert.Equal(1.0 / 3, ZeroShot.TopAccuracy(scores, [0, 0, 0]).Value, 12);
        Assert.Equal(2.0 / 3, ZeroShot.TopAccuracy(scores, [0, 0, 0], 2).Value, 12);
        Assert.Equal(0, ZeroShot.TopAccuracy([[1.0, 1.0, 1.0]], [1]).Value);
        Assert.Equal(0, ZeroShot.TopAccuracy([[double.NaN, 0.1]], [0]).Value);
    }

    [Fact]
    public void Proportion_WilsonInterval_MatchesPublishedValues()
    {
        // Newcombe (1998), table I, score method: 81/263 -> 0.2553 to 0.3662; 0/20 -> 0 to 0.1611; 1/29 -> 0.0061 to 0.1718.
        var a = Figure.Proportion(81, 263);
        Assert.Equal(0.2553, a.Low, 4);
        Assert.Equal(0.3662, a.High, 4);
        Assert.Equal(0.1611, Figure.Proportion(0, 20).High, 4);
        Assert.Equal(0, Figure.Proportion(0, 20).Low);
        Assert.Equal(0.0061, Figure.Proportion(1, 29).Low, 4);
        Assert.Equal(0.1718, Figure.Proportion(1, 29).High, 4);
        Assert.Equal(1, Figure.Proportion(7, 7).High);
        Assert.Equal(new Figure(0.5, 2, Figure.Proportion(1, 2).Low, Figure.Proportion(1, 2).High), Figure.Proportion([true, false]));
    }

    [Fact]
    public void Mean_HandCase_HasItsStandardError()
    {
        var figure = Figure.Mean([1, 2, 3, 4]);
        Assert.Equal(2.5, figure.Value, 12);
        Assert.Equal(2.5 - 1.959964 * Math.Sqrt(5.0 / 3 / 4), figure.Low, 6);
        Assert.Equal(figure.High - figure.Value, figure.Value - figure.Low, 12);
    }

    [Fact]
    public void Bootstrap_OfAMean_AgreesWithTheNormalInterval()
    {
        var values = Samples.Rows(1, 400, 3)[0].Select(x => (double)x).ToArray();
        var normal = Figure.Mean(values);
        var bootstrap = Figure.Bootstrap(values.Length, indices => indices.Average(i => values[i]), seed: 5, resamples: 4000);
        Assert.Equal(normal.Value, bootstrap.Value, 12);
        Assert.Equal(normal.Low, bootstrap.Low, 0.012);
        Assert.Equal(normal.High, bootstrap.High, 0.012);
        Assert.Equal(bootstrap, Figure.Bootstrap(values.Length, indices => indices.Average(i => values[i]), seed: 5, resamples: 4000));
    }

    [Fact]
    public void RecallAt1_PerfectPairs_IsOneAndShiftedPairsZero()
    {
        var rows = Samples.Rows(60, 32, 1);
        Assert.Equal(1, Retrieval.RecallAt1(rows, rows, among: 20, draws: 3).Value);
        float[][] shifted = [.. rows.Skip(1), rows[0]];
        Assert.Equal(0, Retrieval.RecallAt1(rows, shifted, among: 60, draws: 1).Value);
    }

    [Fact]
    public void RecallAt1_UnrelatedPairs_IsNearChanceAndReproducible()
    {
        var (queries, candidates) = (Samples.Rows(1000, 16, 1), Samples.Rows(1000, 16, 2));
        var figure = Retrieval.RecallAt1(queries, candidates, among: 10, draws: 100, seed: 4);
        Assert.InRange(figure.Value, 0.07, 0.13);
        Assert.Equal(1000, figure.Count);
        Assert.Equal(figure, Retrieval.RecallAt1(queries, candidates, among: 10, draws: 100, seed: 4));
        Assert.NotEqual(figure.Value, Retrieval.RecallAt1(queries, candidates, among: 10, draws: 100, seed: 9).Value);
    }

    [Fact]
    public void RecallAt1_EqualEmbeddings_AreNoSuccess()
    {
        float[][] same = [[1, 0], [1, 0], [1, 0]];
        Assert.Equal(0, Retrieval.RecallAt1(same, same, among: 3, draws: 2).Value);
        Assert.Throws<ArgumentOutOfRangeException>(() => Retrieval.RecallAt1(same, same, among: 4));
    }

    [Fact]
    public void ModalityGap_HandCase_IsTheDistanceOfTheMeans()
    {
        float[][] images = [[1, 0], [0, 1], [1, 1]];
        float[][] texts = [[-1, 0], [0, -1]];
        var gap = ModalityGap.Between(images, texts);
        Assert.Equal(Math.Sqrt(2) * (2.0 / 3 + 0.5), gap.Value, 12);
        Assert.True(gap.Low <= gap.Value && gap.Value <= gap.High);
        Assert.Equal(0, ModalityGap.Closed(texts, images, texts), 12);
        Assert.Equal(1, ModalityGap.Closed(images, images, texts), 12);
        Assert.Equal(0.5, ModalityGap.Closed([[1f / 12, 1f / 12]], images, texts), 6);
        Assert.Throws<ArgumentException>(() => ModalityGap.Closed(texts, images, images));
    }
}
