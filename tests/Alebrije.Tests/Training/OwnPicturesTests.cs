using Alebrije.Datasets;
using Alebrije.Models.Clip;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Tests.Datasets;
using Alebrije.Tests.Models;
using Alebrije.Training;
using Alebrije.Weights;

namespace Alebrije.Tests.Training;

/// <summary>CLIP trained on a user's images.</summary>
public sealed class OwnPicturesTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-own-").FullName;

    public OwnPicturesTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Loss_OnThirtyTwoPictures_Falls_AndTheRunIsAModel()
    {
        var pictures = OwnPictures.WriteFolder(In("pictures"), 32);
        var losses = new List<double>();
        var result = ClipRuns.Train(
            Config(pictures) with { Batch = 16, Samples = 16 * 150, LearningRate = 3e-3,
                WarmUp = 10, Data = new PictureDataOptions { Path = pictures, HeldOut = 0.1 } },
            new TrainingOptions(In("run")) { OnProgress = progress => losses.Add(progress.Loss) }, CancellationToken.None);
        Assert.Equal((150, true), (result.Steps, result.Finished));
        Assert.InRange(losses.Where(double.IsFinite).Last(), 0, 0.75 * Math.Log(16));
        Assert.True(result.Metrics["held_out"] >= 1);
        using var model = ClipModel.Load(In("run"));
        Assert.Equal(TinyParts.Features, model.Dimensions);
        Assert.Equal("a red disc", model.Tokenizer!.Decode(model.Tokenizer.Encode("a red disc")).Trim());
    }

    [Theory]
    [InlineData("folder")]
    [InlineData("shards")]
    public void Run_StoppedAndResumed_IsBitEqual(string form)
    {
        var path = form == "folder" ? OwnPictures.WriteFolder(In("pictures"), 14) : OwnPictures.WriteShards(In("pictures"), 2, 7);
        var config = Config(path) with
        {
            Batch = 4, Samples = 48, SaveMinutes = 0, EvaluateMinutes = 1e6,
            Data = new PictureDataOptions { Path = path, HeldOut = 0.1, ShuffleBuffer = 5, Flip = true, CropScale = [0.4, 1] },
        };
        ClipRuns.Train(config, new TrainingOptions(In("whole")), CancellationToken.None);

        // The run's first progress reports come too late to stop it: stop at its first checkpoint.
        using var stop = new CancellationTokenSource();
        Directory.CreateDirectory(In("halted"));
        using (var watcher = new FileSystemWatcher(In("halted"), "checkpoint.safetensors"))
        {
            watcher.Renamed += (_, _) => stop.Cancel();
            watcher.Created += (_, _) => stop.Cancel();
            watcher.EnableRaisingEvents = true;
            Assert.InRange(ClipRuns.Train(config, new TrainingOptions(In("halted")), stop.Token).Steps, 1, 11);
        }

        Assert.Equal(12, ClipRuns.Train(config, new TrainingOptions(In("halted")) { Resume = true }, CancellationToken.None).Steps);
        Checkpoints.AssertEqual(In("whole"), In("halted"));
    }

    [Fact]
    public void BrokenPictures_AreSkippedAndNamedOnce_UntilTheyAreTooMany()
    {
        var pictures = OwnPictures.WriteFolder(In("pictures"), 16);
        foreach (var name in new[] { "003.png", "007.png" }) File.WriteAllText(Path.Combine(pictures, name), "no picture");
        var notes = new List<string>();
        var config = Config(pictures) with { Batch = 8, Samples = 48,
            Data = new PictureDataOptions { Path = pictures, HeldOut = 0, MaxBadShare = 0.2 } };
        ClipRuns.Train(config, new TrainingOptions(In("run")) { OnProgress = progress => notes.Add(progress.Note ?? "") },
            CancellationToken.None);
        Assert.Equal(2, notes.Count(note => note.StartsWith("skipped: ", StringComparison.Ordinal)));
        Assert.Single(notes, note => note.Contains("003.png", StringComparison.Ordinal));

        var message = Assert.Throws<InvalidDataException>(
            () => ClipRuns.Train(config with { Data = config.Data with { MaxBadShare = 0.01 } },
                new TrainingOptions(In("strict")), CancellationToken.None)).Message;
        Assert.Contains("2 of 16 entries cannot be used, more than max_bad_share 0.01 allows", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Batch_SeesAPictureTwiceWithoutCallingItWrong()
    {
        var pictures = OwnPictures.WriteFolder(In("pictures"), 6);
        File.WriteAllText(Path.Combine(pictures, "002.png"), "no picture");
        var config = Config(pictures) with { Batch = 6, Data = new PictureDataOptions { Path = pictures, HeldOut = 0 } };
        var pairs = new PicturePairs(config, CaptionedPictures.Open(config.Data));
        ClipRuns.Train(config with { Samples = 6 }, new TrainingOptions(In("run")), CancellationToken.None);
        var preparation = new PairPreparation(Alebrije.Preprocessing.Tokenizers.ClipTokenizer.Load(In("run/tokenizer")),
            Alebrije.Preprocessing.Imaging.ClipImageProcessor.Transformers(TinyParts.Side));
        var (first, again) = (pairs.Make(3, preparation), pairs.Make(3, preparation));
        Assert.Equal(first.Pixels, again.Pixels);
        Assert.Equal(first.Captions, again.Captions);
        var twice = Assert.Single(first.Pictures!.GroupBy(name => name), group => group.Count() == 2);
        Assert.NotEqual("002.png", twice.Key);
        using var mask = ContrastiveLoss.SameText(["a", "b", "c"], ["1", "2", "1"])!;
        Assert.Equal([false, false, true, false, false, false, true, false, false], mask.data<bool>().ToArray());
    }

    [Fact]
    public void Captions_ThatMostPicturesShare_AreRemarkedOnce()
    {
        var pictures = OwnPictures.WriteClasses(In("classes"), 16);
        var notes = new List<string>();
        var config = Config(pictures) with { Batch = 8, Samples = 32,
            Data = new PictureDataOptions { Path = pictures, HeldOut = 0, Templates = ["{}"] } };
        ClipRuns.Train(config, new TrainingOptions(In("run")) { OnProgress = progress => notes.Add(progress.Note ?? "") },
            CancellationToken.None);
        Assert.Single(notes, note => note.Contains("occur more than once", StringComparison.Ordinal));
    }

    [Fact]
    public void Start_FromAnEarlierRun_GoesOnWithItsTokenizer_AndSizesNeedNotBeSaid()
    {
        var pictures = OwnPictures.WriteFolder(In("pictures"), 12);
        ClipRuns.Train(Config(pictures) with { Batch = 4, Samples = 8 }, new TrainingOptions(In("first")), CancellationToken.None);
        File.WriteAllText(In("c.json"),
            $$"""{"start": "{{In("first")}}", "data": {"path": "{{pictures}}"}, "batch": 4, "samples": 8, "precision": "fp32"}""");
        Assert.Equal(2, Trainers.Run("clip", In("c.json"), new TrainingOptions(In("second")), CancellationToken.None).Steps);
        Assert.Equal(File.ReadAllBytes(In("first/tokenizer/vocab.json")), File.ReadAllBytes(In("second/tokenizer/vocab.json")));
        using var tuned = TrainedClip.Open(In("second"));
        Assert.Equal(TinyParts.Features, tuned.Features);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Start_FromAPublishedFolder_BeginsWithItsWeightsAndPreparation(bool ofTransformers5)
    {
        var pictures = OwnPictures.WriteFolder(In("pictures"), 12);
        ClipRuns.Train(Config(pictures) with { Batch = 4, Samples = 8 }, new TrainingOptions(In("first")), CancellationToken.None);
        var published = Directory.CreateDirectory(In("published")).FullName;
        foreach (var file in Directory.GetFiles(In("first/clip")).Concat(Directory.GetFiles(In("first/tokenizer"))))
            File.Copy(file, Path.Combine(published, Path.GetFileName(file)));
        var config = Path.Combine(published, "config.json");
        File.WriteAllText(config, "{\"architectures\": [\"CLIPModel\"]," + File.ReadAllText(config).TrimStart()[1..]);
        var settings = $$"""
            {"crop_size": {{TinyParts.Side}}, "size": {{TinyParts.Side}}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_resize": true, "do_center_crop": true}
            """;
        if (ofTransformers5) File.WriteAllText(Path.Combine(published, "processor_config.json"), $$"""{"image_processor": {{settings}}}""");
        else File.WriteAllText(Path.Combine(published, "preprocessor_config.json"), settings);
        var start = ClipRuns.Suggest(pictures, published, new TrainingOptions(In("second"))) with { Samples = 12,
            LearningRate = 0, EmaDecay = 0, Precision = Precision.Fp32 };
        ClipRuns.Train(start, new TrainingOptions(In("second")), CancellationToken.None);
        if (!ofTransformers5) Assert.Equal(settings, File.ReadAllText(In("second/clip/preprocessor_config.json")));
        Assert.Empty(Directory.GetFiles(In("second/tokenizer"), "*.safetensors"));
        using var before = ClipModel.Load(published);
        using var after = ClipModel.Load(In("second"));
        var token = TestContext.Current.CancellationToken;
        var picture = OwnPictures.Draw(3);
        Assert.Equal(before.EmbedImages([picture], cancellation: token), after.EmbedImages([picture], cancellation: token));
        Assert.Equal(before.EmbedTexts(["a red disc"], cancellation: token), after.EmbedTexts(["a red disc"], cancellation: token));
        Assert.Equal(before.LogitScale, after.LogitScale);
    }

    [Fact]
    public void Start_FromAFolderOfOpenClip_BeginsWithItsWeights_AndIsARun()
    {
        var pictures = OwnPictures.WriteFolder(In("pictures"), 12);
        var published = Directory.CreateDirectory(In("published")).FullName;
        OpenClipFiles.Write(published, """
            {"model_cfg": {"embed_dim": 16, "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 16, "head_width": 8, "layers": 1},
                "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}},
             "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bilinear", "resize_mode": "squash"}}
            """).Dispose();
        var start = ClipRuns.Suggest(pictures, published, new TrainingOptions(In("run"))) with { Samples = 12,
            LearningRate = 0, EmaDecay = 0, Precision = Precision.Fp32 };
        ClipRuns.Train(start, new TrainingOptions(In("run")), CancellationToken.None);
        using var before = ClipModel.Load(published);
        using var after = ClipModel.Load(In("run"));
        var token = TestContext.Current.CancellationToken;
        var picture = new RgbImage(50, 34, [.. Enumerable.Range(0, 50 * 34 * 3).Select(i => (byte)(i * 7))]);
        AssertNear(before.EmbedImages([picture], cancellation: token), after.EmbedImages([picture], cancellation: token));
        AssertNear(before.EmbedTexts(["A red disc!", "two"], cancellation: token),
            after.EmbedTexts(["A red disc!", "two"], cancellation: token));
        Assert.Equal(before.LogitScale, after.LogitScale, 1e-4);

        static void AssertNear(float[][] expected, float[][] given) =>
            Assert.All(expected.Zip(given), pair => Assert.InRange(pair.First.Zip(pair.Second, (a, b) => Math.Abs(a - b)).Max(), 0, 1e-5f));
    }

    [Fact]
    public void WithoutAFile_SizesAreSuggested_AndResumedAsTheyWere()
    {
        var pictures = OwnPictures.WriteFolder(In("pictures"), 12);
        ClipRuns.Train(Config(pictures) with { Batch = 4, Samples = 8 }, new TrainingOptions(In("first")), CancellationToken.None);
        using var stop = new CancellationTokenSource();
        var options = new TrainingOptions(In("quick")) { FindModel = name => name == "small" ? In("first") : name };
        var suggested = ClipRuns.Suggest(pictures, In("first"), options);
        Assert.Equal((12, 0.0, 1e-4), (suggested.Batch, suggested.PatchDropout, suggested.LearningRate));
        Assert.Null(suggested.LogitScale);
        stop.Cancel();
        Assert.Equal(0, Trainers.RunOnPictures(pictures, "small", options, stop.Token).Steps);
        OwnPictures.Draw(3).SavePng(Path.Combine(pictures, "more.png"));
        File.WriteAllText(Path.Combine(pictures, "more.txt"), "one more");
        Assert.Equal(0, Trainers.RunOnPictures(pictures, "small", options with { Resume = true }, stop.Token).Steps);
    }

    [Theory]
    [InlineData("\"world\": {}, \"data\": {\"path\": \"PICTURES\"}", "leave one out")]
    [InlineData("\"data\": {\"path\": \"PICTURES\"}, \"names\": 8", "those of the emoji's concepts")]
    [InlineData("\"data\": {\"path\": \"PICTURES\", \"held_out\": 0}, \"batch\": 64", "more than the 4 images")]
    [InlineData("\"data\": {}", "data.path is missing")]
    [InlineData("\"data\": {\"path\": \"PICTURES\", \"crop_scale\": [1, 0.5]}", "data.crop_scale")]
    [InlineData("\"data\": {\"path\": \"PICTURES\", \"held_out\": 1}", "data.held_out is 1")]
    [InlineData("\"data\": {\"path\": \"PICTURES\", \"colour\": 1}", "colour")]
    [InlineData("\"data\": {\"path\": \"PICTURES\"}, \"start\": \"PICTURES\"", "no CLIP that can be trained on")]
    public void Configuration_ThatCannotBe_IsOneSentence(string keys, string says)
    {
        var pictures = OwnPictures.WriteFolder(In("pictures"), 4);
        File.WriteAllText(In("c.json"),
            "{" + keys.Replace("PICTURES", pictures.Replace("\\", "\\\\", StringComparison.Ordinal), StringComparison.Ordinal) + "}");
        var thrown = Assert.ThrowsAny<Exception>(() =>
            Trainers.Run("clip", In("c.json"), new TrainingOptions(In("run")), CancellationToken.None));
        Assert.True(thrown is InvalidDataException or WeightsException or CheckpointNotFoundException, thrown.ToString());
        Assert.Contains(says, thrown.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', thrown.Message);
    }

    private static ClipTrainingConfig Config(string path) => new()
    {
        Model = TinyParts.Clip, Data = new PictureDataOptions { Path = path, HeldOut = 0 },
        World = null, VocabularySize = 560, PatchDropout = 0, WarmUp = 2, EmaDecay = 0.5, EvaluateMinutes = 1e6,
        Precision = Precision.Fp32,
    };

    private string In(string name) => Path.Combine(folder, name);
}
