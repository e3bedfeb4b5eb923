using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Robustness;

namespace Alebrije.Evaluation;

/// <summary>Image classifiers based on CLIP: zero-shot by words, and a linear probe on embeddings.</summary>
public static class ClipClassifiers
{
    /// <summary>
    /// The second of every five images of a class selects the probe's penalty; the final fit uses all. One image per class serves both.
    /// </summary>
    private const int HeldOut = 5;

    /// <summary>Names of the two classifiers, in order.</summary>
    public static IReadOnlyList<string> Names { get; } = ["zero_shot", "probe"];

    /// <summary>Fits the probe, and returns both classifiers, which share the embeddings.</summary>
    /// <param name="model">CLIP; it must outlive the classifiers.</param>
    /// <param name="words">The zero-shot classifier.</param>
    /// <param name="training">Images for fitting the probe.</param>
    /// <param name="progress">Called with the number of training images embedded.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="ArgumentException">No images, or a class that does not exist.</exception>
    public static PictureClassifiers Create(
        ClipModel model, ZeroShotClassifier words, IReadOnlyList<StudyPicture> training,
        Action<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(words);
        ArgumentNullException.ThrowIfNull(training);
        var embedded = model.EmbedImages([.. training.Select(picture => picture.Image)], progress, cancellation);
        var classes = training.Select(picture => picture.Class).ToArray();
        var held = Enumerable.Range(0, training.Count).GroupBy(i => classes[i])
            .SelectMany(group => group.Where((_, place) => place % HeldOut == 1)).ToHashSet();
        if (held.Count == 0) held = [.. Enumerable.Range(0, training.Count)];
        var probe = LinearProbe.Fit(Part(i => held.Count == training.Count || !held.Contains(i)),
            Part(held.Contains), words.Labels.Count, cancellation: cancellation);
        return new PictureClassifiers(Names, Classify);

        (IReadOnlyList<float[]>, IReadOnlyList<int>) Part(Func<int, bool> belongs)
        {
            int[] places = [.. Enumerable.Range(0, training.Count).Where(belongs)];
            return ([.. places.Select(i => embedded[i])], [.. places.Select(i => classes[i])]);
        }

        IReadOnlyList<int[]> Classify(IReadOnlyList<RgbImage> pictures)
        {
            var embeddings = model.EmbedImages(pictures, cancellation: cancellation);
            return
            [
                [.. embeddings.Select(embedding => ZeroShot.TopK(words.Cosines(embedding), 1)[0])],
                [.. embeddings.Select(probe.Classify)],
            ];
        }
    }
}
