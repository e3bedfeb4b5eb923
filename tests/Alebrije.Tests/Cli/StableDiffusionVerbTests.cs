using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Pipelines;

namespace Alebrije.Tests.Cli;

/// <summary>Text-to-image models without a prior, with the usual verbs.</summary>
public sealed class StableDiffusionVerbTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-sd-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Imagine_TextInitialImageAndSampler_AreReplayedToTheByte()
    {
        var (model, first, second) = (RandomPipelines.StableDiffusion(At("sd")), At("first.png"), At("second.png"));
        var drawn = (await CommandLine.Run("imagine", "a cat", "--model",
            model, "--steps", "4", "--seed", "1", "--negative", "a dog", "--size", "48x32", "--out", first, "--json")).Json;
        var image = drawn.GetProperty("images")[0];
        Assert.Equal((48, 32), (image.GetProperty("width").GetInt32(), image.GetProperty("height").GetInt32()));
        Assert.Equal(["load", "decoder", "total"], drawn.GetProperty("seconds").Keys());

        Assert.Equal(0, (await CommandLine.Run(
            "imagine", "a cat", "--model", model, "--from", first, "--strength", "0.5", "--scheduler",
            "DPM++ 2M Karras", "--rescale", "0.7", "--clip-skip", "1", "--steps", "4", "--seed", "2", "--out", second)).Status);
        var recipe = Recipe.Read(second).Request!;
        Assert.Equal(("dpm++-2m-karras", 0.5, 0.7, 1), (recipe.Scheduler, recipe.Strength, recipe.Rescale, recipe.ClipSkip));
        Assert.Equal(64, recipe.From!.Sha256!.Length);
        Assert.Equal((48, 32), (RgbImage.Load(second).Width, RgbImage.Load(second).Height));
        Assert.Equal(0, (await CommandLine.Run("replay", second, "--model", model)).Status);

        RgbImage.Load(first).Resize(48, 32).SavePng(first);
        var changed = await CommandLine.Run("replay", second, "--model", model);
        Assert.Equal(1, changed.Status);
        Assert.Contains("has changed since the recipe was written", changed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Estimate_AndManyPictures_OfAnotherShape()
    {
        var model = RandomPipelines.StableDiffusion(At("sd"));
        var estimate = (await CommandLine.Run("imagine", "a cat", "--model",
            model, "--size", "48x32", "--steps", "2", "--estimate", "--json")).Json;
        Assert.True(estimate.GetProperty("seconds").GetDouble() > 0);
        var drawn = (await CommandLine.Run("imagine", "a cat", "a dog",
            "--model", model, "--size", "48x32", "--steps", "2", "--seed", "4", "--out", At("many"), "--json")).Json;
        Assert.Equal(2, drawn.GetProperty("images").GetArrayLength());
        Assert.All(drawn.GetProperty("images").EnumerateArray(),
            image => Assert.Equal((48, 32), (image.GetProperty("width").GetInt32(), image.GetProperty("height").GetInt32())));
    }

    [Fact]
    public async Task Strength_DecidesHowNearTheResultIsToTheImage()
    {
        var (model, given) = (RandomPipelines.StableDiffusion(At("sd")), At("given.png"));
        new RgbImage(32, 32, [.. Enumerable.Range(0, 32 * 32 * 3).Select(i => (byte)(i * 7 % 251))]).SavePng(given);
        var distances = new List<double>();
        foreach (var strength in new[] { "0.1", "1" })
        {
            var file = At($"s{strength}.png");
            Assert.Equal(0, (await CommandLine.Run("imagine", "a cat", "--model",
                model, "--from", given, "--strength", strength, "--steps", "10", "--seed", "3", "--out", file)).Status);
            distances.Add(Recipe.Read(file).Request!.Strength!.Value);
        }

        Assert.Equal([0.1, 1], distances);
        Assert.NotEqual(RgbImage.Load(At("s0.1.png")).Pixels, RgbImage.Load(At("s1.png")).Pixels);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(9)]
    public async Task Inpaint_KeepsWhatTheMaskLeavesDark(int channels)
    {
        var (model, given, mask, file) = (RandomPipelines.StableDiffusion(At("sd"), channels),
            At("given.png"), At("mask.png"), At("out.png"));
        var pixels = Enumerable.Range(0, 32 * 32 * 3).Select(i => (byte)(i * 7 % 251)).ToArray();
        new RgbImage(32, 32, pixels).SavePng(given);
        new RgbImage(32, 32, [.. Enumerable.Range(0, 32 * 32 * 3).Select(i => (byte)(i / 3 % 32 < 16 ? 0 : 255))]).SavePng(mask);
        Assert.Equal(0, (await CommandLine.Run("imagine", "a cat", "--model",
            model, "--from", given, "--mask", mask, "--steps", "4", "--seed", "3", "--out", file)).Status);
        Check(RgbImage.Load(file));
        Assert.Equal(0, (await CommandLine.Run("inpaint", given, "--mask",
            mask, "--prompt", "a cat", "--model", model, "--steps", "4", "--seed", "3", "--count", "1", "--out", At("inpainted"))).Status);
        Check(RgbImage.Load(Path.Combine(At("inpainted"), "0000.png")));

        void Check(RgbImage drawn)
        {
            var kept = Enumerable.Range(0, pixels.Length).Where(i => i / 3 % 32 < 16);
            Assert.All(kept, i => Assert.Equal(pixels[i], drawn.Pixels[i]));
            Assert.Contains(Enumerable.Range(0, pixels.Length).Where(i => i / 3 % 32 >= 16), i => pixels[i] != drawn.Pixels[i]);
        }
    }

    [Theory]
    [InlineData("draws from text without a prior", "--prior", "linear")]
    [InlineData("draws from text without a prior", "--prior-steps", "5")]
    [InlineData("no image encoder for CLIP guidance", "--clip-guidance", "0.3")]
    [InlineData("There is no sampler eulr", "--scheduler", "eulr")]
    [InlineData("Eta belongs to DDIM", "--scheduler", "euler", "--eta", "0.5")]
    [InlineData("no initial image (--from)", "--strength", "0.5")]
    [InlineData("The size 15 does not fit", "--size", "15")]
    [InlineData("such as 64 or 768x512", "--size", "big")]
    public async Task WhatMakesNoSense_IsAUsageError(string part, params string[] options)
    {
        var model = RandomPipelines.StableDiffusion(At("sd"));
        var refused = await CommandLine.Run(["imagine", "a cat", "--model", model, "--steps", "2", "--out", At("x.png"), .. options]);
        Assert.Equal(2, refused.Status);
        Assert.Contains(part, refused.Refusal, StringComparison.Ordinal);
        Assert.False(File.Exists(At("x.png")));
    }

    [Theory]
    [InlineData("vary")]
    [InlineData("mix")]
    [InlineData("textdiff")]
    [InlineData("pca-reconstruct")]
    public async Task ExperimentsOnEmbeddings_AreRefusedInOneSentence(string verb)
    {
        var (model, given) = (RandomPipelines.StableDiffusion(At("sd")), At("given.png"));
        new RgbImage(32, 32).SavePng(given);
        string[] more = verb == "textdiff" ? ["--from", "a cat", "--to", "a dog"] : [];
        var refused = await CommandLine.Run([verb, given, .. more, "--model", model, "--out", At("x.png")]);
        Assert.Equal(1, refused.Status);
        Assert.Contains("draws from text alone", refused.Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Interpolate_OfTwoPrompts_EndsWithTheImagesOfBoth()
    {
        var model = RandomPipelines.StableDiffusion(At("sd"));
        string[] options = ["--model", model, "--steps", "4", "--seed", "6"];
        var drawn = await CommandLine.Run(["interpolate", "a cat", "a dog", "--frames", "3", .. options, "--out", At("way")]);
        Assert.True(drawn.Status == 0, drawn.Error);
        foreach (var (prompt, file) in new[] { ("a cat", "0000.png"), ("a dog", "0002.png") })
        {
            Assert.Equal(0, (await CommandLine.Run(["imagine", prompt, .. options, "--out", At(prompt + ".png")])).Status);
            var most = RgbImage.Load(At(prompt + ".png")).Pixels.Zip(RgbImage.Load(Path.Combine(At("way"), file)).Pixels,
                (x, y) => Math.Abs(x - y)).Max();
            Assert.True(most <= 1, $"{prompt}: {most} of 255");
        }

        Assert.NotEqual(RgbImage.Load(Path.Combine(At("way"), "0000.png")).Pixels,
            RgbImage.Load(Path.Combine(At("way"), "0001.png")).Pixels);
        var mixed = await CommandLine.Run(["interpolate", "a cat", Path.Combine(At("way"), "0000.png"), .. options, "--out", At("x.png")]);
        Assert.Contains("not between a text and an image", mixed.Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Interpolate_OfTwoImages_GoesFromOneNoiseToTheOther()
    {
        var model = RandomPipelines.StableDiffusion(At("sd"));
        for (var i = 0; i < 2; i++) new RgbImage(32, 32,
            [.. Enumerable.Range(0, 32 * 32 * 3).Select(j => (byte)(((j * (7 + i)) % 251) / (i + 1)))]).SavePng(At($"{i}.png"));
        var drawn = await CommandLine.Run("interpolate", At("0.png"),
            At("1.png"), "--frames", "3", "--model", model, "--steps", "4", "--guidance", "1", "--seed", "6", "--out", At("way"), "--json");
        Assert.True(drawn.Status == 0, drawn.Error);
        var images = Directory.GetFiles(At("way"), "0*.png").Select(file => Convert.ToHexString(RgbImage.Load(file).Pixels)).ToArray();
        Assert.Equal(3, images.Distinct().Count());
        Assert.Equal(0, (await CommandLine.Run("replay", Path.Combine(At("way"), "0001.png"), "--model", model)).Status);
    }

    [Fact]
    public async Task Sweep_OverGuidanceAndSteps_HasAnImageForEachPair()
    {
        var model = RandomPipelines.StableDiffusion(At("sd"));
        var drawn = (await CommandLine.Run("sweep", "a cat", "--guidance",
            "1", "4", "--steps", "2", "3", "4", "--model", model, "--seed", "6", "--out", At("sweep"), "--json")).Json;
        var numbers = drawn.GetProperty("images").EnumerateArray().Select(image => image.GetProperty("numbers"))
            .Select(each => (each.GetProperty("steps").GetInt32(), each.GetProperty("guidance").GetInt32()));
        Assert.Equal([(2, 1), (2, 4), (3, 1), (3, 4), (4, 1), (4, 4)], numbers);
        Assert.Equal("3 steps, guidance 4", drawn.GetProperty("images")[3].GetProperty("label").GetString());
        Assert.Equal(0, (await CommandLine.Run("imagine", "a cat", "--guidance",
            "4", "--steps", "3", "--model", model, "--seed", "6", "--out", At("one.png"))).Status);
        Assert.Equal(RgbImage.Load(At("one.png")).Pixels,
            RgbImage.Load(drawn.GetProperty("images")[3].GetProperty("path").GetString()!).Pixels);
        string[] spanish = ["--model", model, "--seed", "6", "--out", At("barrido"), "--lang", "es"];
        var said = (await CommandLine.Run(["sweep", "un gato", "--guidance", "4", "--steps", "2", "3", .. spanish])).Output;
        Assert.Contains("3 pasos, guía 4", said, StringComparison.Ordinal);
    }

    private string At(string name) => Path.Combine(folder, name);
}
