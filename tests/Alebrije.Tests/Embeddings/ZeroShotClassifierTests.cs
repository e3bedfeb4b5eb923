using Alebrije.Embeddings;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;

namespace Alebrije.Tests.Embeddings;

public sealed class ZeroShotClassifierTests
{
    /// <summary>An embedding that depends on the text, not of unit length.</summary>
    private static float[] Embedding(string text)
    {
        var random = new Random(text.Sum(c => c) + (31 * text.Length));
        return [.. Enumerable.Range(0, 5).Select(_ => (float)(random.NextDouble() - 0.4))];
    }

    private static float[][] Embed(IReadOnlyList<string> texts) => [.. texts.Select(Embedding)];

    [Fact]
    public void Weights_AreMeansOfUnitVectors_OfUnitLength()
    {
        string[] templates = ["a photo of a {}.", "art of the {}, a {}."];
        var classifier = ZeroShotClassifier.Create(["lion", "cat"], templates, Embed);
        for (var i = 0; i < 2; i++)
        {
            var label = classifier.Labels[i];
            double[][] units = [.. new[] { $"a photo of a {label}.", $"art of the {label}, a {label}." }.Select(Embedding)
                .Select(v => Unit([.. v.Select(x => (double)x)]))];
            var expected = Unit([.. units[0].Zip(units[1], (a, b) => a + b)]);
            Assert.Equal(expected, classifier.Weights[i].Select(x => (double)x), (a, b) => Math.Abs(a - b) < 1e-6);
        }

        var image = Embedding("picture");
        Assert.Equal(classifier.Weights.Select(w => Dot(w, image) / Math.Sqrt(Dot(image, image))),
            classifier.Cosines(image), (a, b) => Math.Abs(a - b) < 1e-6);
    }

    [Fact]
    public void Contrast_JudgesEachClassByItself()
    {
        var classifier = ZeroShotClassifier.Create(["lion", "cat"], ["a {}"], Embed, ["no {}"]);
        var image = Embedding("picture");
        var norm = Math.Sqrt(Dot(image, image));
        double Cosine(string text) => Dot(Embedding(text), image) / Math.Sqrt(Dot(Embedding(text), Embedding(text))) / norm;
        foreach (var (label, share) in classifier.Labels.Zip(classifier.Contrast(image, 10)))
            Assert.Equal(1 / (1 + Math.Exp(10 * (Cosine($"no {label}") - Cosine($"a {label}")))), share, 1e-6);
        Assert.Throws<InvalidOperationException>(() => ZeroShotClassifier.Create(["lion"], ["{}"], Embed).Contrast(image, 10));
    }

    [Fact]
    public void FitScale_FindsTheScaleThatDrewTheLabels()
    {
        var random = new Random(3);
        const double scale = 12;
        var cosines = Enumerable.Range(0, 20_000).Select(_ => Enumerable.Range(0, 4).Select(_ => random.NextDouble()).ToArray()).ToArray();
        var right = cosines.Select(row =>
        {
            var (shares, at, k) = (ZeroShot.Softmax(row, scale), random.NextDouble(), 0);
            while (k < 3 && (at -= shares[k]) > 0) k++;
            return k;
        }).ToArray();
        Assert.Equal(scale, ZeroShotClassifier.FitScale(cosines, right), 0.5);
        Assert.True(ZeroShotClassifier.FitScale([[1, 0], [0, 1]], [0, 1]) > 30);
        Assert.True(ZeroShotClassifier.FitScale([[1, 0], [0, 1]], [1, 0]) < 0.02);
    }

    [Fact]
    public void Sets_AreOpenAisLists()
    {
        Assert.Equal(27, ZeroShotSet.All.Count);
        var imageNet = ZeroShotSet.Find("imagenet");
        Assert.Equal((1000, 80, 7), (imageNet.Classes.Count, imageNet.Templates.Count, ZeroShotSet.ImageNet7.Count));
        Assert.Equal(("tench", "toilet paper"), (imageNet.Classes[0], imageNet.Classes[^1]));
        Assert.All(ZeroShotSet.All,
            set => Assert.All(set.Templates, template => Assert.Contains("{}", template, StringComparison.Ordinal)));
        Assert.Contains(ZeroShotSet.Find("FacialEmotionRecognition2013").Names, names => names.Count > 1);
        Assert.Contains("CIFAR10", Assert.Throws<ArgumentException>(() => ZeroShotSet.Find("MNISTX")).Message, StringComparison.Ordinal);
        var all = ZeroShotClassifier.Create(imageNet.Names, ["{}"], Embed);
        Assert.Equal(1000, all.Weights.Count);
    }

    [Theory]
    [InlineData("no labels", "{}")]
    [InlineData("A label is empty", "{}", "lion", " ")]
    [InlineData("occurs twice", "{}", "lion", "lion")]
    [InlineData("has no {}", "a photo", "lion")]
    public void LabelsAndTemplates_ThatCannotBeUsed_AreRefused(string says, string template, params string[] labels) =>
        Assert.Contains(says, Assert.Throws<ArgumentException>(() => ZeroShotClassifier.Create(labels, [template], Embed)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void ConfusionMatrix_CountsSharesAndPicture()
    {
        var matrix = new ConfusionMatrix(["a", "b", "c"], [0, 0, 1, 1, 1], [0, 1, 1, 1, 0]);
        Assert.Equal([[1, 1, 0], [1, 2, 0], [0, 0, 0]], matrix.Counts);
        Assert.Equal((0.6, 5), (matrix.Accuracy.Value, matrix.Accuracy.Count));
        Assert.Equal([new("a", 2, 0.5, 0.5), new("b", 3, 2.0 / 3, 2.0 / 3), new("c", 0, null, null)], matrix.Classes);
        Assert.Equal(",a,b,c\r\na,1,1,0\r\nb,1,2,0\r\nc,0,0,0\r\n", matrix.ToCsv());
        Assert.Throws<ArgumentException>(() => new ConfusionMatrix(["a"], [0], [1]));

        var file = Path.Combine(Path.GetTempPath(), $"alebrije-{Guid.NewGuid():N}.png");
        try
        {
            matrix.Save(file, new ReportOptions { Language = "es" });
            var picture = RgbImage.Load(file);
            Assert.True(picture.Width > 200 && picture.Height > 200);
            var dark = BluesGradient.Background(BluesGradient.Level(2.0 / 3));
            Assert.Contains(Enumerable.Range(0, picture.Width * picture.Height), i =>
                picture.Pixels[3 * i] == dark.R && picture.Pixels[(3 * i) + 1] == dark.G && picture.Pixels[(3 * i) + 2] == dark.B);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static double[] Unit(double[] v)
    {
        var length = Math.Sqrt(v.Sum(x => x * x));
        return [.. v.Select(x => x / length)];
    }

    private static double Dot(float[] a, float[] b) => a.Zip(b, (x, y) => (double)x * y).Sum();
}
