using System.Drawing;
using System.Text.Json;
using Alebrije.Extensions.AI;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace Alebrije.Tests.ExtensionsAI;

/// <summary>Pipelines as image generators.</summary>
public sealed class AlebrijeImageGeneratorTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-generator-").FullName;
    private readonly ImagePipeline pipeline;
    private readonly AlebrijeImageGenerator generator;

    public AlebrijeImageGeneratorTests()
    {
        Tensors.TorchRuntime.Initialize();
        pipeline = ImagePipeline.Load(TestModels.StableUnClip);
        generator = new AlebrijeImageGenerator(pipeline);
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static AdditionalPropertiesDictionary Few => new() { ["seed"] = 7, ["steps"] = 2, ["prior_steps"] = 2 };

    public void Dispose()
    {
        generator.Dispose();
        pipeline.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Images_AreThoseOfThePipeline_WithTheirSeeds()
    {
        var response = await generator.GenerateAsync(new ImageGenerationRequest("a cat"),
            new ImageGenerationOptions { Count = 2, AdditionalProperties = Few }, Stop);
        var request = new GenerationRequest { Prompt = "a cat", Steps = 2, PriorSteps = 2 };
        var expected = pipeline.GenerateMany([request with { Seed = 7 }, request with { Seed = 8 }], cancellation: Stop).ToArray();
        Assert.Equal(2, response.Contents.Count);
        foreach (var (content, result) in response.Contents.Cast<DataContent>().Zip(expected))
        {
            Assert.Equal("image/png", content.MediaType);
            Assert.Equal(result.Image.Pixels, RgbImage.FromBytes(content.Data.Span).Pixels);
            Assert.Equal(result.Request.Seed, content.AdditionalProperties!["seed"]);
            Assert.Equal(result.ClipScore, (double?)content.AdditionalProperties.GetValueOrDefault("clip_score"));
        }
    }

    [Fact]
    public async Task OtherSize_IsResizedFromTheModelsOwn()
    {
        var response = await generator.GenerateAsync(new ImageGenerationRequest("a cat"),
            new ImageGenerationOptions { ImageSize = new Size(96, 48), AdditionalProperties = Few }, Stop);
        var image = RgbImage.FromBytes(((DataContent)Assert.Single(response.Contents)).Data.Span);
        Assert.Equal((96, 48), (image.Width, image.Height));
    }

    [Theory]
    [InlineData(ExperimentKind.Vary, 1, false, "")]
    [InlineData(ExperimentKind.Mix, 1, false, "a cat")]
    [InlineData(ExperimentKind.Mix, 2, false, "")]
    [InlineData(ExperimentKind.Inpaint, 1, true, "a cat")]
    public async Task Originals_AreVariedMixedOrInpainted_AsTheExperimentsAre(ExperimentKind kind, int count, bool masked, string prompt)
    {
        var side = pipeline.Size;
        var originals = Enumerable.Range(0, count).Select(i => Plain(side, (byte)(60 + (100 * i)))).ToArray();
        var half = new RgbImage(side, side);
        half.Pixels.AsSpan(0, half.Pixels.Length / 2).Fill(255);
        AIContent[] contents = [.. originals.Select(image => Data(image, "a")), .. masked ? new[] { Data(half, "mask") } : []];
        var response = await generator.GenerateAsync(
            new ImageGenerationRequest(prompt, contents), new ImageGenerationOptions { AdditionalProperties = Few }, Stop);

        var experiment = new PictureExperiment
        {
            Kind = kind, Count = 1, Parts = [.. originals.Select((image, i) => new ExperimentPart(null, Saved(image, $"{i}.png")))],
            Mask = masked ? Saved(half, "half.png") : null,
            Request = new GenerationRequest { Prompt = prompt, Seed = 7, Steps = 2, PriorSteps = 2 },
        };
        var expected = Assert.Single(new ImageExperiments(pipeline).Run(experiment, cancellation: Stop).Pictures).Image;
        Assert.Equal(expected.Pixels, RgbImage.FromBytes(((DataContent)Assert.Single(response.Contents)).Data.Span).Pixels);
    }

    [Fact]
    public async Task Stream_HasEveryStep_ThePreviewsAndTheImage()
    {
        var updates = new List<ImageUpdate>();
        var options = new ImageGenerationOptions { StreamingCount = 2, AdditionalProperties = new(Few) { ["steps"] = 6 } };
        var request = new ImageGenerationRequest("a cat");
        await foreach (var update in generator.GenerateStreamingAsync(request, options, Stop)) updates.Add(update);
        Assert.Equal(Enumerable.Range(1, 6), updates.Where(update => update.Stage == "decoder").Select(update => update.Step));
        Assert.Equal([2, 4], updates.Where(update => update is { Image: not null, IsFinished: false }).Select(update => update.Step));
        Assert.True(updates[^1] is { IsFinished: true, Index: 0 });
        Assert.Single(updates, update => update.IsFinished);
    }

    [Theory]
    [InlineData("seed", "x", "The property seed is 'x'; it has to be a whole number from 0, or -1 for a random one.")]
    [InlineData("steps", "1.5", "The property steps is '1.5'; it has to be a whole number.")]
    [InlineData("guidance", "high", "The property guidance is 'high'; it has to be a number.")]
    [InlineData("guidance", 200.0, "The scale of guidance is 200; it has to lie between 0 and 100, and 1 means none.")]
    [InlineData("prior", "best", "There is no prior 'best'; there are diffusion, autoregressive, one-step, linear, none.")]
    public async Task Property_ThatCannotBe_IsRefused(string name, object value, string sentence)
    {
        var error = await Assert.ThrowsAsync<ArgumentException>(() => generator.GenerateAsync(new ImageGenerationRequest("a cat"),
            new ImageGenerationOptions { AdditionalProperties = new() { [name] = value } }, Stop));
        Assert.Equal(sentence, error.Message);
    }

    [Fact]
    public async Task Options_ThatCannotBe_AreRefused()
    {
        foreach (var (options, part) in new (ImageGenerationOptions, string)[]
        {
            (new() { Count = 0 }, "number of images is 0"), (new() { ImageSize = new Size(8, 64) }, "width is 8"),
            (new() { MediaType = "image/webp" }, "PNG"), (new() { ModelId = "dall-e-2" }, "not with dall-e-2"),
            (new() { ResponseFormat = ImageGenerationResponseFormat.Uri }, "returned as data"),
        })
            Assert.Contains(part, (await Assert.ThrowsAsync<ArgumentException>(() =>
                generator.GenerateAsync(new ImageGenerationRequest("a cat"), options, Stop))).Message, StringComparison.Ordinal);
        Assert.Contains("The prompt is empty", (await Assert.ThrowsAsync<ArgumentException>(() =>
            generator.GenerateAsync(new ImageGenerationRequest(" "), null, Stop))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ImageFormatException>(() => generator.GenerateAsync(
            new ImageGenerationRequest("a cat", [new DataContent(new byte[] { 1, 2, 3 }, "image/png")]), null, Stop));
    }

    [Fact]
    public async Task Services_ShareTheModelsName_AndAChatModelDraws()
    {
        await using var services = new ServiceCollection().AddAlebrije(TestModels.StableUnClip).BuildServiceProvider();
        var drawing = services.GetRequiredService<IImageGenerator>();
        Assert.Same(services.GetRequiredService<AlebrijeImageGenerator>(), drawing);
        Assert.Equal(TestModels.StableUnClip,
            drawing.GetService<ImageGeneratorMetadata>()!.DefaultModelId);
        Assert.NotNull(services.GetService<IEmbeddingGenerator<AIContent, Embedding<float>>>());

        using var chat = new ChatClientBuilder(new Asker()).UseImageGeneration(drawing).UseFunctionInvocation().Build();
        var answer = await chat.GetResponseAsync("Draw a cat.", new ChatOptions
        {
            Tools = [new HostedImageGenerationTool { Options = new ImageGenerationOptions { AdditionalProperties = Few } }],
        }, Stop);
        var drawn = answer.Messages.SelectMany(message => message.Contents).OfType<ImageGenerationToolResultContent>()
            .SelectMany(result => result.Outputs ?? []).OfType<DataContent>();
        Assert.Equal((pipeline.Size, pipeline.Size), RgbImage.FromBytes(Assert.Single(drawn).Data.Span) is var image
            ? (image.Width, image.Height) : default);
    }

    private static RgbImage Plain(int side, byte red) =>
        new(side, side, [.. Enumerable.Range(0, side * side).SelectMany(i => new byte[] { red, (byte)(i % 200), 90 })]);

    private static DataContent Data(RgbImage image, string name) => new(image.ToPng(), "image/png") { Name = name };

    private string Saved(RgbImage image, string name)
    {
        var path = Path.Combine(folder, name);
        image.SavePng(path);
        return path;
    }

    /// <summary>A chat model that calls the first function whose name begins with Generate, and then ends.</summary>
    private sealed class Asker : IChatClient
    {
        public Task<ChatResponse> GetResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
        {
            if (messages.SelectMany(message => message.Contents).Any(content => content is FunctionResultContent))
                return Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, "Here it is.")));
            var tool = options!.Tools!.OfType<AIFunction>()
                .First(function => function.Name.StartsWith("Generate", StringComparison.Ordinal));
            return Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant,
                [new FunctionCallContent("1", tool.Name, new Dictionary<string, object?>
                {
                    ["prompt"] = JsonSerializer.SerializeToElement("a cat"),
                })])));
        }

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages,
            ChatOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }
    }
}
