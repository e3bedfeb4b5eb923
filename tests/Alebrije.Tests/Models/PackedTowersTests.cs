using Alebrije.Models.Clip;
using Alebrije.Nn;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Models;

/// <summary>Towers prepared for inference give the same outputs as the original networks.</summary>
public sealed class PackedTowersTests
{
    private const int End = 63;

    public PackedTowersTests() => TorchRuntime.Initialize();

    [Theory]
    [InlineData("quick_gelu", End)]
    [InlineData("gelu", End)]
    [InlineData("gelu", 2)]
    public void TransformersTowers_AreTheSameFunction(string activation, int endToken)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var network = Shaken(new ClipNetwork(new ClipConfig
        {
            ProjectionDim = 12,
            TextConfig = new ClipTextConfig { VocabSize = 64, HiddenSize = 16, IntermediateSize = 40, NumHiddenLayers = 3,
                NumAttentionHeads = 2, MaxPositionEmbeddings = 24, HiddenAct = activation, EosTokenId = endToken, LayerNormEps = 1e-3 },
            VisionConfig = new ClipVisionConfig { HiddenSize = 24, IntermediateSize = 48,
                NumHiddenLayers = 2, NumAttentionHeads = 3, ImageSize = 16, PatchSize = 4, HiddenAct = activation },
        }));
        var rows = Rows(200, 24);
        AssertTexts(rows, network.Text);

