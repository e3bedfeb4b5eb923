using Alebrije.Models.Clip;
using Alebrije.Pipelines.Experiments;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines.Experiments;

public sealed class EmbeddingPathsTests
{
    public EmbeddingPathsTests() => TorchRuntime.Initialize();

    [Fact]
    public void Slerp_HasBothEnds_AndGoesAlongTheGreatCircleAtOneSpeed()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(1);
        var (a, b) = (2 * noise.Randn(1, 8), 5 * noise.Randn(1, 8));
        Near(a, EmbeddingPaths.Slerp(a, b, 0));
        Near(b, EmbeddingPaths.Slerp(a, b, 1));
        var whole = Math.Acos(ClipNetwork.Cosine(a, b));
        foreach (var share in new[] { 0.1, 0.5, 0.8 })
        {
            var between = EmbeddingPaths.Slerp(a, b, share);
            Assert.Equal(share * whole, Math.Acos(ClipNetwork.Cosine(a, between)), 1e-3);
            Assert.Equal((1 - share) * whole, Math.Acos(ClipNetwork.Cosine(between, b)), 1e-3);
            Assert.Equal((1 - share) * Length(a) + share * Length(b), Length(between), 1e-3);
        }
    }

    [Fact]
    public void Slerp_BetweenTwoRightAngles_IsTheirDiagonal()
    {
        using var scope = NewDisposeScope();
        Near(tensor(new float[,] { { 0.70710678f, 0.70710678f, 0 } }),
            EmbeddingPaths.Slerp(tensor(new float[,] { { 1, 0, 0 } }), tensor(new float[,] { { 0, 1, 0 } }), 0.5));
        // Rows by themselves.
        var rows = EmbeddingPaths.Slerp(tensor(new float[,] { { 1, 0 }, { 0, 2 } }), tensor(new float[,] { { 0, 3 }, { 0, 4 } }), 0.5);
        Near(tensor(new float[,] { { 1.41421356f, 1.41421356f }, { 0, 3 } }), rows);
    }

    [Fact]
    public void Slerp_OfOneDirection_IsTheStraightLine_OfOppositeOnes_IsRefused()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new float[,] { { 1, 2, 2 } });
        Near(2 * a, EmbeddingPaths.Slerp(a, 3 * a, 0.5));
        Near(a, EmbeddingPaths.Slerp(a, a, 0.3));
        var message = Assert.Throws<ArgumentException>(() => EmbeddingPaths.Slerp(a, -a, 0.5)).Message;
        Assert.Contains("opposite directions", message, StringComparison.Ordinal);
        // Slightly off the opposite, the path is well defined.
        var almost = -a + tensor(new float[,] { { 0.1f, 0, 0 } });
        Assert.Equal(3, Length(EmbeddingPaths.Slerp(a, almost, 0.5)), 0.1);
    }

    [Fact]
    public void Lerp_IsTheWeightedSum()
    {
        using var scope = NewDisposeScope();
        Near(tensor(new float[,] { { 3, 0.5f } }),
            EmbeddingPaths.Lerp(tensor(new float[,] { { 4, 0 } }), tensor(new float[,] { { 0, 2 } }), 0.25));
    }

    [Fact]
    public void Mix_IsTheWeightedDirectionAtTheWeightedLength_WhateverTheWeightsSumTo()
    {
        using var scope = NewDisposeScope();
        var parts = tensor(new float[,] { { 3, 0 }, { 0, 1 } });
        var mixed = EmbeddingPaths.Mix(parts, [1, 3]);
        // The sum is (0.75, 0.75), the length 0.25 * 3 + 0.75 * 1.
        Near(tensor(new float[,] { { 1.06066f, 1.06066f } }), mixed);
        Near(mixed, EmbeddingPaths.Mix(parts, [10, 30]));
        Near(parts[..1], EmbeddingPaths.Mix(parts, [5, 0]));
        // A negative weight leads away; lengths count by its size: (2, 0) - (0, 1), length (2 * 3 + 1 * 1) / 3.
        var away = EmbeddingPaths.Mix(parts, [2, -1]);
        Assert.True(away[0, 0].item<float>() > 0 && away[0, 1].item<float>() < 0);
        Assert.Equal(7.0 / 3, Length(away), 1e-4);
    }

    [Fact]
    public void TextDifference_KeepsTheLength_AndTurnsTowardsWhatIsWanted()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(2);
        var (image, from, to) = (4 * noise.Randn(1, 16), noise.Randn(1, 16), 3 * noise.Randn(1, 16));
        var difference = ClipNetwork.Unit(to) - ClipNetwork.Unit(from);
        Near(image, EmbeddingPaths.TextDifference(image, from, to, 0));
        var last = ClipNetwork.Cosine(image, difference);
        foreach (var share in new[] { 0.25, 0.5, 1 })
        {
            var turned = EmbeddingPaths.TextDifference(image, from, to, share);
            Assert.Equal(Length(image), Length(turned), 1e-3);
            Assert.True(ClipNetwork.Cosine(turned, difference) > last);
            last = ClipNetwork.Cosine(turned, difference);
        }

        Assert.Equal(1, last, 1e-5);
    }

    [Fact]
    public void TextDifference_OfTextsWithOneEmbedding_IsRefused()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(2);
        var (image, text) = (noise.Randn(1, 16), noise.Randn(1, 16));
        Assert.Contains("two texts have the same embedding", Assert.Throws<ArgumentException>(() =>
            EmbeddingPaths.TextDifference(image, text, 2 * text, 0.5)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Basis_RebuildsWholly_AndItsVarianceFallsToTheRows()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(3);
        var rows = noise.Randn(20, 6) * tensor(new float[] { 5, 4, 3, 2, 1, 0.5f }) + 7;
        var basis = EmbeddingBasis.Fit(rows);
        Assert.Equal(6, basis.Count);
        Near(eye(6), basis.Components.mm(basis.Components.t()));
        var variance = basis.Variance.data<float>().ToArray();
        Assert.Equal(variance.OrderDescending(), variance);
        Assert.Equal(rows.var(0).sum().ToDouble(), variance.Sum(), 1e-2);
        Assert.Equal((0, 1.0), (basis.Share(0), Math.Round(basis.Share(6), 6)));
        var embedding = noise.Randn(1, 6);
        Near(embedding, basis.Rebuild(embedding, 6), 1e-4f);
        Near(basis.Mean, basis.Rebuild(embedding, 0));
        var errors = Enumerable.Range(0, 7).Select(n => (basis.Rebuild(embedding, n) - embedding).norm().ToDouble()).ToArray();
        Assert.All(Enumerable.Range(1, 6), n => Assert.True(errors[n] <= errors[n - 1] + 1e-6 && basis.Share(n) > basis.Share(n - 1)));
    }

    [Fact]
    public void Basis_OfFewRows_HasOneDirectionFewer_AndOfOneRowNone()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(3);
        var rows = noise.Randn(3, 6);
        var basis = EmbeddingBasis.Fit(rows);
        Assert.Equal(2, basis.Count);
        Near(rows[..1], basis.Rebuild(rows[..1], 2), 1e-4f);
        Assert.Contains("1 images have no directions", Assert.Throws<ArgumentException>(() => EmbeddingBasis.Fit(rows[..1])).Message,
            StringComparison.Ordinal);
    }

    private static double Length(Tensor embedding) => embedding.norm().ToDouble();

    private static void Near(Tensor expected, Tensor actual, float by = 1e-5f)
    {
        Assert.Equal(expected.shape, actual.shape);
        Assert.InRange((expected - actual).abs().max().item<float>(), 0, by * Math.Max(1, expected.abs().max().item<float>()));
    }
}
