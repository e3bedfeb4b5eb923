using Alebrije.Models.Clip;
using Alebrije.Tensors;
using Alebrije.Training;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

/// <summary>A CLIP in OpenAI's names is the same function in transformers'.</summary>
public sealed class OpenClipKeyMapTests
{
    private const int End = 63;

    public OpenClipKeyMapTests() => TorchRuntime.Initialize();

    [Theory]
    [InlineData(true, null, false, "argmax")]
    [InlineData(false, 0.3, true, "eos")]
    public void Network_IsTheSameFunction(bool quick, double? layerScale, bool customText, string pool)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var config = new OpenClipConfig
        {
            EmbedDim = 12, QuickGelu = quick, CustomText = customText,
            TextCfg = new OpenClipTextConfig { ContextLength = 24, VocabSize = 64, Width = 16, Heads = 2, Layers = 2, MlpRatio = 3, PoolType = pool, EosId = End, NormKwargs = new() { ["eps"] = 1e-3 } },
            VisionCfg = new OpenClipVisionConfig { ImageSize = 16, PatchSize = 4, Width = 24, HeadWidth = 8, Layers = [2], LsInitValue = layerScale },
        };
        Assert.Null(OpenClipKeyMap.Obstacle(config, End));
        using var named = new OpenClipNetwork(config);
        using var noise = new Noise(5);
        foreach (var parameter in named.parameters()) parameter.add_(noise.Randn(parameter.shape) * 0.2);
        using var network = new ClipNetwork(OpenClipKeyMap.ConfigOf(config, End));
        OpenClipKeyMap.Copy(named, network);
        AssertSame(named, network, 16, 24);
    }

    [Fact]
    public void OpenAisFile_IsTheSameFunction()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var file = Path.Combine(Fixture("clip-openai-vit-jit"), "model.pt");
        using var named = OpenClipFolder.Load(file);
        var config = TrainedClip.ConfigOf(file);

        // The file's vocabulary is a small one, whose largest id ends a text.
        using var network = new ClipNetwork(config with { TextConfig = config.TextConfig with { EosTokenId = 2 } });
        TrainedClip.Copy(file, network);
        AssertSame(named, network, 32, 16);
    }

    [Theory]
    [InlineData("open-clip-resnet", "ModifiedResNet")]
    [InlineData("open-clip-siglip", "SigLIP")]
    public void OtherTowers_AreRefusedInOneSentence(string fixture, string says)
    {
        var folder = Directory.CreateTempSubdirectory("alebrije-towers-").FullName;
        try
        {
            // The fixture's tower is too small to have a name among the published ones.
            var config = File.ReadAllText(Path.Combine(Fixture(fixture), OpenClipConfig.FileName)).Replace("vit_tiny_golden_siglip", "vit_base_patch16_siglip_224", StringComparison.Ordinal);
            File.WriteAllText(Path.Combine(folder, OpenClipConfig.FileName), config);
            var message = Assert.Throws<WeightsException>(() => TrainedClip.ConfigOf(folder)).Message;
            Assert.Contains("cannot be trained further, for its image tower is ", message, StringComparison.Ordinal);
            Assert.Contains(says, message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', message);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void WhatTransformersHasNoPlaceFor_IsNamed()
    {
        var (plain, vision, text) = (new OpenClipConfig(), new OpenClipVisionConfig(), new OpenClipTextConfig());
        OpenClipConfig[] others =
        [
            plain with { InitLogitBias = -10 }, plain with { VisionCfg = vision with { NoLnPre = true } }, plain with { VisionCfg = vision with { PoolType = "avg" } },
            plain with { VisionCfg = vision with { PatchSize = 15 } }, plain with { TextCfg = text with { NoCausalMask = true } }, plain with { TextCfg = text with { ProjBias = true } },
            plain with { TextCfg = text with { PoolType = "last" } }, plain with { TextCfg = text with { PoolType = "eos", EosId = 7 } },
            plain with { TextCfg = text with { ActKwargs = new() { ["approximate"] = "tanh" } } },
        ];
        Assert.Null(OpenClipKeyMap.Obstacle(plain, End));
        Assert.Equal(others.Length, others.Select(config => OpenClipKeyMap.Obstacle(config, End) ?? throw new InvalidOperationException(config.ToString())).Distinct().Count());
    }

    private static string Fixture(string name) => Path.Combine(AppContext.BaseDirectory, "Fixtures", name, "model");

    private static void AssertSame(OpenClipNetwork named, ClipNetwork network, int side, int tokens)
    {
        using var noise = new Noise(3);
        var pixels = noise.Randn(2, 3, side, side);
        Assert.InRange((named.EncodeImage(pixels) - network.ProjectImage(network.Vision.Encode(pixels).Pooled)).abs().max().item<float>(), 0, 1e-4f);
        var rows = tensor(Enumerable.Range(0, 2 * tokens).Select(i => i % tokens == 5 ? (long)End : i % tokens > 5 ? 0 : 1 + (i * 17 % (End - 1))).ToArray(), [2, tokens]);
        Assert.InRange((named.EncodeText(rows) - network.ProjectText(network.Text.Encode(rows).Pooled)).abs().max().item<float>(), 0, 1e-4f);
        Assert.Equal(named.LogitScale.item<float>(), network.LogitScale.item<float>());
    }
}
