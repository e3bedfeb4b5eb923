using Alebrije.Embeddings;

namespace Alebrije.Tests.Embeddings;

/// <summary>Thresholds of independent labels.</summary>
public sealed class LabelThresholdsTests : IDisposable
{
    private static readonly string[] Labels = ["lion", "cat", "dog"];
    private readonly string file = Path.Combine(Path.GetTempPath(), $"alebrije-{Guid.NewGuid():N}.json");

    public void Dispose() => File.Delete(file);

    [Fact]
    public void Fit_TakesTheLargestF1_InTheMiddleBetweenScores()
    {
        // lion: split at 0.3 | 0.7. cat: 0.9 right, 0.8 wrong, 0.6 right, 0.2 wrong: F1 is 2/3, 1/2, 4/5 after one to three. dog: absent.
        double[][] scores = [[0.9, 0.9, -0.4], [0.7, 0.8, -0.3], [0.3, 0.6, -0.2], [0.1, 0.2, -0.1]];
        bool[][] shows = [[true, true, false], [true, false, false], [false, true, false], [false, false, false]];
        var fitted = LabelThresholds.Fit(Labels, scores, shows);
        Assert.Equal([0.5, 0.4, 0], fitted.Values, (x, y) => Math.Abs(x - y) < 1e-12);
        Assert.Equal(
            [new("lion", 2, 1, 1, 1), new("cat", 2, 2.0 / 3, 1, 0.8), new("dog", 0, null, null, null)], fitted.Judge(scores, shows));
        Assert.Equal([1, 0], fitted.Decide([0.6, 0.9, -0.4]));
        Assert.Empty(fitted.Decide([0, 0, -1]));
    }

    [Fact]
    public void File_IsWrittenAndRead()
    {
        new LabelThresholds(Labels, [0.1, 0.25, 0.9]).Save(file);
        Assert.Equal([0.9, 0.1], LabelThresholds.Load(file, ["dog", "lion"]).Values);
        Assert.Contains("no threshold for 'bird'", Assert.Throws<InvalidDataException>(() => LabelThresholds.Load(file, ["bird"])).Message,
            StringComparison.Ordinal);
        File.WriteAllText(file, "[1, 2]");
        Assert.Contains("not a JSON object", Assert.Throws<InvalidDataException>(() => LabelThresholds.Load(file, Labels)).Message,
            StringComparison.Ordinal);
        File.WriteAllText(file, """{"lion": 7}""");
        Assert.Equal($"{file}: The threshold of 'lion' is 7; it has to lie between -2 and 2.",
            Assert.Throws<InvalidDataException>(() => LabelThresholds.Load(file, ["lion"])).Message);
        Assert.Contains("'lion' occurs twice", Assert.Throws<ArgumentException>(() => LabelThresholds.All(["lion", "lion"])).Message,
            StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => LabelThresholds.Load(file + "x", Labels));
    }
}
