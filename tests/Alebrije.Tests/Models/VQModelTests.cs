using System.Text.RegularExpressions;
using Alebrije.Models.Autoencoders;
using Alebrije.Nn;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

public sealed class VQModelTests
{
    private static readonly VQModelConfig Tiny = new()
    {
        BlockOutChannels = [32, 64],
        DownBlockTypes = ["DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
        UpBlockTypes = ["AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
        NormNumGroups = 8,
        LatentChannels = 4,
        NumVqEmbeddings = 20,
        NormType = "spatial",
    };

    public VQModelTests() => TorchRuntime.Initialize();

    [Fact]
    public void SpatialNorm_NormalisesThenScalesAndShiftsByTheLatentOfThePlace()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var norm = new SpatialNorm(64, 3);
        var (x, latents) = (randn(2, 64, 12, 20), randn(2, 3, 3, 5));
        var weights = norm.state_dict();
        var spread = latents.repeat_interleave(4, 2).repeat_interleave(4, 3);                 // [2, 3, 12, 20]
        Tensor Linear(string name) =>
            einsum("bchw,oc->bohw", spread, weights[$"{name}.weight"].reshape(64, 3)) + weights[$"{name}.bias"].reshape(1, -1, 1, 1);
        var grouped = x.reshape(2, 32, -1);
        var plain = ((grouped - grouped.mean([2], keepdim: true)) / (grouped.var([2], unbiased: false, keepdim: true) + 1e-6).sqrt())
            .reshape(x.shape);
        var expected = plain * Linear("conv_y") + Linear("conv_b");
        Assert.InRange((norm.call(x, latents) - expected).abs().max().item<float>(), 0, 1e-5f);
    }

    [Fact]
    public void Quantize_GivesTheNearestCodeOfEveryPlace()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new VQModel(Tiny);
        var codes = network.state_dict()["quantize.embedding.weight"];
        var latents = randn(2, 4, 65, 40);                                                    // more places than are compared at once
        var (quantized, indices) = network.Quantize(latents);
        var places = latents.permute(0, 2, 3, 1).reshape(-1, 1, 4);
        var expected = (places - codes.unsqueeze(0)).square().sum(2).argmin(1);
        Assert.True(expected.equal(indices).all().item<bool>());
        Assert.True(codes[indices].reshape(2, 65, 40, 4).permute(0, 3, 1, 2).equal(quantized).all().item<bool>());
    }

    [Fact]
    public void Decode_OfCodes_DependsOnTheConditionToo()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new VQModel(Tiny);
        var pixels = rand(1, 3, 8, 12) * 2 - 1;
        var latents = network.Encode(pixels);
        Assert.Equal([1L, 4, 4, 6], latents.shape);
        var decoded = network.Decode(latents);
        Assert.Equal(pixels.shape, decoded.shape);
        Assert.True(network.call(pixels).equal(network.Decode(network.Quantize(latents).Quantized)).all().item<bool>());

