using Alebrije.Preprocessing.Imaging;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Datasets;

namespace Alebrije.Tests.Cli;

/// <summary>The verb train on a user's images, and classify with its result.</summary>
public sealed class TrainVerbTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-train-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Probe_IsFittedSavedAndUsed()
    {
        var images = OwnPictures.WriteClasses(In("classes"), 24);
        var probe = In("probe.safetensors");
        var json = (await CommandLine.Run("train", "probe", "--images",
            images, "--model", TestModels.StableUnClip, "--out", probe, "--json")).Json;
        Assert.Equal(["blue", "green", "red", "yellow"], json.GetProperty("labels").Strings());
        Assert.InRange(json.GetProperty("accuracy").GetProperty("value").GetDouble(), 0, 1);
        Assert.Equal(json.GetProperty("accuracy").GetProperty("count").GetInt32(),
            json.GetProperty("zero_shot").GetProperty("count").GetInt32());
        Assert.True(File.Exists(In("probe.json")));

        var named = (await CommandLine.Run("classify", "--images", images, "--probe", probe, "--model", TestModels.StableUnClip, "--json"))
            .Json;
        Assert.InRange(named.GetProperty("accuracy").GetDouble(), 0.3, 1);
        Assert.Equal(["label", "probability", "logit"], named.GetProperty("results")[0].GetProperty("top")[0].Keys());
        Assert.Equal(0, (await CommandLine.Run("train", "probe", "--images",
            images, "--model", TestModels.StableUnClip, "--out", probe, "--lang", "es")).Status);

        var stray = Path.Combine(images, "cover.png");
        new RgbImage(20, 20).SavePng(stray);
        var beside = await CommandLine.Run("train", "probe", "--images",
            images, "--model", TestModels.StableUnClip, "--out", probe, "--json", "--strict");
        Assert.Equal((1, $"Left out: 1 image beside the class folders of {images}, because no folder names its class."),
            (beside.Status, beside.Error.Trim()));
        Assert.Equal(stray, Assert.Single(beside.Json.GetProperty("skipped").EnumerateArray()).GetProperty("file").GetString());
        File.Delete(stray);

        var refused = await CommandLine.Run("classify", "--images", images,
            "--probe", probe, "--labels", "a", "b", "--model", TestModels.StableUnClip);
        Assert.Equal(2, refused.Status);
        Assert.Contains("its own classes", refused.Refusal, StringComparison.Ordinal);
        var missing = await CommandLine.Run("classify", "--images", images,
            "--probe", In("none.safetensors"), "--model", TestModels.StableUnClip);
        Assert.Equal(1, missing.Status);
        Assert.Contains("There is no classifier", missing.Refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "train needs one of clip, autoencoder, prior, guess, decoder, upsampler, cascade, flamingo, probe, classifier", "train")]
    [InlineData(2, "'none' is not valid here; choose diffusion, autoregressive, one-step, linear",
        "train", "prior", "--kind", "none", "--config", "a", "--out", "OUT")]
    [InlineData(2, "'3' is not valid here; choose 1, 2", "train", "cascade", "--stage", "3", "--config", "a", "--out", "OUT")]
    [InlineData(1, "There is no file none.json", "train", "cascade", "--stage", "1", "--config", "none.json", "--out", "OUT")]
    [InlineData(2, "pack requires --decoder", "pack", "--clip", "a", "--autoencoder", "b", "--prior", "c", "--out", "OUT")]
    [InlineData(2, "pack requires --clip, --autoencoder, --prior, --decoder", "pack", "--out", "OUT")]
    [InlineData(1, "is not a model", "pack", "--other-priors", "a", "--out", "OUT")]
    [InlineData(2, "needs one of --config FILE and --data", "train", "clip", "--out", "OUT")]
    [InlineData(2, "needs one of --config FILE and --data", "train", "clip", "--out", "OUT", "--config", "a", "--data", "b")]
    [InlineData(2, "--start requires --data", "train", "clip", "--out", "OUT", "--config", "a", "--start", "mini")]
    [InlineData(2, "--mix takes a number from 0 to 1", "train", "classifier", "--images", "a", "--out", "OUT", "--mix", "2")]
    [InlineData(2, "--epochs takes a whole number", "train", "classifier", "--images", "a", "--out", "OUT", "--epochs", "0")]
    [InlineData(2, ".safetensors", "train", "probe", "--images", "a", "--out", "OUT")]
    [InlineData(1, "There is no folder", "train", "clip", "--data", "OUT", "--out", "OUT")]
    [InlineData(1, "There is no model 'nothing'", "train", "clip", "--data", "OUT", "--start", "nothing", "--out", "OUT")]
    [InlineData(1, "There is no folder", "train", "classifier", "--images", "OUT", "--out", "OUT", "--model", "mini")]
    public async Task BadInput_IsOneSentence(int status, string says, params string[] args)
    {
        var outcome = await CommandLine.Run([.. args.Select(arg => arg == "OUT" ? In("out") : arg)]);
        Assert.Contains(says, status == 2 && args.Length == 1 ? outcome.Error.Split('\n')[0] : outcome.Refusal, StringComparison.Ordinal);
        Assert.Equal(status, outcome.Status);
    }

    private string In(string name) => Path.Combine(folder, name);
}
