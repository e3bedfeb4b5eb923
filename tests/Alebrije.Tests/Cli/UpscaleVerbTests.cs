using System.Text.Json;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Datasets;
using Alebrije.Tests.Pipelines;

namespace Alebrije.Tests.Cli;

/// <summary>The upsampler on the command line: trained, packed, and used by imagine and upscale.</summary>
public sealed class UpscaleVerbTests : IDisposable
{
    private const string Training = """
        {
          "model": {
            "sample_size": 64, "in_channels": 6, "block_out_channels": [8, 12], "layers_per_block": 1, "norm_num_groups": 4, "add_attention": false,
            "down_block_types": ["ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D"], "up_block_types": ["ResnetUpsampleBlock2D", "ResnetUpsampleBlock2D"]
          },
          "batch": 4, "crops_per_picture": 2, "samples": 16, "crop": 16, "warm_up": 2, "steps": 2
        }
        """;

    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-upscale-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Upsampler_TrainedAndPacked_IsUsedByImagineAndUpscale()
    {
        World.Open();
        await File.WriteAllTextAsync(At("training.json"), Training, TestContext.Current.CancellationToken);
        var model = TestModels.Copy(TestModels.StableUnClip, At("model"));
        var trained = (await CommandLine.Run("train", "upsampler", "--config", At("training.json"), "--out", At("run"), "--json")).Json;
        Assert.Equal((4, true), (trained.GetProperty("steps").GetInt32(), trained.GetProperty("finished").GetBoolean()));
        Assert.Equal(["upsampler_psnr_db", "bicubic_psnr_db", "back_projected_psnr_db"], trained.GetProperty("metrics").Keys());
        Assert.True(Directory.GetFiles(At("run"), "upsampler.png", SearchOption.AllDirectories).Length == 1);
        Assert.Equal(0, (await CommandLine.Run("pack", "--upsampler", At("run"), "--out", model)).Status);
        Assert.Equal(0, (await CommandLine.Run("verify", model)).Status);

        string[] ask = ["imagine", "a lion", "--seed", "4", "--steps", "2", "--prior-steps", "2", "--model", model];
        var drawn = (await CommandLine.Run([.. ask, "--size", "64", "--upsampler-steps", "2", "--out", At("large.png"), "--json"])).Json;
        Assert.Equal(64, drawn.GetProperty("images")[0].GetProperty("width").GetInt32());
        Assert.Equal(["load", "text", "prior", "decoder", "upsampler", "total"], drawn.GetProperty("seconds").Keys());
        Assert.Contains("\"upsampler_steps\":2", PngText.Read(At("large.png"))["alebrije"], StringComparison.Ordinal);
        Assert.Equal(0, (await CommandLine.Run([.. ask, "--out", At("small.png")])).Status);

        string[] enlarge = ["upscale", At("small.png"), "--seed", "4", "--steps", "2", "--model", model];
        var json = (await CommandLine.Run([.. enlarge, "--out", At("up.png"), "--trace", At("trace"), "--json"])).Json;
        Assert.Equal((64, 64, 4, 2), (Int("width"), Int("height"), Int("seed"), Int("steps")));
        Assert.Contains("a lion", PngText.Read(At("up.png"))["parameters"], StringComparison.Ordinal);
        using var trace = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(At("trace"), "trace.json"),
            TestContext.Current.CancellationToken));
        Assert.Equal(
            ["small picture", "predicted large picture 1", "predicted large picture 2", "picture"],
            trace.RootElement.GetProperty("stages").EnumerateArray().Select(stage => stage.GetProperty("name").GetString()!));

        Assert.Contains("--trace", (await CommandLine.Run([.. enlarge, "--out", At("up.png"), "--trace", At("trace")])).Refusal,
            StringComparison.Ordinal);

        // Without --out the file goes to the current folder and not beside the source, whose folder may be read-only.
        var stem = Guid.NewGuid().ToString("N");
        File.Copy(At("small.png"), At(stem + ".png"));
        enlarge[1] = At(stem + ".png");
        try
        {
            var spanish = await CommandLine.Run([.. enlarge, "--lang", "es"]);
            Assert.StartsWith($"{stem}-large.png  64 x 64  semilla 4",
                spanish.Output[spanish.Output.IndexOf(stem, StringComparison.Ordinal)..], StringComparison.Ordinal);
            Assert.Contains("ampliador", spanish.Output, StringComparison.Ordinal);
            Assert.Equal(RgbImage.Load(At("up.png")).Pixels, RgbImage.Load(stem + "-large.png").Pixels);
            Assert.Contains(stem + "-large-2.png", (await CommandLine.Run(enlarge)).Output, StringComparison.Ordinal);
            Assert.False(File.Exists(At(stem + "-large.png")));
        }
        finally
        {
            foreach (var written in Directory.GetFiles(".", stem + "*")) File.Delete(written);
        }

        int Int(string name) => json.GetProperty(name).GetInt32();
    }

    [Theory]
    [InlineData(1, "has no upsampler", "upscale", "PICTURE")]
    [InlineData(1, "There is no", "upscale", "nowhere.png")]
    [InlineData(2, "upsampler steps is 1", "upscale", "PICTURE", "--steps", "1")]
    [InlineData(2, "must end in .png", "upscale", "PICTURE", "--out", "x.jpg")]
    [InlineData(1, "there is no folder", "upscale", "PICTURE", "--out", "nowhere/x.png")]
    [InlineData(2, "has no upsampler", "imagine", "a", "--steps", "2", "--prior-steps", "2", "--upsampler-steps", "2")]
    [InlineData(2, "pack requires --clip;", "pack", "--autoencoder", "a", "--prior", "a", "--decoder", "a", "--out", "o")]
    [InlineData(2, "pack requiere --clip", "pack", "--autoencoder", "a", "--prior", "a", "--decoder", "a", "--out", "o", "--lang", "es")]
    [InlineData(2, "pack requires --clip, --autoencoder, --prior, --decoder;", "pack", "--out", "o")]
    public async Task BadInput_IsOneSentence(int status, string says, params string[] args)
    {
        new RgbImage(8, 8).SavePng(At("p.png"));
        var outcome = await CommandLine.Run([.. args.Select(arg => arg == "PICTURE" ? At("p.png") : arg),
            "--model", TestModels.StableUnClip]);
        Assert.Contains(says, outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(status, outcome.Status);
    }

    private string At(string name) => Path.Combine(folder, name);
}
