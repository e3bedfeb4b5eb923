using Alebrije.Models.Clip;
using Alebrije.Pipelines;
using Alebrije.Tensors;
using Alebrije.Tests.Weights;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

/// <summary>Bare state dictionaries in OpenAI's names: their activation, and the note about it.</summary>
public sealed class OpenClipOriginTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-origin-").FullName;

    public OpenClipOriginTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>Features of OpenAI's files: three numbers, half precision with norms in float32, and names with quickgelu.</summary>
    [Theory]
    [InlineData("weights.pt", "", false)]
    [InlineData("weights.pt", "numbers", true)]
    [InlineData("weights.pt", "half", true)]
    [InlineData("weights.pt", "all half", false)]
    [InlineData("epoch_5.pt", "checkpoint", false)]
    [InlineData("epoch_5.pt", "half checkpoint", false)]
    [InlineData("epoch_5.pt", "checkpoint named 2024_01_01-model_ViT-B-32-quickgelu-lr_0.0005", true)]
    [InlineData("vit_b_32-quickgelu-laion400m_e32.pt", "", true)]
    public void Activation_FollowsTheEvidence(string file, string form, bool quick)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        var config = Config(quick: false);
        var tensors = OpenClipFiles.Tensors(config);
        foreach (var (name, parameter) in tensors)
        {
            if (name.EndsWith("c_fc.weight", StringComparison.Ordinal)) parameter.mul_(8);

            // OpenAI's files keep these values when rounded; those of the others would lose some digits.
            if (form == "numbers" || form.Contains("half", StringComparison.Ordinal)) parameter.copy_(parameter.to(ScalarType.Float16));
        }

        using var gelu = OpenClipFiles.Load(config, tensors);
        using var quickGelu = OpenClipFiles.Load(config with { QuickGelu = true }, tensors);
        var path = Save(file, form, tensors);

        using var loaded = OpenClipFolder.Load(path);
        var pixels = randn(2, 3, 16, 16);
        var (right, wrong) = quick ? (quickGelu, gelu) : (gelu, quickGelu);
        float Off(ClipNetwork network) => (network.Vision.Embed(pixels) - loaded.Vision.Embed(pixels)).abs().max().item<float>();
        Assert.Equal(0, Off(right));
        Assert.True(Off(wrong) > 1e-4, $"off by {Off(wrong):g3} from the other");
        Assert.Equal(quick, OpenClipFolder.ConfigOf(path).QuickGelu);

        var notes = new List<string>();
        ClipModel.Load(path, note: note => notes.Add(note.Sentence)).Dispose();
        var what = form.Contains("checkpoint", StringComparison.Ordinal) ? "is a training checkpoint" : "has no config";
        if (quick) Assert.Empty(notes);
        else Assert.Contains($"{file} {what} and does not specify its computation: GELU", Assert.Single(notes), StringComparison.Ordinal);
    }

    /// <summary>open_clip's own configs of these widths; a state dictionary does not contain the number of heads.</summary>
    [Theory]
    [InlineData(64, 64)]
    [InlineData(1280, 80)]
    [InlineData(1664, 104)]
    public void HeadsOfAnImageTower_AreThoseOfThePublishedSizes_AndSaid(int width, int headWidth)
    {
        using var scope = NewDisposeScope();
        var vision = new OpenClipVisionConfig
        {
            ImageSize = 16, Layers = [1], Width = width, HeadWidth = headWidth, PatchSize = 8, MlpRatio = 0.13,
        };
        var tensors = OpenClipFiles.Tensors(Config(quick: false) with { VisionCfg = vision });
        var config = OpenClipFolder.ConfigOf(Save("weights.pt", "", tensors));
        Assert.Equal((headWidth, (int)(width * 0.13)), (config.VisionCfg.HeadWidth, (int)(width * config.VisionCfg.MlpRatio)));
        Assert.Contains($"heads of {headWidth} features", config.Assumption, StringComparison.Ordinal);
    }

    /// <summary>A config beside a training checkpoint supplies the missing settings.</summary>
    [Theory]
    [InlineData("open_clip_pytorch_model.bin", false)]
    [InlineData("epoch_5.pt", false)]
    [InlineData("epoch_5.pt", true)]
    public void TrainingCheckpoint_WithAConfigInItsFolder_IsReadByIt(string file, bool customText)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        var config = Config(quick: true) with { CustomText = customText };
        var tensors = OpenClipFiles.Tensors(config);
        using var network = OpenClipFiles.Load(config, tensors);
        var path = Save(file, "checkpoint", tensors);
        File.WriteAllText(Path.Combine(folder, OpenClipConfig.FileName), $$"""
            {"model_cfg": {"embed_dim": 8, "quick_gelu": true, "custom_text": {{(customText ? "true" : "false")}},
              "vision_cfg": {"image_size": 16, "layers": 1, "width": 64, "head_width": 64, "patch_size": 8},
              "text_cfg": {"context_length": 16, "vocab_size": 99, "width": 64, "heads": 1, "layers": 1}
             }
            }
            """);
        using var loaded = OpenClipFolder.Load(Path.GetDirectoryName(path)!);
        var (pixels, ids) = (randn(1, 3, 16, 16), tensor(new long[] { 97, 5, 98, 0 }, [1, 4]));
        Assert.True(network.Vision.Embed(pixels).equal(loaded.Vision.Embed(pixels)).all().item<bool>());
        Assert.True(network.Text.Embed(ids).equal(loaded.Text.Embed(ids)).all().item<bool>());
        var notes = new List<string>();
        ClipModel.Load(folder, note: note => notes.Add(note.Sentence)).Dispose();
        Assert.Empty(notes);
    }

    private static OpenClipConfig Config(bool quick) => new()
    {
        EmbedDim = 8, QuickGelu = quick,
        VisionCfg = new OpenClipVisionConfig { ImageSize = 16, Layers = [1], Width = 64, HeadWidth = 64, PatchSize = 8 },
        TextCfg = new OpenClipTextConfig { ContextLength = 16, VocabSize = 99, Width = 64, Heads = 1, Layers = 1 },
    };

    private string Save(string file, string form, Dictionary<string, Tensor> weights)
    {
        using var scope = NewDisposeScope();
        var tensors = weights.ToDictionary(pair => pair.Key, pair => pair.Value);
        if (form.Contains("half", StringComparison.Ordinal))
            foreach (var name in tensors.Keys.Where(name => form == "all half" || !name.Contains("ln_", StringComparison.Ordinal))
                .ToArray()) tensors[name] = tensors[name].to(ScalarType.Float16);
        if (form == "numbers") tensors["input_resolution"] = tensor(16L);
        var run = form.Contains("named ", StringComparison.Ordinal)
            ? form[(form.IndexOf("named ", StringComparison.Ordinal) + 6)..] : "run";
        return PickleWriter.SaveTensors(Path.Combine(folder, file), tensors,
            form.Contains("checkpoint", StringComparison.Ordinal) ? run : null);
    }
}
