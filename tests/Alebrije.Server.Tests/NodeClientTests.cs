using System.Diagnostics;
using System.Text.Json.Nodes;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Server.Tests;

/// <summary>OpenAI's client for Node, unchanged; <c>.ci/run</c> installs it into <c>artifacts/npm</c>.</summary>
[Collection("server")]
public sealed class NodeClientTests(ServerFixture server)
{
    [Fact]
    public async Task Client_GeneratesStreamsEditsVariesAndEmbeds()
    {
        var package = Path.Combine(Alebrije.Tests.Repository.Root, "artifacts", "npm", "node_modules", "openai");
        Assert.SkipUnless(Directory.Exists(package),
            "OpenAI's client for Node is not installed: npm install --prefix artifacts/npm openai");
        var answers = await RunAsync(package);

        Assert.Equal(128, Read(answers["png"]!).Width);
        Assert.Equal(["image_generation.partial_image", "image_generation.partial_image", "image_generation.completed"],
            answers["events"]!.AsArray().Select(each => (string)each!));
        Assert.Contains("mini", answers["models"]!.AsArray().Select(each => (string)each!));
        Assert.Equal(128, Read(answers["edited"]!).Width);
        Assert.Equal([256, 256], answers["varied"]!.AsArray().Select(each => Read(each!).Width));
        var (many, one) = (answers["embedded"]!.AsArray(), answers["floats"]!.AsArray());
        Assert.Equal(2, many.Count);
        Assert.Equal(256, one.Count);
        // The rows of a batch may round otherwise.
        Assert.All(one.Zip(many[0]!.AsArray()), pair => Assert.Equal((double)pair.First!, (double)pair.Second!, 1e-5));
        Assert.Equal(404, (int)answers["error"]!["status"]!);
        Assert.Equal("model_not_found", (string)answers["error"]!["code"]!);
    }

    private static RgbImage Read(JsonNode base64) => PillowImage.FromBytes(Convert.FromBase64String((string)base64!)).ToRgb();

    private async Task<JsonNode> RunAsync(string package)
    {
        var script = Path.Combine(AppContext.BaseDirectory, "Fixtures", "openai.mjs");
        using var node = Process.Start(new ProcessStartInfo("node", [script, package, server.Url.ToString().TrimEnd('/')])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var stop = TestContext.Current.CancellationToken;
        var (output, errors) = (node.StandardOutput.ReadToEndAsync(stop), node.StandardError.ReadToEndAsync(stop));
        await node.WaitForExitAsync(stop);
        Assert.True(node.ExitCode == 0, await errors);
        return JsonNode.Parse(await output)!;
    }
}
