using Alebrije.Pipelines.Flamingo;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Server.Tests;

/// <summary>The studio in a browser: visitors, models, captions, and errors in the language of the page.</summary>
[Collection("server")]
public sealed class StudioBrowserTests(StudioBrowser studio)
{
    private const string Recipe = "/en/imagine?prompt=a%20lion&seed=7&steps=2&prior=linear&guidance=1.5";
    private const string CanDraw = $"{StudioBrowser.Ready} && !document.querySelector('button.primary').disabled";
    private const string Drawn = "document.querySelector('input[readonly]')";

    /// <summary>Neither of two visitors sees the other's images, and the link of one draws the same image for the other.</summary>
    [Fact]
    public async Task Histories_OfTwoVisitors_AreApart_AndALinkCarriesTheRecipe()
    {
        var first = await studio.PageAsync();
        await first.OpenAsync(new Uri(studio.Url, Recipe), CanDraw);
        var before = await CountAsync(first);
        await DrawAsync(first);
        var (link, image) = (await TextAsync(first, Drawn + ".value"), await TextAsync(first, "document.querySelector('.canvas img').src"));
        await using var second = await first.VisitorAsync(1280, 900);
        await second.OpenAsync(new Uri(link), CanDraw);
        Assert.Equal(0, await CountAsync(second));
        Assert.Equal("7", await TextAsync(second, "document.getElementById('seed').value"));
        await DrawAsync(second);
        Assert.Equal(image, await TextAsync(second, "document.querySelector('.canvas img').src"));
        Assert.Equal(1, await CountAsync(second));
        await first.OpenAsync(new Uri(studio.Url, "/es/imagine"), CanDraw);
        Assert.Equal(before + 1, await CountAsync(first));
        Assert.Equal("", await TextAsync(first, "document.cookie"));
        Assert.Empty(first.Errors);
        Assert.Empty(second.Errors);
    }

    [Fact]
    public async Task Models_AreOfferedWhereTheyFit_AndTheChoiceIsInTheLink()
    {
        var page = await studio.PageAsync();
        await page.OpenAsync(new Uri(studio.Url, Recipe + "&model=mini-two"), CanDraw);
        Assert.Equal("mini-two", await TextAsync(page, "document.querySelector('.model-choice select').value"));
        var drawing = await OfferedAsync(page);
        Assert.Equal("mini", drawing[0]);
        Assert.Contains("mini-two", drawing);
        Assert.Contains("only-draws", drawing);
        Assert.DoesNotContain("tiny-flamingo", drawing);
        await DrawAsync(page);
        Assert.EndsWith("&model=mini-two", await TextAsync(page, Drawn + ".value"), StringComparison.Ordinal);

        foreach (var (name, done) in new[]
        {
            ("compare", "document.querySelector('.heat td')"), ("zero-shot", "document.querySelector('.bars')"),
            ("map", "document.querySelector('.point')"),
        })
        {
            await page.OpenAsync(new Uri(studio.Url, $"/en/{name}"), $"{StudioBrowser.Ready} && {done}");
            var embedding = await OfferedAsync(page);
            Assert.Contains("mini-two", embedding);
            Assert.DoesNotContain("only-draws", embedding);
            Assert.DoesNotContain("tiny-flamingo", embedding);
            await page.EvaluateAsync("""
                (() => { const choice = document.querySelector('.model-choice select'); choice.value = 'mini-two';
                choice.dispatchEvent(new Event('change', { bubbles: true })); })()
                """);
            await page.UntilAsync($"location.search === '?model=mini-two' && {done}");
        }

        Assert.Empty(page.Errors);
    }

