using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Alebrije.Server.Tests;

/// <summary>Pages of the studio: answers, words, policy, and the chain in a browser where one is installed.</summary>
[Collection("server")]
public sealed partial class StudioTests(ServerFixture server)
{
    /// <summary>Condition of a page whose connection is up.</summary>
    private const string Ready = "document.documentElement.dataset.ready === 'true'";

    private static readonly string[] Pages = ["imagine", "compare", "zero-shot", "describe", "world", "map", "play", "search", "lesson"];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> All =>
        [.. Pages.SelectMany(page => Studio.StudioWords.Languages.Select(language => (language, page)))];

    [Theory]
    [MemberData(nameof(All))]
    public async Task Page_AnswersInBothLanguages_WithoutInlineScriptOrStyle(string language, string page)
    {
        var answer = await server.Client.GetAsync($"/{language}/{page}", Stop);
        var html = await answer.Content.ReadAsStringAsync(Stop);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
        Assert.Contains("script-src 'self'; style-src 'self';", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        var title = Studio.StudioWords.All[$"{page}.title"][language == "es" ? 1 : 0];
        Assert.Contains("<h1", html, StringComparison.Ordinal);
        Assert.Contains(title, WebUtility.HtmlDecode(html), StringComparison.Ordinal);
        Assert.Contains($"<html lang=\"{language}\">", html, StringComparison.Ordinal);
        Assert.DoesNotMatch(Inline(), html);
        foreach (Match link in Address().Matches(html).Where(link => link.Groups[1].Value.StartsWith("en/", StringComparison.Ordinal)
            || link.Groups[1].Value.StartsWith("es/", StringComparison.Ordinal)))
            Assert.Contains(link.Groups[1].Value[3..].Split('?', '#')[0], Pages);
    }

    [Theory]
    [InlineData("es-MX,es;q=0.9,en;q=0.8", "/es/imagine")]
    [InlineData("de,en;q=0.8", "/en/imagine")]
    [InlineData("", "/en/imagine")]
    public async Task Root_LeadsToTheBrowsersLanguage(string accept, string expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        if (accept.Length > 0) request.Headers.TryAddWithoutValidation("Accept-Language", accept);
        var answer = await server.Client.SendAsync(request, Stop);
        Assert.Equal(expected, answer.RequestMessage!.RequestUri!.AbsolutePath);
    }

    [Theory]
    [InlineData("studio/studio.css", "text/css")]
    [InlineData("studio/heat.css", "text/css")]
    [InlineData("studio/start.js", "text/javascript")]
    [InlineData("studio/brush.js", "text/javascript")]
    [InlineData("studio/samples/lion.png", "image/png")]
    [InlineData("_framework/blazor.web.js", "text/javascript")]
    public async Task Files_ComeFromTheAssembly_WithTag(string path, string type)
    {
        var answer = await server.Client.GetAsync(path, Stop);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(type, answer.Content.Headers.ContentType!.MediaType);
        using var again = new HttpRequestMessage(HttpMethod.Get, path);
        again.Headers.IfNoneMatch.Add(answer.Headers.ETag!);
        Assert.Equal(HttpStatusCode.NotModified, (await server.Client.SendAsync(again, Stop)).StatusCode);
    }

    [Theory]
    [InlineData("/studio/words.json")]
    [InlineData("/studio/..%2f..%2fetc%2fpasswd")]
    [InlineData("/en/nothing")]
    [InlineData("/de")]
    public async Task OtherAddresses_AreNotFound(string path) =>
        Assert.Equal(HttpStatusCode.NotFound, (await server.Client.GetAsync(path, Stop)).StatusCode);

    [Fact]
    public async Task Prompt_OfALink_IsEscaped()
    {
        var html = await server.Client.GetStringAsync(
            "/en/imagine?prompt=" + Uri.EscapeDataString("</textarea><script>alert(1)</script>"), Stop);
        Assert.DoesNotContain("<script>alert", html, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;alert", html, StringComparison.Ordinal);
    }

    /// <summary>Without a model the page explains and the navigation leaves it out.</summary>
    [Fact]
    public async Task Describe_ExplainsWhereNoModelDescribes()
    {
        var known = await server.Client.GetStringAsync("/api/v1/models", Stop);
        var has = known.Contains("captions of images", StringComparison.Ordinal);
        var html = WebUtility.HtmlDecode(await server.Client.GetStringAsync("/es/describe", Stop));
        Assert.Equal(!has, html.Contains("Ningún modelo puede describir imágenes", StringComparison.Ordinal));
        Assert.Equal(has, html.Contains("href=\"es/describe\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Studio_AsksForAKey_WhereOneIsNeeded()
    {
        var (app, url, client) = await ServerFixture.StartAsync(new ServerOptions { Port = 0, Keys = ["a-long-key"] });
        await using var owned = app;
        using var disposed = client;
        client.DefaultRequestHeaders.Accept.Add(new MediaTypeWithQualityHeaderValue("text/html"));
        client.DefaultRequestHeaders.AcceptLanguage.Add(new StringWithQualityHeaderValue("es"));
        var asked = await client.GetAsync("/", Stop);
        Assert.Equal("/es/sign-in", asked.RequestMessage!.RequestUri!.AbsolutePath);
        var html = await asked.Content.ReadAsStringAsync(Stop);
        Assert.DoesNotMatch(Inline(), html);
        Assert.DoesNotContain("<script", html, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Unauthorized, (await EnterAsync("a-long-kez", html)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await EnterAsync("a-long-key", "")).StatusCode);
        var entered = await EnterAsync("a-long-key", html);
        Assert.Equal("/es/imagine", entered.RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Equal(HttpStatusCode.OK, entered.StatusCode);
        using var other = new HttpClient { BaseAddress = url };
        Assert.Equal(HttpStatusCode.Unauthorized, (await other.GetAsync("/es/imagine", Stop)).StatusCode);

        Task<HttpResponseMessage> EnterAsync(string key, string page) => client.PostAsync("/es/sign-in", new FormUrlEncodedContent(
            Hidden().Matches(page).Select(field => KeyValuePair.Create(field.Groups[1].Value, WebUtility.HtmlDecode(field.Groups[2].Value)))
                .Append(KeyValuePair.Create("Key", key)).Append(KeyValuePair.Create("_handler", "sign-in"))
                .DistinctBy(field => field.Key)), Stop);
    }

    [Fact]
    public void Words_AreThereInBothLanguages_AndNoneIsMissing()
    {
        Assert.All(Studio.StudioWords.All, word => Assert.Equal(2, word.Value.Length));
        Assert.Empty(Studio.StudioWords.All.Where(word =>
            word.Value[0].Length == 0 != (word.Value[1].Length == 0)).Select(word => word.Key));
        Assert.Empty(Studio.StudioWords.All.Where(word => Places(word.Value[0]) != Places(word.Value[1])).Select(word => word.Key));

        static string Places(string text) =>
            string.Concat(Place().Matches(text).Select(match => match.Value).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("le", "le")]
    [InlineData("Ã³n</w>", "ón")]
    [InlineData("ðŁĺ", "ðŁĺ")]
    [InlineData("Ã</w>", "Ã")]
    public void Token_IsTextWhereItsBytesAreCharacters(string token, string expected) =>
        Assert.Equal(expected, Studio.StudioWords.Token(token));

    /// <summary>The first page draws, the chain opens, the table follows typing, and nothing is refused or fails, also when the
    /// service stops.</summary>
    [Fact]
    public async Task Browser_DrawsTheChain_AndFollowsTyping()
    {
        if (Chromium.Path is null) Assert.Skip("No Chromium is installed.");
        var (app, url, client) = await ServerFixture.StartAsync(new ServerOptions { Port = 0 });
        await using var owned = app;
        using var disposed = client;
        await using var browser = await Chromium.StartAsync(1280, 900);
        await browser.OpenAsync(new Uri(url, "/es/imagine?prompt=un%20le%C3%B3n&seed=7&steps=2&prior_steps=2"),
            $"{Ready} && !document.querySelector('button.primary').disabled");
        Assert.Equal("7", (string?)await browser.EvaluateAsync("document.getElementById('seed').value"));
        await browser.EvaluateAsync("document.querySelector('button.primary').click()");
        await browser.UntilAsync("document.querySelectorAll('.chain-row .stage').length === 7");
        await browser.EvaluateAsync("document.querySelector('.stage-prior').click()");
        await browser.UntilAsync("document.querySelector('.detail dl') && document.querySelector('.trajectory.is-large polyline')");
        Assert.Contains("2 × 1 × 256", (string?)await browser.EvaluateAsync("document.querySelector('.detail').innerText"),
            StringComparison.Ordinal);

        await browser.OpenAsync(new Uri(url, "/en/compare"), $"{Ready} && document.querySelectorAll('.heat thead button').length === 6");
        await browser.EvaluateAsync("""
            (() => { const area = document.querySelector('textarea'); area.value = 'a lion\n<b>house</b>';
            area.dispatchEvent(new Event('input', { bubbles: true })); })()
            """);
        await browser.UntilAsync("document.querySelectorAll('.heat thead button').length === 2");
        Assert.Equal("<b>house</b>",
            ((string?)await browser.EvaluateAsync("document.querySelectorAll('.heat thead button')[1].textContent"))?.Trim());
        await app.StopAsync(Stop);
        await browser.UntilAsync("document.getElementById('reconnect').open");
        Assert.Empty(browser.Errors);
    }

    [GeneratedRegex(@"<script(?![^>]*\ssrc=)[^>]*>|<style|\sstyle=|\son\w+=|javascript:|https?://", RegexOptions.IgnoreCase)]
    private static partial Regex Inline();

    [GeneratedRegex("<input type=\"hidden\" name=\"([^\"]+)\" value=\"([^\"]*)\"")]
    private static partial Regex Hidden();

    [GeneratedRegex("href=\"([^\"]+)\"")]
    private static partial Regex Address();

    [GeneratedRegex(@"\{\d\}")]
    private static partial Regex Place();
}
