using System.Text.Json;
using Alebrije.Models.Priors;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Alebrije.Weights;
using Alebrije.Tensors;

namespace Alebrije.Tests.Cli;

/// <summary>Images generated again from their files, on tiny models.</summary>
public sealed class ReplayVerbTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-replay-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("-1")]
    [InlineData("0")]
    [InlineData("1000000000")]
    public async Task Threads_ThatNoMachineHas_AreRefused(string threads)
    {
        var picture = At("cat.png");
        new RgbImage(8, 8).SavePng(picture, new Dictionary<string, string>
        {
            [Recipe.JsonKeyword] = $$"""{"model":"mini","request":{"prompt":"a cat"},"threads":{{threads}} }""",
        });
        Assert.EndsWith($"cat.png holds a recipe of {threads} threads; from 1 to 1024 are possible.",
            (await CommandLine.Run("replay", picture)).Error.Trim(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Imagined_IsTheSameToTheByte_AndAnotherWhereItWasChanged()
    {
        var picture = At("cat.png");
        await Run("imagine", "a cat", "--out", picture);
        Assert.True((await Run("replay", picture, "--json")).Json.GetProperty("same").GetBoolean());
        Assert.Contains("The same image, byte for byte", (await Run("replay", picture)).Output, StringComparison.Ordinal);

        // Changes one byte of the pixels and keeps the recipe.
        var image = RgbImage.Load(picture);
        image.Pixels[0] ^= 8;
        image.SavePng(picture, PngText.Read(picture));
        var changed = await CommandLine.Run("replay", picture, "--model", TestModels.StableUnClip, "--out", At("again.png"), "--json");
        Assert.Equal(1, changed.Status);
        Assert.Equal((false, 8),
            (changed.Json.GetProperty("same").GetBoolean(), changed.Json.GetProperty("largest_difference").GetInt32()));
        Assert.Equal(image.Pixels[1..], RgbImage.Load(At("again.png")).Pixels[1..]);
    }

    [Fact]
    public async Task Threads_AreThoseOfTheRecipe_AndRoundingIsNamed()
    {
        var picture = At("cat.png");
        await Process("imagine", "a cat", "--model", TestModels.StableUnClip,
            "--steps", "2", "--prior-steps", "2", "--seed", "7", "--out", picture, "--threads", "2");
        Assert.Equal(2, Recipe.Read(picture).Threads);
        using (var again = JsonDocument.Parse(await Process("replay", picture, "--model", TestModels.StableUnClip, "--json")))
        {
            Assert.True(again.RootElement.GetProperty("same").GetBoolean());
            Assert.Equal(2, again.RootElement.GetProperty("threads").GetInt32());
        }

        using (var other = JsonDocument.Parse(await Process("replay",
            picture, "--model", TestModels.StableUnClip, "--json", "--threads", "1")))
            Assert.Equal(1, other.RootElement.GetProperty("threads").GetInt32());

        // Another number of threads or another processor gives a difference of 1.
        var image = RgbImage.Load(picture);
        image.Pixels[4] ^= 1;
        image.SavePng(picture, PngText.Read(picture));
        var output = await Process("replay", picture, "--model", TestModels.StableUnClip, "--lang", "en");
        Assert.Contains("The same image up to rounding: bytes differ by up to 1 of 255", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Different image", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Experiments_PicturesAndSheet_AreTheSame()
    {
        await Run("sweep", "a cat", "--guidance", "1", "2", "--prior-guidance", "1", "--out", At("grid"));
        foreach (var name in new[] { "0000.png", "0001.png", "sheet.png" })
            Assert.True((await Run("replay", Path.Combine(At("grid"), name), "--json")).Json.GetProperty("same").GetBoolean(), name);
    }

    [Fact]
    public async Task PriorFromElsewhere_IsTakenFromWhereItIsNow()
    {
        TorchRuntime.Initialize();
        using (var map = new LinearPriorMap(new LinearPriorConfig { EmbeddingDim = 24 }))
        {
            SafeTensorsWriter.Write(Path.Combine(At("mine"), "diffusion_pytorch_model.safetensors"), map.state_dict());
            ConfigFile.Write(Path.Combine(At("mine"), "config.json"), map.Config, LinearPriorConfig.ClassName);
        }

        var picture = At("cat.png");
        await Run("imagine", "a cat", "--prior", At("mine"), "--out", picture);
        Assert.Contains("mine", (await CommandLine.Run("replay", picture, "--model", TestModels.StableUnClip)).Refusal,
            StringComparison.Ordinal);
        Directory.Move(At("mine"), At("moved"));
        Assert.True((await Run("replay", picture, "--prior", At("moved"), "--json")).Json.GetProperty("same").GetBoolean());
    }

    [Fact]
    public async Task Kandinsky_FindsThePriorThatItsRecipeNames()
    {
        var (decoder, prior, picture) = (TestModels.Copy(TestModels.Kandinsky, At("decoder")),
            TestModels.Copy(TestModels.KandinskyPrior, At("prior")), At("cat.png"));
        await CommandLine.Run("imagine", "a cat", "--model", decoder,
            "--steps", "2", "--prior-steps", "2", "--size", "16", "--seed", "7", "--out", picture, "--json");
        if (Processor.HasFastBf16)
            Assert.Contains("\"decoder\":\"bf16\",\"prior\":\"fp32\"", PngText.Read(picture)["alebrije"], StringComparison.Ordinal);
        var again = await CommandLine.Run("replay", picture, "--model", decoder, "--json");
        Assert.True(again.Json.GetProperty("same").GetBoolean());
        Directory.Delete(prior, recursive: true);
        Assert.Contains("decoder alone", (await CommandLine.Run("replay", picture, "--model", decoder)).Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutARecipe_OrAFile_SaysSoInOneSentence()
    {
        new RgbImage(2, 2, new byte[12]).SavePng(At("plain.png"));
        Assert.Contains("holds no recipe", (await CommandLine.Run("replay", At("plain.png"))).Refusal, StringComparison.Ordinal);
        Assert.Contains("There is no image", (await CommandLine.Run("replay", At("absent.png"))).Refusal, StringComparison.Ordinal);
        new RgbImage(2, 2, new byte[12]).SavePng(At("odd.png"), new Dictionary<string, string> { ["alebrije"] = "{" });
        Assert.Contains("damaged recipe", (await CommandLine.Run("replay", At("odd.png"))).Refusal, StringComparison.Ordinal);
        new RgbImage(2, 2, new byte[12]).SavePng(At("odd.png"),
            new Dictionary<string, string> { ["alebrije"] = """{ "model": "mini", "upscale": {} }""" });
        Assert.Contains("upscale", (await CommandLine.Run("replay", At("odd.png"))).Refusal, StringComparison.Ordinal);
    }

    /// <summary>Output of the command in a process of its own: the number of threads is set for a whole process.</summary>
    private static async Task<string> Process(params string[] args)
    {
        using var process = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Alebrije.Cli"),
                args) { RedirectStandardOutput = true })!;
        return await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
    }

    private string At(string name) => Path.Combine(folder, name);

    private static async Task<Outcome> Run(string verb, params string[] args)
    {
        string[] asked = verb == "replay" ? [] : ["--seed", "7", "--steps", "2"];
        var outcome = await CommandLine.Run([verb, .. args, "--model", TestModels.StableUnClip, .. asked]);
        Assert.True(outcome.Status == 0, outcome.Error);
        return outcome;
    }
}
