using Alebrije.Models.UNets;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

public sealed class UNet2DConditionModelTests
{
    private static readonly UNet2DConditionConfig Tiny = new()
    {
        BlockOutChannels = [4, 8],
        DownBlockTypes = ["CrossAttnDownBlock2D", "DownBlock2D"],
        UpBlockTypes = ["UpBlock2D", "CrossAttnUpBlock2D"],
        LayersPerBlock = [1],
        AttentionHeadDim = [2],
        CrossAttentionDim = [6],
        NormNumGroups = 2,
        ClassEmbedType = "projection",
        ProjectionClassEmbeddingsInputDim = 5,
    };

    public UNet2DConditionModelTests() => TorchRuntime.Initialize();

    public static TheoryData<string> Goldens => NetworkGolden.Of("UNet2DConditionModel");

    [Theory]
    [MemberData(nameof(Goldens))]
    public void Golden_DenoisesAsTheReference(string name)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var golden = new NetworkGolden(name);
        using var network = new UNet2DConditionModel(ConfigFile.Read<UNet2DConditionConfig>(golden.ModelFolder));
        using (var weights = CheckpointFolder.OpenWeights(golden.ModelFolder)) StateDict.Load(network, weights);
        foreach (var c in golden.Cases)
        {
            Assert.Equal("forward", c.Call);
            var conditions = new UNetConditions(c.Input("encoder_hidden_states"))
            {
                ClassLabels = c.Optional("class_labels"),
                TextEmbeds = c.Optional("added_cond_kwargs.text_embeds"),
                TimeIds = c.Optional("added_cond_kwargs.time_ids"),
            };
            c.Check("sample_out", network.call(c.Input("sample"), c.Timestep()!, conditions));
        }
    }

    [Fact]
    public void Backward_ReachesEveryWeight()
    {
        using var scope = NewDisposeScope();
        using var network = new UNet2DConditionModel(Tiny);
        Run(network, ScalarType.Float32).square().mean().backward();
        Assert.Empty(network.named_parameters().Where(p => p.parameter.grad is null).Select(p => p.name));
    }

    [Fact]
    public void Forward_OfBFloat16_StaysCloseToFloat32AndTrains()
    {
        using var scope = NewDisposeScope();
        using var network = new UNet2DConditionModel(Tiny);
        var rough = Run(network, ScalarType.BFloat16);
        Assert.Equal(ScalarType.BFloat16, rough.dtype);
        Assert.InRange((rough.to(ScalarType.Float32) - Run(network, ScalarType.Float32)).abs().max().item<float>(), 0, 0.1f);
        rough.to(ScalarType.Float32).square().mean().backward();
        Assert.All(network.parameters(), p => Assert.Equal(ScalarType.Float32, p.grad!.dtype));
    }

    [Fact]
    public void Forward_WithScaleShiftAndATimeCondition_UsesBoth()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new UNet2DConditionModel(Tiny with { ResnetTimeScaleShift = "scale_shift", TimeCondProjDim = 3 });
        var shape = network.state_dict()["down_blocks.0.resnets.0.time_emb_proj.weight"].shape;
        var without = Run(network, ScalarType.Float32);
        var with = Run(network, ScalarType.Float32, ones(2, 3));
        Assert.Equal([8L, 16], shape);
        Assert.False(without.allclose(with));
    }

    [Fact]
    public void Forward_ThatLeaksNothing_LeavesOneTensorBehind()
    {
        using var network = new UNet2DConditionModel(Tiny);
        using var guard = no_grad();
        using var outer = NewDisposeScope();
        var before = outer.DisposablesCount;
        Run(network, ScalarType.Float32);
        Assert.Equal(before + 1, outer.DisposablesCount);
    }

    [Fact]
    public void Constructor_OfListsThatDoNotFit_SaysWhich()
    {
        var e = Assert.Throws<ArgumentException>(() => new UNet2DConditionModel(Tiny with { AttentionHeadDim = [1, 2, 3] }));
        Assert.Contains("3 attention_head_dim and 2 block_out_channels", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Forward_WithoutClassLabels_SaysSo()
    {
        using var scope = NewDisposeScope();
        using var network = new UNet2DConditionModel(Tiny);
        var e = Assert.Throws<ArgumentException>(() => network.call(ones(1, 4, 4, 4), tensor(1L), new UNetConditions(ones(1, 2, 6))));
        Assert.Contains("class labels", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Config_WrittenAndRead_StaysTheSameNetwork()
    {
        var file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".json");
        try
        {
            var config = Tiny with
            {
                TransformerLayersPerBlock = new Depths([[1, 2], [1]]),
                ReverseTransformerLayersPerBlock = new Depths([[1], [2, 1, 1]]),
                LayersPerBlock = [2, 1],
            };
            ConfigFile.Write(file, config);
            using var meta = Alebrije.Nn.WeightInit.OnMeta();
            using var first = new UNet2DConditionModel(config);
            using var second = new UNet2DConditionModel(ConfigFile.Read<UNet2DConditionConfig>(file));
            Assert.Equal(StateDict.Names(first), StateDict.Names(second));
            Assert.Contains("up_blocks.1.attentions.0.transformer_blocks.1.norm1.weight", StateDict.Names(second).Keys);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static Tensor Run(UNet2DConditionModel network, ScalarType type, Tensor? timeCondition = null)
    {
        using var scope = NewDisposeScope();
        var sample = linspace(-1, 1, 2 * 4 * 4 * 4, dtype: ScalarType.Float32).reshape(2, 4, 4, 4).to(type);
        var conditions = new UNetConditions(ones(2, 3, 6, dtype: type)) { ClassLabels = ones(2, 5, dtype: type),
            TimestepCondition = timeCondition };
        return network.call(sample, tensor(500L), conditions).MoveToOuterDisposeScope();
    }

    [Fact]
    public void MidBlockType_Null_IsReadAndWrittenAsNoMiddle()
    {
        var folder = Directory.CreateTempSubdirectory("alebrije-unet-").FullName;
        try
        {
            ConfigFile.Write(Path.Combine(folder, "config.json"), Alebrije.Tests.Training.TinyParts.Decoder with { MidBlockType = null },
                "UNet2DConditionModel");
            Assert.Contains("\"mid_block_type\": null", File.ReadAllText(Path.Combine(folder, "config.json")), StringComparison.Ordinal);
            var config = ConfigFile.Read<UNet2DConditionConfig>(folder);
            Assert.Null(config.MidBlockType);
            using var network = new UNet2DConditionModel(config);
            Assert.DoesNotContain(network.state_dict().Keys, name => name.StartsWith("mid_block", StringComparison.Ordinal));
            File.WriteAllText(Path.Combine(folder, "run.json"),
                """{ "clip": "a", "autoencoder": "b", "start": null, "model": { "mid_block_type": null, "norm_eps": null } }""");
            var run = ConfigFile.Read<Alebrije.Training.DecoderTrainingConfig>(Path.Combine(folder, "run.json"), unknownKeysAllowed: false);
            Assert.Equal((null, 1e-5), (run.Model.MidBlockType, run.Model.NormEps));
            File.WriteAllText(Path.Combine(folder, "config.json"), "{ \"norm_eps\": null }");
            Assert.Equal(("UNetMidBlock2DCrossAttn", 1e-5),
                (ConfigFile.Read<UNet2DConditionConfig>(folder).MidBlockType, ConfigFile.Read<UNet2DConditionConfig>(folder).NormEps));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