        var pixels = new Noise(3).Randn(5, 3, 16, 16);
        AssertImages(pixels, network.Vision);
    }

    [Theory]
    [InlineData("argmax", true, false, false, 16)]
    [InlineData("eos", false, true, true, 18)]
    [InlineData("last", false, false, false, 16)]
    [InlineData("first", false, false, false, 16)]
    public void OpenClipTowers_AreTheSameFunction(string pool, bool quick, bool bias, bool noFirstNorm, int side)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var network = Shaken(new ClipNetwork(new OpenClipConfig
        {
            EmbedDim = 12, QuickGelu = quick,
            TextCfg = new OpenClipTextConfig { ContextLength = 24, VocabSize = 64, Width = 16, Heads = 2,
                Layers = 2, PoolType = pool, EosId = End, ProjBias = bias, ActKwargs = bias ? new() { ["approximate"] = "tanh" } : [] },
            VisionCfg = new OpenClipVisionConfig
            {
                ImageSize = side, PatchSize = 4, Width = 24, HeadWidth = 8, Layers = [2], NoLnPre = noFirstNorm,
            },
        }.ToClip()));
        AssertTexts(Rows(40, 24), network.Text);
        AssertImages(new Noise(3).Randn(5, 3, side, side), network.Vision);
    }

    /// <summary>Texts whose tokens attend to later ones, and images of which all patches are read.</summary>
    [Theory]
    [InlineData("last", "avg", false)]
    [InlineData("argmax", "avg", true)]
    [InlineData("first", "tok", true)]
    public void Towers_ThatSeeAndPoolEverything_AreTheSameFunction(string pool, string imagePool, bool pooler)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var network = Shaken(new ClipNetwork(new OpenClipConfig
        {
            EmbedDim = 12,
            TextCfg = new OpenClipTextConfig
            {
                ContextLength = 24, VocabSize = 64, Width = 12, Heads = 2, Layers = 2, NoCausalMask = true, PoolType = pool,
                ProjType = "none",
            },
            VisionCfg = new OpenClipVisionConfig
            {
                ImageSize = 16, PatchSize = 4, Width = 24, HeadWidth = 8, Layers = [2], PoolType = imagePool, FinalLnAfterPool = !pooler,
                AttentionalPool = pooler, AttnPoolerQueries = 5, AttnPoolerHeads = 3,
            },
        }.ToClip()));
        AssertTexts(Rows(50, 24), network.Text);
        AssertImages(new Noise(3).Randn(5, 3, 16, 16), network.Vision);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SigLipsTower_IsTheSameFunction(bool tanh)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var sizes = new SigLipVisionConfig(24, 2, 3, 4, 16) { TanhGelu = tanh };
        var config = new ClipVisionConfig { ProjectionDim = 24, ImageSize = 16, SigLip = sizes };
        using var tower = Shaken(new ClipVisionModel(config, projects: true));
        AssertImages(new Noise(3).Randn(5, 3, 16, 16), tower);
    }

    [Fact]
    public void Picture_OfAnotherSize_IsRefused()
    {
        using var network = new ClipNetwork(new OpenClipConfig
        {
            EmbedDim = 12,
            TextCfg = new OpenClipTextConfig { ContextLength = 8, VocabSize = 64, Width = 16, Heads = 2, Layers = 1 },
            VisionCfg = new OpenClipVisionConfig { ImageSize = 16, PatchSize = 4, Width = 24, HeadWidth = 8, Layers = [1] },
        }.ToClip());
        using var tower = network.Vision.Pack(ScalarType.Float32)!;
        using var pixels = zeros(1, 3, 20, 20);
        Assert.Contains("20 x 20", Assert.Throws<ArgumentException>(() => tower.Embed(pixels)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 7)]
    [InlineData(2, 300)]
    [InlineData(3, 5)]
    public void PackedLinear_IsLinearAndWhatFollows(int epilogue, int rows)
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(11);
        var (weight, bias, x) = (noise.Randn(33, 20), noise.Randn(33), noise.Randn(2, rows, 20));
        var y = nn.functional.linear(x, weight, bias);
        var expected = (LinearEpilogue)epilogue switch
        {
            LinearEpilogue.Gelu => nn.functional.gelu(y),
            LinearEpilogue.TanhGelu => Activation.TanhGelu(y),
            LinearEpilogue.Silu => nn.functional.silu(y),
            _ => y,
        };
        using var layer = new PackedLinear(weight, bias, ScalarType.Float32, (LinearEpilogue)epilogue);
        Assert.True(layer.Call(x).allclose(expected, 1e-4, 1e-4));
        using var without = new PackedLinear(weight, null, ScalarType.Float32);
        Assert.True(without.Call(x).allclose(nn.functional.linear(x, weight), 1e-4, 1e-4));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 7)]
    [InlineData(2, 300)]
    [InlineData(3, 5)]
    public void Int8_IsNearlyLinearAndWhatFollows(int epilogue, int rows)
    {
        Assert.SkipUnless(OneDnn.HasInt8, "This libtorch has no int8 products.");
        using var scope = NewDisposeScope();
        using var noise = new Noise(11);
        var (weight, bias, x) = (noise.Randn(48, 128), noise.Randn(48), noise.Randn(2, rows, 128));
        weight[0] = 0;
        weight[1].mul_(1000);
        using var exact = new PackedLinear(weight, bias, ScalarType.Float32, (LinearEpilogue)epilogue);
        using var layer = new PackedLinear(weight, bias, ScalarType.Int8, (LinearEpilogue)epilogue);
        var (given, expected) = (layer.Call(x), exact.Call(x));
        Assert.Equal(ScalarType.Float32, given.dtype);
        Assert.Equal(expected.shape, given.shape);

        // A row of zeros gives its bias alone, and each row has its own quantization steps: a large one does not affect the others.
        Assert.True(given[.., .., 0].allclose(expected[.., .., 0]));
        foreach (var rest in new[] { TensorIndex.Slice(1, 2), TensorIndex.Slice(2) })
        {
            var (some, right) = (given.index(TensorIndex.Ellipsis, rest), expected.index(TensorIndex.Ellipsis, rest));
            Assert.InRange(((some - right).norm() / right.norm()).item<float>(), 1e-5f, 0.08f);
        }
    }

    [Fact]
    public void Int8_DoesNotOverflow_WhereAllIsLargest()
    {
        Assert.SkipUnless(OneDnn.HasInt8, "This libtorch has no int8 products.");
        using var scope = NewDisposeScope();
        using var layer = new PackedLinear(ones(16, 512), null, ScalarType.Int8);
        var x = ones(3, 512);
        x[2] = 0;
        Assert.Equal([512, 512, 0], layer.Call(x).index(TensorIndex.Colon, 0).data<float>().Select(sum => MathF.Round(sum)));
    }

    [Fact]
    public void Int8_IsRefused_ByWhatIsNotMadeForIt()
    {
        Assert.Contains("fp32 or bf16", Assert.Throws<NotSupportedException>(() => Processor.ScalarType(Precision.Int8)).Message,
            StringComparison.Ordinal);
        Assert.SkipUnless(OneDnn.HasInt8, "This libtorch has no int8 products.");
        using var model = ClipModel.Load(Path.Combine(Repository.Root, "tests", "Alebrije.Tests", "Fixtures", "open-clip-resnet", "model"),
            Precision.Int8);
        Assert.Contains("int8", Assert.Throws<NotSupportedException>(() => model.EmbedImages([new RgbImage(8, 8)],
            cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }

    private static void AssertTexts(int[][] rows, ClipTextModel network)
    {
        var expected = network.Embed(tensor(rows.SelectMany(row => row.Select(id => (long)id)).ToArray(), [rows.Length, rows[0].Length]));
        foreach (var type in Types)
        {
            using var tower = network.Pack(type);
            var (given, seen) = (zeros_like(expected), 0);
            tower.Embed(rows, (places, values) =>
            {
                given.index_copy_(0, tensor(places.Select(p => (long)p).ToArray()), values);
                seen += places.Length;
            });
            Assert.Equal(rows.Length, seen);
            AssertSame(expected, given, type);
        }
    }

    private static void AssertImages(Tensor pixels, ClipVisionModel network)
    {
        var expected = network.Embed(pixels);
        foreach (var type in Types)
        {
            using var tower = network.Pack(type)!;
            AssertSame(expected, tower.Embed(pixels), type);
        }
    }

    /// <summary>bf16 only if the processor supports it: elsewhere it is a hundred times slower.</summary>
    private static IEnumerable<ScalarType> Types =>
        [ScalarType.Float32, .. Processor.HasFastBf16 ? [ScalarType.BFloat16] : Array.Empty<ScalarType>(),
            .. OneDnn.HasInt8 ? [ScalarType.Int8] : Array.Empty<ScalarType>()];

    private static void AssertSame(Tensor expected, Tensor given, ScalarType type)
    {
        if (type == ScalarType.Float32) Assert.InRange((expected - given).abs().max().item<float>(), 0, 2e-4f);
        var cosine = (ClipNetwork.Unit(expected) * ClipNetwork.Unit(given)).sum(-1).min().item<float>();
        Assert.InRange(cosine, type switch { ScalarType.Float32 => 0.99999f, ScalarType.BFloat16 => 0.999f, _ => 0.995f }, 1.00001f);
    }

    /// <summary>Rows of every length, padded with the end token or with zeros.</summary>
    private static int[][] Rows(int count, int tokens) => [.. Enumerable.Range(0, count).Select(i =>
    {
        var length = 1 + (i * 7 % (tokens - 1));
        return Enumerable.Range(0, tokens).Select(t => t < length ? 1 + (((i * 31) + (t * 17)) % (End - 1)) : t == length
            || i % 2 == 0 ? End : 0).ToArray();
    })];

    /// <summary>Draws every parameter from one seed, so that no scale is one, no shift zero, and each run tests the same network.</summary>
    private static T Shaken<T>(T network, int seed = 5) where T : nn.Module
    {
        using var noise = new Noise(seed);
        foreach (var (name, parameter) in network.named_parameters())
        {
            // Scales of norms, of layers and of logits are initialised as constants, the rest at random.
            var scale = parameter.dim() == 0 || (parameter.dim() == 1
                && (name.EndsWith("weight", StringComparison.Ordinal) || name.EndsWith("gamma", StringComparison.Ordinal)));
            if (!scale) parameter.zero_();
            parameter.add_(noise.Randn(parameter.shape) * (scale ? 0.2 : 0.25));
        }

        network.eval();
        return network;
    }
}
