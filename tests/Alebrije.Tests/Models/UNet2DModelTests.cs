using Alebrije.Models.UNets;
using Alebrije.Nn;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

/// <summary>Cases beyond the golden of Karlo's pipeline (<c>Verification</c>), which compares every step of both upsamplers.</summary>
public sealed class UNet2DModelTests : IDisposable
{
    private static readonly UNet2DConfig Tiny = UNet2DConfig.Upsampler(4, 8) with { NormNumGroups = 2 };
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-unet2d-").FullName;

    public UNet2DModelTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Backward_ReachesEveryWeight()
    {
        using var scope = NewDisposeScope();
        using var network = new UNet2DModel(Tiny);
        Run(network, ScalarType.Float32).square().mean().backward();
        Assert.Empty(network.named_parameters().Where(p => p.parameter.grad is null).Select(p => p.name));
    }

    [Fact]
    public void Forward_OfBFloat16_StaysCloseToFloat32()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new UNet2DModel(Tiny);
        var rough = Run(network, ScalarType.BFloat16);
        Assert.Equal(ScalarType.BFloat16, rough.dtype);
        Assert.InRange((rough.to(ScalarType.Float32) - Run(network, ScalarType.Float32)).abs().max().item<float>(), 0, 0.1f);
    }

    [Fact]
    public void Forward_WithScaleShift_ScalesByTime()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new UNet2DModel(Tiny with { ResnetTimeScaleShift = "scale_shift" });
        Assert.Equal([8L, 16], network.state_dict()["down_blocks.0.downsamplers.0.time_emb_proj.weight"].shape);
        Assert.False(Run(network, ScalarType.Float32, 0).allclose(Run(network, ScalarType.Float32, 900)));
    }

    [Fact]
    public void Forward_ThatLeaksNothing_LeavesOneTensorBehind()
    {
        using var network = new UNet2DModel(Tiny);
        using var guard = no_grad();
        using var outer = NewDisposeScope();
        var before = outer.DisposablesCount;
        Run(network, ScalarType.Float32);
        Assert.Equal(before + 1, outer.DisposablesCount);
    }

    [Theory]
    [InlineData(3, 8, 8)]
    [InlineData(6, 8, 7)]
    [InlineData(6, 9, 8)]
    public void Forward_OfAPictureThatDoesNotFit_SaysWhichDo(long channels, long height, long width)
    {
        using var scope = NewDisposeScope();
        using var network = new UNet2DModel(Tiny);
        var e = Assert.Throws<ArgumentException>(() => network.call(ones(1, channels, height, width), tensor(1L)));
        Assert.Contains("[batch, 6, h, w] with sides that are multiples of 2", e.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> Refused => new()
    {
        { """{ "block_out_channels": [4], "down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"] }""",
            "block type \"DownBlock2D\": it must be ResnetDownsampleBlock2D" },
        { """{ "block_out_channels": [4, 8], "down_block_types": ["ResnetDownsampleBlock2D"] }""",
            "1 down_block_types and 2 block_out_channels" },
        { "{ }", "block type \"DownBlock2D\"" },
        { Karlo("\"add_attention\": true"), "add_attention true" },
        { Karlo("\"time_embedding_type\": \"fourier\""), "time_embedding_type \"fourier\"" },
        { Karlo("\"class_embed_type\": \"timestep\""), "class_embed_type \"timestep\"" },
        { Karlo("\"mid_block_type\": \"Other\""), "mid_block_type \"Other\"" },
        { Karlo("\"resnet_time_scale_shift\": \"spatial\""), "resnet_time_scale_shift \"spatial\"" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void Config_ThatAsksForMore_IsRefusedInOneSentence(string json, string says)
    {
        File.WriteAllText(At("config.json"), json);
        var e = Assert.Throws<ArgumentException>(() => new UNet2DModel(ConfigFile.Read<UNet2DConfig>(At("config.json"))));
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
    }

    /// <summary>Names as the original network numbers its blocks, in order of creation (kakaobrain/karlo, modules/unet.py).</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void KeyMap_OfKarlosFile_FindsEveryTensor(int layers)
    {
        var config = Tiny with { BlockOutChannels = [4, 6, 8], DownBlockTypes = [.. Enumerable.Repeat("ResnetDownsampleBlock2D", 3)],
            UpBlockTypes = [.. Enumerable.Repeat("ResnetUpsampleBlock2D", 3)], LayersPerBlock = layers };
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new UNet2DModel(config);
        using var copy = new UNet2DModel(config);
        var blocks = new List<(string Ours, string Karlos)> { ("mid_block.resnets.0", "middle_block.0"),
            ("mid_block.resnets.1", "middle_block.1") };
        var (input, output) = (1, 0);
        for (var level = 0; level < 3; level++)
        {
            for (var i = 0; i < layers; i++) blocks.Add(($"down_blocks.{level}.resnets.{i}", $"input_blocks.{input++}.0"));
            if (level < 2) blocks.Add(($"down_blocks.{level}.downsamplers.0", $"input_blocks.{input++}.0"));
        }

        for (var level = 0; level < 3; level++)
        {
            for (var i = 0; i <= layers; i++) blocks.Add(($"up_blocks.{level}.resnets.{i}", $"output_blocks.{output++}.0"));
            if (level < 2) blocks.Add(($"up_blocks.{level}.upsamplers.0", $"output_blocks.{output - 1}.1"));
        }

        (string Ours, string Karlos)[] inner =
        [
            ("norm1", "in_layers.0"), ("conv1", "in_layers.2"), ("time_emb_proj", "emb_layers.1"),
                ("norm2", "out_layers.0"), ("conv2", "out_layers.3"),
            ("conv_shortcut", "skip_connection"),
        ];
        (string Ours, string Karlos)[] ends =
        [
            ("time_embedding.linear_1", "time_embed.0"), ("time_embedding.linear_2", "time_embed.2"),
                ("conv_in", "input_blocks.0.0"), ("conv_norm_out", "out.0"),
            ("conv_out", "out.2"),
        ];
        var names = ends.Concat(blocks.SelectMany(b => inner.Select(i => ($"{b.Ours}.{i.Ours}", $"{b.Karlos}.{i.Karlos}"))))
            .ToDictionary(p => p.Item1, p => p.Item2);
        SafeTensorsWriter.Write(At("karlo.safetensors"), network.state_dict().SelectMany(p =>
        {
            var dot = p.Key.LastIndexOf('.');
            var name = names[p.Key[..dot]] + p.Key[dot..];
            return new[] { KeyValuePair.Create(UNet2DKeyMap.KarloFirst + name, p.Value),
                KeyValuePair.Create(UNet2DKeyMap.KarloLast + name, -p.Value) };
        }));

        using var file = new SafeTensorsFile(At("karlo.safetensors"));
        foreach (var (prefix, sign) in new[] { (UNet2DKeyMap.KarloFirst, 1), (UNet2DKeyMap.KarloLast, -1) })
        {
            StateDict.Load(copy, file, new StateDictOptions { Prefix = prefix, Renames = UNet2DKeyMap.FromKarlo(config) });
            Assert.All(copy.state_dict(), p => Assert.True(p.Value.allclose(sign * network.state_dict()[p.Key], 0, 0), p.Key));
        }
    }

    [Fact]
    public void Config_WrittenAndRead_StaysTheSameNetwork()
    {
        ConfigFile.Write(At("config.json"), Tiny, "UNet2DModel");
        using var meta = WeightInit.OnMeta();
        using var first = new UNet2DModel(Tiny);
        using var second = new UNet2DModel(ConfigFile.Read<UNet2DConfig>(folder));
        Assert.Equal(StateDict.Names(first), StateDict.Names(second));
    }

    private static string Karlo(string more) =>
        "{ \"block_out_channels\": [4], \"down_block_types\": [\"ResnetDownsampleBlock2D\"], "
            + "\"up_block_types\": [\"ResnetUpsampleBlock2D\"], \"norm_num_groups\": 2, "
        + (more.Contains("add_attention", StringComparison.Ordinal) ? "" : "\"add_attention\": false, ") + more + " }";

    private string At(string name) => Path.Combine(folder, name);

    private static Tensor Run(UNet2DModel network, ScalarType type, long step = 500)
    {
        using var scope = NewDisposeScope();
        var sample = linspace(-1, 1, 2 * 6 * 4 * 6, dtype: ScalarType.Float32).reshape(2, 6, 4, 6).to(type);
        return network.call(sample, tensor(step)).MoveToOuterDisposeScope();
    }
}
