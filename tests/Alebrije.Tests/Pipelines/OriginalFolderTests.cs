using Alebrije.Models.Autoencoders;
using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
using Alebrije.Models.XlmRoberta;
using Alebrije.Nn;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Originals;
using Alebrije.Tensors;
using Alebrije.Tests.Models;
using Alebrije.Tests.Weights;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>Checkpoints in the original layouts of Karlo and Kandinsky: tiny ones as files, published sizes by their names.</summary>
public sealed class OriginalFolderTests : IDisposable
{
    private const int Features = 64;
    private readonly string root = Directory.CreateTempSubdirectory("alebrije-originals-").FullName;
    private readonly DisposeScope scope;
    private readonly Noise noise;
    private readonly Dictionary<string, Dictionary<string, Tensor>> networks = [];

    public OriginalFolderTests()
    {
        TorchRuntime.Initialize();
        noise = new Noise(3);
        scope = NewDisposeScope();
        Directory.CreateDirectory(Source);
    }

    private string Source => Path.Combine(root, "source");

    private string Target => Path.Combine(root, "target");

    public void Dispose()
    {
        scope.Dispose();
        noise.Dispose();
        Directory.Delete(root, recursive: true);
    }

    [Fact]
    public void Karlo_IsWrittenAsTheSameNetworks_AndOpens()
    {
        WriteShared("state_dict.model.");
        var decoder = Keep("decoder",
            new UNet2DConditionModel(Decoder with { InChannels = 3, OutChannels = 6, ClassEmbedType = "identity" }));
        var texts = Keep("text_proj", new UnClipTextProjection(
            new UnClipTextProjectionConfig { ClipEmbeddingsDim = Features, TimeEmbedDim = 128, CrossAttentionDim = Features }));
        Save("b.ckpt", Prefixed("state_dict.model.", OriginalNames.Decoder(decoder, false, true))
            .Concat(Prefixed("state_dict.model.", OriginalNames.Decoder(texts))));
        var upsampler = UNet2DConfig.Upsampler(32, 32) with { LayersPerBlock = 3 };
        Save("c.ckpt", Prefixed("state_dict.model_first_steps.",
            OriginalNames.Decoder(Keep("super_res_first", new UNet2DModel(upsampler)), false, false))
            .Concat(Prefixed("state_dict.model_last_step.",
                OriginalNames.Decoder(Keep("super_res_last", new UNet2DModel(upsampler)), false, false))));

        var original = OriginalFolder.TryOpen(Source)!;
        Assert.Equal("Karlo", original.Kind);
        Assert.Equal([""], original.Endings);
        original.Write("", Target, TestContext.Current.CancellationToken);
        AssertSame(Target, "text_encoder", "image_encoder", "prior", "decoder", "text_proj", "super_res_first", "super_res_last");
        using var pipeline = ImagePipeline.Load(Target);
        Assert.Equal((256, true), (pipeline.Size, pipeline.HasImageEncoder));
        Assert.Contains(PriorKind.Diffusion, pipeline.Priors);
        Assert.Equal((25, 8.0), (pipeline.Complete(new GenerationRequest { Prompt = "a" }).Steps,
            pipeline.Complete(new GenerationRequest { Prompt = "a" }).Guidance));

        // The written folder gives the same results.
        using var guard = no_grad();
        var folder = PipelineFolder.Open(Target);
        using var network = folder.Load<UNet2DConditionModel>("decoder");
        using var before = new UNet2DConditionModel(Decoder with { InChannels = 3, OutChannels = 6, ClassEmbedType = "identity" });
        before.load_state_dict(decoder);
        Assert.Equal(Run(before), Run(network));
    }

