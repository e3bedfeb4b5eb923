using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Tensors;
using Alebrije.Tests.Catalog;
using Alebrije.Tests.Datasets;
using Alebrije.Training;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Tests.Training;

/// <summary>Probes and fine-tuned classifiers on a labelled folder.</summary>
public sealed class ClassifierTrainerTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-classifier-").FullName;
    private readonly string images, start;

    public ClassifierTrainerTests()
    {
        TorchRuntime.Initialize();
        images = OwnPictures.WriteClasses(In("classes"), 48);
        start = In("start");
        ClipRuns.Train(
            new ClipTrainingConfig
            {
                Model = TinyParts.Clip, Data = new PictureDataOptions { Path = images, HeldOut = 0 },
                World = null, VocabularySize = 560, Batch = 16, Samples = 64, PatchDropout = 0, EmaDecay = 0,
                Precision = Precision.Fp32,
            }, new TrainingOptions(start), CancellationToken.None);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Split_SharesNoPicture_AndStaysWhereItWas()
    {
        var pictures = LabelledPictures.Read(images, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(["blue", "green", "red", "yellow"], pictures.Labels);
        var (train, validation, test) = pictures.Split();
        Assert.Equal((32, 8, 8), (train.Count, validation.Count, test.Count));
        Assert.Equal(48, train.Concat(validation).Concat(test).Select(picture => picture.Path).Distinct().Count());
        Assert.Equal(test, LabelledPictures.Read(images, cancellation: TestContext.Current.CancellationToken).Split().Test);
        Assert.Contains("none of the 2 classes", Assert.Throws<InvalidDataException>(() => LabelledPictures.Read(images,
            ["blue", "green"], cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        Assert.Contains("two or more", Assert.Throws<InvalidDataException>(() =>
            LabelledPictures.Read(start, cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Probe_BeatsChance_AndKnowsItsModel()
    {
        using var model = ClipModel.Load(start);
        File.WriteAllText(Path.Combine(images, "red", "008.png"), "broken");
        var result = ProbeTrainer.Run(model, new ProbeOptions(images) { MaxBadShare = 0.1 }, TestContext.Current.CancellationToken);
        Assert.Contains("008.png", Assert.Single(result.Skipped).File, StringComparison.Ordinal);
        Assert.InRange(result.Accuracy!.Value, 0.5, 1);
        Assert.Equal(result.Accuracy.Count, result.ZeroShot!.Count);
        result.Head.RequireSpace(model);

        using var other = ClipModel.Load(TestModels.StableUnClip);
        Assert.Contains("--model", Assert.Throws<WeightsException>(() => result.Head.RequireSpace(other)).Message,
            StringComparison.Ordinal);
        var forged = result.Head with { Space = [.. result.Head.Space.Reverse()] };
        Assert.Contains("are of another space", Assert.Throws<WeightsException>(() => forged.RequireSpace(model)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Mix0_IsZeroShotExactly_Mix1TheFineTunedWeights_AndBetweenTheirMean()
    {
        var options = new TrainingOptions(In("run"));
        var result = Train(options, mix: 0);
        Assert.True(result.Finished);
        Assert.Equal(result.Metrics["accuracy_zero_shot"], result.Metrics["accuracy"]);
        using (var before = ClipModel.Load(start))
        using (var after = ClipModel.Load(In("run")))
        {
            var token = TestContext.Current.CancellationToken;
            var files = LabelledPictures.Read(images, cancellation: TestContext.Current.CancellationToken)
                .Pictures.Select(picture => picture.Path).ToArray();
            var embedded = before.EmbedImages(files, cancellation: token);
            Assert.Equal(embedded, after.EmbedImages(files, cancellation: token));
            var zeroShot = ZeroShotClassifier.Create(LabelledPictures.Read(images, cancellation: TestContext.Current.CancellationToken)
                .Labels, ["{}"], texts => before.EmbedTexts(texts, cancellation: token));
            var head = LinearHead.Load(In("run/head.safetensors"));
            foreach (var image in embedded)
            {
                var (expected, logits) = (zeroShot.Cosines(image), head.Logits(image));
                Assert.All(expected.Zip(logits), pair => Assert.Equal(before.LogitScale * pair.First, pair.Second, 2e-4));
            }
        }

        var (zero, one, half) = (Tensors(), Mixed(1), Mixed(0.5));
        Assert.NotEqual(zero, one);
        Assert.All(zero.Zip(one).Zip(half), pair => Assert.Equal((pair.First.First + pair.First.Second) / 2, pair.Second, 1e-6));
        Assert.Throws<InvalidOperationException>(() => Train(options, mix: 1));

        float[] Mixed(double mix)
        {
            Assert.Equal(result.Steps, Train(options with { Resume = true }, mix).Steps);
            return Tensors();
        }

        float[] Tensors()
        {
            using var scope = NewDisposeScope();
            using var weights = new SafeTensorsFile(In("run/clip/model.safetensors"));
            return weights.Read("vision_model.encoder.layers.0.mlp.fc1.weight").data<float>().ToArray();
        }
    }

    [Fact]
    public void Run_WithDamagedPictures_LeavesThemOut_AndNamesThem()
    {
        for (var i = 0; i < 4; i++) File.WriteAllText(Path.Combine(images, "red", $"damaged{i}.png"), "broken");
        var result = Train(new TrainingOptions(In("run")), mix: 1);
        Assert.True(result.Finished);
        Assert.Equal(Enumerable.Range(0, 4).Select(i => $"damaged{i}.png"),
            result.Skipped.Select(picture => Path.GetFileName(picture.File)));
    }

    [Fact]
    public void Run_StoppedAndResumed_IsBitEqual()
    {
        using var stop = new CancellationTokenSource();
        TrainUntil(new TrainingOptions(In("whole")), 1, null, 0, CancellationToken.None);
        Directory.CreateDirectory(In("halted"));
        using (var watcher = new FileSystemWatcher(In("halted"), "checkpoint.safetensors"))
        {
            watcher.Renamed += (_, _) => stop.Cancel();
            watcher.Created += (_, _) => stop.Cancel();
            watcher.EnableRaisingEvents = true;
            Assert.False(TrainUntil(new TrainingOptions(In("halted")), 1, null, 0, stop.Token).Finished);
        }

        Assert.True(TrainUntil(new TrainingOptions(In("halted")) { Resume = true }, 1, null, 0, CancellationToken.None).Finished);
        Checkpoints.AssertEqual(In("whole"), In("halted"));
    }

    [Fact]
    public void FineTuning_FromAProbe_BeginsAsIt_AndRefusesOtherClasses()
    {
        var probe = In("probe.safetensors");
        using (var model = ClipModel.Load(start))
        {
            var result = ProbeTrainer.Run(model, new ProbeOptions(images), TestContext.Current.CancellationToken);
            result.Head.Save(probe);
            Assert.Equal(result.Accuracy!.Value, Train(new TrainingOptions(In("run")), 0, probe).Metrics["accuracy_probe"], 1e-9);
            (result.Head with { Labels = ["a", "b", "c", "d"] }).Save(probe);
        }

        Assert.Contains("fit a probe on the same classes",
            Assert.Throws<InvalidDataException>(() => Train(new TrainingOptions(In("other")), 0, probe)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RateOf_DeeperBlocks_MoveSlower()
    {
        Assert.Equal(1, ImageClassifier.RateOf("weight", 6, 0.8));
        Assert.Equal(1, ImageClassifier.RateOf("clip.visual_projection.weight", 6, 0.8));
        Assert.Equal(0.8, ImageClassifier.RateOf("clip.vision_model.encoder.layers.5.mlp.fc1.weight", 6, 0.8));
        Assert.Equal(Math.Pow(0.8, 7), ImageClassifier.RateOf("clip.vision_model.embeddings.class_embedding", 6, 0.8));
        using var scope = NewDisposeScope();
        var parameters = new[] { "fast", "slow" }.Select(name => (name, nn.Parameter(ones(3)))).ToArray();
        using var optimizer = new Optimizer(parameters, new OptimizerConstants { RateOf = name => name == "slow" ? 0.25 : 1 });
        foreach (var (_, parameter) in parameters) parameter.grad = full([3], 0.1f);
        optimizer.Step(0.1);
        var moved = parameters.Select(p => 1 - p.Item2.data<float>()[0]).ToArray();
        Assert.Equal(0.25, moved[1] / moved[0], 1e-4);
    }

    private TrainingResult Train(TrainingOptions options, double mix, string? probe = null) =>
        TrainUntil(options, mix, probe, 1e6, CancellationToken.None);

    private TrainingResult TrainUntil(TrainingOptions options, double mix, string? probe, double saveMinutes, CancellationToken token) =>
        new ClassifierTrainer(new ClassifierTrainingConfig
    {
        Images = images, Start = start, Probe = probe, Epochs = 3, Batch = 10,
        LearningRate = 1e-3, WarmUp = 2, EmaDecay = 0.9, World = null, SaveMinutes = saveMinutes, Precision = Precision.Fp32,
    }).Run(options, mix, token);

    private string In(string name) => Path.Combine(folder, name);
}
