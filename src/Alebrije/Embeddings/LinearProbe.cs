using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Embeddings;

/// <summary>Result of a linear probe.</summary>
/// <param name="Weights">[classes][width]</param>
/// <param name="Bias">[classes]</param>
/// <param name="Lambda">Strength of the penalty that the validation images chose.</param>
/// <param name="Validation">Accuracy on the validation images with it, before the final fit on all images.</param>
/// <param name="Tried">Strengths that were tried, each with the validation images' accuracy, by rising strength.</param>
public sealed record LinearProbe(float[][] Weights, float[] Bias,
    double Lambda, double Validation, IReadOnlyList<KeyValuePair<double, double>> Tried)
{
    /// <summary>Strengths lie at 10^(-6 + i / 8) for i from 0 to 96.</summary>
    private const int StepsPerDecade = 8, LastStep = 96, FirstSpacing = 16;

    /// <summary>
    /// Fits a logistic regression on frozen embeddings (Radford et al., 2021, §3.2 and A.3): λ is searched in [10⁻⁶, 10⁶], first at every
    /// second power of ten, then around the best, halving the distance to an eighth of a decade; the final fit takes all images.
    /// </summary>
    /// <param name="train">[images][width] and their classes.</param>
    /// <param name="validation">[images][width] and their classes, which choose λ; of equal accuracies the lower loss is better.</param>
    /// <param name="classes">At least 2.</param>
    /// <param name="progress">Called with the number of strengths tried.</param>
    /// <param name="cancellation">Stops between two strengths.</param>
    /// <exception cref="ArgumentException">Nothing to learn from, a class that does not exist, or only one.</exception>
    public static LinearProbe Fit(
        (IReadOnlyList<float[]> Images, IReadOnlyList<int> Classes) train,
        (IReadOnlyList<float[]> Images, IReadOnlyList<int> Classes) validation, int classes,
        Action<int>? progress = null, CancellationToken cancellation = default)
    {
        if (classes < 2) throw new ArgumentException($"A probe needs two classes or more; there are {classes}.", nameof(classes));
        Check(train, classes, "learn from");
        Check(validation, classes, "choose the penalty with");
        using var scope = NewDisposeScope();
        var (x, y) = Tensors(train);
        var (held, heldTargets) = Tensors(validation);
        var regression = new LogisticRegression(x, y, classes);
        var tried = new SortedDictionary<int, (double Accuracy, double Loss)>();
        Tensor? latest = null;
        for (var i = 0; i <= LastStep; i += FirstSpacing) Try(LastStep - i);
        for (var spacing = FirstSpacing / 2; spacing >= 1; spacing /= 2)
        {
            var best = Best();
            Try(best - spacing);
            Try(best + spacing);
        }

        var chosen = Best();
        var (both, bothTargets) = (cat([x, held]), cat([y, heldTargets]));
        var solution = new LogisticRegression(both, bothTargets, classes).Fit(Strength(chosen), latest);
        var (weights, bias) = (solution[.., ..^1].to(ScalarType.Float32).contiguous(),
            solution[.., -1].to(ScalarType.Float32).contiguous());
        return new LinearProbe(
            [.. weights.data<float>().ToArray().Chunk((int)weights.shape[1])],
            bias.data<float>().ToArray(), Strength(chosen), tried[chosen].Accuracy,
            [.. tried.Select(pair => KeyValuePair.Create(Strength(pair.Key), pair.Value.Accuracy))]);

        int Best() => tried.OrderByDescending(pair => pair.Value.Accuracy).ThenBy(pair => pair.Value.Loss).First().Key;

        void Try(int step)
        {
            if (step is < 0 or > LastStep || tried.ContainsKey(step)) return;
            cancellation.ThrowIfCancellationRequested();
            var found = regression.Fit(Strength(step), latest);
            latest?.Dispose();
            latest = found;
            using var inner = NewDisposeScope();
            var logits = LogisticRegression.Logits(held, found);
            tried[step] = (logits.argmax(1).eq(heldTargets).to(ScalarType.Float64).mean().ToDouble(),
                nn.functional.cross_entropy(logits, heldTargets).ToDouble());
            progress?.Invoke(tried.Count);
        }
    }

    /// <summary>The class of an embedding.</summary>
    /// <param name="embedding">[width]</param>
    public int Classify(float[] embedding)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        var logits = Weights.Select((row, c) => System.Numerics.Tensors.TensorPrimitives.Dot(row, embedding) + Bias[c]).ToArray();
        return System.Numerics.Tensors.TensorPrimitives.IndexOfMax(logits);
    }

    private static double Strength(int step) => Math.Pow(10, -6 + (step / (double)StepsPerDecade));

    private static (Tensor X, Tensor Y) Tensors((IReadOnlyList<float[]> Images, IReadOnlyList<int> Classes) set)
    {
        var width = set.Images[0].Length;
        return (tensor(set.Images.SelectMany(row => row).Select(v => (double)v).ToArray(), [set.Images.Count, width]),
            tensor(set.Classes.Select(c => (long)c).ToArray()));
    }

    private static void Check((IReadOnlyList<float[]> Images, IReadOnlyList<int> Classes) set, int classes, string what)
    {
        Vectors.Width(set.Images, $"images to {what}");
        if (set.Images.Count != set.Classes.Count)
            throw new ArgumentException($"There are {set.Images.Count} images to {what} and {set.Classes.Count} classes of them.");
        if (set.Classes.FirstOrDefault(c => c < 0 || c >= classes, -2) is not -2 and var bad)
            throw new ArgumentException($"Class {bad} lies outside 0 to {classes - 1}.");
    }
}
