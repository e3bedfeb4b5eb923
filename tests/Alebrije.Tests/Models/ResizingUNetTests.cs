using Alebrije.Models.UNets;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

/// <summary>Denoisers whose levels resize in residual blocks (Karlo, Kandinsky, IF); pipeline goldens compare their values.</summary>
public sealed class ResizingUNetTests
{
    private static readonly UNet2DConditionConfig Tiny = new()
    {
        InChannels = 3,
        OutChannels = 6,
        BlockOutChannels = [4, 8],
        DownBlockTypes = ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
        MidBlockType = "UNetMidBlock2DSimpleCrossAttn",
        UpBlockTypes = ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
        LayersPerBlock = [1],
        AttentionHeadDim = [4],
        CrossAttentionDim = [32],
        NormNumGroups = 2,
        ResnetTimeScaleShift = "scale_shift",
    };

    private static readonly Dictionary<string, UNet2DConditionConfig> Kinds = new()
    {
        ["plain"] = Tiny,
        ["karlo"] = Tiny with { ClassEmbedType = "identity" },
        ["text alone"] = Tiny with { OnlyCrossAttention = [true] },
        ["layer norm"] = Tiny with { CrossAttentionNorm = "layer_norm" },
        ["if"] = Tiny with { CrossAttentionNorm = "group_norm", AdditionEmbedType = "text",
            AdditionEmbedTypeNumHeads = 2, EncoderHidDim = 8, EncoderHidDimType = "text_proj", ActFn = "gelu" },
        ["kandinsky 2.1"] = Tiny with { AdditionEmbedType = "text_image", EncoderHidDim = 8, EncoderHidDimType = "text_image_proj" },
        ["kandinsky 2.2"] = Tiny with { AdditionEmbedType = "image", EncoderHidDim = 5, EncoderHidDimType = "image_proj" },
        ["control"] = Tiny with { InChannels = 7, AdditionEmbedType = "image_hint", EncoderHidDim = 5, EncoderHidDimType = "image_proj" },
    };

    public ResizingUNetTests() => TorchRuntime.Initialize();

    public static TheoryData<string> Names => [.. Kinds.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Backward_ReachesEveryWeight(string kind)
    {
        using var scope = NewDisposeScope();
        using var network = new UNet2DConditionModel(Kinds[kind]);
        var output = network.call(Sample(), tensor(500L), Conditions(network));
        Assert.Equal([2L, 6, 4, 4], output.shape);
        output.square().mean().backward();
        Assert.Empty(network.named_parameters().Where(p => p.parameter.grad is null).Select(p => p.name));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Forward_ThatLeaksNothing_LeavesOneTensorBehind(string kind)
    {
        using var network = new UNet2DConditionModel(Kinds[kind]);
        using var guard = no_grad();
        using var outer = NewDisposeScope();
        var (sample, step, conditions) = (Sample(), tensor(500L), Conditions(network));
        var before = outer.DisposablesCount;
        network.call(sample, step, conditions);
        Assert.Equal(before + 1, outer.DisposablesCount);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("text alone")]
    public void TextMask_HidesPaddingAndNothingElse(string kind)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new UNet2DConditionModel(Kinds[kind]);
        var conditions = Conditions(network) with { TextMask = tensor(new float[,] { { 1, 1, 0 }, { 1, 1, 0 } }) };
        var (padding, word) = (conditions.Text!.clone(), conditions.Text!.clone());
        padding[TensorIndex.Colon, 2] += 3;
        word[TensorIndex.Colon, 1] += 3;
        var before = Run(network, conditions);
        Assert.True(before.allclose(Run(network, conditions with { Text = padding })));
        Assert.False(before.allclose(Run(network, conditions with { Text = word })));
        Assert.False(before.allclose(Run(network, conditions with { TextMask = null })));
        // The positions of the image are never masked: without any text token the network still works, whatever the words.
        var none = conditions with { TextMask = zeros(2, 3) };
        Assert.Equal(kind == "plain", Run(network, none).allclose(Run(network, none with { Text = word })));
    }

    [Fact]
    public void OnlyCrossAttention_LeavesThePositionsOut_LevelByLevel()
    {
        Assert.Contains("down_blocks.1.attentions.0.to_k.weight", NamesOf(Tiny));
        Assert.DoesNotContain(NamesOf(Kinds["text alone"]),
            name => name.Contains(".to_k.", StringComparison.Ordinal) || name.Contains(".to_v.", StringComparison.Ordinal));
        var middle = NamesOf(Kinds["text alone"] with { MidBlockOnlyCrossAttention = false });
        Assert.Equal(["mid_block.attentions.0.to_k.bias", "mid_block.attentions.0.to_k.weight"],
            middle.Where(name => name.Contains(".to_k.", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        // One value for each level does not cover the middle block (unet_2d_condition.py, mid_block_only_cross_attention).
        var levels = NamesOf(Tiny with { OnlyCrossAttention = [true, true] });
        Assert.Contains("mid_block.attentions.0.to_k.weight", levels);
        Assert.DoesNotContain("up_blocks.0.attentions.0.to_k.weight", levels);
    }

    [Theory]
    [InlineData("layer_norm")]
    [InlineData("group_norm")]
    public void CrossAttentionNorm_TakesTheTextsScaleAway(string norm)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new UNet2DConditionModel(Tiny with { CrossAttentionNorm = norm });
        using var plain = new UNet2DConditionModel(Tiny);
        var conditions = Conditions(network);
        var louder = conditions with { Text = 3 * conditions.Text! };
        Assert.True(Run(network, conditions).allclose(Run(network, louder), 1e-3, 1e-4));
        Assert.False(Run(plain, conditions).allclose(Run(plain, louder), 1e-3, 1e-4));
    }

    [Fact]
    public void TextPooling_KnowsNoOrderOfTokens_AndTheirContentMatters()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var pooling = new TextTimeEmbedding(8, 6, heads: 2);
        using var noise = new Noise(4);
        var text = noise.Randn(2, 3, 8);
        var pooled = pooling.call(text);
        Assert.Equal([2L, 6], pooled.shape);
        Assert.True(pooled.allclose(pooling.call(text.flip(1)), 1e-4, 1e-5));
        Assert.False(pooled[0].allclose(pooled[1]));
        // Its last step is an untrained layer norm.
        Assert.Equal(0, pooled.mean([1]).abs().max().item<float>(), 1e-5f);
    }

    [Fact]
    public void TextPooling_ChangesWhatTheDenoiserSays()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new UNet2DConditionModel(Kinds["if"]);
        var conditions = Conditions(network) with { TextMask = zeros(2, 3) };
        // Attention is masked for all words, so the text acts through the pooling alone.
        Assert.False(Run(network, conditions).allclose(Run(network, conditions with { Text = conditions.Text!.flip(2) })));
    }

    [Fact]
    public void Hint_IsSeen()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var network = new UNet2DConditionModel(Kinds["control"]);
        var conditions = Conditions(network);
        Assert.False(Run(network, conditions).allclose(Run(network, conditions with { Hint = -conditions.Hint! })));
    }

