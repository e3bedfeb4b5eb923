using Alebrije.Tests.Catalog;
using Alebrije.Tests.Cli;

namespace Alebrije.Search.Tests;

/// <summary>The verbs index, search, duplicates and cluster.</summary>
public sealed class IndexVerbTests : Folders
{
    [Fact]
    public async Task Verbs_AnswerTheFieldsOfTheirContract()
    {
        Write(0, 6);
        File.Copy(Path.Combine(Photos, "0000.png"), Path.Combine(Photos, "copy.png"));
        var added = (await Run("index", "add", Photos, "--model", TestModels.StableUnClip)).Json;
        Assert.Equal((7, 7), (added.GetProperty("items").GetInt32(), added.GetProperty("added").GetInt32()));
        foreach (var name in new[] { "changed", "moved", "removed" }) Assert.Equal(0, added.GetProperty(name).GetInt32());
        Assert.Equal("model", added.GetProperty("model").GetString());
        Assert.Empty(added.GetProperty("skipped").EnumerateArray());

        var found = (await Run("search", "a", "red", "car", "--top", "3", "--all")).Json;
        Assert.Equal(3, found.GetProperty("results").GetArrayLength());
        foreach (var result in found.GetProperty("results").EnumerateArray())
            foreach (var name in new[] { "file", "score", "relevance" }) Assert.True(result.TryGetProperty(name, out _));
        Assert.True(found.TryGetProperty("cut", out _));

        var group = (await Run("duplicates", "--similarity", "1")).Json.GetProperty("groups").EnumerateArray().First();
        Assert.Equal("same", group.GetProperty("kind").GetString());
        Assert.Equal(["0000.png", "copy.png"], group.GetProperty("files").Strings().Select(file => Path.GetFileName(file)));
        var clusters = (await Run("cluster", "--count", "2", "--labels", "a", "b")).Json.GetProperty("groups").EnumerateArray().ToArray();
        Assert.Equal(7, clusters.Sum(one => one.GetProperty("files").GetArrayLength()));
        Assert.All(clusters, one => Assert.Equal("cluster", one.GetProperty("kind").GetString()));

        var labels = (await Run("index", "classify", "--labels", "a", "b")).Json.GetProperty("labels").EnumerateArray();
        Assert.Equal(7, labels.Sum(one => one.GetProperty("images").GetInt32()));
        var status = (await Run("index", "status")).Json;
        Assert.Equal((7, 6), (status.GetProperty("items").GetInt32(), status.GetProperty("contents").GetInt32()));
        Assert.Equal([Photos], status.GetProperty("roots").Strings());
        Assert.Equal(7, (await Run("index", "export", "--out", Path.Combine(Root, "e.npy"))).Json.GetProperty("items").GetInt32());
        var removed = (await Run("index", "remove", Path.Combine(Photos, "copy.png"))).Json;
        Assert.Equal((6, 1), (removed.GetProperty("items").GetInt32(), removed.GetProperty("removed").GetInt32()));
    }

    [Theory]
    [InlineData("en", "2 images: 2 new, 0 changed, 0 moved, 0 removed.", "2 results of 2 images")]
    [InlineData("es", "2 imágenes: 2 nuevas, 0 cambiadas, 0 movidas, 0 quitadas.", "2 resultados de 2 imágenes")]
    public async Task Answers_AreInTheLanguage(string language, string added, string found)
    {
        Write(0, 2);
        var first = await CommandLine.Run("index", "add", Photos, "--index", IndexFolder,
            "--model", TestModels.StableUnClip, "--lang", language);
        Assert.Contains(added, first.Output.ReplaceLineEndings(" "), StringComparison.Ordinal);
        var page = Path.Combine(Root, "page.html");
        var second = await CommandLine.Run("search", "a", "--all", "--out", page, "--index", IndexFolder, "--lang", language);
        Assert.Contains(found, second.Output.ReplaceLineEndings(" "), StringComparison.Ordinal);
        Assert.Contains($"<html lang=\"{language}\">", File.ReadAllText(page), StringComparison.Ordinal);
        Assert.Equal(0, (await CommandLine.Run("search", "a", "--all", "--out",
            Path.Combine(Root, "sheet.png"), "--index", IndexFolder)).Status);
        Assert.True(Preprocessing.Imaging.RgbImage.Load(Path.Combine(Root, "sheet.png")).Width > 200);
    }

    [Theory]
    [InlineData(2, "There is nothing to search for; give a text, --image or --plus.", "search")]
    [InlineData(2, "There is nothing to search for; give a text, --image or --plus.", "search", "--minus", "a")]
    [InlineData(1, "There is no image none.jpg.", "search", "--image", "none.jpg")]
    [InlineData(2, "\"yesterday\" is not a date; write it like 2024-05-31, 2024-05 or 2024.", "search", "a", "--after", "yesterday")]
    [InlineData(2, "\"91,0,5\" is not a place; write latitude, longitude and kilometres, such as 40.4,-3.7,25.",
        "search", "a", "--near", "91,0,5")]
    [InlineData(1, "There is no index in nowhere; make one with 'alebrije index add FOLDER'.", "search", "a", "--index", "nowhere")]
    [InlineData(1, "There is no file or folder none.", "index", "add", "none")]
    [InlineData(2, "There is nothing to remove; give files, folders or --space.", "index", "remove")]
    [InlineData(2, "Labels are compared with each other; give at least two.", "index", "classify", "--labels", "a")]
    [InlineData(2, "e.csv: an index is exported to .parquet, .npy or a folder.", "index", "export", "--out", "e.csv")]
    public async Task WrongUsage_IsOneSentence(int status, string sentence, params string[] args)
    {
        var outcome = await CommandLine.Run(args.Contains("--index") ? args : [.. args, "--index", IndexFolder]);
        Assert.Equal(status, outcome.Status);
        Assert.Equal(sentence.Replace("nowhere", Path.GetFullPath("nowhere"), StringComparison.Ordinal), outcome.Refusal);
    }

    [Fact]
    public async Task QueryOfAnotherModel_IsRefused_InBothLanguages()
    {
        Write(0, 2);
        await Run("index", "add", Photos, "--model", TestModels.StableUnClip);
        var copy = TestModels.Copy(TestModels.StableUnClip, Path.Combine(Root, "another"));
        string[] search = ["search", "a", "--index", IndexFolder, "--model", copy];
        var english = await CommandLine.Run(search);
        Assert.Equal((1, "The index was made with model; rebuild it with 'alebrije index update --model another', "
            + $"or search with --model {TestModels.StableUnClip}."), (english.Status, english.Refusal));
        Assert.StartsWith("El índice se hizo con model; ",
            (await CommandLine.Run([.. search, "--lang", "es"])).Error, StringComparison.Ordinal);

        // The index knows the model that made it.
        Assert.Equal(0, (await CommandLine.Run("search", "a", "--index", IndexFolder)).Status);
    }

    private Task<Outcome> Run(params string[] args) => CommandLine.Run([.. args, "--index", IndexFolder, "--json"]);
}