    /// <summary>The page's answers are those of the pipeline, without an example and with one.</summary>
    [Fact]
    public async Task Describe_AnswersAsThePipeline_WithExamples()
    {
        var page = await studio.PageAsync();
        using var model = FlamingoPipeline.Load(studio.Flamingo);
        var options = new FlamingoOptions { MaxTokens = 20, Beams = 1 };
        var stop = TestContext.Current.CancellationToken;
        string Expected(FlamingoPrompt prompt) => model.Generate(prompt, options, onText: null, stop).Text.Trim();
        await page.OpenAsync(new Uri(studio.Url, "/en/describe"),
            $"{StudioBrowser.Ready} && document.querySelectorAll('.thumbs li').length === 4");
        Assert.Contains("/en/describe", await TextAsync(page, "document.querySelector('nav a.active').href"), StringComparison.Ordinal);
        Assert.Equal(Expected(FlamingoPrompt.Caption(Sample("lion"), [], "Output:")), await AnswerAsync(page));
        await page.EvaluateAsync("[...document.querySelectorAll('.stage-area section button')].at(-1).click()");
        await page.UntilAsync("document.querySelector('.examples input')");
        await FillAsync(page, ".examples input", "a cat");
        Assert.Equal(Expected(FlamingoPrompt.Caption(Sample("lion"), [new(Sample("cat"), "a cat")], "Output:")), await AnswerAsync(page));
        Assert.Empty(page.Errors);

        static async Task<string> AnswerAsync(Chromium page)
        {
            // The button stops the run while it goes on, and begins it otherwise.
            await page.EvaluateAsync("""
                (() => { window.ran = false; const form = document.querySelector('main form');
                new MutationObserver(() => { window.ran ||= !!form.querySelector('button.primary[type=button]'); })
                  .observe(form, { childList: true, subtree: true, attributes: true });
                form.querySelector('button.primary').click(); })()
                """);
            await page.UntilAsync("window.ran && document.querySelector('main form button.primary[type=submit]')");
            return (await TextAsync(page, "document.querySelector('.answer').textContent")).Trim();
        }
    }

    [Theory]
    [InlineData("en", "A difference needs two texts: what is in the image and what is wanted.")]
    [InlineData("es", "Una diferencia necesita dos textos: lo que hay en la imagen y lo que quieres.")]
    public async Task Errors_OfTheLibrary_AreInTheLanguageOfThePage(string language, string expected)
    {
        var page = await studio.PageAsync();
        await page.OpenAsync(new Uri(studio.Url, $"/{language}/play?game=difference"),
            $"{StudioBrowser.Ready} && document.querySelector('.game input[type=text]')");
        await FillAsync(page, ".game input[type=text]", "");
        await page.EvaluateAsync("document.querySelector('.game button.primary').click()");
        await page.UntilAsync("document.querySelector('.game .alert')");
        Assert.Equal(expected, (await TextAsync(page, "document.querySelector('.game .alert').textContent")).Trim());
    }

    private static async Task DrawAsync(Chromium page)
    {
        await page.EvaluateAsync("document.querySelector('button.primary').click()");
        await page.UntilAsync(Drawn);
    }

    private static async Task<string> TextAsync(Chromium page, string expression) => (string?)await page.EvaluateAsync(expression) ?? "";

    private static async Task<int> CountAsync(Chromium page) =>
        (await page.EvaluateAsync("document.querySelectorAll('.history .gallery li').length"))!.GetValue<int>();

    private static async Task<string[]> OfferedAsync(Chromium page) =>
        (await TextAsync(page, "[...document.querySelectorAll('.model-choice option')].map(option => option.value).join()")).Split(',');

    private static Task FillAsync(Chromium page, string field, string text) => page.EvaluateAsync($$"""
        (() => { const field = document.querySelector('{{field}}'); field.value = '{{text}}';
        for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, { bubbles: true })); })()
        """);

    private static RgbImage Sample(string name)
    {
        using var stream = typeof(AlebrijeServer).Assembly.GetManifestResourceStream($"studio/samples/{name}.png")!;
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return RgbImage.FromBytes(bytes.ToArray(), name);
    }
}
