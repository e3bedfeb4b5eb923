using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

public sealed class StableImagePipelineTests : IDisposable
{
    private static readonly GenerationRequest Request = new() { Prompt = "a cat on a mat",
        Seed = 7, Steps = 3, PriorSteps = 4, Guidance = 3 };
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-generate-").FullName;
    private readonly ImagePipeline pipeline = ImagePipeline.Load(TinyPipeline.Golden);

    public void Dispose()
    {
        pipeline.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Generate_SameSeed_SameBytes_OtherSeedOthers()
    {
        var (first, second) = (Draw(Request), Draw(Request));
        Assert.Equal(first, second);
        Assert.NotEqual(first, Draw(Request with { Seed = 8 }));
        using var again = ImagePipeline.Load(TinyPipeline.Golden);
        Assert.Equal(first, again.Run(Request).Image.Pixels);
    }

    [Fact]
    public void Generate_EveryWordOfTheRequest_ChangesThePicture()
    {
        var pictures = new[]
        {
            Request, Request with { Prompt = "a dog" }, Request with { Negative = "a dog" },
            Request with { Guidance = 1 }, Request with { Steps = 4 },
            Request with { PriorSteps = 6 }, Request with { PriorGuidance = 1 },
            Request with { Prior = PriorKind.None }, Request with { Seed = ulong.MaxValue },
        }.Select(Draw).ToArray();
        for (var i = 0; i < pictures.Length; i++)
            for (var j = 0; j < i; j++)
                Assert.False(pictures[i].AsSpan().SequenceEqual(pictures[j]), $"requests {j} and {i} gave the same picture");
    }

    [Fact]
    public void Negative_WithoutGuidance_MeansNothing() =>
        Assert.Equal(Draw(Request with { Guidance = 1 }), Draw(Request with { Guidance = 1, Negative = "a dog" }));

    [Fact]
    public void Result_HasTheRequestWithEveryDefault_ScoreAndSeconds()
    {
        var result = pipeline.Run(new GenerationRequest { Prompt = "a cat", Prior = PriorKind.None });
        Assert.Equal((32, 32), (result.Image.Width, result.Image.Height));
        Assert.Equal((20, 10.0, 25, 4.0, 32),
            (result.Request.Steps, result.Request.Guidance, result.Request.PriorSteps, result.Request.PriorGuidance, result.Request.Size));
        Assert.InRange(result.ClipScore!.Value, -1, 1);
        Assert.Equal(["text", "prior", "decoder"], result.Seconds.Keys);
        Assert.Equal("model", pipeline.Name);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(48)]
    public void Size_ThatIsAMultiple_IsDrawn(int size)
    {
        var image = pipeline.Run(Request with { Size = size }).Image;
        Assert.Equal((size, size, size * size * 3), (image.Width, image.Height, image.Pixels.Length));
    }

    [Theory]
    [InlineData(20, "use 16 or 32")]
    [InlineData(0, "use 16 or 32")]
    [InlineData(-16, "use 16 or 32")]
    [InlineData(47, "use 32 or 48")]
    [InlineData(4096, "use 2048")]
    public void Size_ThatFitsNot_IsRefusedWithThoseThatFit(int size, string way)
    {
        var message = Assert.Throws<ArgumentException>(() => pipeline.Run(Request with { Size = size })).Message;
        Assert.Contains($"{size} does not fit", message, StringComparison.Ordinal);
        Assert.Contains(way, message, StringComparison.Ordinal);
        Assert.Contains("made for 32", message, StringComparison.Ordinal);
    }

    public static TheoryData<GenerationRequest, string> BadRequests => new()
    {
        { Request with { Prompt = "" }, "prompt is empty" },
        { Request with { Prompt = " \t\n" }, "prompt is empty" },
        { Request with { Steps = 0 }, "steps is 0" },
        { Request with { Steps = 1001 }, "between 1 and 1000" },
        { Request with { PriorSteps = 1 }, "prior steps is 1" },
        { Request with { PriorCandidates = 0 }, "prior candidates is 0" },
        { Request with { PriorCandidates = 65 }, "between 1 and 64" },
        { Request with { Guidance = -1 }, "guidance is -1" },
        { Request with { Guidance = double.NaN }, "guidance is NaN" },
        { Request with { PriorGuidance = double.PositiveInfinity }, "prior guidance" },
    };

    [Theory]
    [MemberData(nameof(BadRequests))]
    public void Request_OutOfItsRange_IsRefusedInOneSentence(GenerationRequest request, string words)
    {
        var message = Assert.Throws<ArgumentException>(() => pipeline.Run(request)).Message;
        Assert.Contains(words, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Progress_CountsEveryStepOfEveryStage()
    {
        var told = new List<GenerationProgress>();
        pipeline.Run(Request with { PriorCandidates = 2 }, told.Add);
        Assert.Equal(Enumerable.Repeat(Enumerable.Range(1, 4), 2).SelectMany(s => s),
            told.Where(p => p.Stage == "prior").Select(p => p.Step));
        Assert.Equal([1, 2, 3], told.Where(p => p.Stage == "decoder").Select(p => p.Step));
        Assert.All(told, p => Assert.Equal(p.Stage == "prior" ? 4 : 3, p.Of));
    }

    [Fact]
    public void Cancellation_StopsBetweenTwoSteps()
    {
        using var stop = new CancellationTokenSource();
        var steps = 0;
        Assert.ThrowsAny<OperationCanceledException>(() => pipeline.Generate(Request, p =>
        {
            steps++;
            if (p is { Stage: "decoder", Step: 1 }) stop.Cancel();
        }, cancellation: stop.Token));
        Assert.Equal(5, steps);
        Assert.Equal(Draw(Request), Draw(Request));
    }

    [Fact]
    public void Candidates_TheOneNearestToTheText_IsKept()
    {
        var trace = new GenerationTrace(folder);
        pipeline.Run(Request with { PriorCandidates = 3 }, trace: trace);
        var (text, kept) = (Values(trace, "text embedding"), Values(trace, "image embedding"));
        var cosines = Values(trace, "candidate cosines");
        Assert.Equal(3, cosines.Length);
        Assert.Equal(3, cosines.Distinct().Count());
        Assert.Equal(cosines.Max(), Cosine(text, kept), 1e-5);
    }

    [Fact]
    public void Prior_None_GivesTheTextEmbeddingItself()
    {
        var trace = new GenerationTrace(folder);
        pipeline.Run(Request with { Prior = PriorKind.None }, trace: trace);
        Assert.Equal(Values(trace, "text embedding"), Values(trace, "image embedding"));
        Assert.DoesNotContain(trace.Stages, s => s.Name == "prior trajectory");
    }

    [Fact]
    public void Prior_Linear_IsTheMapOfItsFolder()
    {
        Assert.Contains("has no linear prior; it has diffusion, none", Assert.Throws<InvalidOperationException>(() =>
            pipeline.Run(Request with { Prior = PriorKind.Linear })).Message, StringComparison.Ordinal);
        using var tiny = new TinyPipeline();
        using var scope = NewDisposeScope();
        SafeTensorsWriter.Write(tiny["prior_linear", "diffusion_pytorch_model.safetensors"],
            [KeyValuePair.Create("map.weight", 2 * eye(24)), KeyValuePair.Create("map.bias", arange(24, dtype: ScalarType.Float32))]);
        using var linear = ImagePipeline.Load(tiny.Folder);
        var trace = new GenerationTrace(folder);
        linear.Run(Request with { Prior = PriorKind.Linear }, trace: trace);
        var (text, image) = (Values(trace, "text embedding"), Values(trace, "image embedding"));
        Assert.All(text.Index(), t => Assert.Equal((2 * t.Item) + t.Index, image[t.Index], 1e-4));
    }

    [Fact]
    public void Generate_LeavesNoTensorBehind()
    {
        using var outer = NewDisposeScope();
        Draw(Request);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Draw(Request);
        Draw(Request with { PriorCandidates = 2, Guidance = 1 });
        pipeline.Run(Request, trace: new GenerationTrace(folder));
        using var stop = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => pipeline.Generate(Request, _ => stop.Cancel(), cancellation: stop.Token));
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.Equal(0, outer.DisposablesCount);
    }

    private byte[] Draw(GenerationRequest request) => pipeline.Run(request).Image.Pixels;

    private float[] Values(GenerationTrace trace, string stage) =>
        Npy.Read(Path.Combine(folder, trace.Stages.Single(s => s.Name == stage).File)).ToSingle();

    private static double Cosine(float[] a, float[] b) =>
        a.Zip(b, (x, y) => (double)x * y).Sum() / Math.Sqrt(a.Sum(x => (double)x * x) * b.Sum(x => (double)x * x));
}
