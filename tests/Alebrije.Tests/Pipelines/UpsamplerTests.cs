using System.Text.Json;
using Alebrije.Diffusion;
using Alebrije.Models.UNets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Training;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>The last stage: in the pipeline, and alone.</summary>
public sealed class UpsamplerTests : IDisposable
{
    private static readonly GenerationRequest Request = new() { Prompt = "a cat", Seed = 3, Steps = 2, PriorSteps = 2 };
    private readonly TinyPipeline tiny = new();

    public UpsamplerTests() => TorchRuntime.Initialize();

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    public void Dispose() => tiny.Dispose();

    [Fact]
    public void Generate_AtTheUpsamplersSize_EnlargesTheSmallPicture()
    {
        TinyUpsampler.AddTo(tiny.Folder);
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        Assert.Equal((32, 64), (pipeline.Size, pipeline.UpsampledSize));
        var stages = new List<string>();
        var trace = new GenerationTrace(tiny["trace"]);
        var result = pipeline.Run(Request with { Size = 64, UpsamplerSteps = 3 }, p => stages.Add($"{p.Stage} {p.Step}/{p.Of}"), trace);
        Assert.Equal((64, 64), (result.Image.Width, result.Image.Height));
        Assert.Equal((64, 3), (result.Request.Size, result.Request.UpsamplerSteps));
        Assert.Equal(["text", "prior", "decoder", "upsampler"], result.Seconds.Keys);
        Assert.Equal(["upsampler 1/3", "upsampler 2/3", "upsampler 3/3"],
            stages.Where(s => s.StartsWith("upsampler", StringComparison.Ordinal)));

        // The input of the upsampler is the small image of the same seed.
        var small = RgbImage.Load(Path.Combine(tiny["trace"], trace.Stages.Single(s => s.Name == "small picture").File));
        Assert.Equal(pipeline.Run(Request).Image.Pixels, small.Pixels);
        Assert.Equal(3, trace.Stages.Count(s => s.Name.StartsWith("predicted large picture", StringComparison.Ordinal)));
        Assert.Equal(result.Image.Pixels, RgbImage.Load(Path.Combine(tiny["trace"], trace.Stages[^1].File)).Pixels);
        Assert.Equal(result.Image.Pixels, pipeline.Run(Request with { Size = 64, UpsamplerSteps = 3 }).Image.Pixels);
        Assert.NotEqual(result.Image.Pixels, pipeline.Run(Request with { Size = 64, UpsamplerSteps = 2 }).Image.Pixels);
    }

    [Fact]
    public void Experiments_AtTheUpsamplersSize_BeginAtTheSmallOne()
    {
        TinyUpsampler.AddTo(tiny.Folder);
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        var picture = tiny["given.png"];
        new RgbImage(40, 40).SavePng(picture);
        var vary = new Alebrije.Pipelines.Experiments.PictureExperiment
        {
            Kind = Alebrije.Pipelines.Experiments.ExperimentKind.Vary, Parts = [new(null, picture)], Count = 1,
            Request = new GenerationRequest { Prompt = "", Seed = 1, Steps = 2, Size = 64, UpsamplerSteps = 2 },
        };
        foreach (var invert in new[] { true, false })
        {
            var result = new Alebrije.Pipelines.Experiments.ImageExperiments(pipeline)
                .Run(vary with { Invert = invert }, cancellation: TestContext.Current.CancellationToken);
            Assert.Equal(64, result.Pictures[0].Image.Width);
        }
    }

    [Fact]
    public void Generate_OfASilentRequest_TakesTheModelsSteps()
    {
        TinyUpsampler.AddTo(tiny.Folder);
        File.WriteAllText(tiny["generation_config.json"], """{ "upsampler_steps": 2 }""");
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        Assert.Equal(2, pipeline.Run(Request with { Size = 64 }).Request.UpsamplerSteps);
        Assert.Null(pipeline.Run(Request).Request.UpsamplerSteps);
    }

