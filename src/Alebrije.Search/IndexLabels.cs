using Alebrije.Embeddings;
using Alebrije.Pipelines;

namespace Alebrije.Search;

/// <summary>A label with its number of images.</summary>
/// <param name="Label">The label.</param>
/// <param name="Images">Image files that have it.</param>
public sealed record LabelCount(string Label, int Images);

/// <summary>Zero-shot labels of the images of an index, kept in the index.</summary>
public static class IndexLabels
{
    private const int Batch = 1024;

    /// <summary>Gives every image the label with the nearest text (Radford et al., 2021, §3.1.2) and writes it into the index.</summary>
    /// <param name="index">The index.</param>
    /// <param name="model">Model of a space of the index.</param>
    /// <param name="labels">At least two labels; former labels are replaced.</param>
    /// <param name="templates">Sentences with <c>{}</c> where the label goes; null takes the label as it is.</param>
    /// <param name="least">Smallest probability; an image below it gets no label.</param>
    /// <param name="cancellation">Stops between two batches, with the former labels kept.</param>
    /// <returns>The labels that were given, with their images, in the order of the labels.</returns>
    /// <exception cref="ArgumentException">Fewer than two labels.</exception>
    /// <exception cref="IndexBusyException">Another process is changing the index.</exception>
    public static IReadOnlyList<LabelCount> Classify(PictureIndex index, ClipModel model, IReadOnlyList<string> labels,
        IReadOnlyList<string>? templates = null, double least = 0, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(index);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(labels);
        if (labels.Distinct(StringComparer.OrdinalIgnoreCase).Count() < Math.Max(2, labels.Count))
            throw new ArgumentException("Labels are compared with each other; give at least two different ones.", nameof(labels));
        var classifier = ZeroShotClassifier.Create([.. labels.Select(label => (IReadOnlyList<string>)[label])],
            templates ?? ZeroShotSet.Plain, texts => model.EmbedTexts(texts, null, cancellation));
        var found = index.Read(model, (space, vectors) =>
        {
            var contents = IndexItems.In(index.Database, space.Id).DistinctBy(picture => picture.Content).ToArray();
            var row = new float[space.Dimensions];
            var answers = new (long Content, int Label, double Probability)[contents.Length];
            for (var i = 0; i < contents.Length; i++)
            {
                if (i % Batch == 0) cancellation.ThrowIfCancellationRequested();
                vectors.Row(contents[i].Row, row);
                var shares = ZeroShot.Softmax(classifier.Cosines(row), model.LogitScale);
                var best = ZeroShot.TopK(shares, 1)[0];
                answers[i] = (contents[i].Content, best, shares[best]);
            }

            return answers;
        });
        index.Change(() =>
        {
            index.Database.Run("DELETE FROM labels");
            foreach (var (content, label, probability) in found.Where(one => one.Probability >= least))
            {
                index.Database.Run("INSERT INTO labels(content, label, probability) SELECT id, $1, $2 FROM contents WHERE id = $0",
                    content, labels[label], probability);
            }
        });
        var counts = index.Status().Labels.ToDictionary();
        return [.. labels.Select(label => new LabelCount(label, counts.GetValueOrDefault(label)))];
    }
}
