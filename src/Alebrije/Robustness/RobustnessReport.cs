using System.Globalization;
using System.Text;
using Alebrije.Embeddings;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;

namespace Alebrije.Robustness;

/// <summary>Accuracy of the classifiers under one condition.</summary>
/// <param name="Name"><c>plain</c>, a style or a corruption, in snake case.</param>
/// <param name="Severities">Severities that the figures are the mean of; none for conditions without severity.</param>
/// <param name="Count">Images.</param>
/// <param name="Accuracy">Share that each classifier predicted correctly, with its 95 % interval over images.</param>
public sealed record RobustnessCondition(string Name, IReadOnlyList<int> Severities, int Count, IReadOnlyList<Figure> Accuracy);

/// <summary>One image under one condition, and the classifiers' predictions.</summary>
/// <param name="Condition">Name of the condition.</param>
/// <param name="Picture">The image as it was shown.</param>
/// <param name="Right">True class.</param>
/// <param name="Answers">Class predicted by each classifier.</param>
public sealed record RobustnessExample(string Condition, RgbImage Picture, int Right, IReadOnlyList<int> Answers);

/// <summary>Accuracy of classifiers on the same images under many conditions. The first condition is the baseline.</summary>
/// <param name="Labels">Names of the classes.</param>
/// <param name="Classifiers">Names of the classifiers: <c>zero_shot</c>, <c>probe</c>, <c>supervised</c>, or others.</param>
/// <param name="Conditions">The conditions, plain images first.</param>
/// <param name="Examples">One image for each class and condition, where there is one.</param>
public sealed record RobustnessReport(
    IReadOnlyList<string> Labels, IReadOnlyList<string> Classifiers,
    IReadOnlyList<RobustnessCondition> Conditions, IReadOnlyList<RobustnessExample> Examples)
{
    /// <summary>Name of the model, or null.</summary>
    public string? Model { get; init; }

    /// <summary>The class whose images are shown in a row.</summary>
    public int ShownClass { get; init; }

    /// <summary>Styles alone, which have no severities; plain images and the pairs picked out of all styles are not among them.</summary>
    internal IEnumerable<RobustnessCondition> Styles =>
        Conditions.Skip(1).Where(c => c.Severities.Count == 0 && c.Name != RobustnessWords.HeldOut);

    internal IEnumerable<RobustnessCondition> Corruptions => Conditions.Where(c => c.Severities.Count > 0);

    /// <summary>
    /// Accuracy lost by each classifier from plain images to the mean of the styles and to that of the corruptions, in one sentence.
    /// </summary>
    /// <param name="language"><c>en</c> or <c>es</c>.</param>
    public string Sentence(string language = "en")
    {
        var words = RobustnessWords.In(language);
        var falls = Classifiers.Select((name, k) => string.Create(CultureInfo.InvariantCulture,
            $"{words.Classifier(name)} {Share(Conditions[0].Accuracy[k].Value)} → {Mean(Styles, k)} → {Mean(Corruptions, k)}"));
        return $"{words.Fall}: {string.Join("; ", falls)}.";

        static string Mean(IEnumerable<RobustnessCondition> conditions, int k) =>
            conditions.ToArray() is { Length: > 0 } some ? Share(some.Average(c => c.Accuracy[k].Value)) : "–";
    }

    /// <summary>
    /// A row for each condition and classifier: condition, severities, count, classifier, accuracy, low, high, drop (points).
    /// </summary>
    public string ToCsv()
    {
        var csv = new StringBuilder();
        Csv.AppendRow(csv, ["condition", "severity", "count", "classifier", "accuracy", "low", "high", "drop"]);
        foreach (var condition in Conditions)
            for (var k = 0; k < Classifiers.Count; k++)
            {
                var figure = condition.Accuracy[k];
                Csv.AppendRow(csv, [
                    condition.Name, string.Join(' ', condition.Severities), condition.Count.ToString(CultureInfo.InvariantCulture),
                    Classifiers[k],
                    Number(figure.Value), Number(figure.Low), Number(figure.High), Number(Conditions[0].Accuracy[k].Value - figure.Value),
                ]);
            }
        return csv.ToString();

        static string Number(double value) => value.ToString("F4", CultureInfo.InvariantCulture);
    }

    /// <summary>The chart, and one class under every condition with all answers, as a PNG at twice its size.</summary>
    public byte[] ToPng(ReportOptions? options = null) => RobustnessPng.Render(this, options ?? new ReportOptions());

    /// <summary>Chart, table and a sheet of examples as one web page that needs nothing else.</summary>
    public string ToHtml(ReportOptions? options = null) => RobustnessHtml.Render(this, options ?? new ReportOptions());

    /// <summary>Writes the report by the file's ending: .html, .png or .csv.</summary>
    /// <exception cref="ArgumentException">Another ending.</exception>
    public void Save(string path, ReportOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        switch (Path.GetExtension(path).ToLowerInvariant())
        {
            case ".html": WrittenFile.Write(path, ToHtml(options)); break;
            case ".png": WrittenFile.Write(path, ToPng(options)); break;
            case ".csv": WrittenFile.Write(path, ToCsv()); break;
            default: throw new ArgumentException($"{path}: a report on robustness is written as .html, .png or .csv.", nameof(path));
        }
    }

    internal static string Share(double share) => (100 * share).ToString("F1", CultureInfo.InvariantCulture) + " %";
}
