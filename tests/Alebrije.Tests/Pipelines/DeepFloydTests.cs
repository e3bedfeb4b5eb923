using Alebrije.Pipelines;
using Alebrije.Pipelines.Denoising;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Tests.Cli;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>DeepFloyd IF's three stages in one run: 8, 32 and 128 pixels of a model of random weights.</summary>
public sealed class DeepFloydTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-if-").FullName;
    private readonly string model;

    public DeepFloydTests() => model = RandomDeepFloyd.Write(folder);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static GenerationRequest Request => new() { Prompt = "a red car", Seed = 3, Steps = 3, UpsamplerSteps = 2 };

    [Theory]
    [InlineData(null, 128, "decoder stage 2 stage 3")]
    [InlineData(128, 128, "decoder stage 2 stage 3")]
    [InlineData(32, 32, "decoder stage 2")]
    public void Generate_RunsTheStagesOfTheSize(int? size, int side, string stages)
    {
        using var pipeline = ImagePipeline.Load(model);
        Assert.Equal((8, 128), (pipeline.Size, pipeline.UpsampledSize));
        var seen = new List<string>();
        var drawn = pipeline.Generate(Request with { Size = size }, p => seen.Add(p.Stage), cancellation: Stop);
        Assert.Equal((side, side), (drawn.Image.Width, drawn.Image.Height));
        Assert.Equal(stages, string.Join(' ', seen.Distinct()));
        Assert.Equal(stages, string.Join(' ', drawn.Seconds.Keys));
    }

    [Fact]
    public void Generate_OfTheFirstStagesSize_DrawsItAlone()
    {
        using var pipeline = ImagePipeline.Load(model);
        var drawn = pipeline.Generate(Request with { Size = 8, UpsamplerSteps = null }, cancellation: Stop);
        Assert.Equal((8, 8), (drawn.Image.Width, drawn.Image.Height));
        using var alone = ImagePipeline.Load(model, new ImagePipelineOptions { CompanionFolders = [] });
        Assert.Null(alone.UpsampledSize);
        Assert.Equal(drawn.Image.Pixels, alone.Generate(Request with { UpsamplerSteps = null }, cancellation: Stop).Image.Pixels);
        Assert.Contains("draws 8 pixels in its first stage alone; set size 32 or 128", Assert.Throws<ArgumentException>(() =>
            pipeline.Generate(Request with { Size = 8 }, cancellation: Stop)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Generate_OfAnotherShape_KeepsItThroughAllStages()
    {
        using var pipeline = ImagePipeline.Load(model);
        var drawn = pipeline.Generate(Request with { Height = 128, Width = 256 }, cancellation: Stop);
        Assert.Equal((256, 128), (drawn.Image.Width, drawn.Image.Height));
    }

    /// <summary>The second stage in a run equals one run alone on the first image, with the noise that follows.</summary>
    [Fact]
    public void SecondStage_GetsTheFirstOnesPixels_AndTheSameTextEncodings()
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        using var pipeline = ImagePipeline.Load(model, new ImagePipelineOptions { KeepLoaded = true });
        var request = pipeline.Complete(Request with { Size = 32 });
        var (after, trace) = (new List<(string Stage, Tensor Sample)>(), new GenerationTrace(Path.Combine(folder, "trace")));
        using var noise = new Noise(3);
        var whole = pipeline.Draw([request], noise, listeners: new DrawListeners { After = (stage, x) =>
            after.Add((stage, x.clone().DetachFromDisposeScope())), Trace = trace }).Pixels;

        Assert.Equal(["decoder", "decoder", "decoder", "stage 2", "stage 2"], after.Select(step => step.Stage));
        var small = after[2].Sample.div(2).add(0.5).clamp(0, 1).mul(2).sub(1);
        using var second = ImagePipeline.Load(Second(), new ImagePipelineOptions { KeepLoaded = true });
        using var same = new Noise(3);
        for (var i = 0; i < 3; i++) same.Randn(1, 3, 8, 8);
        var given = new DrawConditions([request.Prompt]) { Small = small };
        var own = second.Complete(new GenerationRequest { Prompt = request.Prompt, Steps = 2, Size = 32 }, promptNeeded: true, given);
        var alone = second.Draw([own], same, given).Pixels;
        Assert.Equal(0, (whole - alone).abs().max().ToDouble(), 1e-6);
    }

    /// <summary>The second stage as a separate folder, with its own text encoder.</summary>
    private string Second()
    {
        var path = Path.Combine(folder, "alone", "if-2");
        Catalog.TestModels.Copy(Path.Combine(folder, "if-2"), path);
        foreach (var part in new[] { "text_encoder", "tokenizer" })
            Catalog.TestModels.Copy(Path.Combine(model, part), Path.Combine(path, part));
        var index = Path.Combine(path, "model_index.json");
        File.WriteAllText(index,
            File.ReadAllText(index).Replace("\"text_encoder\": [null, null], \"tokenizer\": [null, null]",
                "\"text_encoder\": [\"transformers\", \"T5EncoderModel\"], \"tokenizer\": [\"transformers\", \"T5Tokenizer\"]",
                StringComparison.Ordinal));
        return path;
    }

    /// <summary>As in the reference (pipeline_if_inpainting.py): the unmasked region enters every step without noise.</summary>
    [Fact]
    public void Inpainting_HoldsTheUnmaskedRegionCleanInEveryStep()
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        using var pipeline = ImagePipeline.Load(model, new ImagePipelineOptions { CompanionFolders = [], KeepLoaded = true });
        var (image, mask) = (Coloured(8), HalfMask(8));
        var request = pipeline.Complete(Request with { UpsamplerSteps = null, From = ImageInput.Of(image), Mask = ImageInput.Of(mask) });
        Assert.Equal(1, request.Strength);
        using var noise = new Noise(5);
        var starts = new GenerationTrace(Path.Combine(folder, "trace"));
        var drawn = pipeline.Draw([request], noise, listeners: new DrawListeners { Trace = starts });
        var kept = (drawn.Pixels - ImageTensors.FromImage(image).add(1).div(2)).abs().narrow(3, 0, 4).max().ToDouble();
        Assert.Equal(0, kept, 1e-6);

        var begun = tensor(Npy.Read(Directory.GetFiles(Path.Combine(folder, "trace"), "*decoder-noise.npy").Single()).ToSingle(),
            [1, 3, 8, 8]);
        Assert.Equal(0, (begun - ImageTensors.FromImage(image)).abs().narrow(3, 0, 4).max().ToDouble(), 1e-6);
        Assert.True((begun - ImageTensors.FromImage(image)).abs().narrow(3, 4, 4).max().ToDouble() > 0.5);
    }

    [Fact]
    public async Task Imagine_FromAnImageAroundAMask_IsReplayedToTheByte()
    {
        var (given, mask, file) = (Path.Combine(folder, "given.png"), Path.Combine(folder, "mask.png"), Path.Combine(folder, "out.png"));
        Coloured(128).SavePng(given);
        HalfMask(128).SavePng(mask);
        string[] options = ["--model", model, "--from", given, "--mask",
            mask, "--steps", "2", "--upsampler-steps", "2", "--seed", "4", "--out", file];
        var drawn = await CommandLine.Run(["imagine", "a red car", .. options, "--json"]);
        Assert.True(drawn.Status == 0, drawn.Error);
        Assert.Equal(["load", "decoder", "stage 2", "stage 3", "total"], drawn.Json.GetProperty("seconds").Keys());
        var image = RgbImage.Load(file);
        Assert.Equal((128, 128), (image.Width, image.Height));
        var pixels = Coloured(128).Pixels;
        Assert.All(Enumerable.Range(0, pixels.Length).Where(i => i / 3 % 128 < 64), i => Assert.Equal(pixels[i], image.Pixels[i]));
        Assert.Equal(0, (await CommandLine.Run("replay", file, "--model", model)).Status);

        var first = await CommandLine.Run("imagine", "a red car", "--model",
            model, "--stage", "none", "--steps", "2", "--seed", "4", "--out", Path.Combine(folder, "first.png"), "--json");
        Assert.Equal(8, first.Json.GetProperty("images")[0].GetProperty("width").GetInt32());

        Catalog.TestModels.Copy(Path.Combine(folder, "if-2"), Path.Combine(folder, "if-2-large"));
        string[] stage = ["--model", model, "--stage", Path.Combine(folder, "if-2-large")];
        string[] named = ["--steps", "2", "--seed", "4", "--out", At("named.png")];
        Assert.Equal(0, (await CommandLine.Run(["imagine", "a red car", .. stage, .. named])).Status);
        Assert.Equal(32, RgbImage.Load(At("named.png")).Width);
        Assert.Equal(0, (await CommandLine.Run(["replay", At("named.png"), .. stage])).Status);
        Assert.Contains("(--stage)", (await CommandLine.Run("replay", At("named.png"), "--model", model)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Estimate_CountsEveryStageOnce_AndTheTextEncoderOnce()
    {
        using var pipeline = ImagePipeline.Load(model);
        var (whole, first) = (pipeline.Estimate(Request, timed: false),
            pipeline.Estimate(Request with { Size = 8, UpsamplerSteps = null }, timed: false));
        Assert.Equal(3, whole.Stages.Count(stage => stage.Stage == "unet"));
        Assert.Equal(2, whole.Stages.Count(stage => stage.Stage == "text_encoder"));
        Assert.Single(whole.Stages, stage => stage.Stage == "vae");
        Assert.Single(first.Stages, stage => stage.Stage == "unet");
    }

    [Fact]
    public void TwoFoldersOfTheSameStage_HaveToBeNamed()
    {
        Catalog.TestModels.Copy(Path.Combine(folder, "if-2"), Path.Combine(folder, "if-2-large"));
        var refused = Assert.Throws<WeightsException>(() => ImagePipeline.Load(model));
        Assert.Contains("(if-2, if-2-large): name its later stages in their order (--stage), or none",
            refused.Message, StringComparison.Ordinal);
        using var named = ImagePipeline.Load(model, new ImagePipelineOptions { CompanionFolders = [Path.Combine(folder, "if-2-large")] });
        Assert.Equal(32, named.UpsampledSize);
        Assert.Contains("is of class IFPipeline", Assert.Throws<WeightsException>(() =>
            ImagePipeline.Load(model, new ImagePipelineOptions { CompanionFolders = [model] })).Message, StringComparison.Ordinal);
    }

    private string At(string name) => Path.Combine(folder, name);

    private static RgbImage Coloured(int side) =>
        new(side, side, [.. Enumerable.Range(0, side * side * 3).Select(i => (byte)(i * 7 % 251))]);

    private static RgbImage HalfMask(int side) =>
        new(side, side, [.. Enumerable.Range(0, side * side * 3).Select(i => (byte)(i / 3 % side < side / 2 ? 0 : 255))]);
}
