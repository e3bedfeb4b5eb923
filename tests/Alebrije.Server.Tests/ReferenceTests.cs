using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Alebrije.Server.Reference;
using Microsoft.AspNetCore.Routing;

namespace Alebrije.Server.Tests;

/// <summary>The OpenAPI document against the routes and the fields that are read, and its page.</summary>
[Collection("server")]
public sealed partial class ReferenceTests(ServerFixture server)
{
    private const string First = "num_inference_steps", Second = "steps";
    private static readonly string[] Optional = ["/v1/chat/completions", "/api/v1/search"];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Document_HasEveryAddress()
    {
        var app = AlebrijeServer.Create(new ServerOptions { Port = 0 });
        await using var owned = app;
        var routes = ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .Where(route => Starts().IsMatch(Path(route)))
            .SelectMany(route => route.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods
                .Select(method => $"{method} {Path(route)}") ?? [])
            .Distinct().Order(StringComparer.Ordinal);
        var document = await server.Client.GetFromJsonAsync<JsonElement>("/openapi/v1.json", Stop);
        Assert.StartsWith("3.", document.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        var documented = document.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject()
            .Select(operation => $"{operation.Name.ToUpperInvariant()} {path.Name}")).Order(StringComparer.Ordinal);
        Assert.Equal(routes, documented);
        foreach (var operation in document.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject()))
        {
            Assert.NotEmpty(operation.Value.GetProperty("summary").GetString()!);
            Assert.True(operation.Value.GetProperty("responses").TryGetProperty("429", out _));
        }
    }

    /// <summary>An example with every documented field, the others null: none of them is an ignored one.</summary>
    [Fact]
    public async Task Fields_AreThoseThatAreRead_AndExamplesWork()
    {
        foreach (var entry in ApiTable.All.Where(entry => entry.Example is not null))
        {
            var body = JsonNode.Parse(entry.Example!)!.AsObject();
            var names = entry.Body!.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(field => field.Split(':')[0]).ToArray();
            Assert.All(body, field => Assert.Contains(field.Key, names));
            // Of two names of one value the second is an ignored one.
            foreach (var name in names.Where(name => !body.ContainsKey(name) && !(body.ContainsKey(First) && name == Second)))
                body[name] = null;
            var (status, answer, response) = await server.PostAsync(entry.Path, body.ToJsonString());
            var hasModel = !Optional.Contains(entry.Path);
            Assert.True(hasModel ? (int)status == entry.Status : status is HttpStatusCode.OK or HttpStatusCode.NotFound,
                $"{entry.Path}: {status} {answer}");
            Assert.False(response.Headers.Contains("X-Ignored-Fields"), $"{entry.Path}: "
                + string.Join(", ", response.Headers.TryGetValues("X-Ignored-Fields", out var ignored) ? ignored : []));
        }
    }

    [Fact]
    public void EveryFieldOfABody_HasADescription() => Assert.All(ApiTable.All.Where(entry => entry.Path != "/mcp")
        .SelectMany(entry => $"{entry.Body} {entry.Query}".Split(' ', StringSplitOptions.RemoveEmptyEntries)),
        field => Assert.Contains(field.Split(':')[0], ApiFields.Text));

    [Fact]
    public async Task Page_LoadsItsOwnScriptsAlone()
    {
        var answer = await server.Client.GetAsync("/scalar", Stop);
        var html = await answer.Content.ReadAsStringAsync(Stop);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
        var nonce = Nonce().Match(policy).Groups[1].Value;
        Assert.NotEmpty(nonce);
        var scripts = Script().Matches(html);
        Assert.NotEmpty(scripts);
        Assert.All(scripts, script => Assert.Contains($"nonce=\"{nonce}\"", script.Value, StringComparison.Ordinal));
        foreach (var source in Source().Matches(html).Select(match => match.Groups[1].Value))
        {
            Assert.DoesNotContain("//", source, StringComparison.Ordinal);
            var script = await server.Client.GetAsync(new Uri(answer.RequestMessage!.RequestUri!, source), Stop);
            Assert.Equal(HttpStatusCode.OK, script.StatusCode);
        }

        Assert.DoesNotContain("unsafe-inline", Assert.Single((await server.Client.GetAsync("/openapi/v1.json", Stop))
            .Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Page_RunsInABrowser_UnderItsPolicy()
    {
        if (Chromium.Path is null) Assert.Skip("No Chromium is installed.");
        await using var browser = await Chromium.StartAsync(1280, 900);
        await browser.OpenAsync(new Uri(server.Url, "/scalar"), "document.body.textContent.includes('/v1/images/generations')");
        if (Environment.GetEnvironmentVariable("ALEBRIJE_SCREENSHOTS") is { Length: > 0 } folder)
            await File.WriteAllBytesAsync(System.IO.Path.Combine(folder, "scalar.png"), await browser.ScreenshotAsync(900), Stop);
        Assert.Empty(browser.Errors);
        var others = await browser.EvaluateAsync("performance.getEntriesByType('resource').map(each => each.name)"
            + ".filter(name => !name.startsWith(location.origin) && !name.startsWith('data:')).join(' ')");
        Assert.DoesNotContain("http", $"{others}", StringComparison.Ordinal);
    }

    private static string Path(RouteEndpoint route) => Constraint().Replace($"/{route.RoutePattern.RawText!.Trim('/')}", "{$1}");

    [GeneratedRegex("^/(v1|api|sdapi|mcp|alive|health|readyz|metrics)")]
    private static partial Regex Starts();

    [GeneratedRegex(@"\{\**(\w+)(:\w+)?\}")]
    private static partial Regex Constraint();

    [GeneratedRegex("'nonce-([^']+)'")]
    private static partial Regex Nonce();

    [GeneratedRegex("<script[^>]*>")]
    private static partial Regex Script();

    [GeneratedRegex("src=\"([^\"]+)\"")]
    private static partial Regex Source();
}
