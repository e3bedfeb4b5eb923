using System.ClientModel;
using Microsoft.Extensions.AI;
using OpenAI;
using OpenAI.Images;

namespace Alebrije.Server.Tests;

/// <summary>OpenAI's client for .NET, unchanged.</summary>
[Collection("server")]
public sealed class OpenAiClientTests(ServerFixture server)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private OpenAIClient Client => new(new ApiKeyCredential("any-key"), new OpenAIClientOptions { Endpoint = new Uri(server.Url, "/v1") });

    [Fact]
    public async Task Generates_Varies_AndEdits()
    {
        var images = Client.GetImageClient("mini");
        GeneratedImage drawn = await images.GenerateImageAsync("a lion",
            new OpenAI.Images.ImageGenerationOptions { Size = GeneratedImageSize.W256xH256 }, Stop);
        Assert.Equal(256, Preprocessing.Imaging.PillowImage.FromBytes(drawn.ImageBytes).Width);
        using var image = new MemoryStream(ServerFixture.Png());
        GeneratedImageCollection varied = await images.GenerateImageVariationsAsync(image, "a.png", 2,
            new ImageVariationOptions { Size = GeneratedImageSize.W256xH256 }, Stop);
        Assert.Equal(2, varied.Count);
        using var original = new MemoryStream(ServerFixture.Png());
        using var mask = new MemoryStream(ServerFixture.Mask());
        GeneratedImage edited = await images.GenerateImageEditAsync(original, "a.png", "a red lion", mask, "mask.png", null, Stop);
        Assert.NotNull(edited.ImageBytes);
    }

    [Fact]
    public async Task Streams()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/images/generations")
        {
            Content = new StringContent("{\"prompt\":\"a lion\",\"stream\":true,\"partial_images\":2,\"seed\":7,\"num_inference_steps\":4}",
                System.Text.Encoding.UTF8, "application/json"),
        };
        using var answer = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
        var kinds = new List<string>();
        await foreach (var item in System.Net.ServerSentEvents.SseParser.Create(
            await answer.Content.ReadAsStreamAsync(Stop)).EnumerateAsync(Stop))
            kinds.Add(item.EventType);
        Assert.Equal(["image_generation.partial_image", "image_generation.partial_image", "image_generation.completed"], kinds);
    }

    [Fact]
    public async Task Embeds_AlsoThroughTheAiInterfaces()
    {
        var client = Client.GetEmbeddingClient("mini");
        OpenAI.Embeddings.OpenAIEmbeddingCollection rows = await client.GenerateEmbeddingsAsync(["a lion", "un león"], null, Stop);
        Assert.Equal(256, rows[1].ToFloats().Length);
        using var generator = client.AsIEmbeddingGenerator();
        var embedded = await generator.GenerateAsync(["a lion"], null, Stop);
        // The rows of a batch may round otherwise.
        Assert.All(rows[0].ToFloats().ToArray().Zip(embedded[0].Vector.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
    }

    [Fact]
    public async Task Errors_ReachTheClient()
    {
        var error = await Assert.ThrowsAsync<ClientResultException>(() => Client.GetImageClient("no-such-model")
            .GenerateImageAsync("a lion", null, Stop));
        Assert.Equal(404, error.Status);
        Assert.Contains("model_not_found", error.Message, StringComparison.Ordinal);
    }
}
