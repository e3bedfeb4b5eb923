using System.Text.Json.Nodes;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Pipelines;

namespace Alebrije.Tests.Cli;

/// <summary>A CLIP beside models without an image encoder, and upscalers with the verb for them.</summary>
public sealed class JudgeTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-judge-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task BestOf_OfStableDiffusion_KeepsTheImageNearestToThePromptByTheJudge(bool clip)
    {
        var (model, judge) = (RandomPipelines.StableDiffusion(At("sd")), clip ? Clip() : TestModels.StableUnClip);
        string[] options = ["--model", model, "--steps", "2", "--seed", "3"];
        var drawn = (await CommandLine.Run(["imagine", "a cat", .. options,
            "--judge", judge, "--best-of", "3", "--out", At("best.png"), "--json"])).Json.GetProperty("images")[0];
        var scores = drawn.GetProperty("candidates").EnumerateArray().Select(each => each.GetProperty("clip_score").GetDouble()).ToArray();
        Assert.Equal(3, scores.Distinct().Count());
        Assert.Equal(scores.Max(), drawn.GetProperty("clip_score").GetDouble());
        Assert.Equal(3 + Array.IndexOf(scores, scores.Max()), drawn.GetProperty("seed").GetInt32());

        // The score is the cosine in the output of `similarity`.
        var table = (await CommandLine.Run("similarity", "--images", At("best.png"), "--texts", "a cat", "--model", judge, "--json")).Json;
        Assert.Equal(table.GetProperty("cosine")[0][0].GetDouble(), scores.Max(), 1e-4);
    }

    [Fact]
    public async Task ClipGuidance_OfStableDiffusion_RaisesTheScore_AndIsReplayed()
    {
        var model = RandomPipelines.StableDiffusion(At("sd"));
        var judge = Clip();
        string[] options = ["--model", model, "--judge", judge, "--steps", "8", "--seed", "3", "--json"];
        var plain = await CommandLine.Run(["imagine", "a cat", .. options, "--out", At("plain.png")]);
        var guided = await CommandLine.Run(["imagine", "a cat", .. options, "--clip-guidance", "20", "--out", At("guided.png")]);
        Assert.True(guided.Status == 0, guided.Error);
        Assert.True(Score(guided) > Score(plain), $"{Score(plain)} without, {Score(guided)} with guidance");
        Assert.Equal("clip", Recipe.Read(At("guided.png")).Judge);
        Assert.Equal(0, (await CommandLine.Run("replay", At("guided.png"), "--model", model, "--judge", judge)).Status);

        static double Score(Outcome outcome) => outcome.Json.GetProperty("images")[0].GetProperty("clip_score").GetDouble();
    }

    [Theory]
    [InlineData("has no image encoder, which --best-of requires", 1, "--best-of", "2")]
    [InlineData("is not a CLIP in the layout of transformers", 1, "--judge", "FOLDER")]
    public async Task WithoutAJudge_OneSentence(string part, int status, params string[] options)
    {
        var model = RandomPipelines.StableDiffusion(At("sd"));
        var refused = await CommandLine.Run(["imagine", "a cat", "--model",
            model, "--steps", "2", "--out", At("x.png"), .. options.Select(word => word == "FOLDER" ? Path.Combine(model, "unet") : word)]);
        Assert.Equal(status, refused.Status);
        Assert.Contains(part, refused.Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Judge_OfAModelWithItsOwn_IsRefused()
    {
        var refused = await CommandLine.Run("imagine", "a cat", "--model",
            TestModels.StableUnClip, "--judge", Clip(), "--out", At("x.png"));
        Assert.Equal(2, refused.Status);
        Assert.Contains("has a CLIP of its own", refused.Refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("x4")]
    [InlineData("if-2")]
    public async Task Upscale_ByAModelThatEnlarges_IsImagineFromTheImage(string name)
    {
        RandomDeepFloyd.Write(folder);
        if (name == "if-2")
        {
            foreach (var part in new[] { "text_encoder", "tokenizer" })
                TestModels.Copy(Path.Combine(folder, "if-1", part), Path.Combine(folder, "if-2", part));
            var index = Path.Combine(folder, "if-2", "model_index.json");
            File.WriteAllText(index, File.ReadAllText(index).Replace("[null, null], \"tokenizer\": [null, null]",
                "[\"transformers\", \"T5EncoderModel\"], \"tokenizer\": [\"transformers\", \"T5Tokenizer\"]", StringComparison.Ordinal));
        }

        var (model, small) = (Path.Combine(folder, name), At("small.png"));
        new RgbImage(24, 16, [.. Enumerable.Range(0, 24 * 16 * 3).Select(i => (byte)(i * 7 % 251))]).SavePng(small);
        string[] options = ["--model", model, "--steps", "2", "--seed", "5"];
        var up = await CommandLine.Run(["upscale", small, "--prompt", "a red car", .. options, "--out", At("up.png"), "--json"]);
        Assert.True(up.Status == 0, up.Error);
        Assert.Equal((96, 64), (up.Json.GetProperty("width").GetInt32(), up.Json.GetProperty("height").GetInt32()));
        Assert.Equal(0, (await CommandLine.Run(["imagine", "a red car", "--from", small, .. options, "--out", At("imagined.png")])).Status);
        Assert.Equal(RgbImage.Load(At("imagined.png")).Pixels, RgbImage.Load(At("up.png")).Pixels);
        Assert.Equal(0, (await CommandLine.Run(["upscale", small, .. options, "--out", At("silent.png")])).Status);
        Assert.NotEqual(RgbImage.Load(At("up.png")).Pixels, RgbImage.Load(At("silent.png")).Pixels);
    }

    /// <summary>A CLIP of random weights in the layout of transformers.</summary>
    private string Clip()
    {
        var path = TestModels.Copy(Path.Combine(AppContext.BaseDirectory, "Fixtures", "clip-tokenizer-sd1"), At("clip"));
        var words = JsonNode.Parse(File.ReadAllText(Path.Combine(path, "vocab.json")))!.AsObject().Count;
        RandomPipelines.Write(folder, "clip", "model.safetensors", "CLIPModel", $$"""
            { "architectures": ["CLIPModel"], "projection_dim": 16,
              "text_config": { "vocab_size": {{words}}, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 77, "eos_token_id": {{words - 1}} },
              "vision_config": { "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 32, "patch_size": 8 } }
            """);
        File.WriteAllText(Path.Combine(path, "preprocessor_config.json"),
            """{ "crop_size": 32, "size": 32, "do_resize": true, "do_center_crop": true, "resample": 3 }""");
        return path;
    }

    private string At(string name) => Path.Combine(folder, name);
}
