using System.Text.Json;
using Alebrije.Preprocessing.Imaging;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace Alebrije.Server.Tests;

/// <summary>The Model Context Protocol, by its own client.</summary>
[Collection("server")]
public sealed class McpTests(ServerFixture server)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Tools_DrawDescribeAndSearch()
    {
        await using var client = await ConnectAsync(server.Url);
        var tools = await client.ListToolsAsync(cancellationToken: Stop);
        Assert.Equal(["describe", "imagine", "search"], tools.Select(tool => tool.Name).Order());

        var drawn = await CallAsync(client, "imagine", ("prompt", "a lion"), ("seed", 7), ("steps", 1), ("size", "128x128"));
        var image = Assert.Single(drawn.Content.OfType<ImageContentBlock>());
        Assert.Equal(128, PillowImage.FromBytes(image.DecodedData.ToArray()).Width);
        Assert.Equal(7, Json(drawn).GetProperty("seed").GetInt32());

        var described = await CallAsync(client, "describe", ("image", Convert.ToBase64String(ServerFixture.Png())),
            ("labels", new[] { "lion", "tree" }));
        Assert.Equal(1, Json(described).GetProperty("images")[0].GetProperty("probabilities").EnumerateArray().Sum(p => p.GetDouble()),
            1e-6);

        var refused = await CallAsync(client, "search", ("minus", new[] { "a tree" }));
        Assert.True(refused.IsError);
        Assert.Contains("minus alone is not enough", Assert.Single(refused.Content.OfType<TextContentBlock>()).Text,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("imagine", "prompt", "")]
    [InlineData("describe", "image", "http://169.254.169.254/")]
    [InlineData("search", "image", "/etc/passwd")]
    public async Task Limits_HoldForTools(string tool, string field, string value)
    {
        await using var client = await ConnectAsync(server.Url);
        var refused = await CallAsync(client, tool, (field, value), ("labels", new[] { "a" }));
        Assert.True(refused.IsError);
        Assert.Contains(field, Assert.Single(refused.Content.OfType<TextContentBlock>()).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Key_IsNeeded()
    {
        var (app, url, http) = await ServerFixture.StartAsync(new ServerOptions { Port = 0, Keys = ["a-long-key"] });
        await using var owned = app;
        using var disposed = http;
        await Assert.ThrowsAnyAsync<Exception>(() => ConnectAsync(url));
        await using var client = await ConnectAsync(url, "a-long-key");
        Assert.Equal(3, (await client.ListToolsAsync(cancellationToken: Stop)).Count);
    }

    private static Task<McpClient> ConnectAsync(Uri url, string? key = null) => McpClient.CreateAsync(new HttpClientTransport(
        new HttpClientTransportOptions
        {
            Endpoint = new Uri(url, "/mcp"), TransportMode = HttpTransportMode.StreamableHttp,
            AdditionalHeaders = key is null ? null : new Dictionary<string, string> { ["Authorization"] = $"Bearer {key}" },
        }), cancellationToken: Stop);

    private static async Task<CallToolResult> CallAsync(McpClient client, string tool, params (string Name, object? Value)[] arguments) =>
        await client.CallToolAsync(tool, arguments.ToDictionary(each => each.Name, each => each.Value), cancellationToken: Stop);

    private static JsonElement Json(CallToolResult result) =>
        JsonDocument.Parse(result.Content.OfType<TextContentBlock>().Single().Text).RootElement;
}
