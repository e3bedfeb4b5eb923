using Alebrije.Models.Guesses;
using Alebrije.Tensors;
using Alebrije.Tests.Training;
using Alebrije.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

public sealed class FirstGuessModelTests
{
    public FirstGuessModelTests() => TorchRuntime.Initialize();

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Forward_GivesLatents_ThatDependOnEmbeddingAndOnEveryToken(int slots)
    {
        using var scope = NewDisposeScope();
        using var network = FirstGuessModel.Create(TinyParts.Guess with { Slots = slots, SlotWidth = 32 });
        SeededInit.Apply(network, 1);
        using var noise = new Noise(2);
        var (condition, text) = (noise.Randn(2, 2 * TinyParts.Features), noise.Randn(2, TinyParts.Tokens, TinyParts.Features));
        var latents = network.call(condition, text);
        Assert.Equal([2L, TinyParts.Latents, 16, 16], latents.shape);

        var other = text.clone();
        other[0, 3] += 1;
        var changed = network.call(condition, other);
        Assert.True((changed[0] - latents[0]).abs().max().ToDouble() > 1e-4);
        Assert.True((changed[1] - latents[1]).abs().max().ToDouble() < 1e-6);
        Assert.True((network.call(zeros_like(condition), text) - latents).abs().max().ToDouble() > 1e-3);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Training_OnFourScenes_LearnsThemByHeart(int slots)
    {
        using var scope = NewDisposeScope();
        using var network = FirstGuessModel.Create(TinyParts.Guess with { Slots = slots, SlotWidth = 32 });
        SeededInit.Apply(network, 1);
        using var noise = new Noise(2);
        var (condition, text) = (noise.Randn(4, 2 * TinyParts.Features), noise.Randn(4, TinyParts.Tokens, TinyParts.Features));
        var target = noise.Randn(4, TinyParts.Latents, 4, 4).repeat_interleave(4, 2).repeat_interleave(4, 3);
        using var optimizer = new Optimizer(network.named_parameters(),
            new OptimizerConstants { Method = OptimizerMethod.Muon, Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = 0 });
        var loss = 1.0;
        for (var step = 0; step < 200 && loss > 0.02; step++)
        {
            using var inner = NewDisposeScope();
            var error = (network.call(condition, text) - target).square().mean();
            error.backward();
            optimizer.Step(0.01);
            loss = error.ToDouble();
        }

        Assert.InRange(loss, 0, 0.05);
    }

    [Theory]
    [InlineData(2, 12, 8)]
    [InlineData(3, 16, 8)]
    [InlineData(2, 16, 5)]
    public void Sizes_ThatDoNotFit_AreRefused(int patch, int side, int head) =>
        Assert.Throws<ArgumentException>(() => FirstGuessModel.Create(
            TinyParts.Guess with { PatchSize = patch, SampleSize = side, AttentionHeadDim = head, BlockOutChannels = [16, 16, 8] }));

    [Theory]
    [InlineData(65, 32, 8)]
    [InlineData(2, 0, 8)]
    [InlineData(2, 32, 5)]
    public void Slots_ThatDoNotFit_AreRefused(int slots, int width, int head) =>
        Assert.Throws<ArgumentException>(() => FirstGuessModel.Create(
            TinyParts.Guess with { Slots = slots, SlotWidth = width, AttentionHeadDim = head }));

    [Fact]
    public void Slots_AreMixedByTheSoftmaxOfTheirMasks()
    {
        using var scope = NewDisposeScope();
        var config = TinyParts.Guess with { Slots = 2, SlotWidth = 32 };
        using var network = FirstGuessModel.Create(config);
        SeededInit.Apply(network, 1);
        using var noise = new Noise(2);
        var (condition, text) = (noise.Randn(1, 2 * TinyParts.Features), noise.Randn(1, TinyParts.Tokens, TinyParts.Features));

        // A last layer of its bias alone renders the same in all slots: whatever the masks are, the mixture is that bias.
        var (weights, last) = (network.state_dict(), config.OutChannels * config.SampleSize * config.SampleSize);
        using (no_grad()) weights["proj_out.weight"].zero_();
        var expected = weights["proj_out.bias"][..last].reshape(1, config.OutChannels, config.SampleSize, config.SampleSize);
        Assert.True((network.call(condition, text) - expected).abs().max().ToDouble() < 1e-6);
    }
}
