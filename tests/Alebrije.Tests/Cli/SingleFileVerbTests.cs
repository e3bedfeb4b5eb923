using System.Security.Cryptography;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Pipelines;
using Alebrije.Weights;

namespace Alebrije.Tests.Cli;

/// <summary>Checkpoints of Stable Diffusion in one file, with the usual verbs.</summary>
public sealed class SingleFileVerbTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-single-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Imagine_NamesTheFileWithItsHash_AndIsReplayed()
    {
        var (model, picture) = (Write(SingleFileKind.One, 4), At("fox.png"));
        string[] options = ["--steps", "2", "--seed", "1", "--size", "32", "--out", picture];
        var drawn = (await CommandLine.Run(["imagine", "a fox", "--model", model, .. options, "--json"])).Json;
        Assert.Equal("model.safetensors", drawn.GetProperty("model").GetString());
        var recipe = Recipe.Read(picture);
        Assert.Equal(new ModelFile(model, Sha256(model)), recipe.ModelFile);
        Assert.Contains($"Model hash: {Sha256(model)[..10]}, Model: model.safetensors",
            PngText.Read(picture)[Recipe.ParametersKeyword], StringComparison.Ordinal);

        // The recipe contains the path of the file; elsewhere it is an argument.
        Assert.Equal(0, (await CommandLine.Run("replay", picture)).Status);
        File.Move(model, At("moved.safetensors"));
        Assert.Equal(0, (await CommandLine.Run("replay", picture, "--model", At("moved.safetensors"))).Status);
        Assert.Equal(1, (await CommandLine.Run("replay", picture)).Status);

        var other = Write(SingleFileKind.One, 4, change: true);
        var refused = await CommandLine.Run("replay", picture, "--model", other);
        Assert.Equal(1, refused.Status);
        Assert.Contains($"{other} has changed since the recipe was written: its SHA-256 is {Sha256(other)}, not ",
            refused.Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Inpaint_ShowAndEstimate_TakeTheFile()
    {
        var (model, given) = (Write(SingleFileKind.One, 9), At("given.png"));
        new RgbImage(32, 32, [.. Enumerable.Repeat((byte)120, 32 * 32 * 3)]).SavePng(given);
        new RgbImage(32, 32, [.. Enumerable.Repeat((byte)255, 32 * 32 * 3)]).SavePng(At("mask.png"));
        Assert.Equal(0, (await CommandLine.Run(
            "inpaint", given, "--mask", At("mask.png"), "--prompt", "a door",
            "--model", model, "--steps", "2", "--size", "32", "--seed", "3", "--count", "1", "--out", At("inpainted"))).Status);
        var picture = Path.Combine(At("inpainted"), "0000.png");
        Assert.Equal(Sha256(model), Recipe.Read(picture).ModelFile!.Sha256);
        Assert.Equal(0, (await CommandLine.Run("replay", picture)).Status);

        var shown = (await CommandLine.Run("models", "show", model, "--json")).Json;
        Assert.Equal(("StableDiffusionInpaintPipeline", "inpainting"),
            (shown.GetProperty("class").GetString(), shown.GetProperty("kind").GetString()));
        Assert.Equal(Sha256(model), shown.GetProperty("sha256").GetString());
        Assert.Equal(["unet", "vae", "text_encoder"],
            shown.GetProperty("components").EnumerateArray().Select(part => part.GetProperty("name").GetString()));
        Assert.All(shown.GetProperty("components").EnumerateArray(),
            part => Assert.Contains("Float32", part.GetProperty("types").Strings()));
        Assert.Contains($"SHA-256: {Sha256(model)}", (await CommandLine.Run("models", "show", model)).Output, StringComparison.Ordinal);
        string[] around = ["--from", given, "--mask", At("mask.png")];
        var estimate = (await CommandLine.Run(
            ["imagine", "a door", "--model", model, .. around, "--steps", "2", "--size", "32", "--estimate", "--json"])).Json;
        Assert.Contains("unet", estimate.GetProperty("stages").EnumerateArray().Select(stage => stage.GetProperty("stage").GetString()));
    }

    [Theory]
    [InlineData("tokenize")]
    [InlineData("imagine")]
    public async Task OtherFiles_AreRefusedInOneSentence(string verb)
    {
        File.WriteAllBytes(At("damaged.safetensors"), [1, 2, 3]);
        var refused = await CommandLine.Run(verb, "a cat", "--model", At("damaged.safetensors"));
        Assert.Equal(1, refused.Status);
        Assert.Contains("damaged.safetensors", refused.Refusal, StringComparison.Ordinal);
    }

    private static string Sha256(string file) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)));

    private string Write(SingleFileKind kind, int channels, bool change = false)
    {
        var source = RandomPipelines.Published(At("folder"), kind, channels);
        using var writer = new SingleFileWriter(source, kind);
        if (change) writer.Tensors.Remove("alphas_cumprod");
        return writer.Save(At(change ? "other.safetensors" : "model.safetensors"));
    }

    private string At(string name) => Path.Combine(folder, name);
}
