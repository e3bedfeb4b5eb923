using System.Text.Json;
using Alebrije.Diffusion;
using Alebrije.Models.Autoencoders;
using Alebrije.Models.UNets;
using Alebrije.Nn;
using Alebrije.Pipelines;
using Alebrije.Pipelines.SingleFiles;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Tests.Models;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>Checkpoints of Stable Diffusion in one file: tiny ones against their source folder, published sizes by their names.</summary>
public sealed class SingleFileTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("alebrije-single-").FullName;

    public SingleFileTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Theory]
    [InlineData(nameof(SingleFileKind.One), 4, false, "a.safetensors")]
    [InlineData(nameof(SingleFileKind.One), 4, false, "a.ckpt")]
    [InlineData(nameof(SingleFileKind.One), 9, false, "a.safetensors")]
    [InlineData(nameof(SingleFileKind.Two), 4, false, "a.ckpt")]
    [InlineData(nameof(SingleFileKind.Two), 4, true, "a.safetensors")]
    [InlineData(nameof(SingleFileKind.Two), 9, false, "a.ckpt")]
    [InlineData(nameof(SingleFileKind.Xl), 4, false, "a.safetensors")]
    [InlineData(nameof(SingleFileKind.Xl), 9, false, "a.ckpt")]
    [InlineData(nameof(SingleFileKind.Upscaler), 7, true, "a.safetensors")]
    public void File_HoldsTheFoldersTensors_AndDrawsTheSameImage(string kindName, int channels, bool isVelocity, string name)
    {
        var kind = Enum.Parse<SingleFileKind>(kindName);
        var (folder, file) = Write(kind, channels, isVelocity, name);
        var (expected, found) = (PipelineFolder.Open(folder), PipelineFolder.Open(file));
        Assert.Equal((expected.ClassName, name), (found.ClassName, found.Name));
        Assert.Equal(expected.Components.Keys.Order(StringComparer.Ordinal), found.Components.Keys.Order(StringComparer.Ordinal));
        foreach (var component in expected.Components.Keys.Where(component => File.Exists(Path.Combine(folder, component, "config.json"))))
            AssertSame(component, expected, found);
        foreach (var component in expected.Components.Keys.Where(component => component.Contains("scheduler", StringComparison.Ordinal)))
            Assert.Equal(expected.Scheduler(component) with { ClassName = "" }, found.Scheduler(component) with { ClassName = "" });
        Assert.Equal(expected.Config<UNet2DConditionConfig>("unet").AttentionHeadDim,
            found.Config<UNet2DConditionConfig>("unet").AttentionHeadDim);
        Assert.Equal(kind == SingleFileKind.Two && isVelocity ? 96 : kind is SingleFileKind.One or SingleFileKind.Two ? 64 : 128,
            found.Config<UNet2DConditionConfig>("unet").SampleSize![0]);

        var request = new GenerationRequest { Prompt = "a red fox, at dawn",
            Negative = kind == SingleFileKind.Xl ? "" : "people", Steps = 3, Seed = 5, Height = 32, Width = 48 };
        var given = ImageInput.Of(new RgbImage(48, 32, [.. Enumerable.Range(0, 48 * 32 * 3).Select(i => (byte)(i * 7 % 251))]));
        if (channels == 9) request = request with { From = given,
            Mask = ImageInput.Of(new RgbImage(48, 32, [.. Enumerable.Repeat((byte)255, 48 * 32 * 3)])) };
        if (channels == 7) request = request with { From = given, Height = null, Width = null };
        Assert.Equal(Draw(folder, request), Draw(file, request));
    }

    [Theory]
    [InlineData("sd-1.5", nameof(SingleFileKind.One))]
    [InlineData("sd-2.1", nameof(SingleFileKind.Two))]
    [InlineData("sdxl-base-1.0", nameof(SingleFileKind.Xl))]
    [InlineData("x4-upscaler", nameof(SingleFileKind.Upscaler))]
    public void PublishedSizes_FollowFromTheShapes(string model, string kindName)
    {
        var kind = Enum.Parse<SingleFileKind>(kindName);
        using var meta = WeightInit.OnMeta();
        using var scope = NewDisposeScope();
        using var unet = (UNet2DConditionModel)ShapeTests.Build(model + ".unet");
        using var vae = (AutoencoderKL)ShapeTests.Build(model + ".vae");
        var config = unet.Config;
        bool[] attends = [.. config.DownBlockTypes.Select(type => type.StartsWith("CrossAttn", StringComparison.Ordinal))];
        var names = SingleFileNames.UNet(unet.state_dict(), config.LayersPerBlock[0], attends)
            .Select(pair => ("model.diffusion_model." + pair.Key, pair.Value.shape))
            .Concat(SingleFileNames.Autoencoder(vae.state_dict(), vae.Config.BlockOutChannels.Count)
                .Select(pair => ("first_stage_model." + pair.Key, pair.Value.shape)))
            .Concat(TextSigns(kind)).ToDictionary(pair => pair.Item1, pair => pair.Item2);
        using var file = new ShapesOnly(names, model);
        var layout = SingleFileLayout.Of(file);
        Assert.Equal(kind, layout.Kind);

        var found = SingleFileConfigs.UNet(file, "model.diffusion_model.", layout, 64);
        using var again = new UNet2DConditionModel(found);
        Assert.Equal(StateDict.Names(unet), StateDict.Names(again));
        Assert.Equal(config.AttentionHeadDim, found.AttentionHeadDim);
        Assert.Equal(config.UpBlockTypes, found.UpBlockTypes);
        StateDict.Check(again, file, UNet2DConditionKeyMap.FromStableDiffusion(found, "model.diffusion_model."));

        var codec = SingleFileConfigs.Autoencoder(file, "first_stage_model.", kind);
        using var codecAgain = new AutoencoderKL(codec);
        Assert.Equal(StateDict.Names(vae), StateDict.Names(codecAgain));
        Assert.Equal((vae.Config.ScalingFactor, vae.Config.Factor), (codec.ScalingFactor, codec.Factor));
        StateDict.Check(codecAgain, file,
            AutoencoderKeyMap.FromOriginal(codec.BlockOutChannels.Count) with { Prefix = "first_stage_model." });
    }

    /// <summary>A few names of the original code, spelled out.</summary>
    [Theory]
    [InlineData("sd-1.5.unet", "input_blocks.3.0.op.weight")]
    [InlineData("sd-1.5.unet", "output_blocks.2.1.conv.weight")]
    [InlineData("sd-1.5.unet", "output_blocks.5.2.conv.weight")]
    [InlineData("sd-1.5.unet", "output_blocks.11.0.skip_connection.weight")]
    [InlineData("sd-2.1.unet", "input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight")]
    [InlineData("x4-upscaler.unet", "input_blocks.10.0.skip_connection.bias")]
    public void Names_AreThoseThatTheReferenceTellsKindsBy(string model, string name)
    {
        using var meta = WeightInit.OnMeta();
        using var network = (UNet2DConditionModel)ShapeTests.Build(model);
        bool[] attends = [.. network.Config.DownBlockTypes.Select(type => type.StartsWith("CrossAttn", StringComparison.Ordinal))];
        Assert.Contains(name, SingleFileNames.UNet(network.state_dict(), network.Config.LayersPerBlock[0], attends).Keys);
    }

    [Theory]
    [InlineData(0.01f, null, "Epsilon")]
    [InlineData(0.01f, "model:\n  params:\n    parameterization: \"v\"\n", "VPrediction")]
    [InlineData(1f, null, "VPrediction")]
    [InlineData(1f, "model:\n  params:\n    linear_start: 0.00085\n", "Epsilon")]
    public void StableDiffusion2_PredictsWhatItsWeightsOrTheConfigurationBesideItSay(float scale, string? yaml, string prediction)
    {
        var folder = RandomPipelines.Published(At("folder"), SingleFileKind.Two);
        using var writer = new SingleFileWriter(folder, SingleFileKind.Two);
        writer.Tensors["model.diffusion_model.output_blocks.5.1.transformer_blocks.0.norm1.bias"] = linspace(-1, 1, 64) * scale;
        var file = writer.Save(At("sd2.safetensors"));
        if (yaml is not null) File.WriteAllText(At("sd2.yaml"), yaml);
        Assert.Equal(Enum.Parse<PredictionType>(prediction), PipelineFolder.Open(file).Scheduler("scheduler").PredictionType);
    }

    /// <summary>
    /// Configurations follow from shapes, and a tensor with a size of 0 has no bytes, so that a small file can claim any other size: the
    /// file is opened, or refused in one sentence.
    /// </summary>
    [Theory]
    [InlineData(nameof(SingleFileKind.One))]
    [InlineData(nameof(SingleFileKind.Xl))]
    public void Shapes_WithoutElements_AreTakenOrRefused(string kindName)
    {
        var (_, file) = Write(Enum.Parse<SingleFileKind>(kindName), 4, false, "a.safetensors");
        var shapes = new Dictionary<string, long[]>();
        using (var source = new SafeTensorsFile(file))
            foreach (var name in source.Names) shapes[name] = [.. source.Describe(name).Shape];
        var (refused, empty) = (0, At("empty.safetensors"));
        for (var seed = 0; seed < 40; seed++)
        {
            var random = new Random(seed);
            long[] sizes = [0, 1, 7, 1L << 31, 1L << 40];
            var header = shapes.ToDictionary(pair => pair.Key, pair =>
            {
                long[] shape = pair.Value.Length == 0 ? [1] : [.. pair.Value];
                if (random.Next(8) == 0)
                    for (var i = 0; i < shape.Length; i++) shape[i] = sizes[random.Next(sizes.Length)];
                shape[random.Next(shape.Length)] = 0;
                return new { dtype = "F32", shape, data_offsets = new[] { 0, 0 } };
            });
            var json = JsonSerializer.SerializeToUtf8Bytes(header);
            File.WriteAllBytes(empty, [.. BitConverter.GetBytes((long)json.Length), .. json]);
            try
            {
                var folder = PipelineFolder.Open(empty);
                foreach (var component in folder.Components.Keys.Where(name => !name.Contains("scheduler", StringComparison.Ordinal)
                    && !name.Contains("tokenizer", StringComparison.Ordinal))) _ = folder.Names(component);
                folder.CheckWeights();
            }
            catch (WeightsException error)
            {
                Assert.Contains(empty, error.Message, StringComparison.Ordinal);
                refused++;
            }
        }

        Assert.InRange(refused, 1, 40);
    }

    [Fact]
    public void Lora_ChangesTheFileAsItChangesTheFolder()
    {
        var (folder, file) = Write(SingleFileKind.One, 4, false, "a.safetensors");
        var lora = Path.Combine(root, "lora.safetensors");
        LoraMaker.Write(lora, folder,
        [
            new LoraModule("unet", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", ""),
            new LoraModule("text_encoder", "text_model.encoder.layers.0.self_attn.q_proj", ""),
        ], "kohya");
        var plain = new GenerationRequest { Prompt = "a red fox, at dawn", Steps = 3, Seed = 5, Height = 32, Width = 48 };
        var adapted = plain with { Loras = [new LoraInput(lora, 0.3)] };
        Assert.NotEqual(Draw(file, plain), Draw(file, adapted));
        Assert.Equal(Draw(folder, adapted), Draw(file, adapted));
    }

    [Fact]
    public void HalfPrecision_IsReadAsTheSameNumbers_AndNamesWithoutTheInnerNetworkToo()
    {
        var folder = RandomPipelines.Published(At("folder"), SingleFileKind.One);
        using var writer = new SingleFileWriter(folder, SingleFileKind.One);
        foreach (var (name, tensor) in writer.Tensors.ToArray())
        {
            writer.Tensors.Remove(name);
            writer.Tensors[name.Replace(".text_model.", ".", StringComparison.Ordinal)] = tensor.is_floating_point()
                ? tensor.half() : tensor;
        }

        var found = PipelineFolder.Open(writer.Save(At("half.ckpt")));
        using var network = found.Load<nn.Module>("text_encoder");
        using var expected = PipelineFolder.Open(folder).Load<nn.Module>("text_encoder");
        foreach (var (name, tensor) in expected.state_dict())
            Assert.True(network.state_dict()[name].equal(tensor.half().@float()).all().item<bool>(), name);
    }

    [Fact]
    public void Vocabulary_ThatIsNotBuiltIn_LiesBesideTheFile()
    {
        var folder = RandomPipelines.Published(At("folder"), SingleFileKind.One);
        using var writer = new SingleFileWriter(folder, SingleFileKind.One);
        const string words = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight";
        var fixture = Path.Combine(AppContext.BaseDirectory, "Fixtures", "clip-tokenizer-sd1");
        var count = Alebrije.Preprocessing.Tokenizers.ClipTokenizer.Load(fixture).VocabularySize;
        writer.Tensors[words] = writer.Tensors[words][..count];
        var file = writer.Save(At("own.safetensors"));
        var error = Assert.Throws<CheckpointNotFoundException>(() => ImagePipeline.Load(file));
        Assert.Contains($"a text encoder of {count} words", error.Message, StringComparison.Ordinal);
        Assert.Contains($"into {At("tokenizer")}", error.Message, StringComparison.Ordinal);
        Catalog.TestModels.Copy(fixture, At("tokenizer"));
        using var pipeline = ImagePipeline.Load(file);
        Assert.Equal(32, pipeline.Generate(new GenerationRequest { Prompt = "a cat", Steps = 2, Size = 32 },
            cancellation: TestContext.Current.CancellationToken).Image.Width);
    }

    [Theory]
    [InlineData("is a LoRA", "lora_unet_down_blocks_0.lora_down.weight")]
    [InlineData("is an autoencoder alone (VAE)", "encoder.conv_in.weight", "decoder.conv_in.weight")]
    [InlineData("is an autoencoder alone (VAE)", "first_stage_model.decoder.conv_in.weight")]
    [InlineData("is Stable Diffusion 3", "model.diffusion_model.joint_blocks.0.context_block.adaLN_modulation.1.bias")]
    [InlineData("is FLUX", "model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale")]
    [InlineData("is a ControlNet", "control_model.input_blocks.0.0.weight")]
    [InlineData("is a textual inversion", "emb_params")]
    [InlineData("is one network of a pipeline folder", "down_blocks.0.resnets.0.conv1.weight")]
    [InlineData("holds no UNet of Stable Diffusion", "layers.0.weight")]
    [InlineData("is the refiner of SDXL", "model.diffusion_model.input_blocks.0.0.weight", "conditioner.embedders.0.model.text_projection")]
    [InlineData("is Playground 2.5", "model.diffusion_model.input_blocks.0.0.weight", "edm_mean")]
    [InlineData("takes 8 channels", "model.diffusion_model.input_blocks.0.0.weight")]
    public void OtherFiles_AreNamedInOneSentence(string expected, params string[] names)
    {
        var file = At("other.safetensors");
        using (NewDisposeScope()) SafeTensorsWriter.Write(file, names.ToDictionary(name => name, _ => zeros(2, 8, 3, 3)));
        var message = Assert.Throws<WeightsException>(() => ImagePipeline.Load(file)).Message;
        Assert.StartsWith($"{file} ", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void MissingAndUnexpectedTensors_AreNamedBeforeAnythingIsDrawn()
    {
        var folder = RandomPipelines.Published(At("folder"), SingleFileKind.One);
        using var writer = new SingleFileWriter(folder, SingleFileKind.One);
        writer.Tensors.Remove("first_stage_model.decoder.mid.attn_1.q.bias");
        writer.Tensors["first_stage_model.decoder.extra.bias"] = zeros(2);
        var message = Assert.Throws<WeightsException>(() => ImagePipeline.Load(writer.Save(At("x.safetensors")))).Message;
        Assert.Contains("1 missing: decoder.mid_block.attentions.0.to_q.bias; 1 unexpected: decoder.extra.bias.",
            message, StringComparison.Ordinal);

        const string level = "first_stage_model.encoder.down.1.block.0.conv1.weight";
        writer.Tensors[level] = writer.Tensors[level].permute(3, 2, 1, 0).contiguous();
        message = Assert.Throws<WeightsException>(() => ImagePipeline.Load(writer.Save(At("w.safetensors")))).Message;
        Assert.Equal($"{At("w.safetensors")} has tensors that no network fits: 3 channels cannot be normalised in 32 groups: "
            + "the number of groups must divide the channels.", message);

        foreach (var name in writer.Tensors.Keys.Where(name => name.StartsWith("first_stage_model.", StringComparison.Ordinal)).ToArray())
            writer.Tensors.Remove(name);
        Assert.Contains("lacks the vae (first_stage_model.*)",
            Assert.Throws<WeightsException>(() => ImagePipeline.Load(writer.Save(At("y.ckpt")))).Message, StringComparison.Ordinal);

        var bytes = File.ReadAllBytes(At("x.safetensors"));
        File.WriteAllBytes(At("z.safetensors"), bytes[..^100]);
        Assert.Contains("is truncated", Assert.Throws<WeightsException>(() => ImagePipeline.Load(At("z.safetensors"))).Message,
            StringComparison.Ordinal);
        File.WriteAllBytes(At("z.ckpt"), File.ReadAllBytes(At("y.ckpt"))[..^100]);
        Assert.Contains("damaged or truncated", Assert.Throws<WeightsException>(() => ImagePipeline.Load(At("z.ckpt"))).Message,
            StringComparison.Ordinal);
        Assert.Throws<WeightsException>(() => ClipEmbeddingsOf(At("x.safetensors")));
    }

    [Fact]
    public void Estimate_CountsTheNetworksOfTheFile()
    {
        var (_, file) = Write(SingleFileKind.One, 4, false, "a.safetensors");
        using var pipeline = ImagePipeline.Load(file);
        var estimate = pipeline.Estimate(new GenerationRequest { Prompt = "a", Steps = 2, Size = 32 }, timed: false);
        Assert.Equal(["runtime", "text_encoder", "unet", "vae"], estimate.Stages.Select(stage => stage.Stage));
    }

    private static void ClipEmbeddingsOf(string file) => ClipModel.Load(file).Dispose();

    private static IEnumerable<(string, long[])> TextSigns(SingleFileKind kind) => kind switch
    {
        SingleFileKind.One => [("cond_stage_model.transformer.text_model.embeddings.position_embedding.weight", [77, 768])],
        SingleFileKind.Xl => [("conditioner.embedders.0.transformer.text_model.final_layer_norm.bias", [768]),
            ("conditioner.embedders.1.model.positional_embedding", [77, 1280])],
        _ => [("cond_stage_model.model.token_embedding.weight", [49408, 1024])],
    };

    private static byte[] Draw(string model, GenerationRequest request)
    {
        using var pipeline = ImagePipeline.Load(model);
        return pipeline.Generate(request).Image.Pixels;
    }

    private static void AssertSame(string component, PipelineFolder expected, PipelineFolder found)
    {
        using var network = expected.Load<nn.Module>(component);
        using var other = found.Load<nn.Module>(component);
        var (wanted, here) = (network.state_dict(), other.state_dict());
        Assert.Equal(wanted.Keys, here.Keys);
        Assert.All(wanted, pair => Assert.True(pair.Value.equal(here[pair.Key]).all().item<bool>(), $"{component} {pair.Key}"));
    }

    private (string Folder, string File) Write(SingleFileKind kind, int channels, bool isVelocity, string name)
    {
        var folder = RandomPipelines.Published(At("folder"), kind, channels, isVelocity);
        if (kind == SingleFileKind.Two)
            Scale(Path.Combine(folder, "unet"), "up_blocks.1.attentions.2.transformer_blocks.0.norm1.bias", isVelocity ? 3 : 0.1);
        using var writer = new SingleFileWriter(folder, kind);
        return (folder, writer.WithAverages().Save(At(name)));
    }

    /// <summary>Scales the shifts before the last attention: small as of a network that predicts the noise, or large.</summary>
    private static void Scale(string component, string name, double factor)
    {
        var path = Path.Combine(component, "diffusion_pytorch_model.safetensors");
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> tensors;
        using (var file = CheckpointFolder.OpenWeights(path)) tensors = file.Names.ToDictionary(each => each, each => file.Read(each));
        tensors[name] = tensors[name] * factor;
        SafeTensorsWriter.Write(path, tensors);
    }

    private string At(string name) => Path.Combine(root, name);
}
