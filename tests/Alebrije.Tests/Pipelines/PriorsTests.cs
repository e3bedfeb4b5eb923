using Alebrije.Diffusion;
using Alebrije.Models.Priors;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Priors;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>Priors of all kinds in a model's folder and elsewhere, and those that do not fit.</summary>
public sealed class PriorsTests : IDisposable
{
    private const int Features = 24, Tokens = 24;
    private static readonly GenerationRequest Request = new() { Prompt = "a cat on a mat",
        Seed = 7, Steps = 2, PriorSteps = 3, Guidance = 3 };
    private readonly TinyPipeline tiny = new();

    public PriorsTests() => TorchRuntime.Initialize();

    public void Dispose() => tiny.Dispose();

    [Fact]
    public void Priors_OfEveryKindInTheFolder_DrawAndDiffer()
    {
        Write(OneStepPrior.FolderName, OneStep(), "PriorTransformer");
        Write(AutoregressivePrior.FolderName, Codes(), AutoregressivePriorConfig.ClassName);
        Write(LinearPrior.FolderName, new LinearPriorMap(new LinearPriorConfig { EmbeddingDim = Features }), LinearPriorConfig.ClassName);
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        Assert.Equal(Enum.GetValues<PriorKind>(), pipeline.Priors);
        var pictures = pipeline.Priors.ToDictionary(kind => kind, kind => pipeline.Run(Request with { Prior = kind }).Image.Pixels);
        Assert.Equal(5, pictures.Values.Select(Convert.ToHexString).Distinct().Count());

        // A sampling prior depends on the seed; a deterministic one gives one candidate whatever the request.
        foreach (var kind in pipeline.Priors)
        {
            using var scope = NewDisposeScope();
            using var guard = inference_mode();
            using var noise = new Noise(3);
            var text = pipeline.Embedder.Texts(["a cat", "a dog"]);
            var drawn = pipeline.Embedder.Priors[kind].Draw(text,
                new PriorOptions(3, 2) { Candidates = 3, Cancellation = TestContext.Current.CancellationToken }, noise);
            Assert.Equal(kind is PriorKind.None or PriorKind.Linear ? 1 : 3, drawn.Count);
            Assert.All(drawn, x => Assert.Equal([2L, Features], x.shape));
            Assert.Equal(drawn.Count, drawn.Select(x => Convert.ToHexString(x.bytes)).Distinct().Count());
        }

        // The autoregressive prior's own guidance scale is used if the request has none.
        Assert.Equal(1.5, pipeline.Complete(Request with { Prior = PriorKind.Autoregressive }).PriorGuidance);
        Assert.Equal(4, pipeline.Complete(Request).PriorGuidance);
    }

    [Fact]
    public void DiffusionPrior_WithTheTextKept_IsTheLoopOverTheWholeSequence()
    {
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        using var scope = NewDisposeScope();
        using var guard = inference_mode();
        var prior = (DiffusionPrior)pipeline.Embedder.Priors[PriorKind.Diffusion];
        foreach (var (prompts, scale) in new[] { (new[] { "a cat", "a rather long sentence about a dog in the rain" }, 3.0),
            (["a lion"], 1.0), (["a cat", "a dog"], 3.0) })
        {
            var text = pipeline.Embedder.Texts(prompts);
            var (noise, same) = (new Noise(9), new Noise(9));
            var kept = prior.Draw(text, new PriorOptions(5, scale), noise)[0];
            using var scheduler = new UnClipScheduler(SchedulerConfig.Load(tiny["prior_scheduler"])) { StepsByOne = true };
            scheduler.SetTimesteps(5);
            var start = Sampling.Begin(scheduler, same, prompts.Length, Features);
            var conditions = scale > 1 ? text.Guided() : text.Conditions;
            Denoiser network = (x, t) => prior.Network.call(x, t, conditions);
            var whole = prior.Network.PostProcessLatents(Sampling.Run(scheduler, scale > 1
                ? Guidance.ClassifierFree(network, scale) : network, start, same, cancellation: TestContext.Current.CancellationToken));
            Assert.InRange((whole - kept).abs().max().item<float>(), 0, 1e-5f);
            noise.Dispose();
            same.Dispose();
        }
    }

    [Fact]
    public void Estimate_ReadsNoPrior_AndCountsTheOneThatIsAskedFor()
    {
        Write(AutoregressivePrior.FolderName, Codes(), AutoregressivePriorConfig.ClassName);
        foreach (var file in Directory.EnumerateFiles(tiny[AutoregressivePrior.FolderName], "*.safetensors")) File.Delete(file);
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        Assert.DoesNotContain("prior",
            pipeline.Estimate(Request with { Prior = PriorKind.Autoregressive }, timed: false).Stages.Select(stage => stage.Stage));
        Assert.Contains("prior", pipeline.Estimate(Request, timed: false).Stages.Select(stage => stage.Stage));
        Assert.Equal(1.5, pipeline.Complete(Request with { Prior = PriorKind.Autoregressive }, promptNeeded: false).PriorGuidance);
    }

