using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Alebrije.Server.Tests;

/// <summary>Spans over OTLP: to the collector that the environment names, and nowhere without one.</summary>
public sealed class SpanExportTests
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT", Protocol = "OTEL_EXPORTER_OTLP_PROTOCOL";

    [Fact]
    public async Task Stages_ReachTheCollector()
    {
        var stop = TestContext.Current.CancellationToken;
        var bodies = new ConcurrentQueue<(string Path, string Text)>();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        await using var collector = builder.Build();
        collector.Urls.Add("http://127.0.0.1:0");
        collector.MapPost("/{**path}", async (HttpContext context) =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, stop);
            bodies.Enqueue((context.Request.Path, Encoding.Latin1.GetString(body.ToArray())));
        });
        await collector.StartAsync(stop);
        Environment.SetEnvironmentVariable(Endpoint, collector.Urls.First());
        Environment.SetEnvironmentVariable(Protocol, "http/protobuf");
        WebApplication app;
        HttpClient client;
        try
        {
            (app, _, client) = await ServerFixture.StartAsync(new ServerOptions { Port = 0 });
        }
        finally
        {
            Environment.SetEnvironmentVariable(Endpoint, null);
            Environment.SetEnvironmentVariable(Protocol, null);
        }

        using (client)
        {
            using var request = new StringContent($"{{\"prompt\":\"a lion\",{ServerFixture.Cheap}}}", Encoding.UTF8, "application/json");
            using var answer = await client.PostAsync("/v1/images/generations", request, stop);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        // The end of the service sends what is pending.
        await app.StopAsync(stop);
        await app.DisposeAsync();
        Assert.All(bodies, body => Assert.Equal("/v1/traces", body.Path));
        var sent = string.Concat(bodies.Select(body => body.Text));
        Assert.Contains("alebrije", sent, StringComparison.Ordinal);
        Assert.Contains("Alebrije.Server", sent, StringComparison.Ordinal);
        Assert.Contains("decoder", sent, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutACollector_NothingIsExported()
    {
        var (app, _, client) = await ServerFixture.StartAsync(new ServerOptions { Port = 0 });
        await using var owned = app;
        using var disposed = client;
        Assert.Null(app.Services.GetService(typeof(OpenTelemetry.Trace.TracerProvider)));
    }
}
