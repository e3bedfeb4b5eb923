using System.Diagnostics;
using System.Globalization;
using Alebrije.Catalog;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Weights;

namespace Alebrije.Tests.Cli;

/// <summary>The verbs models pull, show and remove, in processes of their own, since they depend on the environment.</summary>
public sealed class ModelsVerbTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-models-").FullName;
    private readonly HubServer server = new("openai/clip-vit-base-patch32");

    public ModelsVerbTests()
    {
        foreach (var file in Directory.EnumerateFiles(TestModels.Clip)) server.Files[Path.GetFileName(file)] = File.ReadAllBytes(file);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(TestModels.StableUnClip, "tokenizer")))
            server.Files[Path.GetFileName(file)] = File.ReadAllBytes(file);
        server.Files["flax_model.msgpack"] = new byte[100];
        server.Files["README.md"] = "---\nlicense: mit\n---\n"u8.ToArray();
    }

    public void Dispose()
    {
        server.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Pull_OfOriginalFiles_KnowsThemByTheirTensors_AndSaysWhatIsMissing()
    {
        var source = Directory.CreateDirectory(Path.Combine(folder, "originals")).FullName;
        new PickleWriter().Op('}').Text("state_dict").Op('}').Text("model.clip_tok_proj.weight")
            .Tensor("FloatStorage", "0", 1, 0, [1], [1]).Op('s').Op('s').Op('.')
            .Save(Path.Combine(source, "decoder.ckpt"), new byte[4]);
        var refused = await Run("models", "pull", source, "--name", "karlo-original");
        Assert.Equal(1, refused.Status);
        Assert.Contains("holds original files of Karlo, but lacks the prior (prior-ckpt-step=*.ckpt",
            refused.Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pull_Use_Remove()
    {
        var refused = await Run("tokenize", "a lion", "--model", "clip-vit-b-32");
        Assert.Equal((1, "clip-vit-b-32 is not on this disk; 'alebrije models pull clip-vit-b-32' fetches it."),
            (refused.Status, refused.Refusal));
        Assert.Empty(server.Requests);
        var shown = await Run("models", "show", "clip-vit-b-32", "--json");
        Assert.Equal(("MIT", false), (shown.Json.GetProperty("license").GetString(), shown.Json.GetProperty("on_disk").GetBoolean()));

        var dry = await Run("models", "pull", "clip-vit-b-32", "--dry-run", "--json");
        Assert.Equal((true, 0), (dry.Json.GetProperty("dry_run").GetBoolean(), dry.Json.GetProperty("fetched").GetInt32()));
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));

        var pulled = await Run("models", "pull", "clip-vit-b-32", "--json");
        Assert.Equal(dry.Json.GetProperty("bytes_to_fetch").GetInt64(), pulled.Json.GetProperty("fetched").GetInt64());
        Assert.Equal("mit", pulled.Json.GetProperty("license").GetString());
        Assert.DoesNotContain("flax", pulled.Output, StringComparison.Ordinal);
        Assert.Contains("openai/clip-vit-base-patch32 at 01234567: licence mit", pulled.Error, StringComparison.Ordinal);
        Assert.Contains(" are free.", pulled.Error, StringComparison.Ordinal);

        var requests = server.Requests.Count;
        foreach (var name in new[] { "clip-vit-b-32", "CLIP", "openai/clip-vit-base-patch32" })
            Assert.True((await Run("tokenize", "a lion", "--json", "--model", name)).Json.GetProperty("length").GetInt32() > 2);
        var listed = (await Run("models", "list", "--json")).Json;
        var model = Assert.Single(listed.GetProperty("models").EnumerateArray(), m => m.GetProperty("name").GetString() == "clip-vit-b-32");
        Assert.Equal(("mit", pulled.Json.GetProperty("path").GetString()),
            (model.GetProperty("license").GetString(), model.GetProperty("path").GetString()));
        Assert.Contains(listed.GetProperty("published").EnumerateArray(),
            m => m.GetProperty("name").GetString() == "karlo" && !m.GetProperty("on_disk").GetBoolean());
        Assert.Contains("nothing was downloaded", (await Run("models", "pull", "clip-vit-b-32")).Output, StringComparison.Ordinal);
        Assert.Equal(requests, server.Requests.Count);

        var removed = await Run("models", "remove", "clip-vit-b-32", "--lang", "es");
        Assert.Matches("Eliminado clip-vit-b-32: [0-9.]+ kB liberados", removed.Output);
        Assert.Empty(Directory.EnumerateDirectories(Path.Combine(folder, "hub"), "models--*"));
        Assert.Equal("mini is built in and stays.", (await Run("models", "remove", "mini")).Refusal);
    }

    [Theory]
    [InlineData("vary does not support sd-2.1 (text to image); these verbs do: imagine, interpolate, inpaint, sweep, tokenize.",
        "vary", "x.png", "--model", "sd-2.1")]
    [InlineData("mix no admite sdxl (texto a imagen); estas órdenes sí: imagine, interpolate, inpaint, sweep, tokenize.",
        "mix", "a lion", "a cat", "--model", "stabilityai/stable-diffusion-xl-base-1.0", "--lang", "es")]
    [InlineData("tokenize does not support deepfloyd-if (text to image); these verbs do: imagine, interpolate, inpaint, sweep.",
        "tokenize", "a lion", "--model", "deepfloyd-if")]
    [InlineData("bench does not support sd-1.5", "bench", "--model", "sd-1.5")]
    [InlineData("explain does not support clip-rn50 (text and image embeddings); these verbs do: embed, similarity",
        "explain", "x.png", "--texts", "a", "--model", "clip-rn50")]
    [InlineData("eclipse-karlo is a prior and does not draw images by itself: name it with --prior",
        "imagine", "a lion", "--model", "eclipse-karlo")]
    [InlineData("upscale does not support sd-2.1-unclip", "upscale", "x.png", "--model", "sd-2.1-unclip")]
    public async Task VerbThatDoesNotRunAModel_SaysSoBeforeAnythingIsFetched(string says, params string[] args)
    {
        var picture = Path.Combine(folder, "x.png");
        new Alebrije.Preprocessing.Imaging.RgbImage(8, 8).SavePng(picture);
        var refused = await Run([.. args.Select(arg => arg == "x.png" ? picture : arg)]);
        Assert.Equal((2, true), (refused.Status, refused.Refusal.Contains(says, StringComparison.Ordinal)));
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Show_OfAPublishedModel_ListsItsVerbs()
    {
        var shown = (await Run("models", "show", "karlo")).Output;
        Assert.DoesNotContain("..", shown, StringComparison.Ordinal);
        Assert.Contains("supports imagine, interpolate, mix, inpaint, sweep, upscale, embed, tokenize. It is",
            shown.ReplaceLineEndings(" "), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pull_OfAFolder_ImportsIt()
    {
        var imported = await Run("models", "pull", TestModels.StableUnClip, "--name", "tiny", "--json");
        Assert.StartsWith(folder, imported.Json.GetProperty("path").GetString(), StringComparison.Ordinal);
        Assert.Equal("text to image", (await Run("models", "show", "tiny", "--json")).Json.GetProperty("kind").GetString());
        Assert.Equal(imported.Json.GetProperty("bytes").GetInt64(),
            (await Run("models", "remove", "tiny", "--json")).Json.GetProperty("bytes").GetInt64());
        Assert.Contains("no revisions", (await Run("models", "pull", TestModels.StableUnClip, "--revision", "main")).Refusal,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task CtrlC_KeepsWhatIsThere()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such signals.");
        var weights = server.Files.First(file => HubServer.IsLarge(file.Key));
        server.Before = request => request.Path.EndsWith("/" + weights.Key, StringComparison.Ordinal)
            && request.From == 0 ? HubServer.File(request, weights.Value) with { CutAfter = 1000, Stalls = true } : null;
        using var process = Start("models", "pull", "clip-vit-b-32", "--lang", "en", "--json");
        var output = process.StandardOutput.ReadToEndAsync(Cancellation);
        var error = process.StandardError.ReadToEndAsync(Cancellation);
        var partial = Path.Combine(folder, "hub", "models--openai--clip-vit-base-patch32",
            "blobs", HubServer.Sha256(weights.Value) + ".incomplete");
        while (!process.HasExited && (!File.Exists(partial) || new FileInfo(partial).Length < 1000)) await Task.Delay(20, Cancellation);
        using (var kill = Process.Start("kill", ["-INT", process.Id.ToString(CultureInfo.InvariantCulture)]))
            await kill.WaitForExitAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation);

        Assert.Equal(1, process.ExitCode);
        Assert.EndsWith("Stopped.", (await error).Trim(), StringComparison.Ordinal);
        Assert.Equal(1000, new FileInfo(partial).Length);
        var json = new Outcome(1, await output, "").Json;
        Assert.Equal("Stopped.", json.GetProperty("stopped").GetString());
        var whole = json.GetProperty("repositories")[0].GetProperty("files")
            .EnumerateArray().Where(file => file.GetProperty("present").GetInt64() > 0).ToArray();
        Assert.Contains("config.json", whole.Select(file => file.GetProperty("path").GetString()));
        Assert.DoesNotContain(weights.Key, whole.Select(file => file.GetProperty("path").GetString()));
        Assert.Equal(whole.Sum(file => file.GetProperty("bytes").GetInt64()), json.GetProperty("fetched").GetInt64());
        Assert.Equal(0, (await Run("models", "pull", "clip-vit-b-32")).Status);
        Assert.Contains(server.Requests, request => request.From == 1000);
    }

    [Fact]
    public async Task UnusableEndpoint_StopsPull_AndNothingElse()
    {
        Assert.Contains("HF_ENDPOINT is 'nowhere'", (await Run(["models", "pull", "karlo"], "nowhere")).Refusal, StringComparison.Ordinal);
        Assert.Equal(0, (await Run(["tokenize", "a lion", "--model", TestModels.StableUnClip], "nowhere")).Status);
        Assert.Contains("did you mean karlo?", (await Run("models", "pull", "karl0")).Refusal, StringComparison.Ordinal);
        Assert.Equal(2, (await Run("models", "pull", "karlo", "--name", "x")).Status);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private Task<Outcome> Run(params string[] args) => Run(args, server.Address);

    private async Task<Outcome> Run(string[] args, string endpoint)
    {
        using var process = Start(args.Contains("--lang") ? args : [.. args, "--lang", "en"], endpoint);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(Cancellation), process.StandardError.ReadToEndAsync(Cancellation));
        await process.WaitForExitAsync(Cancellation);
        return new Outcome(process.ExitCode, await output, await error);
    }

    private Process Start(params string[] args) => Start(args, server.Address);

    private Process Start(string[] args, string endpoint)
    {
        var start = Interruptible.Start(Path.Combine(AppContext.BaseDirectory, "Alebrije.Cli"), args);
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("HF_", StringComparison.Ordinal)
            || name == ModelCatalog.Variable).ToArray()) start.Environment.Remove(name);
        (start.Environment["HF_HOME"], start.Environment["HF_ENDPOINT"],
            start.Environment["XDG_DATA_HOME"]) = (folder, endpoint, Path.Combine(folder, "data"));
        return Process.Start(start)!;
    }
}
