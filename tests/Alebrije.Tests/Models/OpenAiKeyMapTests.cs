using Alebrije.Models.Clip;
using Alebrije.Tensors;
using Alebrije.Training;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

/// <summary>Training of a CLIP in OpenAI's names, and writing in transformers' layout where possible.</summary>
public sealed class OpenAiKeyMapTests : IDisposable
{
    private const int End = 49407;
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-key-map-").FullName;

    public OpenAiKeyMapTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("\"quick_gelu\": true", "\"layers\": 2", "\"mlp_ratio\": 3")]
    [InlineData(
        "\"custom_text\": true", "\"layers\": 2, \"ls_init_value\": 0.3",
        "\"pool_type\": \"eos\", \"eos_id\": 49407, \"norm_kwargs\": {\"eps\": 1e-3}")]
    [InlineData(
        "\"nonscalar_logit_scale\": true", "\"layers\": 1, \"act_kwargs\": {\"approximate\": \"tanh\"}",
        "\"act_kwargs\": {\"approximate\": \"tanh\"}, \"ls_init_value\": 0.1")]
    [InlineData("\"quick_gelu\": false", "\"layers\": 1, \"patch_size\": 5", "\"norm_kwargs\": {\"eps\": 1e-2}")]
    public void Start_IsTheSameFunction_AndStaysSoInTransformersLayout(string whole, string vision, string text)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var patch = vision.Contains("patch_size", StringComparison.Ordinal) ? "" : "\"patch_size\": 4, ";
        using var named = OpenClipFiles.Write(folder, $$"""
            {"embed_dim": 12, {{whole}}, "vision_cfg": {"image_size": 16, {{patch}}"width": 24, "head_width": 8, {{vision}} },
             "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2, {{text}} } }
            """);
        var config = TrainedClip.ConfigOf(folder);
        using var network = new ClipNetwork(config);
        TrainedClip.Copy(folder, network);
        AssertSame(named, network, 16, 24);

        ConfigFile.Write(Path.Combine(folder, "config.json"), network.Config);
        SafeTensorsWriter.Write(Path.Combine(folder, "model.safetensors"), network.state_dict());
        using var written = Published.ComponentCatalog.Load<ClipNetwork>("CLIPModel", folder);
        AssertSame(named, written, 16, 24);
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
        AssertSame(named, network, 32, 16, end: 63);
    }

    [Theory]
    [InlineData("open-clip-resnet", "ModifiedResNet")]
    [InlineData("open-clip-siglip", "SigLIP")]
    public void OtherTowers_AreRefusedInOneSentence(string fixture, string says)
    {
        // The fixture's tower is too small to have a name among the published ones.
        var config = File.ReadAllText(Path.Combine(Fixture(fixture), OpenClipConfig.FileName))
            .Replace("vit_tiny_golden_siglip", "vit_base_patch16_siglip_224", StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder, OpenClipConfig.FileName), config);
        var message = Assert.Throws<WeightsException>(() => TrainedClip.ConfigOf(folder)).Message;
        Assert.Contains("cannot be trained further: its image tower is ", message, StringComparison.Ordinal);
        Assert.Contains(says, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void WhatTransformersHasNoPlaceFor_IsNamed()
    {
        var (plain, vision, text) = (new OpenClipConfig(), new OpenClipVisionConfig(), new OpenClipTextConfig());
        OpenClipConfig[] others =
        [
            plain with { InitLogitBias = -10 }, plain with { VisionCfg = vision with { NoLnPre = true } },
            plain with { VisionCfg = vision with { PoolType = "avg" } },
            plain with { VisionCfg = vision with { AttentionalPool = true } }, plain with { TextCfg = text with { NoCausalMask = true } },
            plain with { TextCfg = text with { ProjBias = true } }, plain with { TextCfg = text with { ProjType = "none" } },
            plain with { TextCfg = text with { PoolType = "last" } },
        ];
        Assert.Null(plain.ToClip().Obstacle(End));
        var obstacles = others.Select(config => config.ToClip().Obstacle(End)).ToArray();
        Assert.All(obstacles, obstacle => Assert.NotNull(obstacle));
        Assert.Equal(obstacles.Length, obstacles.Distinct().Count());
        var eos = text with { PoolType = "eos" };
        foreach (var elsewhere in new[] { text with { PoolType = "first" }, eos with { EosId = 7 }, eos with { EosId = 2 } })
            Assert.Contains("pool_type", (plain with { TextCfg = elsewhere }).ToClip().Obstacle(End), StringComparison.Ordinal);
    }

    private static string Fixture(string name) => Path.Combine(AppContext.BaseDirectory, "Fixtures", name, "model");

    private static void AssertSame(ClipNetwork named, ClipNetwork network, int side, int tokens, int end = End)
    {
        using var noise = new Noise(3);
        var pixels = noise.Randn(2, 3, side, side);
        Assert.InRange((named.Vision.Embed(pixels) - network.Vision.Embed(pixels)).abs().max().item<float>(), 0, 1e-5f);
        var ids = Enumerable.Range(0, 2 * tokens).Select(i => i % tokens == 5 ? (long)end : i % tokens > 5 ? 0 : 1 + (i * 17 % 62));
        var rows = tensor(ids.ToArray(), [2, tokens]);
        Assert.InRange((named.Text.Embed(rows) - network.Text.Embed(rows)).abs().max().item<float>(), 0, 1e-5f);
        Assert.Equal(named.LogitScale.item<float>(), network.LogitScale.item<float>());
    }
}
