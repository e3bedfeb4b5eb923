using Alebrije.Cli.Commands;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;

namespace Alebrije.Tests.Cli;

/// <summary>The verbs embed, similarity and pca.</summary>
public sealed class EmbeddingVerbTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-embed-").FullName;

    public EmbeddingVerbTests()
    {
        foreach (var (i, name) in new[] { "cat10.png", "cat2.png", "dog.png" }.Index()) Picture(Path.Combine(folder, name), i);
        File.WriteAllText(Path.Combine(folder, "notes.txt"), "no picture");
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task TextThatIsCut_IsToldInTheLanguageOfTheUser()
    {
        var text = string.Join(' ', Enumerable.Repeat("a", 22)) + " b c";
        string[] embed = ["embed", "--texts", text, "--model", TestModels.StableUnClip, "--json"];
        Assert.Contains("has 26 tokens and the text encoder reads 24, start and end included; this part was cut: \"b c\".",
            (await CommandLine.Run(embed)).Error, StringComparison.Ordinal);
        Assert.Contains("tiene 26 tokens y el codificador de texto lee 24, con inicio y fin; se cortó esta parte: \"b c\".",
            (await CommandLine.Run([.. embed, "--lang", "es"])).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryKindOfNote_HasWordsInSpanish()
    {
        RunNote[] notes = [new TextCutNote("a", 90, 77, "b"), new MoreTextsCutNote(6, 77), new OutOfRangeNote("decoder", "BFloat16", "mid"),
            new SkippedPictureNote("a.png", "cut short."), new LongPromptNote(), new UnusedEmbeddingNote("a.pt", "x")];
        Assert.Equal(notes.Select(note => note.GetType()).ToHashSet(),
            typeof(RunNote).Assembly.GetTypes().Where(type => type.BaseType == typeof(RunNote)).ToHashSet());
        Assert.All(notes, note => Assert.NotEqual(note.Sentence, NoteWords.In(new Alebrije.Cli.Words("es"), note)));
        Assert.All(notes, note => Assert.Equal(note.Sentence, NoteWords.In(new Alebrije.Cli.Words("en"), note)));
        Assert.Equal("Omitida a.png: cut short.", NoteWords.In(new Alebrije.Cli.Words("es"), notes[3]));
        Assert.Equal("x", NoteWords.In(new Alebrije.Cli.Words("es"), new RunNote("x")));
    }

    [Fact]
    public async Task Similarity_Json_HasLabelsCosinesAndRowsThatAddUpToOne()
    {
        var json = (await Run("similarity", "--images", folder, "--texts", "a lion", "a cat", "--json")).Json;
        Assert.Equal(["cat2.png", "cat10.png", "dog.png"], json.GetProperty("images").Strings());
        Assert.Equal(["a lion", "a cat"], json.GetProperty("texts").Strings());
        var cosines = json.GetProperty("cosine").EnumerateArray().Select(row => row.Numbers()).ToArray();
        var softmax = json.GetProperty("softmax").EnumerateArray().Select(row => row.Numbers()).ToArray();
        Assert.Equal((3, 3), (cosines.Length, softmax.Length));
        foreach (var (row, shares) in cosines.Zip(softmax))
        {
            Assert.All(row, cosine => Assert.InRange(cosine, -1, 1));
            Assert.Equal(1, shares.Sum(), 1e-9);
            Assert.Equal(1 / (1 + Math.Exp(100 * (row[1] - row[0]))), shares[0], 1e-9);
        }
    }

    [Fact]
    public async Task Similarity_ReadsTextsFromArgumentsFileAndStandardInput_Alike()
    {
        var file = Path.Combine(folder, "texts.txt");
        await File.WriteAllTextAsync(file, "a lion\r\n\n  a cat\n", TestContext.Current.CancellationToken);
        var fromArguments = await Run("similarity", "--images", folder, "--texts", "a lion", "a cat", "--json");
        var fromFile = await Run("similarity", "--images", folder, "--texts-file", file, "--json");
        var fromInput = await CommandLine.RunWithInput("a lion\na cat\n",
            "similarity", "--images", folder, "--texts-file", "-", "--json", "--model", TestModels.StableUnClip);
        Assert.Equal(fromArguments.Output, fromFile.Output);
        Assert.Equal(fromArguments.Output, fromInput.Output);
    }

    [Fact]
    public async Task Similarity_ForPeople_IsATableInTheirLanguage()
    {
        var english = await Run("similarity", "--images", folder, "--texts", "a lion");
        Assert.Equal(0, english.Status);
        Assert.Contains("cat10.png", english.Output, StringComparison.Ordinal);
        Assert.Contains("1.00", english.Output, StringComparison.Ordinal);
        Assert.Contains("Softmax over the texts", english.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', english.Output);
        var spanish = await Run("similarity", "--images", folder, "--texts", "un león", "--cosine", "--lang", "es");
        Assert.Contains("Coseno entre imagen y texto", spanish.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("table.html", "<!DOCTYPE html>")]
    [InlineData("table.md", "| image |")]
    [InlineData("table.csv", "image,")]
    [InlineData("table.png", "\u0089PNG")]
    public async Task Similarity_Out_WritesWhatTheEndingSays(string name, string start)
    {
        var path = Path.Combine(folder, "out", name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var outcome = await Run("similarity", "--images", folder, "--texts", "a lion", "a cat", "--out", path);
        Assert.Equal((0, ""), (outcome.Status, outcome.Error));
        Assert.Contains($"Wrote {path}: 3 images, 2 texts", outcome.Output, StringComparison.Ordinal);
        Assert.StartsWith(start, System.Text.Encoding.Latin1.GetString(
            await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken)), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Images_AsPatternsAndFiles_KeepTheirOrder_AndComeOnce()
    {
        var dog = Path.Combine(folder, "dog.png");
        var json = (await Run("similarity", "--images", dog, Path.Combine(folder, "*.png"), "--texts", "a", "--json")).Json;
        Assert.Equal(["dog.png", "cat2.png", "cat10.png"], json.GetProperty("images").Strings());
    }

    [Fact]
    public async Task Images_BelowAPattern_OfAnyDepth_AreNamedApart()
    {
        Directory.CreateDirectory(Path.Combine(folder, "a", "b"));
        Picture(Path.Combine(folder, "a", "b", "dog.png"), 9);
        var json = (await Run("similarity", "--images", Path.Combine(folder, "**", "dog.png"), "--texts", "a", "--json")).Json;
        Assert.Equal([Path.Combine(folder, "dog.png"), Path.Combine(folder, "a", "b", "dog.png")],
            json.GetProperty("images").Strings().OrderBy(label => label.Length));
    }

    [Fact]
    public async Task Text_ThatBeginsWithAnAt_IsATextAndNoFile()
    {
        var json = (await Run("similarity", "--images", folder, "--texts", "@home", "--json")).Json;
        Assert.Equal(["@home"], json.GetProperty("texts").Strings());
    }

    [Fact]
    public async Task Pca_Json_HasAPointForEachAndSharesOfVariance()
    {
        var json = (await Run("pca", "--images", folder, "--texts", "a lion", "--json")).Json;
        var points = json.GetProperty("points").EnumerateArray().ToArray();
        Assert.Equal(["image", "image", "image", "text"], points.Select(p => p.GetProperty("kind").GetString()!));
        Assert.All(points, point => Assert.Equal(["kind", "label", "x", "y"], point.Keys()));
        var shares = json.GetProperty("explained_variance_ratio").Numbers();
        Assert.Equal(2, shares.Length);
        Assert.InRange(shares.Sum(), 0.3, 1 + 1e-9);
        Assert.True(shares[0] >= shares[1]);
        Assert.Equal(0, points.Sum(p => p.GetProperty("x").GetDouble()), 1e-6);
    }

    [Theory]
    [InlineData("plot.png")]
    [InlineData("plot.svg")]
    [InlineData("plot.html")]
    [InlineData("plot.csv")]
    public async Task Pca_Out_WritesTheFile(string name)
    {
        var path = Path.Combine(folder, name);
        var outcome = await Run("pca", "--images", folder, "--texts", "a lion", "--out", path);
        Assert.Equal((0, ""), (outcome.Status, outcome.Error));
        Assert.True(new FileInfo(path).Length > 80);
    }

    [Fact]
    public async Task Embed_Json_HasUnitVectorsOfBothKinds()
    {
        var json = (await Run("embed", "--images", Path.Combine(folder, "dog.png"), "--texts", "a dog", "--json")).Json;
        Assert.Equal(("model", 24), (json.GetProperty("model").GetString(), json.GetProperty("dimensions").GetInt32()));
        var items = json.GetProperty("items").EnumerateArray().ToArray();
        Assert.Equal([("image", "dog.png"), ("text", "a dog")],
            items.Select(i => (i.GetProperty("kind").GetString()!, i.GetProperty("label").GetString()!)));
        Assert.All(items, item => Assert.Equal(1, item.GetProperty("embedding").Numbers().Sum(x => x * x), 1e-5));
    }

    [Fact]
    public async Task Embed_Out_KeepsWhatJsonSays()
    {
        var path = Path.Combine(folder, "e.npy");
        var json = (await Run("embed", "--images", folder, "--texts", "a dog", "--json", "--out", path)).Json;
        var array = Npy.Read(path);
        Assert.Equal([4, 24], array.Shape);
        var expected = json.GetProperty("items").EnumerateArray()
            .SelectMany(item => item.GetProperty("embedding").EnumerateArray().Select(x => x.GetSingle()));
        Assert.Equal(expected, array.ToSingle());
    }

    [Fact]
    public async Task Embed_ForPeople_SaysHowToKeepThem()
    {
        var outcome = await Run("embed", "--texts", "a dog");
        Assert.Contains("1 text, 24 numbers each", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("--out F.npy", outcome.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "A text is empty", "similarity", "--images", "FOLDER", "--texts", "")]
    [InlineData(2, "A text is empty", "embed", "--texts", "a cat", "  ")]
    [InlineData(2, "There is nothing to embed", "embed")]
    [InlineData(2, "There are no images", "similarity", "--texts", "a")]
    [InlineData(2, "There are no texts", "similarity", "--images", "FOLDER")]
    [InlineData(2, "two points", "pca", "--texts", "a")]
    [InlineData(2, "has no texts", "similarity", "--images", "FOLDER", "--texts-file", "-")]
    [InlineData(1, "There is no image", "similarity", "--images", "FOLDER/none.png", "--texts", "a")]
    [InlineData(1, "contains no images;", "similarity", "--images", "FOLDER/empty", "--texts", "a")]
    [InlineData(1, "subfolders contain 1", "similarity", "--images", "FOLDER/deep", "--texts", "a")]
    [InlineData(1, "matches the pattern", "similarity", "--images", "FOLDER/*.gif", "--texts", "a")]
    [InlineData(1, "cut short", "similarity", "--images", "FOLDER/corrupt.png", "--texts", "a")]
    [InlineData(1, "not an image", "similarity", "--images", "FOLDER/notes.txt", "--texts", "a")]
    [InlineData(1, "--texts-file takes a text file", "similarity", "--images", "FOLDER", "--texts-file", "FOLDER/none.txt")]
    [InlineData(2, "must end in .html, .png, .csv or .md", "similarity", "--images", "FOLDER", "--texts", "a", "--out", "x.pdf")]
    [InlineData(2, "must end in .png, .svg, .html or .csv", "pca", "--images", "FOLDER", "--out", "x")]
    [InlineData(2, "must end in .npy, .parquet or .json", "embed", "--texts", "a", "--out", "x.txt")]
    [InlineData(1, "there is no folder", "similarity", "--images", "FOLDER", "--texts", "a", "--out", "FOLDER/none/x.png")]
    [InlineData(1, "There is no model 'dall-e'", "similarity", "--images", "FOLDER", "--texts", "a", "--model", "dall-e")]
    [InlineData(1, "is not a model", "similarity", "--images", "FOLDER", "--texts", "a", "--model", "FOLDER")]
    public async Task BadInput_IsRefusedInOneSentence(int status, string says, params string[] args)
    {
        Directory.CreateDirectory(Path.Combine(folder, "empty"));
        Directory.CreateDirectory(Path.Combine(folder, "deep", "er"));
        Picture(Path.Combine(folder, "deep", "er", "x.png"), 1);
        var corrupt = Path.Combine(folder, "corrupt.png");
        await File.WriteAllBytesAsync(corrupt, (await File.ReadAllBytesAsync(Path.Combine(folder, "dog.png"),
            TestContext.Current.CancellationToken))[..70], TestContext.Current.CancellationToken);
        args = [.. args.Select(arg => arg.Replace("FOLDER", folder, StringComparison.Ordinal))];

        var outcome = await (args.Contains("--model") ? CommandLine.Run(args) : Run(args));

        Assert.Contains(says, outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(status, outcome.Status);
    }

    [Theory]
    [InlineData("truncated")]
    [InlineData("lying")]
    [InlineData("pointer")]
    public async Task DamagedWeights_AreRefusedInOneSentence(string how)
    {
        var model = TestModels.Copy(TestModels.StableUnClip, Path.Combine(folder, "m"));
        var weights = Path.Combine(model, "prior_text_encoder", "model.safetensors");
        var bytes = await File.ReadAllBytesAsync(weights, TestContext.Current.CancellationToken);
        var text = System.Text.Encoding.Latin1.GetString(bytes);
        await File.WriteAllBytesAsync(weights, how switch
        {
            "truncated" => bytes[..^1000],
            "lying" => System.Text.Encoding.Latin1.GetBytes(text.Replace("\"shape\":[634,24]",
                "\"shape\":[635,24]", StringComparison.Ordinal)),
            _ => "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"u8.ToArray(),
        }, TestContext.Current.CancellationToken);

        var outcome = await CommandLine.Run("similarity", "--images", folder, "--texts", "a", "--model", model);

        Assert.Contains(how switch { "truncated" => "truncated", "lying" => "do not fit", _ => "Git LFS pointer" },
            outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(1, outcome.Status);
    }

    private static Task<Outcome> Run(params string[] args) => CommandLine.Run([.. args, "--model", TestModels.StableUnClip]);

    private static void Picture(string path, int seed)
    {
        var image = new RgbImage(40 + seed, 33);
        for (var i = 0; i < image.Pixels.Length; i++) image.Pixels[i] = (byte)((i * (seed + 3)) ^ (i >> 4));
        image.SavePng(path);
    }
}