    [Fact]
    public void UpsamplerSteps_WhereNoneIsUsed_AreRefused()
    {
        using (var without = ImagePipeline.Load(tiny.Folder))
        {
            Assert.Null(without.UpsampledSize);
            Assert.Contains("has no upsampler", Refusal(without, Request with { Size = 64, UpsamplerSteps = 2 }), StringComparison.Ordinal);
        }

        TinyUpsampler.AddTo(tiny.Folder);
        using var pipeline = ImagePipeline.Load(tiny.Folder);
        Assert.Contains("makes images of 64 pixels", Refusal(pipeline, Request with { UpsamplerSteps = 2 }), StringComparison.Ordinal);
        Assert.Contains("its upsampler for 64", Refusal(pipeline, Request with { Size = 63 }), StringComparison.Ordinal);
        Assert.Contains("upsampler steps is 1", Refusal(pipeline, Request with { Size = 64, UpsamplerSteps = 1 }),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(16, 16)]
    [InlineData(13, 7)]
    [InlineData(1, 1)]
    public void Upscale_OfAnyShape_DoublesItsSides(int width, int height)
    {
        TinyUpsampler.AddTo(tiny.Folder);
        using var pipeline = UpsamplingPipeline.Load(tiny.Folder);
        var picture = new RgbImage(width, height);
        for (var i = 0; i < picture.Pixels.Length; i++) picture.Pixels[i] = (byte)(i * 11);
        var request = new UpscaleRequest(picture) { Seed = 9, Steps = 2 };
        var result = pipeline.Upscale(request, cancellation: Now);
        Assert.Equal((2, 2 * width, 2 * height), (result.Factor, result.Image.Width, result.Image.Height));
        Assert.Equal(result.Image.Pixels, pipeline.Upscale(request, cancellation: Now).Image.Pixels);
    }

    [Fact]
    public void Upscale_OfWhatIsTooLarge_OrByAModelWithout_IsOneSentence()
    {
        Assert.Contains("has no upsampler (component super_res_first)",
            Assert.Throws<CheckpointNotFoundException>(() => UpsamplingPipeline.Load(tiny.Folder)).Message, StringComparison.Ordinal);
        TinyUpsampler.AddTo(tiny.Folder);
        using var pipeline = UpsamplingPipeline.Load(tiny.Folder);
        Assert.Contains("up to 262,144 pixels", Assert.Throws<ArgumentException>(() =>
            pipeline.Upscale(new UpscaleRequest(new RgbImage(513, 512)), cancellation: Now)).Message, StringComparison.Ordinal);
        Assert.Contains("steps is 1", Assert.Throws<ArgumentException>(() =>
            pipeline.Upscale(new UpscaleRequest(new RgbImage(4, 4)) { Steps = 1 }, cancellation: Now)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.5)]
    [InlineData(1.0)]
    public void Fidelity_HoldsThePictureToTheSmallOne(double fidelity)
    {
        TinyUpsampler.AddTo(tiny.Folder);
        File.WriteAllText(tiny["generation_config.json"], FormattableString.Invariant($$"""{ "upsampler_fidelity": {{fidelity}} }"""));
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var plain = new TinyPipeline();
        TinyUpsampler.AddTo(plain.Folder);
        using var free = Upsampler.TryLoad(PipelineFolder.Open(plain.Folder))!;
        using var held = Upsampler.TryLoad(PipelineFolder.Open(tiny.Folder))!;
        using var noise = new Noise(4);

        // Bicubic down- and upsampling loses the highest frequencies, so the test image has none.
        var small = Bicubic.Resize(noise.Randn(1, 3, 4, 3), 12, 9).clamp(-1, 1);
        Tensor[] draws = [noise.Randn(1, 3, 24, 18), noise.Randn(1, 3, 24, 18)];
        var (one, other) = (Off(free), Off(held));
        if (fidelity == 0) Assert.Equal(one, other);
        else Assert.InRange(other / one, 0, fidelity == 1 ? 0.35 : 0.65);

        double Off(Upsampler upsampler) =>
            (Bicubic.Resize(upsampler.Enlarge(small, 24, 18, 2, Noise.Replay(draws), cancellation: Now), 12, 9) - small)
            .square().mean().sqrt().ToDouble();
    }

    [Fact]
    public void LastStep_WithANetworkOfItsOwn_UsesIt()
    {
        TinyUpsampler.AddTo(tiny.Folder, last: true);
        var folder = PipelineFolder.Open(tiny.Folder);
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using var first = folder.Load<UNet2DModel>(Upsampler.First);
        using var last = folder.Load<UNet2DModel>(Upsampler.Last);
        using var both = Upsampler.TryLoad(folder)!;
        using var noise = new Noise(4);
        var small = noise.Randn(1, 3, 8, 8).clamp(-1, 1);
        Tensor[] draws = [noise.Randn(1, 3, 16, 16), noise.Randn(1, 3, 16, 16)];
        var large = both.Enlarge(small, 16, 16, 2, Noise.Replay(draws), cancellation: Now);

        // Two steps by hand: the grid is T - 1, 0.
        using var scheduler = Schedulers.Create(MiniSchedulers.Upsampler);
        scheduler.SetTimesteps(2);
        Assert.Equal([999f, 0f], scheduler.Timesteps);
        var given = Bicubic.Resize(small, 16, 16);
        var replay = Noise.Replay(draws[1..]);
        var x = scheduler.Step(first.call(cat([draws[0], given], 1), tensor(999L)), 0, draws[0], replay).Previous;
        x = scheduler.Step(last.call(cat([x, given], 1), tensor(0L)), 1, x, replay).Previous;
        Assert.True(large.allclose(x, 1e-5, 1e-6));
    }

    [Fact]
    public void Recipe_OfAnEnlargedPicture_KeepsThatOfTheSource()
    {
        TinyUpsampler.AddTo(tiny.Folder);
        using var pipeline = UpsamplingPipeline.Load(tiny.Folder);
        var result = pipeline.Upscale(new UpscaleRequest(new RgbImage(4, 4)) { Seed = 2, Steps = 2 }, cancellation: Now);
        var texts = Recipe.Of("m", result, new Dictionary<string, string> { ["parameters"] = "a cat", ["alebrije"] = """{"model":"n"}""" });
        Assert.Equal("a cat\nUpscale: 2, Steps: 2, Seed: 2, Size: 8x8, Model: m", texts["parameters"]);
        using var json = JsonDocument.Parse(texts["alebrije"]);
        Assert.Equal("n", json.RootElement.GetProperty("source").GetProperty("model").GetString());
        Assert.Equal((2, 4), (json.RootElement.GetProperty("upscale").GetProperty("steps").GetInt32(),
            json.RootElement.GetProperty("upscale").GetProperty("width").GetInt32()));
        using var odd = JsonDocument.Parse(Recipe.Of("m", result, new Dictionary<string, string> { ["alebrije"] = "no json" })["alebrije"]);
        Assert.Equal("no json", odd.RootElement.GetProperty("source").GetString());
    }

    private static string Refusal(ImagePipeline pipeline, GenerationRequest request) =>
        Assert.Throws<ArgumentException>(() => pipeline.Run(request)).Message;
}
