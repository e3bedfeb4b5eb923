using System.Net;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Search;

namespace Alebrije.Server.Tests;

/// <summary>The index over HTTP. The folder of the index is that of this process while a test runs.</summary>
[Collection("server")]
public sealed class SearchTests : IDisposable
{
    private readonly ServerFixture server;
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-search-").FullName;
    private readonly string? before = Environment.GetEnvironmentVariable(PictureIndex.Variable);

    public SearchTests(ServerFixture server)
    {
        this.server = server;
        Environment.SetEnvironmentVariable(PictureIndex.Variable, Path.Combine(folder, "index"));
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(PictureIndex.Variable, before);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Search_FindsByTextAndImage_AndSubtracts()
    {
        var (none, missing, _) = await server.PostAsync("/api/v1/search", "{\"text\":\"red\"}");
        Assert.Equal((HttpStatusCode.NotFound, "no_index"), (none, missing.GetProperty("code").GetString()));

        foreach (var (name, colour) in new[] { ("red", (220, 30, 30)), ("blue", (30, 30, 220)), ("green", (30, 160, 30)) })
            Plain(colour).SavePng(Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "images")).FullName, $"{name}.png"));
        using (var model = ClipModel.Load(Path.Combine(AppContext.BaseDirectory, "models", "mini")))
        using (var index = PictureIndex.OpenOrCreate(PictureIndex.DefaultFolder))
            index.Add([Path.Combine(folder, "images")], model, cancellation: TestContext.Current.CancellationToken);

        var blue = Convert.ToBase64String(Plain((30, 30, 220)).ToPng());
        var (status, body, _) = await server.PostAsync(
            "/api/v1/search", $"{{\"image\":\"{blue}\",\"top\":2,\"false_alarm_rate\":1,\"thumbnails\":true}}");
        Assert.Equal(HttpStatusCode.OK, status);
        var results = body.GetProperty("results");
        Assert.Equal(2, results.GetArrayLength());
        Assert.Equal("blue.png", Path.GetFileName(results[0].GetProperty("file").GetString()));
        Assert.Equal(1, results[0].GetProperty("score").GetDouble(), 1e-3);
        Assert.StartsWith("data:image/png;base64,", results[0].GetProperty("thumbnail").GetString(), StringComparison.Ordinal);
        Assert.Equal(3, body.GetProperty("searched").GetInt32());

        var (_, without, answer) = await server.PostAsync("/api/v1/search",
            $"{{\"text\":\"a colour\",\"minus\":[{{\"image\":\"{blue}\",\"weight\":3}}],\"false_alarm_rate\":1,\"colour\":1}}");
        Assert.Equal("blue.png", Path.GetFileName(without.GetProperty("results")[2].GetProperty("file").GetString()));
        Assert.Equal("colour", Assert.Single(answer.Headers.GetValues("X-Ignored-Fields")));
    }

    private static RgbImage Plain((int R, int G, int B) colour) => new(64, 64,
        [.. Enumerable.Range(0, 64 * 64).SelectMany(_ => new[] { (byte)colour.R, (byte)colour.G, (byte)colour.B })]);
}
