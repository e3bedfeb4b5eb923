using System.Text.RegularExpressions;
using Alebrije.Server.Studio;

namespace Alebrije.Server.Tests;

/// <summary>Cookie and history of a visitor.</summary>
[Collection("server")]
public sealed partial class StudioVisitorTests(ServerFixture server)
{
    [Fact]
    public async Task Cookie_IsStrictAndForNoScript_AndIsKept()
    {
        var cookie = Assert.Single(await CookiesAsync());
        Assert.Matches(Cookie(), cookie);
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Empty(await CookiesAsync(("Cookie", cookie.Split(';')[0])));
        Assert.NotEqual(cookie.Split(';')[0], Assert.Single(await CookiesAsync(("Cookie", "alebrije-visitor=short"))).Split(';')[0]);
    }

    /// <summary>A link of another site comes without the strict cookie: a new one would replace the visitor's.</summary>
    [Fact]
    public async Task Cookie_IsNotReplaced_ByALinkOfAnotherSite()
    {
        Assert.Empty(await CookiesAsync(("Sec-Fetch-Site", "cross-site")));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/en/imagine");
        request.Headers.Add("Sec-Fetch-Site", "cross-site");
        using var client = new HttpClient(new HttpClientHandler { UseCookies = false }) { BaseAddress = server.Url };
        var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Contains("data-visit=\"again\"", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
            StringComparison.Ordinal);
    }

    [Fact]
    public void History_IsLimited_ForEachVisitorAndForAll()
    {
        var histories = new StudioHistories();
        var visitors = Enumerable.Range(0, 9).Select(i => $"visitor {i}").ToArray();
        foreach (var visitor in visitors)
            for (var i = 0; i <= StudioHistories.MostOfVisitor; i++)
                histories.Add(visitor, new GalleryItem($"{i}", "mini", null!, [], null));
        Assert.Equal(StudioHistories.Most, visitors.Sum(visitor => histories.Of(visitor).Count));
        Assert.All(visitors, visitor => Assert.InRange(histories.Of(visitor).Count, 50, StudioHistories.MostOfVisitor));
        Assert.All(visitors, visitor => Assert.Equal($"{StudioHistories.MostOfVisitor}", histories.Of(visitor)[0].Id));
        histories.Add("another", new GalleryItem("1", "mini", null!, [], null));
        Assert.Single(histories.Of("another"));
        Assert.Equal(StudioHistories.Most, visitors.Sum(visitor => histories.Of(visitor).Count) + 1);
    }

    private async Task<string[]> CookiesAsync(params (string Name, string Value)[] headers)
    {
        using var client = new HttpClient(new HttpClientHandler { UseCookies = false }) { BaseAddress = server.Url };
        foreach (var (name, value) in headers) client.DefaultRequestHeaders.Add(name, value);
        var answer = await client.GetAsync("/en/imagine", TestContext.Current.CancellationToken);
        return answer.Headers.TryGetValues("Set-Cookie", out var given)
            ? [.. given.Where(each => each.StartsWith("alebrije-visitor", StringComparison.Ordinal))] : [];
    }

    [GeneratedRegex("^alebrije-visitor=[0-9a-f]{32};")]
    private static partial Regex Cookie();
}