        // With the convolution after the codes zeroed, the latents have no effect and only the condition remains.
        network.state_dict()["post_quant_conv.weight"].zero_();
        Assert.False(network.Decode(latents).allclose(network.Decode(latents * 2)));
    }

    [Fact]
    public void Backward_OfDecoding_ReachesEveryWeightButTheCodes()
    {
        using var scope = NewDisposeScope();
        using var network = new VQModel(Tiny);
        network.Decode(network.Encode(rand(1, 3, 8, 8))).square().mean().backward();
        Assert.Equal(["quantize.embedding.weight"], network.named_parameters().Where(p => p.parameter.grad is null).Select(p => p.name));
    }

    [Fact]
    public void Forward_OfBFloat16_StaysCloseToFloat32()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new VQModel(Tiny);
        var latents = randn(1, 4, 4, 4);
        var rough = network.Decode(latents.to(ScalarType.BFloat16));
        Assert.Equal(ScalarType.BFloat16, rough.dtype);
        Assert.InRange((rough.to(ScalarType.Float32) - network.Decode(latents)).abs().max().item<float>(), 0, 0.1f);
    }

    [Fact]
    public void OriginalNames_LoadWholly()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var there = new VQModel(Tiny);
        using var here = new VQModel(Tiny);
        var original = there.state_dict().ToDictionary(
            pair => Original(pair.Key, levels: 2), pair => IsMatrix(pair.Key) ? pair.Value.unsqueeze(-1).unsqueeze(-1) : pair.Value);
        foreach (var name in (string[])
            ["encoder.down.1.attn.0.q.weight", "encoder.mid.attn_1.norm.weight",
                "decoder.up.1.attn.1.norm.conv_y.weight", "decoder.up.0.block.0.nin_shortcut.weight",
             "decoder.mid.block_2.norm1.norm_layer.bias", "decoder.norm_out.conv_b.weight",
             "encoder.down.0.downsample.conv.bias", "decoder.up.1.upsample.conv.bias"])
            Assert.True(original.ContainsKey(name), name);
        var file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".safetensors");
        try
        {
            SafeTensorsWriter.Write(file, original);
            using var weights = CheckpointFolder.OpenWeights(file);
            StateDict.Load(here, weights, AutoencoderKeyMap.FromOriginal(levels: 2, hasSpatialNorm: true));
            var loaded = here.state_dict();
            Assert.All(there.state_dict(), pair => Assert.True(pair.Value.equal(loaded[pair.Key]).all().item<bool>(), pair.Key));
            Assert.Equal(StateDict.Names(there), StateDict.Names(weights, AutoencoderKeyMap.FromOriginal(levels: 2, hasSpatialNorm: true)));

            var e = Assert.Throws<WeightsException>(() =>
                StateDict.Load(here, weights, AutoencoderKeyMap.FromOriginal(levels: 2, hasSpatialNorm: true) with { Pointwise = [] }));
            Assert.Contains("of another shape", e.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void GroupNorm_DecodesWithoutACondition()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new VQModel(Tiny with { NormType = "group", VqEmbedDim = 6 });
        Assert.Equal([1L, 6, 4, 4], network.Encode(rand(1, 3, 8, 8)).shape);
        Assert.Equal([1L, 3, 8, 8], network.call(rand(1, 3, 8, 8)).shape);
    }

    [Theory]
    [InlineData("layer", null, "\"layer\"")]
    [InlineData("spatial", 6, "vq_embed_dim is 6")]
    public void Constructor_OfANormThatCannotBe_SaysWhy(string norm, int? width, string said)
    {
        var e = Assert.Throws<ArgumentException>(() => new VQModel(Tiny with { NormType = norm, VqEmbedDim = width }));
        Assert.Contains(said, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_OfAnUnknownBlock_NamesIt()
    {
        var e = Assert.Throws<ArgumentException>(() => new VQModel(Tiny with { UpBlockTypes = ["AttnUpDecoderBlock2D", "UpBlock2D"] }));
        Assert.Contains("\"UpBlock2D\"", e.Message, StringComparison.Ordinal);
        Assert.Contains("as many", Assert.Throws<ArgumentException>(() => new VQModel(Tiny with { UpBlockTypes = ["UpDecoderBlock2D"] }))
            .Message, StringComparison.Ordinal);
    }

    internal static bool IsMatrix(string name) => Regex.IsMatch(name, @"\.to_(q|k|v|out\.0)\.weight$");

    /// <summary>The name in taming-transformers, written down independently of the key map under test.</summary>
    internal static string Original(string name, int levels)
    {
        var parts = name.Split('.').ToList();
        for (var i = 0; i < parts.Count; i++)
        {
            var number = i + 1 < parts.Count && int.TryParse(parts[i + 1], out var n) ? n : -1;
            switch (parts[i])
            {
                case "down_blocks": parts[i] = "down"; break;
                case "up_blocks": (parts[i], parts[i + 1]) = ("up", $"{levels - 1 - number}"); break;
                case "downsamplers" or "upsamplers": parts[i] = parts[i][..^2]; parts.RemoveAt(i + 1); break;
                case "resnets" when parts[i - 1] == "mid": parts[i] = $"block_{number + 1}"; parts.RemoveAt(i + 1); break;
                case "resnets": parts[i] = "block"; break;
                case "attentions" when parts[i - 1] == "mid": parts[i] = "attn_1"; parts.RemoveAt(i + 1); break;
                case "attentions": parts[i] = "attn"; break;
                case "mid_block": parts[i] = "mid"; break;
                case "conv_shortcut": parts[i] = "nin_shortcut"; break;
                case "conv_norm_out": parts[i] = "norm_out"; break;
                case "group_norm" or "spatial_norm": parts[i] = "norm"; break;
                case "to_q" or "to_k" or "to_v": parts[i] = parts[i][3..]; break;
                case "to_out": parts[i] = "proj_out"; parts.RemoveAt(i + 1); break;
            }
        }

        return string.Join('.', parts);
    }
}
