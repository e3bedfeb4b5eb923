namespace Alebrije.Search.Tests;

/// <summary>Queries, filters and the page of results.</summary>
public sealed class SearchTests : Folders
{
    [Fact]
    public void EveryImage_IsItsOwnNearestNeighbour()
    {
        var files = Write(0, 12);
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        Assert.All(files, file =>
        {
            var best = index.Search(Model, new SearchQuery([new QueryPart(file, 1, true)]) { Top = 3, FalseAlarmRate = 1 }).Results;
            Assert.Equal((file, 3), (best[0].File, best.Count));
            Assert.Equal(1, best[0].Score, 0.002);
            Assert.True(best[0].Score >= best[1].Score && best[1].Score >= best[2].Score);
        });
    }

    [Fact]
    public void Mixture_IsTheUnitSumOfItsParts_AndMinusIsSubtracted()
    {
        var files = Write(0, 2);
        var (a, b) = (Model.EmbedImages(files)[0], Model.EmbedTexts(["b"])[0]);
        var query = new SearchQuery([new QueryPart(files[0], 2, true), new QueryPart("b", -0.5)]).Embed(Model, CancellationToken.None);
        var sum = a.Zip(b, (x, y) => (2.0 * x) - (0.5 * y)).ToArray();
        var length = Math.Sqrt(sum.Sum(x => x * x));
        Assert.All(query.Zip(sum), pair => Assert.Equal(pair.Second / length, pair.First, 1e-5));
        Assert.Throws<ArgumentException>(() => new SearchQuery([new QueryPart("b", -1)]));
        Assert.Throws<ArgumentException>(() => new SearchQuery([new QueryPart("b"), new QueryPart("b", -1)])
            .Embed(Model, CancellationToken.None));
    }

    [Fact]
    public void Parts_AreReadWithTheirWeights()
    {
        var file = Write(0, 1)[0];
        Assert.Equal(new QueryPart("night", 0.5), QueryPart.Parse("night:0.5"));
        Assert.Equal(new QueryPart("a: b", -1), QueryPart.Parse("a: b", -1));
        Assert.Equal(new QueryPart("12:x"), QueryPart.Parse("12:x"));
        Assert.Equal(new QueryPart(file, -2, true), QueryPart.Parse(file + ":2", -1));
    }

    [Fact]
    public void Filters_SelectByDateCameraPlaceFolderAndLabel()
    {
        var (madrid, sydney) = (Path.Combine(Photos, "madrid.png"), Path.Combine(Photos, "trip", "sydney.png"));
        var plain = Write(1, 1)[0];
        File.SetLastWriteTime(plain, new DateTime(2021, 6, 1, 12, 0, 0, DateTimeKind.Local));
        Directory.CreateDirectory(Path.Combine(Photos, "trip"));
        File.WriteAllBytes(madrid, TestExifPng.With(Drawn(2), taken: "2023:05:17 10:20:30", maker: "Canon", model: "Canon EOS 80D",
            place: (40.4168, -3.7038)));
        File.WriteAllBytes(sydney, TestExifPng.With(Drawn(3), taken: "2024:01:01 00:00:00", maker: "NIKON CORPORATION", model: "NIKON Z 6",
            place: (-33.8688, 151.2093)));
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        var first = index.Pictures(index.Spaces[0])[1];
        Assert.Equal((madrid, new DateTime(2023, 5, 17, 10, 20, 30), "Canon EOS 80D"), (first.File, first.Date, first.Camera));
        Assert.Equal(40.4168, first.Latitude!.Value, 1e-4);
        Assert.Equal(-3.7038, first.Longitude!.Value, 1e-4);
        index.Change(() => index.Database.Run("INSERT INTO labels(content, label, probability) VALUES ($0, 'Dog', 0.9)", first.Content));

        Assert.Equal([madrid], Found(new() { After = new DateOnly(2023, 1, 1), Before = new DateOnly(2024, 1, 1) }));
        Assert.Equal([sydney], Found(new() { After = new DateOnly(2024, 1, 1), Before = new DateOnly(2026, 1, 1) }));
        Assert.Equal([plain], Found(new() { Before = new DateOnly(2022, 1, 1) }));
        Assert.Equal([sydney], Found(new() { Camera = "nikon" }));
        Assert.Equal([sydney], Found(new() { Folder = "trip" }));
        Assert.Equal([sydney], Found(new() { Folder = Path.Combine(Photos, "trip") + "/" }));
        Assert.Equal([], Found(new() { Folder = Path.Combine(Photos, "tri") }));
        Assert.Equal([madrid], Found(new() { Near = new NearPlace(40.0, -4.0, 60) }));
        Assert.Equal([], Found(new() { Near = new NearPlace(40.0, -4.0, 40) }));
        Assert.Equal([madrid], Found(new() { Label = "dog" }));

        string[] Found(SearchFilter filter) => [.. index.Search(Model, new SearchQuery("a") { Filter = filter, FalseAlarmRate = 1 })
            .Results.Select(result => result.File).Order(StringComparer.Ordinal)];
    }

    [Fact]
    public void Distance_IsThatOnASphere() =>
        Assert.Equal(343.5, SearchFilter.Distance(48.8566, 2.3522, 51.5074, -0.1278), 1.0);

    [Theory]
    [InlineData("en", "1 result of 1 image, model model.")]
    [InlineData("es", "1 resultado de 1 imagen, modelo model.")]
    public void Page_EscapesNames_AndNeedsNoOtherFile(string language, string line)
    {
        var name = "<script>alert('x')</script>\n\"&\u001b[31m.png";
        Drawn(1).SavePng(Path.Combine(Photos, name.Replace('/', '_')));
        using var index = PictureIndex.OpenOrCreate(IndexFolder);
        index.Add([Photos], Model);
        var query = new SearchQuery("<b>a</b>") { FalseAlarmRate = 1 };
        var page = SearchPage.Render(index.Search(Model, query), query, language);
        Assert.Contains(line, page, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>a", page, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b", page, StringComparison.Ordinal);
        Assert.Contains("src=\"data:image/png;base64,", page, StringComparison.Ordinal);
        Assert.Contains("%0A%22%26%1B", page, StringComparison.Ordinal);
        Assert.DoesNotContain("http", page, StringComparison.Ordinal);
    }
}
