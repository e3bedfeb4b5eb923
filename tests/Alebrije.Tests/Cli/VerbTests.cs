using Alebrije.Catalog;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;

namespace Alebrije.Tests.Cli;

/// <summary>The verbs tokenize, preprocess, verify, models and doctor, and options of all verbs.</summary>
public sealed class VerbTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-verbs-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static string Fixtures => Path.Combine(AppContext.BaseDirectory, "Fixtures");

    [Fact]
    public async Task Tokenize_Json_SaysWhatTheModelSees()
    {
        var json = (await Run("tokenize", "A  Lion", "--json")).Json;
        Assert.Equal("a lion", json.GetProperty("clean").GetString());
        Assert.Equal([632, 320, 518, 519, 633], json.GetProperty("ids").Numbers().Select(id => (int)id));
        Assert.Equal(["<|startoftext|>", "a</w>", "li", "on</w>", "<|endoftext|>"], json.GetProperty("tokens").Strings());
        Assert.Equal((5, false), (json.GetProperty("length").GetInt32(), json.GetProperty("truncated").GetBoolean()));
    }

    [Fact]
    public async Task Tokenize_ShowsTheLettersBesideTheVocabularysSpelling()
    {
        var said = await CommandLine.Run("tokenize", "un león 🦁");
        Assert.Contains("Ã³n</w>", said.Output, StringComparison.Ordinal);
        Assert.Contains(" ón ", said.Output, StringComparison.Ordinal);
        Assert.Contains(" 🦁 ", said.Output, StringComparison.Ordinal);
        Assert.Equal("<|startoftext|>un león🦁<|endoftext|>", string.Concat((await CommandLine.Run("tokenize", "un león 🦁", "--json"))
            .Json.GetProperty("pieces").Strings()).Replace("unleón", "un león", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Tokenize_OfALongText_IsCutAndSaysSo()
    {
        var text = string.Join(' ', Enumerable.Repeat("lion", 30));
        var json = (await Run("tokenize", text, "--json")).Json;
        var ids = json.GetProperty("ids").Numbers();
        Assert.Equal((24, 24, 24), (ids.Length, json.GetProperty("length").GetInt32(), json.GetProperty("tokens").GetArrayLength()));
        Assert.True(json.GetProperty("truncated").GetBoolean());
        Assert.Equal((632, 633), ((int)ids[0], (int)ids[^1]));
        Assert.Equal(62, json.GetProperty("whole_length").GetInt32());
        Assert.Contains("the text is too long", (await Run("tokenize", text)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokenize_ReadsStandardInput()
    {
        var json = (await CommandLine.RunWithInput("a lion\n", "tokenize", "-", "--json", "--model", TestModels.StableUnClip)).Json;
        Assert.Equal(5, json.GetProperty("length").GetInt32());
    }

    [Fact]
    public async Task Preprocess_WritesTheNumbersOfTheEncoder()
    {
        var (picture, file) = (Path.Combine(folder, "p.png"), Path.Combine(folder, "p.npy"));
        var image = new RgbImage(50, 40);
        for (var i = 0; i < image.Pixels.Length; i++) image.Pixels[i] = (byte)(i * 7);
        image.SavePng(picture);

        var json = (await Run("preprocess", picture, "--out", file, "--json")).Json;

        Assert.Equal([3, 32, 32], json.GetProperty("shape").Numbers());
        Assert.Equal([0.48145466, 0.4578275, 0.40821073], json.GetProperty("mean").Numbers());
        Assert.Equal([0.26862954, 0.26130258, 0.27577711], json.GetProperty("std").Numbers());
        var array = Npy.Read(file);
        Assert.Equal([3, 32, 32], array.Shape);
        Assert.Equal(ClipImageProcessor.Load(Path.Combine(TestModels.StableUnClip, "feature_extractor")).Prepare(picture),
            array.ToSingle());
        Assert.Contains("float32 [3, 32, 32]", (await Run("preprocess", picture)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_OfAFixtureThatAgrees_IsZero()
    {
        var fixture = Path.Combine(Fixtures, "stable-unclip-image-normalizer");
        var outcome = await CommandLine.Run("verify", fixture, "--json");
        Assert.Equal(0, outcome.Status);
        Assert.True(outcome.Json.GetProperty("ok").GetBoolean());
        Assert.All(outcome.Json.GetProperty("cases").EnumerateArray(),
            c => Assert.Equal(["id", "output", "ok", "max_abs", "max_rel"], c.Keys()[..5]));
        Assert.Contains("agree", (await CommandLine.Run("verify", fixture)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_OfAFixtureThatDiffers_IsOneAndNamesThePlace()
    {
        var copy = TestModels.Copy(Path.Combine(Fixtures, "stable-unclip-image-normalizer"), folder);
        var file = Path.Combine(copy, "tensors.safetensors");
        var bytes = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        bytes[^2] ^= 0x40;
        await File.WriteAllBytesAsync(file, bytes, TestContext.Current.CancellationToken);

        var json = await CommandLine.Run("verify", copy, "--json");
        var text = await CommandLine.Run("verify", copy);

        Assert.Equal((1, 1), (json.Status, text.Status));
        Assert.False(json.Json.GetProperty("ok").GetBoolean());
        var failed = json.Json.GetProperty("cases").EnumerateArray().First(c => !c.GetProperty("ok").GetBoolean());
        Assert.Contains(failed.GetProperty("id").GetString()!,
            text.Output.Split('\n').Single(line => line.Contains("The first:", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("✗", text.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_OfATree_HasALineForEachFixture_AndTheCasesThatDiffer()
    {
        TestModels.Copy(Path.Combine(Fixtures, "stable-unclip-image-normalizer"), Path.Combine(folder, "good"));
        var file = Path.Combine(TestModels.Copy(Path.Combine(Fixtures, "stable-unclip-image-normalizer"), Path.Combine(folder, "wrong")),
            "tensors.safetensors");
        var bytes = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        bytes[^2] ^= 0x40;
        await File.WriteAllBytesAsync(file, bytes, TestContext.Current.CancellationToken);

        var outcome = await CommandLine.Run("verify", folder);

        Assert.Equal(1, outcome.Status);
        Assert.Contains("✓   good", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("✗   wrong", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("The first: wrong / ", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_OfAFixtureItCannotRun_ReportsIt()
    {
        await File.WriteAllTextAsync(Path.Combine(folder, "cases.json"),
            """{"reference":{"library":"other","class":"Nothing"},"cases":[{"id":"a","call":"forward","outputs":{"x":{"atol":0,"rtol":0}}}]}""", TestContext.Current.CancellationToken);
        var outcome = await CommandLine.Run("verify", folder, "--json");
        Assert.Equal(1, outcome.Status);
        Assert.Contains("there is no runner for",
            Assert.Single(outcome.Json.GetProperty("cases").EnumerateArray()).GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_OfAModel_ChecksItsParts()
    {
        var json = (await CommandLine.Run("verify", TestModels.StableUnClip, "--json")).Json;
        Assert.True(json.GetProperty("ok").GetBoolean());
        Assert.Contains("unet", json.GetProperty("cases").EnumerateArray().Select(c => c.GetProperty("id").GetString()));
    }

    [Fact]
    public async Task Verify_OfNothing_IsRefused()
    {
        Assert.Contains("There is no model", (await CommandLine.Run("verify", Path.Combine(folder, "none"))).Refusal,
            StringComparison.Ordinal);
        Assert.Contains("holds nothing to verify", (await CommandLine.Run("verify", folder)).Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ModelsShow_Json_HasPartsAndSizes()
    {
        var model = TestModels.Copy(TestModels.StableUnClip, Path.Combine(folder, "tiny"));
        await File.WriteAllTextAsync(Path.Combine(model, "README.md"),
            "---\nlicense: mit\n---\n# Card\r\n\nDraws nothing.\u001b[31m", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(model, "evaluation.json"),
            """{"metrics":{"decoder":{"concept_top1":{"value":0.71,"count":200,"low":0.64,"high":0.77}}},"concepts":[{"name":"lion","emoji":"🦁","right":2,"of":2},{"name":"otter","emoji":"🦦","right":0,"of":2,"taken_for":"beaver"}]}""", TestContext.Current.CancellationToken);

        var json = (await CommandLine.Run("models", "show", model, "--json")).Json;
        var text = (await CommandLine.Run("models", "show", model)).Output;

        // The card keeps its lines, and nothing else that moves a cursor.
        Assert.Contains("\n# Card\n\nDraws nothing.\\u001b[31m\n", text.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Equal(("tiny", "StableUnCLIPPipeline", "mit"),
            (json.GetProperty("name").GetString(), json.GetProperty("class").GetString(), json.GetProperty("license").GetString()));
        Assert.All(json.GetProperty("components").EnumerateArray(),
            part => Assert.Equal(["name", "class", "parameters", "types", "bytes"], part.Keys()));
        Assert.Equal(0.71, json.GetProperty("evaluation").GetProperty("metrics")
            .GetProperty("decoder").GetProperty("concept_top1").GetProperty("value").GetDouble());
        Assert.Contains("licence mit", text, StringComparison.Ordinal);
        Assert.Contains("decoder concept_top1", text, StringComparison.Ordinal);
        Assert.Contains("71.0 %", text, StringComparison.Ordinal);
        Assert.Contains("64.0 % … 77.0 %", text, StringComparison.Ordinal);
        Assert.Contains("of 2 core concepts, 1 were recognised in all images, 0 in some and 1 in none",
            text.ReplaceLineEndings(" "), StringComparison.Ordinal);
        Assert.Contains("otter (recognised as beaver)", text, StringComparison.Ordinal);
        Assert.Contains("Draws nothing.", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ModelsList_Json_IsAList()
    {
        var json = (await CommandLine.Run("models", "list", "--json")).Json;
        Assert.Equal(ModelCatalog.Create().List().Count, json.GetProperty("models").GetArrayLength());
        Assert.Equal(json.ToString(), (await CommandLine.Run("models", "--json")).Json.ToString());
    }

    [Fact]
    public async Task ModelsShow_OfAnUnknownName_SaysThatAPathWorks() =>
        Assert.Contains("the path of a model's folder works too", (await CommandLine.Run("models", "show", "dall-e")).Refusal,
            StringComparison.Ordinal);

    [Fact]
    public async Task Doctor_SaysWhatIsThere()
    {
        var outcome = await CommandLine.Run("doctor", "--json");
        Assert.Equal(0, outcome.Status);
        var checks = outcome.Json.GetProperty("checks").EnumerateArray().ToDictionary(c => c.GetProperty("name").GetString()!);
        foreach (var name in new[] { "processor", "memory", "libtorch", "world", "fonts", "gpu", "model" })
            Assert.Contains(name, checks.Keys);
        Assert.Equal("ok", checks["libtorch"].GetProperty("status").GetString());
        Assert.True(checks["processor"].GetProperty("details").GetProperty("cores").GetInt32() >= 1);
        Assert.All(checks.Values, check => Assert.Equal(check.GetProperty("status").GetString() == "ok",
            check.GetProperty("remedy").ValueKind == System.Text.Json.JsonValueKind.Null));
        Assert.Contains("libtorch", (await CommandLine.Run("doctor", "--lang", "es")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NoVerb_ShowsHelp()
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        Assert.Equal(0, await Alebrije.Cli.CommandLineApp.RunAsync([], output, error));
        Assert.Equal("", error.ToString());
        foreach (var verb in new[] { "imagine", "classify", "robustness",
            "explain", "embed", "similarity", "pca", "tokenize", "preprocess", "verify", "world", "train", "models", "bench", "doctor" })
            Assert.Contains($"\n  {verb} ", output.ToString().ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("There is no verb 'frobnicate'", "frobnicate")]
    [InlineData("preprocess needs IMAGE", "preprocess")]
    [InlineData("one argument too many", "tokenize", "a", "lion")]
    [InlineData("choose en, es", "doctor", "--lang", "fr")]
    [InlineData("--threads takes a whole number", "doctor", "--threads", "many")]
    public async Task WrongUsage_IsTwoAndOneSentence(string says, params string[] args)
    {
        var outcome = await CommandLine.Run(args);
        Assert.Contains(says, outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(2, outcome.Status);
    }

    [Fact]
    public async Task Debug_ShowsTheWholeError() =>
        await Assert.ThrowsAnyAsync<Exception>(() => CommandLine.Run("models", "show", "dall-e", "--debug"));

    [Theory]
    [InlineData("imagine")]
    [InlineData("classify")]
    [InlineData("robustness")]
    [InlineData("explain")]
    [InlineData("train")]
    [InlineData("train clip")]
    [InlineData("train guess")]
    [InlineData("train decoder")]
    [InlineData("train prior")]
    [InlineData("train upsampler")]
    [InlineData("train cascade")]
    [InlineData("train probe")]
    [InlineData("train classifier")]
    [InlineData("vary")]
    [InlineData("interpolate")]
    [InlineData("mix")]
    [InlineData("textdiff")]
    [InlineData("pca-reconstruct")]
    [InlineData("inpaint")]
    [InlineData("sweep")]
    [InlineData("upscale")]
    [InlineData("pack")]
    [InlineData("evaluate")]
    [InlineData("replay")]
    [InlineData("embed")]
    [InlineData("similarity")]
    [InlineData("pca")]
    [InlineData("tokenize")]
    [InlineData("preprocess")]
    [InlineData("verify")]
    [InlineData("world")]
    [InlineData("models")]
    [InlineData("models list")]
    [InlineData("models show")]
    [InlineData("bench")]
    [InlineData("models pull")]
    [InlineData("models remove")]
    [InlineData("config")]
    [InlineData("config show")]
    [InlineData("completion")]
    [InlineData("doctor")]
    public async Task Help_IsWhatWasApproved(string verb)
    {
        var outcome = await CommandLine.Run([.. verb.Split(' '), "--help"]);
        Assert.Equal((0, ""), (outcome.Status, outcome.Error));
        var approved = await File.ReadAllTextAsync(Path.Combine(Fixtures, "cli-help", verb.Replace(' ', '-') + ".txt"),
            TestContext.Current.CancellationToken);
        Assert.Equal(approved.ReplaceLineEndings("\n"), outcome.Output);
    }

    private static Task<Outcome> Run(params string[] args) => CommandLine.Run([.. args, "--model", TestModels.StableUnClip]);
}
