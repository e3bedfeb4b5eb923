using System.Text.Json.Nodes;
using Alebrije.Models.UNets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Tests.Catalog;
using Alebrije.Training;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>Karlo and Kandinsky as whole pipelines; the goldens (<c>Verification</c>) compare their values with the reference.</summary>
public sealed class ImagePipelineTests : IDisposable
{
    private static readonly GenerationRequest Request = new() { Prompt = "a cat on a mat",
        Seed = 7, Steps = 3, PriorSteps = 3, Guidance = 3, Size = 16 };
    private readonly string root = Directory.CreateTempSubdirectory("alebrije-unclip-").FullName;

    public ImagePipelineTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Theory]
    [InlineData("karlo")]
    [InlineData("kandinsky")]
    public void Generate_LettingNetworksGo_GivesTheSameBytesAndLeavesNothingBehind(string model)
    {
        using var outer = NewDisposeScope();
        using var kept = Load(model, keep: true);
        using var released = Load(model, keep: false);
        var first = kept.Run(Request).Image.Pixels;
        Assert.Equal(16 * 16 * 3, first.Length);
        Assert.Equal(first, kept.Run(Request).Image.Pixels);
        Assert.Equal(first, released.Run(Request).Image.Pixels);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Assert.Equal(first, released.Run(Request).Image.Pixels);
        Assert.Equal(first, kept.Run(Request).Image.Pixels);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.Equal(0, outer.DisposablesCount);
        Assert.NotEqual(first, released.Run(Request with { Seed = 8 }).Image.Pixels);
    }

    [Theory]
    [InlineData("karlo")]
    [InlineData("kandinsky")]
    public void Generate_EveryWordOfTheRequest_ChangesThePicture(string model)
    {
        using var pipeline = Load(model);
        var pictures = new[]
        {
            Request, Request with { Prompt = "a dog" }, Request with { Negative = "a dog" },
            Request with { Guidance = 1 }, Request with { Steps = 4 }, Request with { PriorSteps = 5 },
            Request with { PriorGuidance = 1 }, Request with { Prior = PriorKind.None }, Request with { Eta = 0 }, Request with { Eta = 1 },
        }.Select(request => Convert.ToHexString(pipeline.Run(request).Image.Pixels)).ToArray();
        Assert.Equal(pictures.Length, pictures.Distinct().Count());
    }

    [Theory]
    [InlineData("karlo")]
    [InlineData("kandinsky")]
    [InlineData("stable-unclip")]
    public void GenerateMany_GivesEachPictureAsItIsAlone_InOrder(string model)
    {
        using var pipeline = model == "stable-unclip" ? ImagePipeline.Load(TestModels.StableUnClip) : Load(model);
        GenerationRequest[] requests =
        [
            Request with { PriorCandidates = 2 }, Request with { PriorCandidates = 2, Prompt = "a dog", Seed = 9 },
            Request with { Steps = 2 }, Request with { Negative = "rain" },
            Request with { Negative = "a dog", Prompt = "a lion", Seed = 3 },
        ];
        var together = pipeline.GenerateMany(requests, cancellation: TestContext.Current.CancellationToken).ToArray();
        Assert.Equal(requests.Select(request => (request.Prompt, request.Seed)),
            together.Select(result => (result.Request.Prompt, result.Request.Seed)));
        Assert.Equal(requests.Length, together.Select(result => Convert.ToHexString(result.Image.Pixels)).Distinct().Count());
        foreach (var (request, result) in requests.Zip(together))
        {
            var alone = pipeline.Run(request);
            Assert.All(alone.Image.Pixels.Zip(result.Image.Pixels), pair => Assert.InRange(pair.First - pair.Second, -1, 1));
            Assert.Equal(alone.ClipScore ?? 0, result.ClipScore ?? 0, 2);
        }
    }

    /// <summary>
    /// Scores are compared to the last bit: an image that is computed in a batch of another size is rounded otherwise.
    /// </summary>
    [Fact]
    public void GenerateMany_OfMissingImages_DrawsTheBatchesOfAll()
    {
        using var pipeline = ImagePipeline.Load(TestModels.StableUnClip);
        GenerationRequest[] requests =
            [.. Enumerable.Range(0, 10).Select(i => Request with { Seed = (ulong)i }), Request with { Steps = 2 }];
        var (all, steps) = Draw(null);
        Assert.Equal((11, 3 + 3 + 2), (all.Count, steps));
        Assert.Equal([6], Missing([6], 3));
        Assert.Equal([3, 9], Missing([9, 3, 3], 3 + 3));
        Assert.Equal([8, 9, 10], Missing([8, 9, 10], 3 + 2));
        Assert.Equal([], Missing([], 0));
        Assert.All<int[]>([[-1], [3, 11]], wrong => Assert.Contains("of 11 requests; positions start at 0",
            Assert.Throws<ArgumentOutOfRangeException>(() => Draw(wrong)).Message, StringComparison.Ordinal));

        int[] Missing(int[] missing, int expectedSteps)
        {
            var (drawn, steps) = Draw(missing);
            Assert.Equal(expectedSteps, steps);
            int[] positions = [.. drawn.Select(result => Array.FindIndex(requests, request => request.Seed == result.Request.Seed
                && request.Steps == result.Request.Steps))];
            foreach (var (result, i) in drawn.Zip(positions))
            {
                Assert.Equal(all[i].Image.Pixels, result.Image.Pixels);
                Assert.Equal(all[i].ClipScore, result.ClipScore);
            }

            return positions;
        }

        (IReadOnlyList<GenerationResult> Drawn, int Steps) Draw(int[]? missing)
        {
            var steps = 0;
            GenerationResult[] drawn = [.. pipeline.GenerateMany(requests, progress => steps += progress.Stage == "decoder" ? 1 : 0,
                missing, TestContext.Current.CancellationToken)];
            return (drawn, steps);
        }
    }

    [Fact]
    public void GenerateMany_RefusesAWrongRequest_BeforeItDraws()
    {
        using var pipeline = ImagePipeline.Load(TestModels.StableUnClip);
        Assert.Throws<ArgumentException>(() =>
            pipeline.GenerateMany([Request, Request with { Steps = 0 }], cancellation: TestContext.Current.CancellationToken));
    }

    /// <summary>Prior and decoder read the same prompt: its truncation is reported once.</summary>
    [Theory]
    [InlineData("karlo")]
    [InlineData("kandinsky")]
    public void Generate_OfAPromptThatIsCut_TellsThePartOnce(string model)
    {
        using var pipeline = Load(model);
        Assert.Empty(pipeline.Run(Request).Notes);
        var notes = pipeline.Run(Request with { Prompt = string.Concat(Enumerable.Repeat("a ", 100)) + "zebra" }).Notes;
        var note = Assert.Single(notes).Sentence;
        Assert.Contains("this part was cut: \"a a", note, StringComparison.Ordinal);
        Assert.EndsWith("zebra\".", note, StringComparison.Ordinal);
    }

    [Fact]
    public void Karlo_TellsEveryStage_AndScoresNothing()
    {
        using var pipeline = Load("karlo");
        Assert.Equal((16, null, false), (pipeline.Size, pipeline.UpsampledSize, pipeline.HasImageEncoder));
        var told = new List<string>();
        var result = pipeline.Run(Request with { Size = null, UpsamplerSteps = 2 }, p => told.Add($"{p.Stage} {p.Step}/{p.Of}"));
        Assert.Equal(["prior 1/3", "prior 2/3", "prior 3/3", "decoder 1/3", "decoder 2/3", "decoder 3/3", "upsampler 1/2", "upsampler 2/2"],
            told);
        Assert.Equal(["text", "prior", "decoder", "upsampler"], result.Seconds.Keys);
        Assert.All(result.Seconds.Values, seconds => Assert.True(seconds > 0));
        Assert.Null(result.ClipScore);
        Assert.Equal((16, 2), (result.Request.Size, result.Request.UpsamplerSteps));
        var silent = pipeline.Complete(new GenerationRequest { Prompt = "a" });
        Assert.Equal((25, 8.0, 25, 4.0, 7),
            (silent.Steps, silent.Guidance, silent.PriorSteps, silent.PriorGuidance, silent.UpsamplerSteps));
    }

    [Theory]
    [InlineData("karlo", 32, null, "draws images of 16 alone")]
    [InlineData("kandinsky", 18, null, "use 16 or 20")]
    [InlineData("kandinsky", 16, 5, "has no upsampler")]
    public void Request_ThatFitsNotTheModel_IsRefusedInOneSentence(string model, int size, int? upsamplerSteps, string says)
    {
        using var pipeline = Load(model);
        var message = Assert.Throws<ArgumentException>(() =>
            pipeline.Run(Request with { Size = size, UpsamplerSteps = upsamplerSteps })).Message;
        Assert.Contains(says, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Load_OfADecoderAlone_TakesThePriorBesideIt_OrSaysWhichIsMissing()
    {
        var decoder = TestModels.Copy(TestModels.Kandinsky, At("kandinsky"));
        Assert.Contains("kandinsky is a decoder alone (KandinskyV22Pipeline): name the folder of its prior",
            Refusal(decoder), StringComparison.Ordinal);
        var first = TestModels.Copy(TestModels.KandinskyPrior, At("first"));
        byte[] beside;
        using (var pipeline = ImagePipeline.Load(decoder)) beside = pipeline.Run(Request).Image.Pixels;
        TestModels.Copy(TestModels.KandinskyPrior, At("second"));
        Assert.Contains("has several priors next to it", Refusal(decoder), StringComparison.Ordinal);
        using var named = ImagePipeline.Load(decoder, new ImagePipelineOptions { PriorFolder = first });
        var result = named.Run(Request);
        Assert.Equal(beside, result.Image.Pixels);
        Assert.Equal((PriorKind.Diffusion, "first"), (named.PriorFromElsewhere, result.PriorFrom));
    }

    [Fact]
    public void Load_OfWhatIsNoDecoder_IsRefusedInOneSentence()
    {
        Assert.Contains("is the prior alone (KandinskyV22PriorPipeline)", Refusal(TestModels.KandinskyPrior), StringComparison.Ordinal);
        var other = TestModels.Copy(TestModels.Karlo, At("other"));
        Edit(other, json => json["_class_name"] = "AudioLDMPipeline");
        Assert.Contains("is a AudioLDMPipeline; images are drawn here by UnCLIPPipeline", Refusal(other), StringComparison.Ordinal);
        Edit(other, json =>
        {
            json["_class_name"] = "UnCLIPPipeline";
            json.Remove("super_res_first");
        });
        Assert.Contains("lacks the upsampler (component super_res_first)", Refusal(other), StringComparison.Ordinal);
        Assert.Contains("was trained in another embedding space", Refusal(TestModels.Karlo, TestModels.KandinskyPrior),
            StringComparison.Ordinal);
        Assert.Contains("has no prior: a prior comes from", Refusal(TestModels.Karlo, TestModels.Kandinsky), StringComparison.Ordinal);
    }

    [Fact]
    public void Prior_OfItsOwnFolderOrOfAWholePipeline_DrawsAsTheModelsOwn()
    {
        using var own = Load("karlo");
        var expected = own.Run(Request).Image.Pixels;
        var copy = TestModels.Copy(TestModels.Karlo, At("copy"));
        foreach (var folder in new[] { copy, Path.Combine(copy, "prior") })
        {
            using var pipeline = ImagePipeline.Load(TestModels.Karlo, new ImagePipelineOptions { PriorFolder = folder });
            var result = pipeline.Run(Request);
            Assert.Equal(expected, result.Image.Pixels);
            Assert.Equal((PriorKind.Diffusion, CheckpointFolder.NameOf(folder)), (pipeline.PriorFromElsewhere, result.PriorFrom));
        }
    }

    [Fact]
    public void Karlo_WithoutAPrior_SaysThatItDrawsNothingFromText()
    {
        var model = TestModels.Copy(TestModels.Karlo, At("variations"));
        Edit(model, json => json.Remove("prior"));
        Directory.Delete(Path.Combine(model, "prior"), recursive: true);
        using var pipeline = ImagePipeline.Load(model);
        Assert.Contains("variations has no prior", Assert.Throws<InvalidOperationException>(() => pipeline.Run(Request)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("stable")]
    [InlineData("kandinsky")]
    public void ClipGuidance_OfNothing_IsNone_AndAloneIgnoresTheEmbedding(string model)
    {
        using var pipeline = Load(model);
        var request = Request with { Size = model == "stable" ? 32 : 16 };
        var plain = Draw(request);
        // Prediction to image and back costs a few bits, which may change one byte.
        Assert.All(plain.Zip(Draw(request with { ClipGuidance = new ClipGuidance(0) })),
            pair => Assert.InRange(pair.First - pair.Second, -1, 1));
        Assert.NotEqual(plain, Draw(request with { ClipGuidance = new ClipGuidance(3) }));

        var alone = request with { ClipGuidance = new ClipGuidance(3, Alone: true) };
        Assert.Equal(Draw(alone), Draw(alone with { PriorGuidance = 1 }));
        Assert.NotEqual(Draw(alone), Draw(alone with { Prompt = "a dog" }));
        Assert.NotEqual(Draw(request with { ClipGuidance = new ClipGuidance(3) }),
            Draw(request with { ClipGuidance = new ClipGuidance(3), PriorGuidance = 1 }));

        byte[] Draw(GenerationRequest asked) => pipeline.Run(asked).Image.Pixels;
    }

    [Fact]
    public void ClipGuidance_WithoutAnImageEncoder_SaysWhatIsMissing()
    {
        using var pipeline = Load("karlo");
        var message = Assert.Throws<InvalidOperationException>(() =>
            pipeline.Run(Request with { ClipGuidance = new ClipGuidance(1) })).Message;
        Assert.Contains("has no image encoder", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Estimate_CountsThePriorThatLiesInAnotherFolder(bool companion)
    {
        using var pipeline = ImagePipeline.Load(TestModels.Kandinsky, companion
            ? new ImagePipelineOptions { CompanionFolders = [TestModels.KandinskyPrior] }
            : new ImagePipelineOptions { PriorFolder = TestModels.KandinskyPrior });
        var estimate = pipeline.Estimate(Request);
        Assert.Equal(estimate.Stages.Sum(stage => stage.Seconds), estimate.Seconds, 1e-9);
        Assert.Equal(["runtime", "movq", "unet", "image_encoder", "prior", "text_encoder"], estimate.Stages.Select(stage => stage.Stage));
        Assert.All(estimate.Stages, stage => Assert.True(stage.Bytes > 0 && stage.Seconds > 0, stage.Stage));
    }

    [Fact]
    public void DepthMap_OfAModelWithAControl_ShapesThePicture_AndIsAskedFor()
    {
        var model = TestModels.Copy(TestModels.Kandinsky, Path.Combine(root, "control"));
        Edit(model, json => json["_class_name"] = "KandinskyV22ControlnetPipeline");
        var unet = Path.Combine(model, "unet");
        var config = ConfigFile.Read<UNet2DConditionConfig>(unet) with { AdditionEmbedType = "image_hint", InChannels = 8 };
        ConfigFile.Write(Path.Combine(unet, "config.json"), config, "UNet2DConditionModel");
        using (NewDisposeScope())
        {
            using var network = new UNet2DConditionModel(config);
            SeededInit.Apply(network, 3);
            SafeTensorsWriter.Write(Path.Combine(unet, "diffusion_pytorch_model.safetensors"), network.state_dict());
        }

        using var pipeline = ImagePipeline.Load(model, new ImagePipelineOptions { PriorFolder = TestModels.KandinskyPrior });
        var (dark, light) = (Depth("dark.png", 0), Depth("light.png", 255));
        Assert.NotEqual(pipeline.Run(Request with { DepthMap = dark }).Image.Pixels,
            pipeline.Run(Request with { DepthMap = light }).Image.Pixels);
        var result = pipeline.Run(Request with { DepthMap = light, Prior = PriorKind.None });
        Assert.Contains("light.png", Recipe.Of("control", result)[Recipe.JsonKeyword], StringComparison.Ordinal);
        Assert.Contains("draws along a depth map", Assert.Throws<ArgumentException>(() => pipeline.Run(Request)).Message,
            StringComparison.Ordinal);
        using var plain = Load("kandinsky");
        Assert.Contains("does not use a depth map",
            Assert.Throws<ArgumentException>(() => plain.Run(Request with { DepthMap = dark })).Message, StringComparison.Ordinal);
        Assert.ThrowsAny<IOException>(() => pipeline.Run(Request with { DepthMap = Path.Combine(root, "absent.png") }));

        string Depth(string name, byte grey)
        {
            var path = Path.Combine(root, name);
            new RgbImage(20, 20, [.. Enumerable.Repeat(grey, 20 * 20 * 3)]).SavePng(path);
            return path;
        }
    }

    private static ImagePipeline Load(string model, bool? keep = null) => model switch
    {
        "karlo" => ImagePipeline.Load(TestModels.Karlo, new ImagePipelineOptions { KeepLoaded = keep }),
        "stable" => ImagePipeline.Load(TestModels.StableUnClip, new ImagePipelineOptions { KeepLoaded = keep }),
        _ => ImagePipeline.Load(TestModels.Kandinsky,
            new ImagePipelineOptions { KeepLoaded = keep, PriorFolder = TestModels.KandinskyPrior }),
    };

    private static string Refusal(string folder, string? prior = null)
    {
        var message = Assert.Throws<WeightsException>(() => ImagePipeline.Load(folder, new ImagePipelineOptions { PriorFolder = prior }))
            .Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }

    private static void Edit(string model, Action<JsonObject> change)
    {
        var index = Path.Combine(model, "model_index.json");
        var json = JsonNode.Parse(File.ReadAllText(index))!.AsObject();
        change(json);
        File.WriteAllText(index, json.ToJsonString());
    }

    private string At(string name) => Path.Combine(root, name);
}
