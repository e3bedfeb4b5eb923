using Alebrije.Embeddings;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Embeddings;

/// <summary>Logistic regression, its sweep and its file.</summary>
public sealed class LinearProbeTests : IDisposable
{
    private const int Width = 4, Classes = 3;
    private readonly string folder = Directory.CreateTempSubdirectory("alebrije-probe-").FullName;

    public LinearProbeTests() => TorchRuntime.Initialize();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData(1e-3)]
    [InlineData(0.1)]
    [InlineData(10)]
    public void Fit_EndsWhereTheGradientVanishes_AtTheSolutionOfPlainDescent(double lambda)
    {
        using var scope = NewDisposeScope();
        var (images, classes) = Clouds(60, spread: 0.8, seed: 3);
        var (x, y) = (tensor(images.SelectMany(row => row).Select(v => (double)v).ToArray(), [images.Length, Width]),
            tensor(classes.Select(c => (long)c).ToArray()));
        var regression = new LogisticRegression(x, y, Classes);
        var found = regression.Fit(lambda, tolerance: 1e-9);
        Assert.InRange(regression.Evaluate(found, lambda).Gradient.norm().ToDouble(), 0, 1e-8);
        var values = found.contiguous().data<double>().ToArray();
        var expected = Descend(images, classes, lambda);

        // The softmax is invariant to a constant added to all biases.
        for (var k = 0; k < Classes; k++)
        {
            for (var j = 0; j < Width; j++) Assert.Equal(expected[k, j], values[(k * (Width + 1)) + j], 2e-5);
            Assert.Equal(expected[k, Width] - expected[0, Width], values[(k * (Width + 1)) + Width] - values[Width], 2e-5);
        }
    }

    [Fact]
    public void Fit_FromAnotherSolution_EndsAtTheSamePlace()
    {
        using var scope = NewDisposeScope();
        var (images, classes) = Clouds(60, spread: 0.8, seed: 3);
        var regression = new LogisticRegression(
            tensor(images.SelectMany(row => row).Select(v => (double)v).ToArray(), [images.Length, Width]),
            tensor(classes.Select(c => (long)c).ToArray()), Classes);
        var (cold, warm) = (regression.Fit(0.01, tolerance: 1e-9), regression.Fit(0.01, regression.Fit(1), tolerance: 1e-9));
        Assert.InRange((cold[.., ..^1] - warm[.., ..^1]).abs().max().ToDouble(), 0, 1e-6);
    }

    [Fact]
    public void Probe_OnCloudsThatOverlap_BeatsChance_AndSweepsAroundThePeak()
    {
        var probe = Fit(Clouds(90, 0.6, 1), Clouds(60, 0.6, 2), Classes);
        var (images, classes) = Clouds(300, 0.6, 5);
        var head = new LinearHead("toy", ["a", "b", "c"], probe.Weights, probe.Bias, new float[Width]);
        Assert.InRange(ZeroShot.TopAccuracy([.. images.Select(head.Logits)], classes).Low, 0.6, 1);
        Assert.InRange(probe.Tried.Count, 11, 15);
        Assert.Contains(probe.Lambda, probe.Tried.Select(pair => pair.Key));
        Assert.Equal(probe.Tried.Max(pair => pair.Value), probe.Validation);
        Assert.Equal([1e-6, 1e6], new[] { probe.Tried[0].Key, probe.Tried[^1].Key }.Select(strength => Math.Round(strength, 12)));
    }

    [Fact]
    public void Probe_WithNothingToTellApart_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => Fit(Clouds(9, 1, 1), Clouds(9, 1, 1), 1));
        Assert.Throws<ArgumentException>(() => Fit(([], []), Clouds(9, 1, 1), 3));
        Assert.Contains("outside 0 to 1", Assert.Throws<ArgumentException>(() => Fit(Clouds(9, 1, 1), Clouds(9, 1, 1), 2)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Head_SavedAndLoaded_IsTheSame_AndDamageIsOneSentence()
    {
        var path = Path.Combine(folder, "head.safetensors");
        var head = new LinearHead("toy", ["año", "b"], [[1, 2, 3], [4, 5, 6]], [7, 8], [0, 1, 0]);
        head.Save(path);
        var loaded = LinearHead.Load(path);
        Assert.Equal(head.Model, loaded.Model);
        Assert.Equal(head.Weights, loaded.Weights);
        Assert.Equal(head.Bias, loaded.Bias);
        Assert.Equal(head.Space, loaded.Space);
        Assert.Equal(head.Labels, loaded.Labels);
        Assert.Equal(10, loaded.Logits([0.6f, 0, 0.8f])[0], 1e-5);
        Assert.Equal(15.2, loaded.Logits([0.6f, 0, 0.8f])[1], 1e-5);

        Assert.Throws<CheckpointNotFoundException>(() => LinearHead.Load(Path.Combine(folder, "none")));
        var bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, bytes[..^5]);
        Assert.Throws<WeightsException>(() => LinearHead.Load(path));
        using var scope = NewDisposeScope();
        SafeTensorsWriter.Write(path, [KeyValuePair.Create("weight", zeros(2, 3))]);
        Assert.Contains("not a classifier", Assert.Throws<WeightsException>(() => LinearHead.Load(path)).Message, StringComparison.Ordinal);
        (head with { Labels = ["a", "b", "c"], Bias = [1, 2, 3], Weights = [[1, 2, 3], [1, 2, 3], [1, 2, 3]], Space = [1, 2, 3] })
            .Save(path);
        Assert.Equal(3, LinearHead.Load(path).Labels.Count);
    }

    private static LinearProbe Fit((float[][] Images, int[] Classes) train, (float[][] Images, int[] Classes) validation, int classes) =>
        LinearProbe.Fit(train, validation, classes, cancellation: TestContext.Current.CancellationToken);

    /// <summary>Points around three corners; the nearest corner is the class.</summary>
    private static (float[][] Images, int[] Classes) Clouds(int count, double spread, int seed)
    {
        var random = new Random(seed);
        var classes = Enumerable.Range(0, count).Select(i => i % Classes).ToArray();
        return ([.. classes.Select(c => Enumerable.Range(0, Width).Select(j => (float)(
            (j == c ? 1 : 0) + (spread * (random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5)))).ToArray())], classes);
    }

    /// <summary>Gradient descent in plain loops, until convergence.</summary>
    private static double[,] Descend(float[][] images, int[] classes, double lambda)
    {
        var x = new double[Classes, Width + 1];
        var rate = 1 / (1.5 + lambda);
        for (var step = 0; step < 30_000; step++)
        {
            var gradient = new double[Classes, Width + 1];
            var largest = 0.0;
            for (var i = 0; i < images.Length; i++)
            {
                var logits = Enumerable.Range(0, Classes)
                    .Select(k => Enumerable.Range(0, Width).Sum(j => x[k, j] * images[i][j]) + x[k, Width]).ToArray();
                var shares = ZeroShot.Softmax(logits, 1);
                for (var k = 0; k < Classes; k++)
                {
                    var error = (shares[k] - (classes[i] == k ? 1 : 0)) / images.Length;
                    for (var j = 0; j < Width; j++) gradient[k, j] += error * images[i][j];
                    gradient[k, Width] += error;
                }
            }

            for (var k = 0; k < Classes; k++)
                for (var j = 0; j <= Width; j++)
                {
                    if (j < Width) gradient[k, j] += lambda * x[k, j];
                    largest = Math.Max(largest, Math.Abs(gradient[k, j]));
                    x[k, j] -= rate * gradient[k, j];
                }

            if (largest < 1e-9) break;
        }

        return x;
    }
}
