using Alebrije.Diffusion;
using Alebrije.Models.Clip;
using Alebrije.Models.UNets;
using Alebrije.Tensors;
using Alebrije.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

/// <summary>Tiny networks learn tiny tasks in seconds, with the components of the real runs.</summary>
public sealed class LearningTests
{
    public LearningTests() => TorchRuntime.Initialize();

    [Fact]
    public void Clip_EightPairs_AreLearnt()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(3);
        using var network = new ClipNetwork(TinyParts.Clip);
        SeededInit.Apply(network, 1);
        using var optimizer = new Optimizer(network.named_parameters(), new OptimizerConstants { WeightDecay = 0.01 });
        var (pixels, ids) = Pairs(noise);
        var loss = 10.0;
        for (var step = 0; step < 400 && loss > 0.05; step++) loss = Step(network, pixels, ids, optimizer, ScalarType.Float32);
        Assert.InRange(loss, 0, 0.1);

        using var guard = no_grad();
        var nearest = network.EmbedText(ids).mm(network.EmbedImage(pixels).t()).argmax(1);
        Assert.Equal(Enumerable.Range(0, 8).Select(i => (long)i), nearest.data<long>().ToArray());
    }

    [Fact]
    public void Clip_StepInBf16_IsCloseToThatInFp32()
    {
        Assert.SkipUnless(Processor.HasFastBf16, "bf16 is used only where the processor has instructions for it");
        using var scope = NewDisposeScope();
        using var noise = new Noise(3);
        var (pixels, ids) = Pairs(noise);
        var (exact, rough) = (Gradients(ScalarType.Float32), Gradients(ScalarType.BFloat16));
        Assert.Equal(exact.Loss, rough.Loss, 0.02 * exact.Loss);
        Assert.True(nn.functional.cosine_similarity(exact.All, rough.All, dim: 0).ToDouble() > 0.99);
        Assert.Equal(ScalarType.Float32, rough.All.dtype);

        (double Loss, Tensor All) Gradients(ScalarType dtype)
        {
            using var network = new ClipNetwork(TinyParts.Clip);
            SeededInit.Apply(network, 1);
            var loss = ContrastiveLoss.Compute(network.EmbedText(ids, dtype), network.EmbedImage(pixels, null, dtype), network.LogitScale);
            loss.backward();
            return (loss.ToDouble(), cat([.. network.parameters().Where(p => p.grad is not null).Select(p => p.grad!.flatten())]));
        }
    }

    [Fact]
    public void Decoder_FourPictures_LosesError()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(9);
        using var network = new UNet2DConditionModel(TinyParts.Decoder);
        SeededInit.Apply(network, 4);
        using var optimizer = new Optimizer(network.named_parameters(),
            new OptimizerConstants { Beta2 = 0.99, Epsilon = 1e-8, WeightDecay = 0 });
        var schedule = NoiseSchedule.From(MiniSchedulers.Decoder);
        var latents = noise.Randn(4, TinyParts.Latents, 1, 1).expand(4, TinyParts.Latents, 16, 16).contiguous();
        var conditions = new UNetConditions(noise.Randn(4, TinyParts.Tokens,
            TinyParts.Features)) { ClassLabels = noise.Randn(4, 2 * TinyParts.Features) };
        var losses = Enumerable.Range(0, 80).Select(_ => Step()).ToArray();
        Assert.True(losses[^10..].Average() < 0.5 * losses[..5].Average(),
            $"the loss went from {losses[..5].Average()} to {losses[^10..].Average()}");

        double Step()
        {
            using var inner = NewDisposeScope();
            var timesteps = noise.Integers(schedule.Length, 4);
            var draw = noise.Randn(latents.shape);
            var target = schedule.Target(PredictionType.VPrediction, latents, draw, timesteps);
            var loss = (network.call(schedule.AddNoise(latents, draw, timesteps), timesteps, conditions) - target).square().mean();
            loss.backward();
            optimizer.Step(3e-3);
            return loss.ToDouble();
        }
    }

    private static (Tensor Pixels, Tensor Ids) Pairs(Noise noise) =>
        (noise.Randn(8, 3, TinyParts.Side, TinyParts.Side),
            cat([noise.Integers(500, 8, 5) + 1, full(8, 1, TinyParts.Clip.TextConfig.VocabSize - 1L)], 1));

    private static double Step(ClipNetwork network, Tensor pixels, Tensor ids, Optimizer optimizer, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var loss = ContrastiveLoss.Compute(network.EmbedText(ids, dtype), network.EmbedImage(pixels, null, dtype), network.LogitScale);
        loss.backward();
        optimizer.Step(5e-3);
        return loss.ToDouble();
    }
}