    public static TheoryData<string, string> Missing => new()
    {
        { "plain", "attends to text or image tokens, but none were given" },
        { "if", "requires the text encodings, but none was given" },
        { "kandinsky 2.1", "requires the pooled text" },
        { "kandinsky 2.2", "requires the image embedding (image_embeds)" },
        { "control", "requires the depth map (hint)" },
    };

    [Theory]
    [MemberData(nameof(Missing))]
    public void Forward_WithoutWhatTheConfigAsksFor_SaysSo(string kind, string says)
    {
        using var scope = NewDisposeScope();
        using var network = new UNet2DConditionModel(Kinds[kind]);
        var all = Conditions(network);
        var given = kind switch
        {
            "control" => all with { Hint = null },
            "kandinsky 2.1" => all with { TextEmbeds = null },
            _ => all with { Text = null, ImageEmbeds = null },
        };
        Assert.Contains(says, Assert.Throws<ArgumentException>(() => network.call(Sample(), tensor(1L), given)).Message,
            StringComparison.Ordinal);
    }

    public static TheoryData<string, string> Refused => new()
    {
        { nameof(UNet2DConditionConfig.AttentionHeadDim), "8 channels cannot be split into heads of 3" },
        { nameof(UNet2DConditionConfig.CrossAttentionNorm), "cross_attention_norm \"batch_norm\" is not supported" },
        { nameof(UNet2DConditionConfig.MidBlockType), "mid_block_type \"Other\"" },
        { nameof(UNet2DConditionConfig.DownBlockTypes), "The block type \"SkipDownBlock2D\" is not supported" },
        { nameof(UNet2DConditionConfig.AdditionEmbedType), "so it must have encoder_hid_dim too" },
        { nameof(UNet2DConditionConfig.EncoderHidDimType), "encoder_hid_dim_type \"other\" is not supported" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void Config_ThatCannotBeBuilt_IsRefusedInOneSentence(string key, string says)
    {
        var config = key switch
        {
            nameof(UNet2DConditionConfig.AttentionHeadDim) => Tiny with { AttentionHeadDim = [3] },
            nameof(UNet2DConditionConfig.CrossAttentionNorm) => Tiny with { CrossAttentionNorm = "batch_norm" },
            nameof(UNet2DConditionConfig.MidBlockType) => Tiny with { MidBlockType = "Other" },
            nameof(UNet2DConditionConfig.DownBlockTypes) => Tiny with { DownBlockTypes = ["SkipDownBlock2D", "DownBlock2D"] },
            nameof(UNet2DConditionConfig.AdditionEmbedType) => Tiny with { AdditionEmbedType = "image" },
            _ => Tiny with { EncoderHidDim = 4, EncoderHidDimType = "other" },
        };
        var message = Assert.Throws<ArgumentException>(() => new UNet2DConditionModel(config)).Message;
        Assert.Contains(says, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    private static string[] NamesOf(UNet2DConditionConfig config)
    {
        using var meta = Alebrije.Nn.WeightInit.OnMeta();
        using var network = new UNet2DConditionModel(config);
        return [.. network.state_dict().Keys];
    }

    private static Tensor Run(UNet2DConditionModel network, UNetConditions conditions) => network.call(Sample(), tensor(500L), conditions);

    private static Tensor Sample() => linspace(-1, 1, 2 * 3 * 4 * 4, dtype: ScalarType.Float32).reshape(2, 3, 4, 4);

    /// <summary>All conditions of any of the configs.</summary>
    private static UNetConditions Conditions(UNet2DConditionModel network)
    {
        using var noise = new Noise(8);
        var config = network.Config;
        var image = config.EncoderHidDimType == "text_image_proj" ? config.CrossAttentionDim[0] : config.EncoderHidDim ?? 1;
        return new UNetConditions(noise.Randn(2, 3, config.EncoderHidDim ?? config.CrossAttentionDim[0]))
        {
            ClassLabels = noise.Randn(2, config.TimeWidth), TextEmbeds = noise.Randn(2, config.CrossAttentionDim[0]),
            ImageEmbeds = noise.Randn(2, image), Hint = noise.Randn(2, 3, 32, 32),
        };
    }
}
