using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Pipelines;

namespace Alebrije.Training;

/// <summary>Options of a probe.</summary>
/// <param name="Images">Folder of folders named after the classes.</param>
public sealed record ProbeOptions(string Images)
{
    /// <summary>Images of the same classes for choosing the penalty; null takes a share of <see cref="Images"/>.</summary>
    public string? Validation { get; init; }

    /// <summary>Test images of the same classes; null takes a share of <see cref="Images"/>.</summary>
    public string? Test { get; init; }

    /// <summary>Templates of the zero-shot classifier to compare with; <c>{}</c> is the class.</summary>
    public IReadOnlyList<string> Templates { get; init; } = ZeroShotSet.Plain;

    /// <summary>Largest share of unreadable images, 0 to 1; they are skipped and listed. Above 0, a single one is always allowed.</summary>
    public double MaxBadShare { get; init; } = 0.01;

    /// <summary>Called with the current stage, items done and total.</summary>
    public Action<string, int, int>? OnProgress { get; init; }
}

/// <summary>A fitted probe and its accuracy.</summary>
/// <param name="Head">The classifier.</param>
/// <param name="Probe">The fit that the head is made from.</param>
/// <param name="Train">Number of training images, without those of validation.</param>
/// <param name="Validation">Number of images used to choose the penalty.</param>
/// <param name="Accuracy">Accuracy on the test images; null without any.</param>
/// <param name="ZeroShot">Accuracy of the zero-shot classifier on the same images; null without any, or without a text tower.</param>
/// <param name="Skipped">Pictures that could not be read.</param>
public sealed record ProbeResult(
    LinearHead Head, LinearProbe Probe, int Train, int Validation,
    Figure? Accuracy, Figure? ZeroShot, IReadOnlyList<SkippedPicture> Skipped);

/// <summary>Fits a linear probe on a labelled folder's embeddings; compares it with zero-shot (Radford et al., 2021, §3.2).</summary>
public static class ProbeTrainer
{
    /// <summary>Embeds, fits and measures.</summary>
    /// <param name="model">Model with the image tower, which stays frozen.</param>
    /// <param name="options">The pictures.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="InvalidDataException">Too few classes or pictures, or too many that cannot be read.</exception>
    public static ProbeResult Run(ClipModel model, ProbeOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        var all = LabelledPictures.Read(options.Images, cancellation: cancellation);
        var (train, validation, test) = all.Split();
        if (options.Validation is { } folder)
        {
            train = [.. train, .. validation];
            validation = LabelledPictures.Read(folder, all.Labels, cancellation).Pictures;
        }

        if (options.Test is { } other)
        {
            train = [.. train, .. test];
            test = LabelledPictures.Read(other, all.Labels, cancellation).Pictures;
        }

        if (validation.Count == 0)
            throw new InvalidDataException($"{options.Images} has too few "
                + $"images to choose the penalty with; give three of each class, or a folder of others with --validation.");
        var reader = new PictureReader(upright: true);
        var set = new Embedder(model, options, reader, cancellation);
        var (learnt, chosen, measured) = (set.Embed(train), set.Embed(validation), set.Embed(test));
        var bad = new BadEntries(options.MaxBadShare);
        foreach (var skipped in reader.Skipped) bad.Add(skipped.File, $"{skipped.File}: {skipped.Reason}");
        bad.Check(options.Images, train.Count + validation.Count + test.Count);
        if (learnt.Images.Count == 0 || chosen.Images.Count == 0)
            throw new InvalidDataException($"{options.Images} has no readable images to train on.");

        var probe = LinearProbe.Fit(learnt, chosen, all.Labels.Count,
            done => options.OnProgress?.Invoke("trying penalties", done, 0), cancellation);
        var head = new LinearHead(model.Name, all.Labels, probe.Weights, probe.Bias, LinearHead.SpaceOf(model));
        return new ProbeResult(
            head, probe, learnt.Images.Count, chosen.Images.Count, Accuracy(measured, head.Logits),
            model.Tokenizer is null ? null : ZeroShotAccuracy(model, all.Labels, options.Templates, measured),
            reader.Skipped);
    }

    private static Figure? ZeroShotAccuracy(ClipModel model, IReadOnlyList<string> labels,
        IReadOnlyList<string> templates, (IReadOnlyList<float[]> Images, IReadOnlyList<int> Classes) set)
    {
        if (set.Images.Count == 0) return null;
        var classifier = ZeroShotClassifier.Create([.. labels.Select(LabelledPictures.Word)], templates, texts => model.EmbedTexts(texts));
        return Accuracy(set, classifier.Cosines);
    }

    private static Figure? Accuracy((IReadOnlyList<float[]> Images, IReadOnlyList<int> Classes) set, Func<float[], double[]> scores) =>
        set.Images.Count == 0 ? null : ZeroShot.TopAccuracy([.. set.Images.Select(scores)], set.Classes);

    /// <summary>Embeds labelled pictures, rotated by their EXIF orientation; leaves out unreadable ones.</summary>
    private sealed class Embedder(ClipModel model, ProbeOptions options, PictureReader reader, CancellationToken cancellation)
    {
        public (IReadOnlyList<float[]> Images, IReadOnlyList<int> Classes) Embed(IReadOnlyList<LabelledPicture> pictures)
        {
            var (images, classes) = (new List<float[]>(), new List<int>());
            model.EmbedImages(pictures.Count, i => reader.Read(pictures[i].Path), (from, batch) =>
            {
                for (var i = 0; i < batch.Length; i++)
                {
                    if (batch[i] is not { } embedding) continue;
                    images.Add(embedding);
                    classes.Add(pictures[from + i].Class);
                }

                options.OnProgress?.Invoke("embedding images", from + batch.Length, pictures.Count);
            }, cancellation);
            return (images, classes);
        }
    }
}
