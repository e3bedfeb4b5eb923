using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Robustness;
using Alebrije.Tests.Catalog;
using Alebrije.Training;

namespace Alebrije.Tests.Robustness;

/// <summary>The robustness study, its images and its supervised baseline.</summary>
public sealed class RobustnessStudyTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-robust-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Run_AsksAboutEachPictureUnderEachCondition_AndPoolsSeverities()
    {
        StudyPicture[] pictures = [new(Disk(0), 0), new(Disk(1), 1), new(Disk(0), 0)];
        var asked = 0;
        var report = RobustnessStudy.Run(
            pictures, ["red", "blue"], [new(["colour", "never"], Answer)],
            new RobustnessOptions { Side = 32, Severities = [1, 5], IsHeldOut = (label, style) => label == 1 && style == SceneStyle.Night },
            cancellation: Stop);
        Assert.Equal(["plain", "pencil_sketch", "black_and_white", "pixel_art", "blurred", "night", "busy_background", "held_out_styles"],
            report.Conditions.Take(8).Select(c => c.Name));
        Assert.Equal(8 + Corruptions.All.Count, report.Conditions.Count);
        Assert.Equal((1.0, 0.0), (report.Conditions[0].Accuracy[0].Value, report.Conditions[0].Accuracy[1].Value));
        Assert.Equal(1, report.Conditions[7].Count);
        Assert.All(report.Conditions.Where(c => c.Severities.Count > 0), c => Assert.Equal((3, 2), (c.Count, c.Severities.Count)));
        Assert.Equal(3 * (7 + (2 * Corruptions.All.Count)), asked);
        Assert.Equal(2 * (7 + Corruptions.All.Count), report.Examples.Count);
        Assert.Contains("1 to 5", Assert.Throws<ArgumentException>(() => RobustnessStudy.Run(pictures,
            ["a", "b"], [], new RobustnessOptions { Severities = [0] }, cancellation: Stop)).Message, StringComparison.Ordinal);

        IReadOnlyList<int[]> Answer(IReadOnlyList<RgbImage> images)
        {
            asked += images.Count;
            var answers = images.Select(image => Middle(image) is var (r, b) && b > r ? 1 : 0).ToArray();
            return [answers, [.. Enumerable.Repeat(-1, images.Count)]];
        }
    }

    [Fact]
    public void Folder_IsSplitByNames_AndEachClassNeedsTwo()
    {
        foreach (var (k, name) in new[] { "blue", "red" }.Index())
            for (var i = 0; i < 5; i++) Write($"{name}/{i}.png", Disk(1 - k));
        var first = RobustnessPictures.FromFolder(folder, side: 32, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(["blue", "red"], first.Labels);
        Assert.Equal((4, 6), (first.Training.Count, first.Test.Count));
        Assert.All(first.Test, picture => Assert.Equal((32, 32), (picture.Image.Width, picture.Image.Height)));
        Assert.Equal(["red", "blue"],
            RobustnessPictures.FromFolder(folder, ["red", "blue"], 32, cancellation: TestContext.Current.CancellationToken).Labels);
        Assert.Contains("no folder 'green'", Assert.Throws<InvalidDataException>(() => RobustnessPictures.FromFolder(folder,
            ["red", "green"], cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        Assert.Contains("at least two are needed", Assert.Throws<InvalidDataException>(() => RobustnessPictures.FromFolder(folder,
            ["red"], cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        Write("few/0.png", Disk(0));
        Assert.Contains("has 1 images", Assert.Throws<InvalidDataException>(() =>
            RobustnessPictures.FromFolder(folder, cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        Assert.Throws<DirectoryNotFoundException>(() =>
            RobustnessPictures.FromFolder(Path.Combine(folder, "none"), cancellation: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void World_DrawsOtherPicturesForTheTest()
    {
        var world = Datasets.World.Open();
        var pictures = RobustnessPictures.FromWorld(world, [Datasets.World.Concept("banana"), Datasets.World.Concept("lion")],
            3, 2, seed: 5);
        Assert.Equal(["a banana", "a lion"], pictures.Labels);
        Assert.Equal((6, 4), (pictures.Training.Count, pictures.Test.Count));
        Assert.All(pictures.Test,
            test => Assert.DoesNotContain(pictures.Training, training => training.Image.Pixels.AsSpan().SequenceEqual(test.Image.Pixels)));
        Assert.All(RobustnessPictures.UsualConcepts, name => Datasets.World.Concept(name));
    }

    [Fact]
    public void Baseline_Learns_IsTheSameForASeed_AndSaysHowLong()
    {
        using var model = ClipModel.Load(TestModels.StableUnClip);
        RgbImage[] pictures = [.. Enumerable.Range(0, 16).Select(i => Disk(i % 2, i))];
        int[] right = [.. Enumerable.Range(0, 16).Select(i => i % 2)];
        var options = new SupervisedOptions { Epochs = 12, Batch = 8,
            LearningRate = 3e-3, Seed = 4, Precision = Alebrije.Tensors.Precision.Fp32 };
        using var first = SupervisedBaseline.Train(model, pictures, right, 2, options, cancellation: Stop);
        var losses = new List<double>();
        using var second = SupervisedBaseline.Train(model, pictures, right, 2, options, (_, _, loss, _) => losses.Add(loss), Stop);
        Assert.Equal(right, first.Classify(pictures, Stop));
        Assert.Equal((24L, 24L), first.Steps);
        Assert.True(losses[^1] < 0.5 * losses[0], $"{losses[0]} to {losses[^1]}");
        Assert.Equal(first.Classify([Disk(0, 99), Disk(1, 98)], Stop), second.Classify([Disk(0, 99), Disk(1, 98)], Stop));
        using var stopped = SupervisedBaseline.Train(model, pictures, right, 2, options with { Minutes = 0 }, cancellation: Stop);
        Assert.Equal(0, stopped.Steps.Done);
        Assert.Throws<ArgumentException>(() => SupervisedBaseline.Train(model, pictures, [0], 2, cancellation: Stop));
    }

    private void Write(string name, RgbImage image)
    {
        var path = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        image.SavePng(path);
    }

    private static (int R, int B) Middle(RgbImage image)
    {
        var at = 3 * ((image.Height / 2 * image.Width) + (image.Width / 2));
        return (image.Pixels[at], image.Pixels[at + 2]);
    }

    /// <summary>A red or a blue disk on grey.</summary>
    private static RgbImage Disk(int kind, int shade = 0)
    {
        var image = new RgbImage(40, 40);
        for (var i = 0; i < 1600; i++)
        {
            var (x, y) = ((i % 40) - 20, (i / 40) - 20);
            byte[] colour = (x * x) + (y * y) > 150 ? [150, 150, 150] : kind == 0
                ? [(byte)(220 - shade), 30, 30] : [30, 30, (byte)(220 - shade)];
            colour.CopyTo(image.Pixels, 3 * i);
        }

        return image;
    }
}
