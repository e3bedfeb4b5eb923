using System.Text.Json;
using Alebrije.Preprocessing;

namespace Alebrije.Embeddings;

/// <summary>Result of one label in multi-label classification.</summary>
/// <param name="Label">The label.</param>
/// <param name="Count">Images that show it.</param>
/// <param name="Precision">Share of the images it was given to that show it; null when it was given to none.</param>
/// <param name="Recall">Share of the images that show it that it was given to; null without such images.</param>
/// <param name="F1">Harmonic mean of both, 2 hits / (given + shown); null when there is neither.</param>
public sealed record LabelResult(string Label, int Count, double? Precision, double? Recall, double? F1);

/// <summary>
/// A threshold for each label, from which on the label holds: decided independently, so that several hold for an image, or none. Immutable.
/// </summary>
public sealed class LabelThresholds
{
    /// <summary>Threshold at which an image is as near to a label as to its opposite.</summary>
    public const double Even = 0;

    /// <param name="labels">Labels, none twice.</param>
    /// <param name="values">A threshold for each, a difference of cosines, -2 to 2.</param>
    /// <exception cref="ArgumentException">Different numbers, a label twice, or a threshold outside -2 to 2.</exception>
    public LabelThresholds(IReadOnlyList<string> labels, IReadOnlyList<double> values)
    {
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(values);
        if (labels.Count != values.Count) throw new ArgumentException(
            $"There are {labels.Count} labels and {values.Count} thresholds; each label needs one.", nameof(values));
        if (labels.GroupBy(label => label, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new ArgumentException($"The label '{twice.Key}' occurs twice; each label needs a different name.", nameof(labels));
        if (values.Index().FirstOrDefault(value => value.Item is not (>= -2 and <= 2), (-1, 0)) is (>= 0 and var wrong, var outside))
            throw new ArgumentException($"The threshold of '{labels[wrong]}' is {outside}; it has to lie between -2 and 2.",
                nameof(values));
        (Labels, Values) = (labels, values);
    }

    /// <summary>The labels.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>[labels], each -2 to 2.</summary>
    public IReadOnlyList<double> Values { get; }

    /// <summary>One threshold for all labels.</summary>
    public static LabelThresholds All(IReadOnlyList<string> labels, double value = Even)
    {
        ArgumentNullException.ThrowIfNull(labels);
        return new(labels, [.. labels.Select(_ => value)]);
    }

    /// <summary>Fits each label's threshold to the largest F1 on examples, midway between two scores; ties take the highest.</summary>
    /// <param name="labels">Labels.</param>
    /// <param name="scores">[examples][labels], differences of cosines (<see cref="ZeroShotClassifier.Margins"/>).</param>
    /// <param name="shows">[examples][labels]: true if the example shows it.</param>
    /// <exception cref="ArgumentException">No examples, or different numbers.</exception>
    public static LabelThresholds Fit(IReadOnlyList<string> labels, IReadOnlyList<double[]> scores, IReadOnlyList<bool[]> shows)
    {
        ArgumentNullException.ThrowIfNull(labels);
        Check(labels, scores, shows);
        return new LabelThresholds(labels,
            [.. Enumerable.Range(0, labels.Count).Select(k => Best([.. scores.Zip(shows, (score, truth) => (score[k], truth[k]))]))]);
    }

    /// <summary>Reads a JSON object of labels and thresholds.</summary>
    /// <param name="path">The file.</param>
    /// <param name="labels">Labels that need a threshold; others in the file are left out.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is not such an object, or lacks a label.</exception>
    public static LabelThresholds Load(string path, IReadOnlyList<string> labels)
    {
        ArgumentNullException.ThrowIfNull(labels);
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no file {path} with thresholds.", path);
        try
        {
            var read = JsonSerializer.Deserialize<Dictionary<string, double>>(RegularFile.ReadAllBytes(path)) ?? [];
            if (labels.FirstOrDefault(label => !read.ContainsKey(label)) is { } missing)
                throw new InvalidDataException($"{path} has no threshold for '{missing}'; it has them for {string.Join(", ", read.Keys)}.");
            return new LabelThresholds(labels, [.. labels.Select(label => read[label])]);
        }
        catch (ArgumentException e) when (e.ParamName == "values")
        {
            throw new InvalidDataException($"{path}: {e.Message[..e.Message.LastIndexOf(" (", StringComparison.Ordinal)]}", e);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} is not a JSON object of labels and numbers such as {{\"lion\": 0.06}}.", e);
        }
    }

    /// <summary>Writes a JSON object of labels and thresholds.</summary>
    public void Save(string path) => WrittenFile.Write(path, JsonSerializer.Serialize(
        Labels.Zip(Values).ToDictionary(pair => pair.First, pair => pair.Second), JsonForms.Indented) + "\n");

    /// <summary>The labels that hold, those furthest above their threshold first.</summary>
    /// <param name="scores">[labels]</param>
    public IReadOnlyList<int> Decide(double[] scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        return [.. Enumerable.Range(0, Labels.Count).Where(k => scores[k] >= Values[k]).OrderByDescending(k => scores[k] - Values[k])];
    }

    /// <summary>Precision and recall of each label.</summary>
    /// <param name="scores">[images][labels]</param>
    /// <param name="shows">[images][labels]</param>
    /// <exception cref="ArgumentException">No images, or different numbers.</exception>
    public IReadOnlyList<LabelResult> Judge(IReadOnlyList<double[]> scores, IReadOnlyList<bool[]> shows)
    {
        Check(Labels, scores, shows);
        return [.. Labels.Select((label, k) =>
        {
            var hits = scores.Zip(shows).Count(pair => pair.First[k] >= Values[k] && pair.Second[k]);
            var (given, shown) = (scores.Count(score => score[k] >= Values[k]), shows.Count(truth => truth[k]));
            return new LabelResult(
                label, shown, given > 0 ? (double)hits / given : null, shown > 0 ? (double)hits / shown : null,
                given + shown > 0 ? 2.0 * hits / (given + shown) : null);
        })];
    }

    /// <summary>A label that no example shows, or all do, cannot be fitted and stays where it is even.</summary>
    private static double Best((double Score, bool Shows)[] examples)
    {
        var shown = examples.Count(example => example.Shows);
        if (shown == 0 || shown == examples.Length) return Even;
        var sorted = examples.OrderByDescending(example => example.Score).ToArray();
        var (best, threshold, hits) = (-1.0, Even, 0);
        for (var i = 0; i < sorted.Length; i++)
        {
            if (sorted[i].Shows) hits++;
            var next = sorted[Math.Min(i + 1, sorted.Length - 1)].Score;
            if (i + 1 < sorted.Length && next == sorted[i].Score) continue;
            var f1 = 2.0 * hits / (i + 1 + shown);
            if (f1 > best) (best, threshold) = (f1, (sorted[i].Score + next) / 2);
        }

        return threshold;
    }

    private static void Check(IReadOnlyList<string> labels, IReadOnlyList<double[]> scores, IReadOnlyList<bool[]> shows)
    {
        ArgumentNullException.ThrowIfNull(scores);
        ArgumentNullException.ThrowIfNull(shows);
        if (scores.Count == 0 || scores.Count != shows.Count)
            throw new ArgumentException(
                $"There are {scores.Count} scored and {shows.Count} labelled images; as many are needed, and at least one.");
        if (scores.Any(row => row.Length != labels.Count) || shows.Any(row => row.Length != labels.Count))
            throw new ArgumentException($"Each image needs {labels.Count} scores and answers, one for each label.");
    }
}