    [Fact]
    public void UsePrior_OfTheSameSpace_TakesThePlaceOfItsKind()
    {
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        var space = TextStage.FingerprintOf(PipelineFolder.Open(tiny.Folder), "prior_text_encoder");
        var map = new LinearPriorMap(new LinearPriorConfig { EmbeddingDim = Features, EmbeddingSpace = space });
        var folder = Write("elsewhere", map, LinearPriorConfig.ClassName);
        Assert.DoesNotContain(PriorKind.Linear, pipeline.Priors);
        Assert.Equal(PriorKind.Linear, pipeline.UsePrior(folder));
        var recipe = Recipe.Of("tiny", pipeline.Run(Request with { Prior = PriorKind.Linear }))[Recipe.JsonKeyword];
        Assert.Contains("\"prior_from\":\"elsewhere\"", recipe, StringComparison.Ordinal);
        Assert.DoesNotContain("prior_from", Recipe.Of("tiny", pipeline.Run(Request))[Recipe.JsonKeyword], StringComparison.Ordinal);
        Assert.Equal(pipeline.Run(Request with { Prior = PriorKind.Linear }).Image.Pixels,
            pipeline.Run(Request with { Prior = PriorKind.Linear, PriorCandidates = 4 }).Image.Pixels);

        // A whole pipeline supplies its component prior, with its scheduler.
        Assert.Equal(PriorKind.Diffusion, pipeline.UsePrior(TinyPipeline.Golden));
        Assert.NotEmpty(pipeline.Run(Request).Image.Pixels);
    }

    [Theory]
    [InlineData(16, null, "leads from text embeddings of 16 numbers to image embeddings of 16, but tiny has 24 and 24")]
    [InlineData(24, "0123456789abcdef", "another embedding space (0123456789abcdef)")]
    public void UsePrior_OfAnotherSpace_IsRefusedInOneSentence(int features, string? space, string says)
    {
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        var folder = Write("elsewhere", new LinearPriorMap(new LinearPriorConfig { EmbeddingDim = features, EmbeddingSpace = space }),
            LinearPriorConfig.ClassName);
        var message = Assert.Throws<WeightsException>(() => pipeline.UsePrior(folder)).Message;
        Assert.Contains(says, message, StringComparison.Ordinal);
        Assert.Contains("the CLIP of tiny", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        Assert.DoesNotContain(PriorKind.Linear, pipeline.Priors);
    }

    [Fact]
    public void UsePrior_OfAFolderThatHoldsNone_SaysSo()
    {
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        Assert.Contains("no folder", Assert.Throws<CheckpointNotFoundException>(() => pipeline.UsePrior(tiny["nowhere"])).Message,
            StringComparison.Ordinal);
        Assert.Contains("names UNet2DConditionModel", Assert.Throws<WeightsException>(() => pipeline.UsePrior(tiny["unet"])).Message,
            StringComparison.Ordinal);
        Directory.CreateDirectory(tiny["empty"]);
        Assert.Throws<CheckpointNotFoundException>(() => pipeline.UsePrior(tiny["empty"]));
    }

    [Fact]
    public void UsePrior_WithoutATextEncoder_TakesThatOfTheWholePipeline()
    {
        tiny.Edit("model_index.json", json =>
        {
            json["_class_name"] = "StableUnCLIPImg2ImgPipeline";
            foreach (var name in new[] { "prior", "prior_tokenizer", "prior_text_encoder", "prior_scheduler" }) json.Remove(name);
        });
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        Assert.Contains("name the whole pipeline", Assert.Throws<InvalidOperationException>(() => pipeline.UsePrior(tiny["prior"])).Message,
            StringComparison.Ordinal);
        Assert.Equal(PriorKind.Diffusion, pipeline.UsePrior(TinyPipeline.Golden));
        Assert.NotEmpty(pipeline.Run(Request).Image.Pixels);
    }

    [Fact]
    public void Fingerprint_IsThatOfTheRoundedMatrix()
    {
        using var scope = NewDisposeScope();
        using var noise = new Noise(1);
        var matrix = noise.Randn(8, 6);
        var print = PriorSpaces.FingerprintOf(matrix);
        Assert.Equal(16, print.Length);
        Assert.Equal(print, PriorSpaces.FingerprintOf(matrix.to(ScalarType.BFloat16)));
        Assert.Equal(print, PriorSpaces.FingerprintOf(matrix.to(ScalarType.BFloat16).to(ScalarType.Float32)));
        Assert.NotEqual(print, PriorSpaces.FingerprintOf(matrix + 0.1));
    }

    private static PriorTransformer OneStep() => new(new PriorTransformerConfig
    {
        NumAttentionHeads = 2, AttentionHeadDim = 4, NumLayers = 1, EmbeddingDim = Features,
        NumEmbeddings = Tokens, AdditionalEmbeddings = 3,
    });

    private static AutoregressivePriorTransformer Codes()
    {
        using var quiet = no_grad();
        using var noise = new Noise(2);
        var network = new AutoregressivePriorTransformer(new AutoregressivePriorConfig
        {
            NumAttentionHeads = 2, AttentionHeadDim = 4, NumLayers = 1, EmbeddingDim = Features,
            NumEmbeddings = Tokens, NumCodes = 5, NumBuckets = 16, Guidance = 1.5,
        });
        network.Quantizer.Fit(noise.Randn(60, Features), noise.Randn(60, Features));
        return network;
    }

    private string Write(string name, nn.Module network, string className)
    {
        using var owned = network;
        SafeTensorsWriter.Write(tiny[name, "diffusion_pytorch_model.safetensors"], network.state_dict());
        if (network is PriorTransformer prior) ConfigFile.Write(tiny[name, "config.json"], prior.Config, className);
        else if (network is LinearPriorMap map) ConfigFile.Write(tiny[name, "config.json"], map.Config, className);
        else ConfigFile.Write(tiny[name, "config.json"], ((AutoregressivePriorTransformer)network).Config, className);
        return tiny[name];
    }
}
