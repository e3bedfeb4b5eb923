using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Pipelines;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Tests.Cli;

/// <summary>LoRA, textual inversion and long prompts on the command line: recipes contain them, and replay checks their hashes.</summary>
public sealed class AdapterVerbTests : IDisposable
{
    private static readonly LoraModule[] Modules = [new("unet", "mid_block.resnets.1.conv2", "")];

    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-adapters-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Imagine_WithAllThree_IsReplayedToTheByte_WhileTheFilesStay()
    {
        var (model, lora, word) = Files();
        var prompt = "my-dog " + string.Concat(Enumerable.Repeat("a b c d e ", 20));
        var drawn = await CommandLine.Run(
            "imagine", prompt, "--model", model, "--lora", $"{lora}:0.25", "--lora", lora, "--embedding", $"{word}:my-dog", "--long-prompt",
            "--steps", "2", "--seed", "3", "--out", At("x.png"));
        Assert.Equal((0, true), (drawn.Status, File.Exists(At("x.png"))));
        Assert.DoesNotContain("was cut", drawn.Error, StringComparison.Ordinal);
        var request = Recipe.Read(At("x.png")).Request!;
        Assert.Equal([0.25, 1], request.Loras!.Select(given => given.Scale));
        Assert.Equal([lora, lora], request.Loras!.Select(given => given.File));
        Assert.Equal(("my-dog", word, true), (request.Embeddings![0].Token, request.Embeddings[0].File, request.LongPrompt));
        Assert.All([.. request.Loras!, .. (FileInput[])[.. request.Embeddings!]], given => Assert.Equal(64, given.Sha256!.Length));
        Assert.Equal(0, (await CommandLine.Run("replay", At("x.png"), "--model", model)).Status);

        LoraMaker.Write(lora, model, Modules, "kohya", seed: 9);
        var changed = await CommandLine.Run("replay", At("x.png"), "--model", model);
        Assert.Equal(1, changed.Status);
        Assert.StartsWith($"{lora} has changed since the recipe was written", changed.Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Inpaint_TakesThemToo()
    {
        var (model, lora, word) = Files();
        new RgbImage(32, 32).SavePng(At("given.png"));
        new RgbImage(32, 32, [.. Enumerable.Range(0, 32 * 32 * 3).Select(i => (byte)(i / 3 % 32 < 16 ? 0 : 255))]).SavePng(At("mask.png"));
        string[] common =
        [
            "inpaint", At("given.png"), "--mask", At("mask.png"), "--prompt", "a my-dog", "--model", model, "--steps", "2", "--seed", "3",
            "--count", "1",
        ];
        Assert.Equal(0, (await CommandLine.Run([.. common, "--out", At("plain")])).Status);
        string[] files = ["--lora", lora, "--embedding", $"{word}:my-dog"];
        Assert.Equal(0, (await CommandLine.Run([.. common, .. files, "--out", At("adapted")])).Status);
        var (plain, adapted) = (Path.Combine(At("plain"), "0000.png"), Path.Combine(At("adapted"), "0000.png"));
        Assert.NotEqual(RgbImage.Load(plain).Pixels, RgbImage.Load(adapted).Pixels);
        Assert.Equal(lora, Recipe.Read(adapted).Experiment!.Request.Loras!.Single().File);
        Assert.Equal(0, (await CommandLine.Run("replay", adapted, "--model", model)).Status);
    }

    [Fact]
    public async Task CutPrompt_NamesItsRestAndTheWayOut_InBothLanguages()
    {
        var model = Files().Model;
        var prompt = string.Concat(Enumerable.Repeat("a b c d e ", 15)) + "f g";
        (string, string, string)[] languages =
        [
            ("en", "this part was cut: \"f g\".", "--long-prompt encodes"),
            ("es", "se cortó esta parte: \"f g\".", "--long-prompt codifica"),
        ];
        foreach (var (language, cut, way) in languages)
        {
            var drawn = await CommandLine.Run(
                "imagine", prompt, "--model", model, "--steps", "1", "--seed", "3", "--out", At($"{language}.png"), "--lang", language);
            Assert.Contains(cut, drawn.Error, StringComparison.Ordinal);
            Assert.Contains(way, drawn.Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(2, "is not a number", "--lora", "{lora}:much")]
    [InlineData(2, "it has to lie between -100 and 100", "--lora", "{lora}:1000")]
    [InlineData(2, "The token in", "--embedding", "{word}:")]
    [InlineData(1, "There is no file", "--lora", "nowhere.safetensors:0.5")]
    [InlineData(1, "holds 'emb_params', which is not part of a LoRA", "--lora", "{word}")]
    [InlineData(1, "is not a textual inversion", "--embedding", "{lora}")]
    [InlineData(2, "mini takes no LoRA; leave --lora out", "--model", "mini", "--lora", "{lora}")]
    [InlineData(2, "mini takes no textual inversions; leave --embedding out", "--model", "mini", "--embedding", "{word}")]
    [InlineData(2, "mini takes no prompts in pieces; leave --long-prompt out", "--model", "mini", "--long-prompt")]
    public async Task WhatDoesNotFit_IsOneSentence(int status, string part, params string[] options)
    {
        var (model, lora, word) = Files();
        var given = options.Select(option =>
            option.Replace("{lora}", lora, StringComparison.Ordinal).Replace("{word}", word, StringComparison.Ordinal));
        string[] chosen = options.Contains("mini") ? [] : ["--model", model];
        var refused = await CommandLine.Run(["imagine", "a cat", "--steps", "2", "--out", At("x.png"), .. chosen, .. given]);
        Assert.Equal(status, refused.Status);
        Assert.Contains(part, refused.Refusal, StringComparison.Ordinal);
        Assert.False(File.Exists(At("x.png")));
    }

    private (string Model, string Lora, string Word) Files()
    {
        var (model, lora, word) = (RandomPipelines.StableDiffusion(At("sd")), At("lora.safetensors"), At("word.safetensors"));
        LoraMaker.Write(lora, model, Modules, "kohya");
        using var scope = NewDisposeScope();
        SafeTensorsWriter.Write(word, new Dictionary<string, Tensor> { ["emb_params"] = ones(2, 32) * 0.1 });
        return (model, lora, word);
    }

    private string At(string name) => Path.Combine(folder, name);
}
