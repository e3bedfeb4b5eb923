using System.Text.Json.Nodes;
using Deque.AxeCore.Commons;

namespace Alebrije.Server.Tests;

/// <summary>axe-core on every page of the studio: both languages, narrow and wide, light and dark.</summary>
[Collection("server")]
public sealed class AccessibilityTests(StudioBrowser studio)
{
    /// <summary>Pages with the element that shows them complete.</summary>
    private static readonly (string Page, string Complete)[] Pages =
    [
        ("imagine?prompt=a%20lion&steps=1&prior=linear", "form button.primary:not(:disabled)"), ("compare", ".heat td"),
        ("zero-shot", ".bars"), ("describe", ".thumbs li"), ("world", ".scenes li, main > .alert"), ("map", ".point"),
        ("play", ".given img"),
        ("search", ".panel, .gallery"), ("lesson", ".chips span"), ("sign-in", "input[type=password]"),
    ];

    [Fact]
    public async Task Pages_HaveNoSeriousViolation()
    {
        var page = await studio.PageAsync();
        await page.InjectAsync(new BundledAxeScriptProvider().GetScript());
        List<string> found = [];
        foreach (var language in new[] { "en", "es" })
            foreach (var (name, complete) in Pages)
            {
                await page.SizeAsync(1440, 900);
                await page.DarkAsync(false);
                var ready = name == "sign-in" ? "true" : StudioBrowser.Ready;
                await page.OpenAsync(new Uri(studio.Url, $"/{language}/{name}"),
                    $"{ready} && document.title && document.querySelector('{complete}')");
                if (name.StartsWith("imagine", StringComparison.Ordinal))
                {
                    await page.EvaluateAsync("document.querySelector('button.primary').click()");
                    await page.UntilAsync("document.querySelector('.chain-row .stage')");
                    await page.EvaluateAsync("document.querySelector('.stage').click()");
                    await page.UntilAsync("document.querySelector('.detail')");
                }

                // The colours of a page are the same in both languages and at both widths.
                if (language == "en")
                {
                    found.AddRange(await RunAsync(page, $"{language}/{name} 1440 light", null));
                    await page.DarkAsync(true);
                    found.AddRange(await RunAsync(page, $"{language}/{name} 1440 dark", "color-contrast"));
                    await page.DarkAsync(false);
                }

                await page.SizeAsync(390, 844);
                found.AddRange(await RunAsync(page, $"{language}/{name} 390 light", null));
            }

        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    /// <summary>Serious and critical violations, and undecided ones never; a rule alone where the rest was looked at already.</summary>
    private static async Task<string[]> RunAsync(Chromium page, string at, string? rule)
    {
        var only = rule is null ? "" : $", runOnly: {{ type: 'rule', values: ['{rule}'] }}";
        var answer = await page.EvaluateAsync($$"""
            axe.run(document, { resultTypes: ['violations'], iframes: false{{only}} }).then(result => JSON.stringify(result.violations
              .filter(each => each.impact === 'serious' || each.impact === 'critical')
              .map(each => each.id + ': ' + each.nodes.map(node => node.html.slice(0, 160) + ' ' + (node.any[0]?.message ?? ''))
                .join(' | '))))
            """);
        return [.. JsonNode.Parse((string)answer!)!.AsArray().Select(each => $"{at}: {each}")];
    }
}
