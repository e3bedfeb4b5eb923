using Alebrije.Datasets;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Priors;
using Alebrije.Tensors;
using Alebrije.Tests.Datasets;
using Alebrije.Tests.Pipelines;
using Alebrije.Training;
using Alebrije.Verification;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

/// <summary>Separately trained parts become one folder in the published layout.</summary>
public sealed class ModelPackerTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-pack-").FullName;
    private readonly CaptionedScenes scenes;

    public ModelPackerTests()
    {
        TorchRuntime.Initialize();
        scenes = new CaptionedScenes(World.Open());
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Pack_TrainedParts_MakesAModelThatDraws()
    {
        var model = Pack();
        using var pipeline = ImagePipeline.Load(model);
        foreach (var prior in pipeline.Priors)
        {
            var result = pipeline.Generate(new GenerationRequest { Prompt = "a lion", Seed = 1, Steps = 2, PriorSteps = 2, Prior = prior },
                cancellation: TestContext.Current.CancellationToken);
            Assert.Equal((TinyParts.Side, TinyParts.Side), (result.Image.Width, result.Image.Height));
            Assert.NotNull(result.ClipScore);
        }
    }

    [Fact]
    public void Pack_TrainedParts_AgreeWithTheirConfigurationsAndHashes()
    {
        var model = Pack();
        var report = Verifier.Run(model, cancellation: TestContext.Current.CancellationToken);
        Assert.True(report.Ok, report.First);
        File.AppendAllText(Path.Combine(model, "vae", "diffusion_pytorch_model.safetensors"), "x");
        Assert.False(Verifier.Run(model, cancellation: TestContext.Current.CancellationToken).Ok);
    }

    [Fact]
    public void AddPriors_OfARun_PutsItBesideWhatIsThere()
    {
        var model = Pack();
        using var clip = TrainedClip.Open(Path.Combine(folder, "clip"));
        string Run(string name, string? space)
        {
            var config = TinyParts.Prior with { AdditionalEmbeddings = 3, EmbeddingSpace = space };
            using var network = new PriorTransformer(config);
            PriorExport.Write(Path.Combine(folder, name, OneStepPrior.FolderName), network, config, "PriorTransformer");
            return Path.Combine(folder, name);
        }

        var own = PriorSpaces.FingerprintOf(clip.Network.TextProjection);
        ModelPacker.AddPriors([Run("one", own)], model);
        using (var pipeline = ImagePipeline.Load(model))
        {
            Assert.Contains(PriorKind.OneStep, pipeline.Priors);
            var request = new GenerationRequest { Prompt = "a lion", Seed = 1, Steps = 2, Prior = PriorKind.OneStep };
            Assert.Equal(TinyParts.Side, pipeline.Generate(request, cancellation: TestContext.Current.CancellationToken).Image.Width);
        }

        Assert.True(Verifier.Run(model, cancellation: TestContext.Current.CancellationToken).Ok);
        Assert.Contains("another embedding space", Assert.Throws<WeightsException>(() =>
            ModelPacker.AddPriors([Run("other", "0123456789abcdef")], model)).Message, StringComparison.Ordinal);
        Assert.Contains("holds no prior", Assert.Throws<CheckpointNotFoundException>(() => ModelPacker.AddPriors([folder], model)).Message,
            StringComparison.Ordinal);
        Assert.Throws<CheckpointNotFoundException>(() => ModelPacker.AddPriors([], folder));
    }

    [Fact]
    public void Pack_AnUpsampler_IsListedHashedAndKept()
    {
        var model = Pack();
        var run = Path.Combine(folder, "upsampler");
        Alebrije.Tests.Pipelines.TinyUpsampler.Write(Path.Combine(run, Upsampler.First));
        ModelPacker.PackUpsampler(run, model);
        var index = File.ReadAllText(Path.Combine(model, "model_index.json"));
        Assert.Contains("\"super_res_first\": [\"diffusers\", \"UNet2DModel\"],\n "
            + " \"super_res_scheduler\": [\"diffusers\", \"UnCLIPScheduler\"],\n  \"text_encoder\"", index, StringComparison.Ordinal);
        Assert.Contains("super_res_first/diffusion_pytorch_model.safetensors",
            File.ReadAllText(Path.Combine(model, "SHA256SUMS")), StringComparison.Ordinal);
        var report = Verifier.Run(model, cancellation: TestContext.Current.CancellationToken);
        Assert.True(report.Ok, report.First);

        Pack();
        Assert.Equal(index, File.ReadAllText(Path.Combine(model, "model_index.json")));
        using var pipeline = ImagePipeline.Load(model);
        Assert.Equal(64, pipeline.UpsampledSize);
        Assert.Throws<CheckpointNotFoundException>(() => ModelPacker.PackUpsampler(run, Path.Combine(folder, "nowhere")));
        Assert.Throws<CheckpointNotFoundException>(() => ModelPacker.PackUpsampler(Path.Combine(folder, "clip"), model));
    }

    [Fact]
    public void PackDecoder_OfARun_TakesThePlaceOfTheModelsOwn()
    {
        var model = Pack();
        byte[] Weights() => File.ReadAllBytes(Path.Combine(model, "unet", "diffusion_pytorch_model.safetensors"));
        var (before, run) = (Weights(), Path.Combine(folder, "decoder"));
        using (NewDisposeScope())
        {
            using var network = new UNet2DConditionModel(TinyParts.Decoder);
            SeededInit.Apply(network, 4);
            SafeTensorsWriter.Write(Path.Combine(run, "unet", "diffusion_pytorch_model.safetensors"), network.state_dict());
        }

        ModelPacker.PackDecoder(run, model);
        Assert.NotEqual(before, Weights());
        var report = Verifier.Run(model, cancellation: TestContext.Current.CancellationToken);
        Assert.True(report.Ok, report.First);

        ConfigFile.Write(Path.Combine(run, "unet", "config.json"), TinyParts.Decoder with { CrossAttentionDim = [24] },
            "UNet2DConditionModel");
        Assert.Contains("was trained for other parts", Assert.Throws<WeightsException>(() => ModelPacker.PackDecoder(run, model)).Message,
            StringComparison.Ordinal);
        Assert.Throws<CheckpointNotFoundException>(() => ModelPacker.PackDecoder(Path.Combine(folder, "clip"), model));
    }

    [Fact]
    public void Pack_AFirstGuess_IsDrawnAlone_StandsBesideTheNoise_AndIsTraced()
    {
        var (model, run) = (Pack(), Path.Combine(folder, "decoder"));
        var request = new GenerationRequest { Prompt = "a lion", Seed = 1, Steps = 3, PriorSteps = 2, Guidance = 2 };
        using (var plain = ImagePipeline.Load(model))
            Assert.Contains("has no first guess",
                Assert.Throws<ArgumentException>(() => plain.Run(request with { OnlyGuess = true })).Message, StringComparison.Ordinal);

        TinyParts.WriteGuess(Path.Combine(folder, "guess"));
        Assert.Contains("the first guess that it was trained with", Assert.Throws<WeightsException>(() =>
            ModelPacker.PackDecoder(run, model, Path.Combine(folder, "guess"))).Message, StringComparison.Ordinal);
        using (NewDisposeScope())
        {
            var config = TinyParts.Decoder with { InChannels = 2 * TinyParts.Latents };
            using var network = new UNet2DConditionModel(config);
            SeededInit.Apply(network, 4);
            PriorExport.Write(Path.Combine(run, "unet"), network, config, "UNet2DConditionModel");
        }

        ModelPacker.PackDecoder(run, model, Path.Combine(folder, "guess"));
        Assert.Contains("\"first_guess\": [\"alebrije\", \"FirstGuessModel\"]",
            File.ReadAllText(Path.Combine(model, "model_index.json")), StringComparison.Ordinal);
        var report = Verifier.Run(model, cancellation: TestContext.Current.CancellationToken);
        Assert.True(report.Ok, report.First);

        byte[] Draw(GenerationRequest asked, string? trace = null)
        {
            using var pipeline = ImagePipeline.Load(model);
            return pipeline.Run(asked, trace: trace is null ? null : new GenerationTrace(trace)).Image.Pixels;
        }

        var guessed = Draw(request with { OnlyGuess = true });
        var drawn = Draw(request, Path.Combine(folder, "trace"));
        Assert.NotEqual(guessed, drawn);
        Assert.Equal(guessed, Draw(request with { OnlyGuess = true, Steps = 7, Guidance = 1 }));
        var traced = Alebrije.Preprocessing.Imaging.RgbImage.Load(
            Directory.GetFiles(Path.Combine(folder, "trace"), "*-first-guess.png").Single());
        Assert.Equal(guessed, traced.Pixels);

        // From the noised guess: the three steps are the last of thirty, which do not take it far.
        (GenerationDefaults.Load(model) with { GuessStrength = 0.1 }).Save(model);
        var finished = Draw(request, Path.Combine(folder, "finished"));
        Assert.Equal(3, Directory.GetFiles(Path.Combine(folder, "trace"), "*-predicted-picture-*.png").Length);
        Assert.Equal(3, Directory.GetFiles(Path.Combine(folder, "finished"), "*-predicted-picture-*.png").Length);
        Assert.NotEqual(guessed, finished);
        Assert.True(Distance(guessed, finished) < Distance(guessed, drawn));
        (GenerationDefaults.Load(model) with { GuessStrength = 1 }).Save(model);

        // Another guess: another image from the same denoiser and noise.
        TinyParts.WriteGuess(Path.Combine(folder, "other"), seed: 9);
        ModelPacker.PackDecoder(run, model, Path.Combine(folder, "other"));
        Assert.NotEqual(drawn, Draw(request));
        Assert.Throws<WeightsException>(() => ModelPacker.PackDecoder(run, model));

        static double Distance(byte[] a, byte[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Average();
    }

    [Fact]
    public void Pack_BothTextRoles_ReadOneFile()
    {
        var model = Pack();
        Assert.False(File.Exists(Path.Combine(model, "text_encoder", "model.safetensors")));
        using var shared = CheckpointFolder.OpenWeights(Path.Combine(model, "text_encoder"));
        using var own = CheckpointFolder.OpenWeights(Path.Combine(model, "prior_text_encoder"));
        Assert.Equal(own.Names.Where(n => n.StartsWith("text_model.", StringComparison.Ordinal)).Order(), shared.Names.Order());
        Assert.All(shared.Names, name => Assert.Equal(ScalarType.BFloat16, shared.Describe(name).Type));
    }

    [Fact]
    public void Index_PointingOutOfTheModel_IsRefused()
    {
        var model = Pack();
        var index = Path.Combine(model, "text_encoder", "model.safetensors.index.json");
        File.WriteAllText(index,
            File.ReadAllText(index).Replace("../prior_text_encoder", "../../prior_text_encoder", StringComparison.Ordinal));
        Assert.Throws<WeightsException>(() => CheckpointFolder.OpenWeights(Path.Combine(model, "text_encoder")));
        File.Delete(Path.Combine(model, "model_index.json"));
        File.WriteAllText(index,
            File.ReadAllText(index).Replace("../../prior_text_encoder", "../prior_text_encoder", StringComparison.Ordinal));
        Assert.Throws<WeightsException>(() => CheckpointFolder.OpenWeights(Path.Combine(model, "text_encoder")));
    }

    [Fact]
    public void NamedConcepts_OfABatch_PointAtTheirNames()
    {
        var run = Path.Combine(folder, "names");
        TinyParts.WriteTokenizer(run, scenes);
        var tokenizer = Alebrije.Preprocessing.Tokenizers.ClipTokenizer.Load(Path.Combine(run, "tokenizer"));
        var config = new ClipTrainingConfig { Model = TinyParts.Clip, Names = 12 };
        Concept[][] shown = [[World.Concept("lion")], [World.Concept("dog"), World.Concept("lion")], [World.Concept("cat")]];

        var names = NamedConcepts.Choose(scenes.World, shown, config, tokenizer, number: 4);
        var same = NamedConcepts.Choose(scenes.World, shown, config, tokenizer, number: 4);

        Assert.Equal(12, names.Count);
        Assert.Equal([0L, 1, 1, 2], names.Rows);
        Assert.Equal([0L, 1, 0, 2], names.Targets);
        Assert.Equal(names.Ids, same.Ids);
        var width = names.Ids.Length / names.Count;
        var row = names.Ids.AsSpan((int)names.Targets[3] * width, width).ToArray().Select(id => (int)id).ToArray();
        Assert.Equal("a cat", tokenizer.Decode(row).Replace("!", "", StringComparison.Ordinal).Trim());
    }

    [Fact]
    public void NameLoss_OfAPair_LeavesTheOtherNameOut_AndEveryImageWeighsTheSame()
    {
        using var scope = NewDisposeScope();
        var names = new NamedConcepts([], 3, [0, 0, 1], [0, 1, 2]);
        var (images, texts) = (tensor(new[] { 0.6f, 0.8f, 1f, 0f }, [2, 2]), tensor(new[] { 1f, 0f, 0f, 1f, 0f, -1f }, [3, 2]));

        // Scaled cosines: 1.2, 1.6 and -1.6 of the pair, 2, 0 and 0 of the single one.
        static double Entropy(double right, params double[] others) => Math.Log(1 + others.Sum(other => Math.Exp(other - right)));
        var expected = ((Entropy(1.2, -1.6) + Entropy(1.6, -1.6)) / 2 + Entropy(0, 2, 0)) / 2;

        Assert.Equal(expected, names.Loss(images, texts, tensor(2f)).item<float>(), 1e-5);
    }

    private string Pack()
    {
        string Run(string name) => Path.Combine(folder, name);
        using var scope = NewDisposeScope();
        TinyParts.WriteClipRun(Run("clip"), scenes);
        TinyParts.WriteAutoencoder(Path.Combine(Run("autoencoder"), "vae"));
        var write = (string path, nn.Module network) =>
        {
            SeededInit.Apply(network, 3);
            SafeTensorsWriter.Write(Path.Combine(path, "diffusion_pytorch_model.safetensors"), network.state_dict());
        };
        write(Path.Combine(Run("prior"), "prior"), new PriorTransformer(TinyParts.Prior));
        ConfigFile.Write(Path.Combine(Run("prior"), "prior", "config.json"), TinyParts.Prior, "PriorTransformer");
        write(Path.Combine(Run("prior"), LinearPrior.FolderName),
            new LinearPriorMap(new LinearPriorConfig { EmbeddingDim = TinyParts.Features }));
        write(Path.Combine(Run("decoder"), "unet"), new UNet2DConditionModel(TinyParts.Decoder));
        ConfigFile.Write(Path.Combine(Run("decoder"), "unet", "config.json"), TinyParts.Decoder, "UNet2DConditionModel");
        var normalizer = new StableUnClipImageNormalizerConfig { EmbeddingDim = TinyParts.Features };
        write(Path.Combine(Run("decoder"), "image_normalizer"), new StableUnClipImageNormalizer(normalizer));
        ConfigFile.Write(Path.Combine(Run("decoder"), "image_normalizer", "config.json"), normalizer, "StableUnCLIPImageNormalizer");
        ModelPacker.Pack(new PackedRuns(Run("clip"), Run("autoencoder"), Run("prior"), Run("decoder")), Run("model"));
        return Run("model");
    }
}
