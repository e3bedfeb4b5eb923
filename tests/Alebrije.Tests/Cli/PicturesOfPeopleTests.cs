using Alebrije.Cli.Commands;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Datasets;
using Alebrije.Tests.Imaging;

namespace Alebrije.Tests.Cli;

/// <summary>Realistic folders: damaged files, other kinds of files, links, rotated photos, folders without write access.</summary>
public sealed class PicturesOfPeopleTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-people-").FullName;

    public PicturesOfPeopleTests()
    {
        for (var i = 0; i < 3; i++)
            new RgbImage(20, 20, [.. Enumerable.Range(0, 1200).Select(k => (byte)((k * (i + 3)) + (60 * i)))]).SavePng(In($"{i}.png"));
        File.WriteAllText(In("1b.jpg"), "not an image");
        File.WriteAllBytes(In("empty.png"), []);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("embed", "items")]
    [InlineData("similarity", "images")]
    [InlineData("pca", "points")]
    [InlineData("classify", "results")]
    public async Task DamagedPictures_AreSkippedAndNamed(string verb, string list)
    {
        string[] ask = [verb, "--images", folder,
            .. verb switch { "classify" => (string[])["--labels", "a", "b"], "similarity" => ["--texts", "a"], _ => [] }];
        var outcome = await Run([.. ask, "--json"]);
        Assert.Equal(0, outcome.Status);
        Assert.Equal(3, outcome.Json.GetProperty(list).GetArrayLength());
        Assert.Equal(
            [(In("1b.jpg"), "not an image that can be read: PNG, JPEG, GIF, BMP and WebP are."),
                (In("empty.png"), "empty: an image (PNG, JPEG, GIF, BMP or WebP) was expected.")],
            outcome.Json.GetProperty("skipped").EnumerateArray()
            .Select(item => (item.GetProperty("file").GetString()!, item.GetProperty("reason").GetString()!)));
        Assert.Contains($"Skipped {In("1b.jpg")}: not an image", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("2 images were skipped", outcome.Error, StringComparison.Ordinal);
        var strict = await Run([.. ask, "--strict", "--json"]);
        Assert.Equal((1, outcome.Output), (strict.Status, strict.Output));
    }

    [Fact]
    public async Task ManyDamagedPictures_AreCounted()
    {
        for (var i = 0; i < 30; i++) File.WriteAllText(In($"x{i:D2}.png"), "no");
        var outcome = await Run("embed", "--images", folder, "--out", In("e.npy"), "--lang", "es");
        Assert.Equal(0, outcome.Status);
        Assert.Equal([3, 24], Npy.Read(In("e.npy")).Shape);
        Assert.Equal(10, outcome.Error.Split("Omitida ").Length - 1);
        Assert.Contains("Se omitieron 32 imágenes", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("3 imágenes", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DamagedPicturesAlone_AreAnError()
    {
        var outcome = await Run("embed", "--images", In("empty.png"), In("1b.jpg"), "--texts", "a");
        Assert.Equal(1, outcome.Status);
        Assert.Contains("None of the 2 images can be read.", outcome.Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MultiLabel_SkipsDamagedPictures()
    {
        await File.WriteAllTextAsync(In("truth.csv"), "image,labels\n0.png,cat\nempty.png,cat\n1.png,dog\n2.png,dog\n",
            TestContext.Current.CancellationToken);
        var json = (await Run("classify", "--multi-label", "--truth", In("truth.csv"), "--fit-thresholds", In("truth.csv"), "--json")).Json;
        Assert.Equal(["0.png", "1.png", "2.png"],
            json.GetProperty("results").EnumerateArray().Select(result => result.GetProperty("image").GetString()!));
        Assert.Equal("dog", json.GetProperty("results")[1].GetProperty("right")[0].GetString());
        Assert.Equal(1, json.GetProperty("skipped").GetArrayLength());
    }

    [Fact]
    public async Task OtherKindsOfPictures_AreCounted_AndJfifIsRead()
    {
        File.Move(In("1b.jpg"), In("notes.txt"));
        File.Delete(In("empty.png"));
        await File.WriteAllBytesAsync(In("3.jfif"), TestExif.Jpeg(), TestContext.Current.CancellationToken);
        foreach (var name in new[] { "a.tiff", "b.tif", "c.heic", "d.AVIF" })
            await File.WriteAllTextAsync(In(name), "", TestContext.Current.CancellationToken);
        var outcome = await Run("similarity", "--images", folder, "--texts", "a", "--json");
        Assert.Equal(["0.png", "1.png", "2.png", "3.jfif"], outcome.Json.GetProperty("images").Strings());
        Assert.Contains("Left out: 4 images of unsupported formats (avif 1, heic 1, tif 1, tiff 1)",
            outcome.Error, StringComparison.Ordinal);
        Assert.Equal(4, outcome.Json.GetProperty("skipped").GetArrayLength());
        Assert.Contains("(not supported: tif 1, tiff 1)", (await Run("similarity", "--images", In("*.tif*"), "--texts", "a")).Refusal,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task FoldersOfClasses_AreSoBesideOtherFiles_AndDamagedPicturesAreSkipped()
    {
        var classes = OwnPictures.WriteClasses(In("classes"), 24);
        foreach (var name in new[] { ".DS_Store", "Thumbs.db", "README.txt" })
            await File.WriteAllTextAsync(Path.Combine(classes, name), "x", TestContext.Current.CancellationToken);
        for (var i = 0; i < 3; i++)
            await File.WriteAllTextAsync(Path.Combine(classes, "red", $"damaged{i}.png"), "x", TestContext.Current.CancellationToken);
        var classified = (await Run("classify", "--images", classes, "--json")).Json;
        Assert.Equal((24, 3), (classified.GetProperty("results").GetArrayLength(), classified.GetProperty("skipped").GetArrayLength()));
        Assert.Equal(4, classified.GetProperty("labels").GetArrayLength());
        Assert.True(classified.GetProperty("accuracy").ValueKind == System.Text.Json.JsonValueKind.Number);

        var probe = In("probe.safetensors");
        var fitted = await Run("train", "probe", "--images", classes, "--out", probe, "--json", "--strict");
        Assert.Equal((1, 3), (fitted.Status, fitted.Json.GetProperty("skipped").GetArrayLength()));
        Assert.True(File.Exists(probe));
        var studied = await Run("robustness", "--images", classes, "--severity", "1", "--minutes", "0", "--json");
        Assert.Equal((0, 3), (studied.Status, studied.Json.GetProperty("skipped").GetArrayLength()));
        Assert.Equal(24, studied.Json.GetProperty("training").GetInt32() + studied.Json.GetProperty("test").GetInt32());
    }

    [Theory]
    [InlineData("similarity", true)]
    [InlineData("pca", true)]
    [InlineData("classify", true)]
    [InlineData("embed", false)]
    public async Task PhotosOnTheirSide_AreTurned_ButForEmbed(string verb, bool turns)
    {
        await WritePhone();
        string[] files = [In("upright.png"), In("phone.png")];
        Assert.Equal(turns, await AreAlike());
        Assert.True(await AreAlike("--orientation", "apply"));
        Assert.False(await AreAlike("--orientation", "ignore"));

        async Task<bool> AreAlike(params string[] more)
        {
            string[] words = verb == "classify" ? ["--labels", "a", "b"] : ["--texts", "a", "b"];
            var json = (await Run([verb, "--images", .. files, .. words, .. more, "--json"])).Json;
            double[][] rows = verb switch
            {
                "embed" => [.. json.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("embedding").Numbers())],
                "pca" => [.. json.GetProperty("points").EnumerateArray()
                    .Select(point => new[] { point.GetProperty("x").GetDouble(), point.GetProperty("y").GetDouble() })],
                "classify" => [.. json.GetProperty("results").EnumerateArray().Select(result => result.GetProperty("top").EnumerateArray()
                    .OrderBy(top => top.GetProperty("label").GetString(), StringComparer.Ordinal)
                    .Select(top => top.GetProperty("cosine").GetDouble()).ToArray())],
                _ => [.. json.GetProperty("cosine").EnumerateArray().Select(row => row.Numbers())],
            };

            // Rows of a batch may round otherwise.
            return rows[0].Zip(rows[1]).All(pair => Math.Abs(pair.First - pair.Second) < 1e-4);
        }
    }

    [Fact]
    public async Task PhotosOnTheirSide_AreTurnedWhereTheyAreShownOrChanged()
    {
        await WritePhone();
        var explained = new List<string>();
        foreach (var name in new[] { "upright.png", "phone.png" })
            explained.Add((await Run("explain", In(name), "--texts", "a", "--json")).Json.GetProperty("results").GetRawText());
        Assert.Equal(explained[0], explained[1]);
        Assert.Equal(RgbImage.Load(In("upright.png")).Pixels, Alebrije.Pipelines.Experiments.Drawing.Load(In("phone.png")).Pixels);

        // The reference's preparation gives the encoder the image as it is stored.
        foreach (var name in new[] { "upright", "phone" })
            Assert.Equal(0, (await Run("preprocess", In(name + ".png"), "--out", In(name + ".npy"))).Status);
        Assert.NotEqual(Npy.Read(In("upright.npy")).ToSingle(), Npy.Read(In("phone.npy")).ToSingle());
    }

    [Fact]
    public async Task LinksInCircles_GiveEachPictureOnce()
    {
        Directory.CreateDirectory(In("deep/er"));
        File.CreateSymbolicLink(In("deep/up"), "..");
        File.CreateSymbolicLink(In("deep/er/top"), "../..");
        File.CreateSymbolicLink(In("deep/self"), "../deep");
        File.CreateSymbolicLink(In("deep/0-alias.png"), "../0.png");
        var json = (await Run("similarity", "--images", Path.Combine(folder, "**", "*.png"),
            In("deep/0-alias.png"), "--texts", "a", "--json")).Json;
        Assert.Equal(["0.png", "1.png", "2.png"], json.GetProperty("images").Strings());
    }

    [Fact]
    public void OutputFile_InAFolderThatTakesNone_IsRefusedBeforeTheWork()
    {
        if (!OperatingSystem.IsLinux()) return;
        var refused = Assert.Throws<IOException>(() => OutputFile.Check("/proc/x.png", new Alebrije.Cli.Words("en")));
        Assert.Equal("/proc/x.png cannot be written: the folder /proc takes no new files.", refused.Message);
        Assert.Equal("No se puede escribir /proc/x.png: la carpeta /proc no admite archivos nuevos.",
            Assert.Throws<IOException>(() => OutputFile.Check("/proc/x.png", new Alebrije.Cli.Words("es"))).Message);
        Assert.Equal($"{In("none/x.png")} cannot be written: there is no folder {In("none")}.",
            Assert.Throws<IOException>(() => OutputFile.Check(In("none/x.png"), new Alebrije.Cli.Words("en"))).Message);
        Assert.Equal($"No se puede escribir {folder}: es una carpeta.",
            Assert.Throws<IOException>(() => OutputFile.Check(folder, new Alebrije.Cli.Words("es"))).Message);
        var late = Assert.Throws<Alebrije.Preprocessing.UnwritableFileException>(() =>
            Npy.Write("/proc/x.npy", (ReadOnlySpan<float>)[1f], 1));
        Assert.Equal("No se puede escribir /proc/x.npy: la carpeta /proc no admite archivos nuevos.",
            Alebrije.Cli.CommandLineApp.Sentence(late, new Alebrije.Cli.Words("es")));
        var path = In("new.png");
        OutputFile.Check(path, new Alebrije.Cli.Words("en"));
        Assert.False(File.Exists(path));
        var size = new FileInfo(In("0.png")).Length;
        OutputFile.Check(In("0.png"), new Alebrije.Cli.Words("en"));
        Assert.Equal(size, new FileInfo(In("0.png")).Length);
        File.CreateSymbolicLink(In("link.png"), In("target.png"));
        OutputFile.Check(In("link.png"), new Alebrije.Cli.Words("en"));
        Assert.NotNull(new FileInfo(In("link.png")).LinkTarget);
        Assert.Contains("name is too long", Assert.Throws<IOException>(() =>
            OutputFile.Check(In(new string('a', 300) + ".png"), new Alebrije.Cli.Words("en"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Writers_NameTheFileThatWasAskedFor()
    {
        if (!OperatingSystem.IsLinux()) return;
        Assert.Equal("/proc/x.png cannot be written: the folder /proc takes no new files.",
            Assert.ThrowsAny<IOException>(() => new RgbImage(1, 1).SavePng("/proc/x.png")).Message);
        var set = new Alebrije.Embeddings.EmbeddingSet(new Alebrije.Pipelines.EmbeddingSpace("m", 1, null),
            [new Alebrije.Embeddings.EmbeddingItem(Alebrije.Embeddings.EmbeddingKind.Text, "a", [1f])]);
        foreach (var ending in Alebrije.Embeddings.EmbeddingFile.Endings)
        {
            var refused = await Assert.ThrowsAnyAsync<IOException>(() =>
                Alebrije.Embeddings.EmbeddingFile.WriteAsync("/proc/e" + ending, set, TestContext.Current.CancellationToken));
            Assert.Equal($"/proc/e{ending} cannot be written: the folder /proc takes no new files.", refused.Message);
        }

        Directory.CreateDirectory(In("f.labels.json"));
        var labels = await Assert.ThrowsAnyAsync<IOException>(() =>
            Alebrije.Embeddings.EmbeddingFile.WriteAsync(In("f.npy"), set, TestContext.Current.CancellationToken));
        Assert.StartsWith(In("f.labels.json") + " cannot be written: a folder has this name", labels.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder, "f.*"));
        var weights = Assert.Throws<Alebrije.Weights.WeightsException>(() =>
            Alebrije.Weights.AtomicFile.Write("/proc/w.json", stream => stream.WriteByte(1)));
        Assert.Equal("/proc/w.json cannot be written: the folder /proc takes no new files.", weights.Message);
    }

    /// <summary>Writes an upright image, and the same as a phone stores it: rotated, with an orientation tag.</summary>
    private async Task WritePhone()
    {
        var shown = new RgbImage(30, 20, [.. Enumerable.Range(0, 1800).Select(k => (byte)((k * k / 7) + k))]);
        shown.SavePng(In("upright.png"));
        var stored = new PillowImage(PixelMode.Rgb, 30, 20, shown.Pixels) { Orientation = 8 }.Upright().ToRgb().ToPng();
        await File.WriteAllBytesAsync(In("phone.png"), [.. stored[..33], .. TestPng.File(("eXIf", TestExif.Tiff(6)))[8..], .. stored[33..]],
            TestContext.Current.CancellationToken);
    }

    private static Task<Outcome> Run(params string[] args) => CommandLine.Run([.. args, "--model", TestModels.StableUnClip]);

    private string In(string name) => Path.Combine(folder, name);
}
