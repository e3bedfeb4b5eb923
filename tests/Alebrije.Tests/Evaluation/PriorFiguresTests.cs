using Alebrije.Evaluation;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Evaluation;

/// <summary>The figures of a prior on synthetic embeddings: two separate clouds of unit length.</summary>
public sealed class PriorFiguresTests
{
    private const int Count = 120, Width = 16;
    private readonly float[][] images, texts;

    public PriorFiguresTests()
    {
        TorchRuntime.Initialize();
        using var scope = NewDisposeScope();
        using var noise = new Noise(11);
        var content = noise.Randn(Count, Width) * 0.5;
        var side = zeros(1, Width);
        side[0, 0] = 2;
        (images, texts) = (JointSpace.Rows(content + side), JointSpace.Rows(content - side + (0.05 * noise.Randn(Count, Width))));
    }

    [Fact]
    public void Figures_OfTheTrueEmbeddings_AreAllOne()
    {
        var group = PriorEvaluation.Figures(images, images, texts, 1);
        Assert.Equal(["cosine", "retrieval_r1", "gap_closed", "energy_distance"], group.Figures.Keys);
        Assert.All(group.Figures, figure => Assert.Equal(figure.Key == "energy_distance" ? 0 : 1, figure.Value.Value, 1e-6));
        Assert.All(group.Figures.Values,
            figure => Assert.True(figure.Low <= figure.Value && figure.Value <= figure.High && figure.Count >= 100));
    }

    [Fact]
    public void GapClosed_OfTheTexts_IsNothing() =>
        Assert.Equal(0, PriorEvaluation.Figures(texts, images, texts, 1).Figures["gap_closed"].Value, 1e-9);

    [Fact]
    public void GapClosed_HalfWay_IsAHalf()
    {
        var between = images.Zip(texts, (image, text) => image.Zip(text, (a, b) => (a + b) / 2).ToArray()).ToArray();
        Assert.Equal(0.5, PriorEvaluation.Figures(between, images, texts, 1).Figures["gap_closed"].Value, 1e-6);
    }

    [Fact]
    public void EnergyDistance_SeesMeansThatCosinesPrefer()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(5);
        var (concept, first, second) = (noise.Randn(Count, Width), noise.Randn(Count, Width), noise.Randn(Count, Width));
        concept[TensorIndex.Colon, 0] += 6;
        var (truth, drawn, means) = (JointSpace.Rows(concept + first), JointSpace.Rows(concept + second), JointSpace.Rows(concept));
        Assert.True(PriorEvaluation.Cosine(means, truth).Value > PriorEvaluation.Cosine(drawn, truth).Value);
        var (same, apart) = (EnergyDistance.Between(drawn, truth, 1), EnergyDistance.Between(means, truth, 1));
        Assert.InRange(same.Value, -0.01, 0.01);
        Assert.True(same.High < apart.Low, $"{same} and {apart}");

        // By hand: two points a quarter of a circle apart against two others at the same point.
        float[][] ends = [[1, 0], [0, 1]], middle = [[0.70710678f, 0.70710678f], [0.70710678f, 0.70710678f]];
        Assert.Equal(2 * 0.76536686 - Math.Sqrt(2), EnergyDistance.Between(ends, middle, 1).Value, 1e-6);
    }

    [Fact]
    public void Figures_OfOneOutputForAll_FindOneOfAHundred()
    {
        var group = PriorEvaluation.Figures([.. images.Select(_ => images[0])], images, texts, 1);
        Assert.InRange(group.Figures["retrieval_r1"].Value, 0, 0.01);
        Assert.InRange(group.Figures["cosine"].Value, 0.3, 0.99);
    }

    [Fact]
    public void Figures_OfOthersEmbeddings_FindHardlyAnyThoughTheGapIsClosed()
    {
        var group = PriorEvaluation.Figures([.. images.Skip(1), images[0]], images, texts, 1);
        // If the image of an output is not among the hundred, the right one may be nearest by chance.
        Assert.InRange(group.Figures["retrieval_r1"].Value, 0, 0.03);
        Assert.Equal(1, group.Figures["gap_closed"].Value, 1e-6);
    }

    [Fact]
    public void Nearest_OfKnownTexts_AreTheirImages()
    {
        var nearest = PriorEvaluation.Nearest([texts[7], texts[3]], texts, images);
        Assert.Same(images[7], nearest[0]);
        Assert.Same(images[3], nearest[1]);
    }
}
