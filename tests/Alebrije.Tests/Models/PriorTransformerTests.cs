using Alebrije.Models.Priors;
using Alebrije.Tensors;
using Alebrije.Training;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

public sealed class PriorTransformerTests
{
    private static readonly PriorTransformerConfig Tiny = new()
    {
        NumAttentionHeads = 2,
        AttentionHeadDim = 4,
        NumLayers = 1,
        EmbeddingDim = 6,
        NumEmbeddings = 3,
    };

    public PriorTransformerTests() => TorchRuntime.Initialize();

    public static TheoryData<string> Goldens => NetworkGolden.Of("PriorTransformer");

    [Theory]
    [MemberData(nameof(Goldens))]
    public void Golden_PredictsAsTheReference(string name)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var golden = new NetworkGolden(name);
        using var network = new PriorTransformer(PriorTransformerConfig.Read(golden.ModelFolder));
        using (var weights = CheckpointFolder.OpenWeights(golden.ModelFolder)) StateDict.Load(network, weights);
        foreach (var c in golden.Cases)
        {
            if (c.Call == "post_process_latents")
            {
                c.Check("image_embeddings", network.PostProcessLatents(c.Input("prior_latents")));
                continue;
            }

            Assert.Equal("forward", c.Call);
            var conditions = new PriorConditions(c.Input("proj_embedding"), c.Input("encoder_hidden_states"), c.Optional("attention_mask"));
            c.Check("predicted_image_embedding", network.call(c.Input("hidden_states"), c.Timestep(), conditions));
        }
    }

    [Fact]
    public void Forward_WithAMask_LooksAtNoPaddedToken()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new PriorTransformer(Tiny);
        var (noisy, text, encodings) = (randn(1, 6), randn(1, 6), randn(1, 3, 6));
        var mask = tensor(new[,] { { true, true, false } });
        var changed = encodings.clone();
        changed[0, 2] += 1;
        var before = network.call(noisy, tensor(7L), new PriorConditions(text, encodings, mask));
        var after = network.call(noisy, tensor(7L), new PriorConditions(text, changed, mask));
        var unmasked = network.call(noisy, tensor(7L), new PriorConditions(text, changed));
        Assert.True(before.equal(after).all().item<bool>());
        Assert.False(before.allclose(unmasked));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("layer")]
    public void AtLevels_OfSeveral_IsEachOfThemAlone(string? normIn)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new PriorTransformer(Tiny with { NormInType = normIn, NumLayers = 3 });
        using var noise = new Noise(4);
        SeededInit.Apply(network, 1);
        foreach (var parameter in network.parameters()) parameter.add_(0.1 * noise.RandnLike(parameter));
        var (noisy, steps) = (noise.Randn(2, 5, 6), randint(0, 1000, [2, 5]));
        var conditions = new PriorConditions(noise.Randn(2, 6), noise.Randn(2, 3, 6),
            tensor(new[,] { { true, true, false }, { true, true, true } }));
        var together = network.AtLevels(noisy, steps, conditions);
        Assert.Equal([2, 5, 6], together.shape);
        for (var level = 0; level < 5; level++)
        {
            var alone = network.call(noisy.select(1, level), steps.select(1, level), conditions);
            Assert.InRange((together.select(1, level) - alone).abs().max().item<float>(), 0, 1e-5f);
        }

        Assert.Contains("a mask", Assert.Throws<ArgumentException>(() =>
            network.AtLevels(noisy, steps, conditions with { TextMask = null })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Forward_WithoutALearnedToken_GivesTheNoisyEmbeddingsPlaces()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new PriorTransformer(Tiny with { AddedEmbType = null,
            EncoderHidProjType = null, AdditionalEmbeddings = 0, NumEmbeddings = 5 });
        Assert.True(Tiny.KnowsTime);
        var predicted = network.call(randn(2, 5, 6), tensor(7L), new PriorConditions(randn(2, 6), null));
        Assert.Equal([2L, 5, 6], predicted.shape);
    }

    [Fact]
    public void Backward_ReachesEveryWeightButTheStatistics()
    {
        using var scope = NewDisposeScope();
        using var network = new PriorTransformer(Tiny);
        network.call(randn(2, 6), tensor([1L, 2]), new PriorConditions(randn(2, 6), randn(2, 3, 6), ones(2, 3, dtype: ScalarType.Bool)))
            .square().mean().backward();
        Assert.Equal(["clip_mean", "clip_std"],
            network.named_parameters().Where(p => p.parameter.grad is null).Select(p => p.name).Order());
    }

    [Fact]
    public void Forward_OfBFloat16_StaysCloseToFloat32()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new PriorTransformer(Tiny);
        Tensor Run(ScalarType type) => network.call(
            ones(1, 6, dtype: type), tensor(500L),
            new PriorConditions(ones(1, 6, dtype: type), ones(1, 3, 6, dtype: type), ones(1, 3, dtype: ScalarType.Bool)));
        var rough = Run(ScalarType.BFloat16);
        Assert.Equal(ScalarType.BFloat16, rough.dtype);
        Assert.InRange((rough.to(ScalarType.Float32) - Run(ScalarType.Float32)).abs().max().item<float>(), 0, 0.1f);
    }

    [Fact]
    public void Config_WithExplicitNulls_KeepsThoseThatMeanSomething()
    {
        var file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".json");
        try
        {
            File.WriteAllText(file, """{"added_emb_type": null, "encoder_hid_proj_type": null, "num_layers": null, "embedding_dim": 12}""");
            var config = PriorTransformerConfig.Read(file);
            Assert.Equal((null, null, 20, 12), (config.AddedEmbType, config.EncoderHidProjType, config.NumLayers, config.EmbeddingDim));
            ConfigFile.Write(file, config);
            Assert.Equal(config, PriorTransformerConfig.Read(file));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void Forward_OfTextOfAnotherLength_SaysWhatToDo()
    {
        using var scope = NewDisposeScope();
        using var network = new PriorTransformer(Tiny);
        var e = Assert.Throws<ArgumentException>(() =>
            network.call(randn(1, 6), tensor(1L), new PriorConditions(randn(1, 6), randn(1, 4, 6))));
        Assert.Contains("cut or pad the text to 3 tokens", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ImageNormalizer_Golden_ScalesAsTheReference()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var golden = new NetworkGolden("stable-unclip-image-normalizer");
        using var normalizer = new StableUnClipImageNormalizer(ConfigFile.Read<StableUnClipImageNormalizerConfig>(golden.ModelFolder));
        using (var weights = CheckpointFolder.OpenWeights(golden.ModelFolder)) StateDict.Load(normalizer, weights);
        foreach (var c in golden.Cases)
        {
            if (c.Call == "scale") c.Check("scaled", normalizer.Scale(c.Input("embeds")));
            else c.Check("unscaled", normalizer.Unscale(c.Input("embeds")));
        }
    }
}