    [Theory]
    [InlineData(4, "KandinskyPipeline")]
    [InlineData(9, "KandinskyInpaintPipeline")]
    public void Kandinsky_IsWrittenAsTwoFolders(int channels, string className)
    {
        WriteShared("model.");
        var config = Decoder with { InChannels = channels, OutChannels = 8,
            AdditionEmbedType = "text_image", EncoderHidDimType = "text_image_proj", EncoderHidDim = 64 };
        Save("decoder.ckpt", OriginalNames.Decoder(Keep("unet", new UNet2DConditionModel(config)), false, true));
        var movq = Keep("movq", new VQModel(new VQModelConfig
        {
            BlockOutChannels = [32, 64], DownBlockTypes = ["DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
            UpBlockTypes = ["AttnUpDecoderBlock2D", "UpDecoderBlock2D"], LayersPerBlock = 2,
            LatentChannels = 4, VqEmbedDim = 4, NumVqEmbeddings = 20, NormType = "spatial",
        }));
        Save("movq.ckpt", movq.Select(pair => KeyValuePair.Create(VQModelTests.Original(pair.Key, 2),
            VQModelTests.IsMatrix(pair.Key) ? pair.Value.unsqueeze(-1).unsqueeze(-1) : pair.Value)));
        var texts = Path.Combine(Source, "text_encoder");
        Directory.CreateDirectory(texts);
        File.WriteAllText(Path.Combine(texts, "sentencepiece.bpe.model"), "pieces");
        SafeTensorsWriter.Write(Path.Combine(texts, "model.safetensors"),
            Keep("text_encoder", new MultilingualClip(new MultilingualClipConfig
        {
            TransformerDimensions = 64, NumDims = Features, VocabSize = 100,
            HiddenSize = 64, NumHiddenLayers = 1, NumAttentionHeads = 1, IntermediateSize = 128, MaxPositionEmbeddings = 80,
            TypeVocabSize = 1, LayerNormEps = 1e-5,
        })));

        var original = OriginalFolder.TryOpen(Source)!;
        Assert.Equal(["-prior", ""], original.Endings);
        original.Write("", Target, TestContext.Current.CancellationToken);
        AssertSame(Target, "unet", "movq", "text_encoder");
        Assert.Equal((className, "pieces"),
            (PipelineFolder.Open(Target).ClassName, File.ReadAllText(Path.Combine(Target, "tokenizer", "sentencepiece.bpe.model"))));
        original.Write("-prior", Target + "-prior", TestContext.Current.CancellationToken);
        AssertSame(Target + "-prior", "prior", "image_encoder");
        Assert.Equal("KandinskyPriorPipeline", PipelineFolder.Open(Target + "-prior").ClassName);
    }

    [Fact]
    public void Folders_OfOtherThings_AreNone()
    {
        Assert.Null(OriginalFolder.TryOpen(Source));
        Assert.Null(OriginalFolder.TryOpen(TinyPipeline.Golden));
        Save("lonely.ckpt", [KeyValuePair.Create("weight", zeros(1))]);
        Assert.Null(OriginalFolder.TryOpen(Source));
    }

    [Fact]
    public void MissingFile_IsNamed()
    {
        Save("b.ckpt", [KeyValuePair.Create("state_dict.model.clip_tok_proj.weight", zeros(1))]);
        Assert.Contains("lacks the prior (prior-ckpt-step=*.ckpt",
            Assert.Throws<CheckpointNotFoundException>(() => OriginalFolder.TryOpen(Source)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("karlo-v1-alpha.prior")]
    [InlineData("karlo-v1-alpha.decoder")]
    [InlineData("karlo-v1-alpha.super_res_first")]
    [InlineData("karlo-v1-alpha.text_proj")]
    [InlineData("kandinsky-2-1.prior")]
    [InlineData("kandinsky-2-1.unet")]
    public void PublishedSizes_OfOriginalNames_AreThePublishedTensors(string model)
    {
        // A network of the census's config, in the original's names and shapes; config and names are then derived from these alone.
        using var meta = WeightInit.OnMeta();
        using var network = ShapeTests.Build(model);
        var state = network.state_dict();
        bool[] attends = model.Contains("super_res", StringComparison.Ordinal) ? [false, false, false, false] : [false, true, true, true];
        var names = model.EndsWith("prior", StringComparison.Ordinal) ? OriginalNames.Prior(state) : OriginalNames.Decoder(state, attends);
        using var file = new ShapesOnly(names.ToDictionary(pair => pair.Key, pair => pair.Value.shape), "names");
        var (options, build) = model.Split('.')[^1] switch
        {
            "prior" when OriginalConfigs.Prior(file, "") is var config =>
                (PriorKeyMap.FromOriginal(config.AttentionHeadDim, ""), (Func<nn.Module>)(() => new PriorTransformer(config))),
            "decoder" when OriginalConfigs.KarloDecoder(file, "") is var config =>
                (UNet2DConditionKeyMap.FromKarlo(config, ""), () => new UNet2DConditionModel(config)),
            "unet" when OriginalConfigs.KandinskyDecoder(file, "") is var config =>
                (UNet2DConditionKeyMap.FromKandinsky(config), () => new UNet2DConditionModel(config)),
            "text_proj" when OriginalConfigs.TextProjection(file, "") is var config =>
                (UNet2DConditionKeyMap.TextProjection(""), () => new UnClipTextProjection(config)),
            _ when OriginalConfigs.Upsampler(file, "") is var config =>
                (new StateDictOptions { Renames = UNet2DKeyMap.FromKarlo(config) }, () => new UNet2DModel(config)),
            _ => throw new InvalidOperationException(model),
        };
        var census = ShapeTests.Census(model).Where(line => !line.StartsWith("clip_mean", StringComparison.Ordinal)
            && !line.StartsWith("clip_std", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToArray();
        Assert.Equal(census, StateDict.Names(file, options).Select(pair => $"{pair.Key} [{string.Join(",", pair.Value)}]")
            .Order(StringComparer.Ordinal));
        using var found = build();
        Assert.Equal(StateDict.Names(network), StateDict.Names(found));
    }

    /// <summary>A few names of the original code, spelled out.</summary>
    [Theory]
    [InlineData("karlo-v1-alpha.decoder", "input_blocks.15.1.encoder_kv.weight")]
    [InlineData("karlo-v1-alpha.decoder", "output_blocks.11.2.in_layers.0.weight")]
    [InlineData("karlo-v1-alpha.decoder", "input_blocks.12.0.emb_layers.1.bias")]
    [InlineData("karlo-v1-alpha.super_res_first", "output_blocks.3.1.out_layers.3.weight")]
    [InlineData("karlo-v1-alpha.super_res_first", "middle_block.1.in_layers.2.weight")]
    [InlineData("kandinsky-2-1.unet", "middle_block.1.qkv.bias")]
    [InlineData("kandinsky-2-1.unet", "ln_model_n.weight")]
    public void OriginalNames_AreThoseOfTheOriginalCode(string model, string name)
    {
        using var meta = WeightInit.OnMeta();
        using var network = ShapeTests.Build(model);
        bool[] attends = model.Contains("super_res", StringComparison.Ordinal) ? [false, false, false, false] : [false, true, true, true];
        Assert.Contains(name, OriginalNames.Decoder(network.state_dict(), attends).Keys);
    }

    private static UNet2DConditionConfig Decoder => new()
    {
        SampleSize = [64], BlockOutChannels = [32, 128], LayersPerBlock = [3],
        DownBlockTypes = ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
        UpBlockTypes = ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
        MidBlockType = "UNetMidBlock2DSimpleCrossAttn", CrossAttentionDim = [Features], AttentionHeadDim = [64],
        ResnetTimeScaleShift = "scale_shift",
    };

    private static float[] Run(UNet2DConditionModel network)
    {
        var conditions = new UNetConditions(linspace(1, 2, 5 * Features)
            .reshape(1, 5, Features)) { ClassLabels = linspace(-1, 1, 128).reshape(1, 128) };
        return network.call(linspace(-1, 1, 3 * 8 * 8).reshape(1, 3, 8, 8), tensor(7L), conditions).data<float>().ToArray();
    }

    private Dictionary<string, Tensor> Keep(string name, nn.Module network)
    {
        using var guard = no_grad();
        var state = network.state_dict();
        foreach (var tensor in state.Values.Where(tensor => tensor.is_floating_point())) tensor.copy_(noise.Randn(tensor.shape) * 0.1);
        return networks[name] = state;
    }

    /// <summary>Writes CLIP, prior and statistics, common to both.</summary>
    private void WriteShared(string prefix)
    {
        using var guard = no_grad();
        var text = Keep("text_encoder", new ClipTextModel(new ClipTextConfig { VocabSize = 49408, HiddenSize = 64,
            IntermediateSize = 256, ProjectionDim = Features, NumHiddenLayers = 1, NumAttentionHeads = 1 }, projects: true));
        var vision = Keep("image_encoder", new ClipVisionModel(new ClipVisionConfig { HiddenSize = 64, IntermediateSize = 256,
            ProjectionDim = Features, NumHiddenLayers = 1, NumAttentionHeads = 1, ImageSize = 28, PatchSize = 14 }, projects: true));
        Save("ViT.pt", OriginalNames.Tower(text, false).Concat(OriginalNames.Tower(vision, true)));
        var prior = Keep("prior", new PriorTransformer(new PriorTransformerConfig { NumAttentionHeads = 2,
            AttentionHeadDim = 64, NumLayers = 1, EmbeddingDim = Features }));
        Save("a.ckpt", Prefixed(prefix, OriginalNames.Prior(prior)));
        Save("stats.th", [KeyValuePair.Create("0", prior["clip_mean"].flatten()), KeyValuePair.Create("1", prior["clip_std"].flatten())],
            asTuple: true);
    }

    private void AssertSame(string folder, params string[] components)
    {
        foreach (var component in components)
        {
            using var file = CheckpointFolder.OpenWeights(Path.Combine(folder, component));
            Assert.Equal(networks[component].Keys.Order(StringComparer.Ordinal), file.Names.Order(StringComparer.Ordinal));
            Assert.All(networks[component],
                pair => Assert.True(pair.Value.equal(file.Read(pair.Key)).all().item<bool>(), $"{component} {pair.Key}"));
        }
    }

    private static Dictionary<string, Tensor> Prefixed(string prefix, Dictionary<string, Tensor> tensors) =>
        tensors.ToDictionary(pair => prefix + pair.Key, pair => pair.Value);

    /// <summary>Saves as torch.save does: one dictionary with dotted names, or a tuple.</summary>
    private void Save(string name, IEnumerable<KeyValuePair<string, Tensor>> tensors, bool asTuple = false)
    {
        var pickle = new PickleWriter();
        var storages = new List<byte[]>();
        if (!asTuple) pickle.Op('}');
        else pickle.Op('(');
        foreach (var (key, tensor) in tensors)
        {
            using var plain = tensor.detach().contiguous();
            if (!asTuple) pickle.Text(key);
            var strides = plain.shape.Select((_, axis) => (int)plain.shape[(axis + 1)..].Aggregate(1L, (product, size) => product * size))
                .ToArray();
            pickle.Tensor("FloatStorage", $"{storages.Count}", (int)plain.numel(), 0, [.. plain.shape.Select(size => (int)size)], strides);
            if (!asTuple) pickle.Op('s');
            storages.Add(plain.bytes.ToArray());
        }

        if (asTuple) pickle.Op('t');
        pickle.Op('.').Save(Path.Combine(Source, name), [.. storages]);
    }
}
