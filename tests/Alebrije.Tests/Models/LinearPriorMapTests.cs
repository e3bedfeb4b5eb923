using Alebrije.Models.Priors;
using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

public sealed class LinearPriorMapTests
{
    public LinearPriorMapTests() => TorchRuntime.Initialize();

    [Theory]
    [InlineData(0)]
    [InlineData(1e-3)]
    [InlineData(0.5)]
    public void Fit_SolvesTheNormalEquations(double ridge)
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(2);
        var (texts, images) = (noise.Randn(50, 5) + 3, noise.Randn(50, 4) - 1);
        using var map = new LinearPriorMap(new LinearPriorConfig { EmbeddingDim = 4, EmbeddingProjDim = 5 });
        map.Fit(texts, images, ridge);
        using var guard = no_grad();
        var (weight, bias) = (map.state_dict()["map.weight"].@double(), map.state_dict()["map.bias"].@double());
        var (x, y) = (texts.@double() - texts.@double().mean([0]), images.@double() - images.@double().mean([0]));

        // The gradient of the penalised error is zero: Xᵀ(XW - Y) + λ W, and the bias maps mean to mean.
        var penalty = ridge * x.square().mean().item<double>() * 50;
        var gradient = x.t().mm(x.mm(weight.t()) - y) + (penalty * weight.t());
        Assert.InRange(gradient.abs().max().item<double>(), 0, 1e-4);
        Assert.True(map.call(texts.mean([0]).unsqueeze(0)).allclose(images.mean([0]).unsqueeze(0), atol: 1e-5));
        Assert.Equal(weight.shape[0], bias.shape[0]);
    }

    [Fact]
    public void Fit_OfAMapWithoutNoise_FindsIt()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var noise = new Noise(3);
        var (texts, weight) = (noise.Randn(40, 6), noise.Randn(3, 6));
        using var map = new LinearPriorMap(new LinearPriorConfig { EmbeddingDim = 3, EmbeddingProjDim = 6 });
        map.Fit(texts, texts.mm(weight.t()) + 2, ridge: 0);
        Assert.True(map.state_dict()["map.weight"].allclose(weight, atol: 1e-4));
        Assert.True(map.state_dict()["map.bias"].allclose(full([3], 2, ScalarType.Float32), atol: 1e-4));
    }
}
