using System.Net;
using System.Text.Json;

namespace Alebrije.Server.Tests;

/// <summary>Host, keys, jobs, models and CLIP.</summary>
[Collection("server")]
public sealed class ServiceTests(ServerFixture server)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void NetworkAddress_NeedsAKey()
    {
        var error = Assert.Throws<ArgumentException>(() => AlebrijeServer.Create(new ServerOptions { Host = "0.0.0.0" }));
        Assert.Contains("no key is set", error.Message, StringComparison.Ordinal);
        Assert.Empty(new ServerOptions { Host = "0.0.0.0", Keys = ["a-long-key"] }.Faults());
    }

    [Fact]
    public async Task Key_IsNeeded_AndCompared()
    {
        var (app, _, client) = await ServerFixture.StartAsync(new ServerOptions { Port = 0, Keys = ["a-long-key"], RatePerMinute = 4 });
        await using var owned = app;
        using var disposed = client;
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/v1/models", Stop)).StatusCode);
        client.DefaultRequestHeaders.Add("Authorization", "Bearer a-long-kez");
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/v1/models", Stop)).StatusCode);
        client.DefaultRequestHeaders.Remove("Authorization");
        client.DefaultRequestHeaders.Add("Authorization", "Bearer a-long-key");
        for (var i = 0; i < 4; i++) Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/v1/models", Stop)).StatusCode);
        var limited = await client.GetAsync("/v1/models", Stop);
        Assert.Equal(HttpStatusCode.TooManyRequests, limited.StatusCode);
        Assert.InRange(limited.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/alive", Stop)).StatusCode);
    }

    [Theory]
    [InlineData(0, 3, 0)]
    [InlineData(1, 3, 2)]
    [InlineData(1, 1, null)]
    public void Preview_IsTheJobsOwnImage(int job, int images, int? expected) =>
        Assert.Equal(expected, Jobs.JobRunner.FirstOf([2, 1], job, images));

    [Theory]
    [InlineData("Origin", "https://example.org", HttpStatusCode.Forbidden)]
    [InlineData("Sec-Fetch-Site", "cross-site", HttpStatusCode.Forbidden)]
    [InlineData("Host", "rebound.example.org", HttpStatusCode.BadRequest)]
    public async Task ForeignPages_AreRefused(string header, string value, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/tokenize") { Content = new StringContent("{}") };
        request.Headers.TryAddWithoutValidation(header, value);
        Assert.Equal(expected, (await server.Client.SendAsync(request, Stop)).StatusCode);
    }

    [Fact]
    public async Task AllowedOrigin_PassesItsPreflight_WithoutAKey()
    {
        var (app, _, client) = await ServerFixture.StartAsync(
            new ServerOptions { Port = 0, Keys = ["a-long-key"], Origins = ["https://example.org"] });
        await using var owned = app;
        using var disposed = client;
        foreach (var (origin, status) in new[] { ("https://example.org", 204), ("https://example.com", 403) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Options, "/v1/embeddings");
            request.Headers.TryAddWithoutValidation("Origin", origin);
            request.Headers.TryAddWithoutValidation("Access-Control-Request-Method", "POST");
            var answer = await client.SendAsync(request, Stop);
            Assert.Equal(status, (int)answer.StatusCode);
            Assert.Equal(status == 204, answer.Headers.Contains("Access-Control-Allow-Origin"));
        }
    }

    [Fact]
    public async Task Job_IsFollowedByEvents_ThatResume()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/jobs")
        {
            Content = new StringContent("{\"prompt\":\"a lion\",\"seed\":1,\"num_inference_steps\":4,\"previews\":2,\"size\":\"128x128\"}",
                System.Text.Encoding.UTF8, "application/json"),
            Headers = { { "Idempotency-Key", "one" } },
        };
        var accepted = await server.Client.SendAsync(request, Stop);
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        var events = await server.Client.GetStringAsync($"{accepted.Headers.Location}/events", Stop);
        foreach (var kind in new[] { "queued", "started", "progress", "preview", "image", "completed" })
            Assert.Contains($"event: {kind}\n", events, StringComparison.Ordinal);
        Assert.Equal(2, events.Split("event: preview\n").Length - 1);

        using var again = new HttpRequestMessage(HttpMethod.Get, $"{accepted.Headers.Location}/events");
        var last = events.Split("id: ").Length - 1;
        again.Headers.TryAddWithoutValidation("Last-Event-ID", $"{last - 1}");
        var rest = await (await server.Client.SendAsync(again, Stop)).Content.ReadAsStringAsync(Stop);
        Assert.StartsWith($"id: {last}\nevent: completed", rest, StringComparison.Ordinal);

        using var repeated = new HttpRequestMessage(HttpMethod.Post, "/api/v1/jobs")
        {
            Content = new StringContent(await request.Content!.ReadAsStringAsync(Stop), System.Text.Encoding.UTF8, "application/json"),
            Headers = { { "Idempotency-Key", "one" } },
        };
        Assert.Equal(accepted.Headers.Location, (await server.Client.SendAsync(repeated, Stop)).Headers.Location);
        var image = await server.Client.GetByteArrayAsync($"{accepted.Headers.Location}/images/0", Stop);
        Assert.Equal(128, Preprocessing.Imaging.PillowImage.FromBytes(image).Width);
    }

    [Fact]
    public async Task Job_IsCanceledByDelete()
    {
        var (_, body, _) = await server.PostAsync("/api/v1/jobs", "{\"prompt\":\"a lion\",\"num_inference_steps\":250}");
        var address = $"/api/v1/jobs/{body.GetProperty("id").GetString()}";
        Assert.Equal(HttpStatusCode.NoContent, (await server.Client.DeleteAsync(address, Stop)).StatusCode);
        Assert.EndsWith("event: canceled\ndata: {\"message\":\"The job was canceled.\"}\n\n",
            await server.Client.GetStringAsync($"{address}/events", Stop), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clip_AnswersSimilarityClassesAndTokens()
    {
        var image = Convert.ToBase64String(ServerFixture.Png());
        var (_, same, _) = await server.PostAsync(
            "/api/v1/similarity", $"{{\"images\":[\"{image}\"],\"texts\":[\"red\",\"a dog\",\"azul\"]}}");
        Assert.Equal(1, same.GetProperty("probabilities")[0].EnumerateArray().Sum(p => p.GetDouble()), 1e-6);
        Assert.Equal(3, same.GetProperty("cosines")[0].GetArrayLength());
        var (_, classes, _) = await server.PostAsync("/api/v1/classify", $"{{\"images\":[\"{image}\"],\"labels\":[\"lion\",\"tree\"]}}");
        Assert.Contains(classes.GetProperty("images")[0].GetProperty("label").GetString(), new[] { "lion", "tree" });
        var (_, points, _) = await server.PostAsync("/api/v1/pca", "{\"texts\":[\"a\",\"b\",\"c\",\"d\"]}");
        Assert.Equal(2, points.GetProperty("texts")[3].GetArrayLength());
        var (_, tokens, _) = await server.PostAsync("/api/v1/tokenize", "{\"text\":\"a lion\"}");
        Assert.True(tokens.GetProperty("ids").GetArrayLength() >= 4);
    }

    [Fact]
    public async Task Model_IsUnloadedAndMetricsCount()
    {
        var (app, _, client) = await ServerFixture.StartAsync(new ServerOptions { Port = 0 });
        await using var owned = app;
        using var disposed = client;
        await ServerFixture.PostAsync(client, "/v1/embeddings", "{\"input\":\"a lion\"}");
        Assert.Contains("\"mini\"", await client.GetStringAsync("/api/v1/models/loaded", Stop), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NoContent, (await client.DeleteAsync("/api/v1/models/loaded/mini", Stop)).StatusCode);
        Assert.DoesNotContain("\"mini\"", await client.GetStringAsync("/api/v1/models/loaded", Stop), StringComparison.Ordinal);
        await ServerFixture.PostAsync(client, "/v1/embeddings", "{\"input\":\"a lion\",\"keep_alive\":0}");
        Assert.DoesNotContain("\"mini\"", await client.GetStringAsync("/api/v1/models/loaded", Stop), StringComparison.Ordinal);
        Assert.Contains("alebrije_embeddings_total 2", await client.GetStringAsync("/metrics", Stop), StringComparison.Ordinal);
        Assert.Equal("ready", await client.GetStringAsync("/health", Stop));
    }

    [Fact]
    public async Task Stop_FinishesAcceptedJobs_AndFullQueueIsRefused()
    {
        var (app, _, client) = await ServerFixture.StartAsync(new ServerOptions { Port = 0, QueueLength = 1 });
        await using var owned = app;
        using var disposed = client;
        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => ServerFixture.PostAsync(client, "/v1/images/generations",
            $"{{\"prompt\":\"{i}\",\"size\":\"{(i % 2 == 0 ? 128 : 256)}x{(i % 2 == 0 ? 128 : 256)}\",{ServerFixture.Cheap}}}")));
        Assert.All(answers, answer => Assert.True(answer.Status == HttpStatusCode.OK
            || (answer.Status == HttpStatusCode.ServiceUnavailable && answer.Answer.Headers.RetryAfter?.Delta is not null)));
        Assert.Contains(answers, answer => answer.Status == HttpStatusCode.ServiceUnavailable);
        var pending = ServerFixture.PostAsync(client, "/v1/images/generations", "{\"prompt\":\"last\",\"num_inference_steps\":6}");
        while (!(await client.GetStringAsync("/metrics", Stop)).Contains(
            "alebrije_jobs_running 1", StringComparison.Ordinal)) await Task.Yield();
        await app.StopAsync(Stop);
        Assert.Equal(HttpStatusCode.OK, (await pending).Status);
    }
}
