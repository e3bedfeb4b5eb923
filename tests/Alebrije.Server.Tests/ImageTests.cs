using System.Net;
using System.Text.Json;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Server.Tests;

/// <summary>OpenAI-shaped images.</summary>
[Collection("server")]
public sealed class ImageTests(ServerFixture server)
{
    private const string Images = "/v1/images/generations";

    [Fact]
    public async Task Seed_GivesTheSameImage_AndIsReturned()
    {
        var first = await server.PostAsync(Images, $"{{\"prompt\":\"a lion\",\"seed\":7,{ServerFixture.Cheap}}}");
        var second = await server.PostAsync(Images, $"{{\"prompt\":\"a lion\",\"seed\":7,{ServerFixture.Cheap}}}");
        var other = await server.PostAsync(Images, $"{{\"prompt\":\"a lion\",\"seed\":8,{ServerFixture.Cheap}}}");
        Assert.Equal(7ul, first.Body.GetProperty("data")[0].GetProperty("seed").GetUInt64());
        Assert.Equal(Pixels(first.Body), Pixels(second.Body));
        Assert.NotEqual(Pixels(first.Body), Pixels(other.Body));
    }

    [Theory]
    [InlineData("512x512", 512, 512)]
    [InlineData("1024x512", 1024, 512)]
    [InlineData("128x128", 128, 128)]
    public async Task Size_IsThatOfTheAnswer_AndTheNativeOneIsNamed(string size, int width, int height)
    {
        var (status, body, answer) = await server.PostAsync(Images, $"{{\"prompt\":\"a lion\",\"size\":\"{size}\",{ServerFixture.Cheap}}}");
        Assert.Equal(HttpStatusCode.OK, status);
        var image = PillowImage.FromBytes(body.GetProperty("data")[0].GetProperty("b64_json").GetBytesFromBase64());
        Assert.Equal((width, height), (image.Width, image.Height));
        Assert.Equal(size, Assert.Single(answer.Headers.GetValues("X-Alebrije-Size")));
        Assert.Equal(width > 128 ? "256x256" : "128x128", Assert.Single(answer.Headers.GetValues("X-Alebrije-Native-Size")));
    }

    [Fact]
    public async Task DallE2_HasItsOwnLimits_AndServesUrls()
    {
        var (status, body, _) = await server.PostAsync(Images,
            $"{{\"model\":\"dall-e-2\",\"prompt\":\"a lion\",\"size\":\"256x256\",\"response_format\":\"url\",{ServerFixture.Cheap}}}");
        Assert.Equal(HttpStatusCode.OK, status);
        var bytes = await server.Client.GetByteArrayAsync(
            body.GetProperty("data")[0].GetProperty("url").GetString(), TestContext.Current.CancellationToken);
        Assert.Equal(256, PillowImage.FromBytes(bytes).Width);
        await Refused($"{{\"model\":\"dall-e-2\",\"prompt\":\"a\",\"size\":\"300x300\"}}", "size");
        await Refused("{\"model\":\"dall-e-2\",\"prompt\":\"a\",\"n\":11}", "n");
        await Refused($"{{\"model\":\"dall-e-2\",\"prompt\":\"{new string('a', 1001)}\"}}", "prompt");
    }

    [Fact]
    public async Task UnknownFields_AreNamed_OrRefusedWhenStrict()
    {
        var (_, _, answer) = await server.PostAsync(Images, $"{{\"prompt\":\"a lion\",\"sampler\":1,{ServerFixture.Cheap}}}");
        Assert.Equal("sampler", Assert.Single(answer.Headers.GetValues("X-Ignored-Fields")));
        await Refused("{\"prompt\":\"a lion\",\"sampler\":1,\"strict\":true}", "sampler");
    }

    [Fact]
    public async Task IdenticalRequests_JoinOneJob()
    {
        var body = "{\"prompt\":\"a joined lion\",\"num_inference_steps\":60,\"size\":\"128x128\"}";
        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => server.PostAsync(Images, body)));
        Assert.All(answers, answer => Assert.Equal(Pixels(answers[0].Body), Pixels(answer.Body)));
        Assert.Single(answers.Select(answer => answer.Answer.Headers.GetValues("X-Alebrije-Job").Single()).Distinct());
    }

    [Fact]
    public async Task SlowPlainRequest_IsRefusedWithTheWayOut()
    {
        var (app, _, client) = await ServerFixture.StartAsync(new ServerOptions { Port = 0, LongestPlainSeconds = 0.001 });
        await using var owned = app;
        using var disposed = client;
        // The first image of a small model is the measurement.
        await ServerFixture.PostAsync(client, Images, $"{{\"prompt\":\"a\",{ServerFixture.Cheap}}}");
        var (status, body, answer) = await ServerFixture.PostAsync(client, Images, $"{{\"prompt\":\"a\",{ServerFixture.Cheap}}}");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("set stream to true", body.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.NotNull(answer.Headers.RetryAfter?.Delta);
    }

    [Theory]
    [InlineData("jpeg", new byte[] { 0xff, 0xd8, 0xff })]
    [InlineData("webp", new byte[] { (byte)'R', (byte)'I', (byte)'F', (byte)'F' })]
    public async Task Format_IsThatOfTheAnswer(string format, byte[] start)
    {
        var (_, body, _) = await server.PostAsync(
            Images, $"{{\"prompt\":\"a lion\",\"output_format\":\"{format}\",{ServerFixture.Cheap}}}");
        Assert.Equal(start, body.GetProperty("data")[0].GetProperty("b64_json").GetBytesFromBase64()[..start.Length]);
    }

    private async Task Refused(string json, string param)
    {
        var (status, body, _) = await server.PostAsync(Images, json);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal(param, body.GetProperty("error").GetProperty("param").GetString());
    }

    private static byte[] Pixels(JsonElement body) =>
        PillowImage.FromBytes(body.GetProperty("data")[0].GetProperty("b64_json").GetBytesFromBase64()).Pixels;
}
