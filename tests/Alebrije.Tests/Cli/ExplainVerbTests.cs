using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Tests.Cli;

/// <summary>The verb explain.</summary>
public sealed class ExplainVerbTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-explain-").FullName;

    public ExplainVerbTests() => new RgbImage(40, 30, [.. Enumerable.Range(0, 3600).Select(i => (byte)(i * 5))]).SavePng(Picture);

    private string Picture => Path.Combine(folder, "picture.png");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Json_HasPatchesAndTokens_AndOutAPicture()
    {
        var path = Path.Combine(folder, "map.png");
        var json = (await CommandLine.Run("explain", Picture, "--texts", "a lion", "un gato", "--out", path, "--json")).Json;
        var results = json.GetProperty("results").EnumerateArray().ToArray();
        Assert.Equal(["a lion", "un gato"], results.Select(r => r.GetProperty("text").GetString()));
        Assert.All(results, r => Assert.Equal(Math.Pow(r.GetProperty("grid").GetInt32(), 2), r.GetProperty("patches").Numbers().Length));
        Assert.Equal("a</w>", results[0].GetProperty("tokens")[0].GetProperty("token").GetString());
        var drawn = RgbImage.Load(path);
        Assert.True(drawn.Width > 900 && drawn.Height > 1000);
        var spoken = await CommandLine.Run("explain", Picture, "--texts", "un león", "--layers", "last", "--lang", "es");
        Assert.Contains("coseno", spoken.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Words_AreShownAsTheyAreWritten()
    {
        var json = (await CommandLine.Run("explain", Picture, "--texts", "un león", "a 🦁", "--json")).Json;
        Assert.Equal(["un león", "a 🦁"], json.GetProperty("results").EnumerateArray()
            .Select(r => string.Join(' ', r.GetProperty("words").EnumerateArray().Select(w => w.GetProperty("word").GetString()))));
        var output = (await CommandLine.Run("explain", Picture, "--texts", "un león", "a 🦁")).Output;
        Assert.Matches(@"\nun [0-9.]+  león [0-9.]+\n", output);
        Assert.Matches(@"\na [0-9.]+  🦁 [0-9.]+\n", output);
    }

    [Theory]
    [InlineData(2, "A text is empty", "--texts", " ")]
    [InlineData(2, "needs", "--layers", "last")]
    [InlineData(2, "choose all, last", "--texts", "a", "--layers", "first")]
    public async Task BadInput_IsOneSentence(int status, string says, params string[] args)
    {
        var outcome = await CommandLine.Run(["explain", Picture, .. args]);
        Assert.Equal(status, outcome.Status);
        if (!says.Equals("needs", StringComparison.Ordinal)) Assert.Contains(says, outcome.Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MissingPicture_IsOneSentence()
    {
        var outcome = await CommandLine.Run("explain", Path.Combine(folder, "none.png"), "--texts", "a lion");
        Assert.Equal(1, outcome.Status);
        Assert.NotEmpty(outcome.Refusal);
    }
}
