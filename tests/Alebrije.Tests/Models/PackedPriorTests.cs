using Alebrije.Models.Priors;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

/// <summary>Text computed once, the last tokens in every step: the same values as the whole sequence.</summary>
public sealed class PackedPriorTests
{
    private static readonly PriorTransformerConfig Tiny = new() { NumAttentionHeads = 2,
        AttentionHeadDim = 4, NumLayers = 3, EmbeddingDim = 6, NumEmbeddings = 5 };

    public PackedPriorTests() => TorchRuntime.Initialize();

    public static TheoryData<string> Goldens => NetworkGolden.Of("PriorTransformer");

    [Theory]
    [MemberData(nameof(Goldens))]
    public void Golden_WithAMask_PredictsAsTheReferenceAndAsTheWholeSequence(string name)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var golden = new NetworkGolden(name);
        using var network = new PriorTransformer(PriorTransformerConfig.Read(golden.ModelFolder));
        using (var weights = CheckpointFolder.OpenWeights(golden.ModelFolder)) StateDict.Load(network, weights);
        using var packed = new PackedPrior(network, ScalarType.Float32);
        var (compared, left) = (0, 0);
        foreach (var c in golden.Cases.Where(c => c.Call == "forward"))
        {
            var conditions = new PriorConditions(c.Input("proj_embedding"), c.Input("encoder_hidden_states"), c.Optional("attention_mask"));
            if (packed.Remember(conditions) is not { } prefix)
            {
                Assert.True(conditions.TextMask is null || !conditions.TextMask.select(1, 0).all().item<bool>(), c.Id);
                left++;
                continue;
            }

            var ours = packed.Predict(c.Input("hidden_states"), c.Timestep(), prefix);
            c.Check("predicted_image_embedding", ours);
            AssertNear(network.call(c.Input("hidden_states"), c.Timestep(), conditions), ours);
            compared++;
        }

        Assert.True(compared >= 2 && left >= 1, $"{compared} cases compared, {left} left to the whole sequence");
    }

    [Theory]
    [InlineData(true, "prd")]
    [InlineData(false, "prd")]
    [InlineData(true, null)]
    public void Predict_TextsOfUnlikeLengthsWithHoles_IsTheWholeSequence(bool knowsTime, string? added)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var noise = new Noise(5);
        var config = Tiny with { AddedEmbType = added, AdditionalEmbeddings = (knowsTime ? 3 : 2) + (added is null ? 0 : 1),
            NormInType = "layer", ClipEmbedDim = 7 };
        using var network = Random(config, noise);
        using var packed = new PackedPrior(network, ScalarType.Float32);
        var text = new PriorConditions(noise.Randn(3, 6), noise.Randn(3, 5, 6), tensor(new[,]
        {
            { true, true, false, true, false }, { true, false, false, false, false }, { true, true, true, false, false },
        }));
        var empty = new PriorConditions(noise.Randn(1, 6), noise.Randn(1, 5, 6), tensor(new[,] { { true, true, false, false, false } }));
        var both = new PriorConditions(
            cat([empty.TextEmbedding.expand(3, -1), text.TextEmbedding]),
            cat([empty.TextEncodings!.expand(3, -1, -1), text.TextEncodings!]),
            cat([empty.TextMask!.expand(3, -1), text.TextMask!]));
        var (unconditional, conditional) = (packed.Remember(empty)!, packed.Remember(text)!);
        Assert.Equal(3, unconditional.Text.Tokens);                  // two words and the text embedding
        Assert.Equal(5, conditional.Text.Tokens);
        foreach (var step in new[] { 0L, 481, 999 })
        {
            var (x, t) = (noise.Randn(6, 6), knowsTime ? tensor([step, step, step, step, step, 3]) : null);
            AssertNear(network.call(x, t, both), packed.Predict(x, t, unconditional, conditional));
        }
    }

    [Fact]
    public void Remember_ATextThatIsNotCausal_IsLeftToTheWholeSequence()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var noise = new Noise(6);
        using var network = Random(Tiny, noise);
        using var packed = new PackedPrior(network, ScalarType.Float32);
        var text = new PriorConditions(noise.Randn(1, 6), noise.Randn(1, 5, 6));
        Assert.Null(packed.Remember(text));

        // The first token is masked, so in the reference it attends to later ones: the noisy embedding changes the text states.
        var mask = tensor(new[,] { { false, true, true, false, false } });
        Assert.Null(packed.Remember(text with { TextMask = mask }));
        var e = Assert.Throws<ArgumentException>(() => packed.Remember(text with { TextMask = ones(1, 4, dtype: ScalarType.Bool) }));
        Assert.Contains("takes 5", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Predict_OfBFloat16_StaysCloseToFloat32()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var noise = new Noise(7);
        using var network = Random(Tiny, noise);
        var text = new PriorConditions(noise.Randn(2, 6), noise.Randn(2, 5, 6), ones(2, 5, dtype: ScalarType.Bool));
        var x = noise.Randn(2, 6);
        using var packed = new PackedPrior(network, ScalarType.BFloat16);
        var rough = packed.Predict(x, tensor(7L), packed.Remember(text)!);
        Assert.Equal(ScalarType.Float32, rough.dtype);
        Assert.InRange((rough - network.call(x, tensor(7L), text)).abs().max().item<float>(), 1e-7f, 0.05f);
    }

    [Fact]
    public void Predict_EmbeddingsThatCannotBeSharedOut_AreRefused()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var noise = new Noise(8);
        using var network = Random(Tiny, noise);
        using var packed = new PackedPrior(network, ScalarType.Float32);
        var prefix = packed.Remember(new PriorConditions(noise.Randn(1, 6), noise.Randn(1, 5, 6), ones(1, 5, dtype: ScalarType.Bool)))!;
        Assert.Contains("shared out", Assert.Throws<ArgumentException>(() => packed.Predict(noise.Randn(3, 6), tensor(1L), prefix, prefix))
            .Message, StringComparison.Ordinal);
    }

    private static PriorTransformer Random(PriorTransformerConfig config, Noise noise)
    {
        var network = new PriorTransformer(config);
        foreach (var (_, parameter) in network.named_parameters()) parameter.copy_(0.4 * noise.Randn(parameter.shape));
        return network;
    }

    private static void AssertNear(Tensor expected, Tensor ours)
    {
        Assert.Equal(expected.shape, ours.shape);
        Assert.InRange((expected - ours).abs().max().item<float>(), 0, 1e-5f);
    }
}
