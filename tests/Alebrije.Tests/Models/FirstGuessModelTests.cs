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

    [Fact]
    public void Forward_GivesLatents_ThatDependOnEmbeddingAndOnEveryToken()
    {
        using var scope = NewDisposeScope();
        using var network = new FirstGuessModel(TinyParts.Guess);
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
    [InlineData(5, 32, 8, 4)]
    [InlineData(2, 0, 8, 4)]
    [InlineData(2, 32, 5, 4)]
    [InlineData(2, 32, 8, 0)]
    [InlineData(2, 32, 8, 2049)]
    public void Slots_ThatDoNotFit_AreRefused(int slots, int width, int head, int concepts) =>
        Assert.Throws<ArgumentException>(() => new FirstGuessModel(
            TinyParts.Guess with { Slots = slots, SlotWidth = width, AttentionHeadDim = head, SlotConcepts = concepts }));

    [Fact]
    public void Slots_ReadAndDrawScenes_ThatTheyHaveLearnt()
    {
        using var scope = NewDisposeScope();
        using var network = new FirstGuessModel(TinyParts.Guess);
        SeededInit.Apply(network, 1);
        using var noise = new Noise(2);
        var (condition, text) = (noise.Randn(4, 2 * TinyParts.Features), noise.Randn(4, TinyParts.Tokens, TinyParts.Features));
        // One object each, then two beside each other: a concept is a constant, the background zero.
        var objects = tensor(new float[]
        {
            0, 0, 0.5f, 1, 1, 0, 0, 0, 0, 0,
            0, 0, 0.5f, 1, 2, 0, 0, 0, 0, 0,
            -0.5f, 0, 0.5f, 1, 1, 0.5f, 0, 0.5f, 1, 2,
            -0.5f, 0, 0.5f, 1, 2, 0.5f, 0, 0.5f, 1, 1,
        }, [4, 2, FirstGuessModel.ObjectNumbers]);
        var ordered = tensor(new[] { true, true, true, false });
        var target = zeros(4, TinyParts.Latents, 16, 16);
        Fill(0, 4, 1);
        Fill(1, 4, -1);
        Fill(2, 0, 1);
        Fill(2, 8, -1);
        Fill(3, 0, -1);
        Fill(3, 8, 1);
        using var optimizer = new Optimizer(network.named_parameters(),
            new OptimizerConstants { Method = OptimizerMethod.Muon, Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = 0 });
        const int steps = 300;
        for (var step = 0; step < steps; step++)
        {
            using var inner = NewDisposeScope();
            var errors = network.Errors((condition, text), target, objects, ordered);
            errors.Total.backward();
            // An absolute error shrinks with the rate, which falls as in a run.
            optimizer.Step(0.01 * (1 - ((double)step / steps)));
        }

        var learnt = network.Errors((condition, text), target, objects, ordered);
        Assert.InRange(learnt.Latents.ToDouble(), 0, 0.01);
        // All layouts agree, so that which of them is nearest is chance: a cross entropy of at most that of equal shares.
        Assert.InRange(learnt.Objects.ToDouble(), 0, (0.1 * Math.Log(TinyParts.Guess.SlotLayouts)) + 0.02);
        Assert.Equal(1, learnt.Named.ToDouble(), 3);
        Assert.InRange((network.call(condition, text) - target).square().mean().ToDouble(), 0, 0.02);
        Assert.InRange(network.ReadingError(text, objects).ToDouble(), 0, 10);

        void Fill(int scene, int left, float value) =>
            target.select(0, scene).narrow(1, 4, 8).narrow(2, left, 8).fill_(value);
    }

    [Fact]
    public void Slots_DrawAnObject_TheSameAtEveryPlaceAndBesideOthers()
    {
        using var scope = NewDisposeScope();
        using var network = new FirstGuessModel(TinyParts.Guess);
        SeededInit.Apply(network, 1);
        using var noise = new Noise(2);
        var (condition, text) = (noise.Randn(1, 2 * TinyParts.Features), noise.Randn(1, TinyParts.Tokens, TinyParts.Features));
        var left = network.Compose(condition, text, tensor(new float[] { -0.5f, 0, 0.25f, 1, 1, 0, 0, 0, 0, 0 }, [1, 2, 5]));
        var right = network.Compose(condition, text, tensor(new float[] { 0.5f, 0, 0.25f, 1, 1, 0, 0, 0, 0, 0 }, [1, 2, 5]));
        var both = network.Compose(condition, text, tensor(new float[] { -0.5f, 0, 0.25f, 1, 1, 0.5f, 0, 0.25f, 1, 2 }, [1, 2, 5]));

        // [1, side², features]: what stands at x -0.5 fills columns 2 to 5, at 0.5 columns 10 to 13.
        Assert.True((Columns(left, 1) - Columns(right, 9)).abs().max().ToDouble() < 1e-5);
        Assert.True((Columns(left, 1) - Columns(left, 9)).abs().max().ToDouble() > 1e-2);
        Assert.True((Columns(both, 1) - Columns(left, 1)).abs().max().ToDouble() < 1e-2);
        Assert.True((Columns(both, 9) - Columns(right, 9)).abs().max().ToDouble() > 1e-2);

        static Tensor Columns(Tensor mixed, long first) => mixed.reshape(16, 16, -1).narrow(1, first, 6);
    }
}
