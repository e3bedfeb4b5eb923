using System.CommandLine;
using System.Globalization;
using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary>
/// <c>alebrije classify --multi-label [--thresholds FILE] [--fit-thresholds DIR|CSV] [--truth DIR|CSV]</c>: independent labels.
/// </summary>
internal static class MultiLabelClassification
{
    /// <summary>Contrast of each label without <c>--contrast</c>.</summary>
    private const string Neutral = "a picture";

    public static readonly Option<bool> IsAsked = new("--multi-label");
    public static readonly Option<string?> Thresholds = new("--thresholds") { HelpName = "FILE" };

    public static readonly Option<string?> Examples = new("--fit-thresholds")
    {
        HelpName = "DIR|CSV",
    };

    public static readonly Option<string?> Truth = new("--truth") { HelpName = "DIR|CSV" };

    /// <summary>True if labels are independent of each other.</summary>
    /// <exception cref="UsageException">An option for independent labels is given without it.</exception>
    public static bool Wants(ParseResult parsed, Words words)
    {
        if (parsed.GetValue(IsAsked)) return true;
        foreach (var option in new[] { Thresholds, Examples, Truth })
            if (parsed.GetValue(option) is not null)
                throw new UsageException(words["classify.multi-label-only", option.Name]);
        return false;
    }

    /// <param name="parsed">The command line.</param>
    /// <param name="terminal">The terminal.</param>
    /// <param name="words">Language.</param>
    /// <param name="classes">Names and templates, given or from labelled images.</param>
    /// <param name="images">Values of <c>--images</c>.</param>
    /// <param name="contrast">Values of <c>--contrast</c>, or null.</param>
    /// <param name="skipped">Reads the images.</param>
    /// <param name="cancellation">Stops between batches.</param>
    public static int Run(
        ParseResult parsed, Terminal terminal, Words words,
        Func<IReadOnlyList<string>, IReadOnlyList<string>?, (List<IReadOnlyList<string>> Names, IReadOnlyList<string> Templates)> classes,
        string[] images, string? contrast, SkippedPictures skipped, CancellationToken cancellation)
    {
        var (file, examplesAt, truthAt) = (parsed.GetValue(Thresholds), parsed.GetValue(Examples), parsed.GetValue(Truth));
        if (truthAt is not null && images.Length > 0)
            throw new UsageException(words["classify.truth-and-images"]);
        if (truthAt is null && images.Length == 0 && examplesAt is null)
            throw new UsageException(words["classify.no-images-multi-label"]);
        if (examplesAt is not null) OutputFile.Check(file, words);
        var examples = examplesAt is null ? [] : LabelledImage.Read(examplesAt, cancellation);
        var judged = truthAt is null ? [] : LabelledImage.Read(truthAt, cancellation);
        var known = examples.Concat(judged).SelectMany(image => image.Labels)
            .Distinct(StringComparer.OrdinalIgnoreCase).Order(NaturalOrder.Instance).ToArray();
        foreach (var at in new[] { examplesAt, truthAt })
            if (at is not null && !File.Exists(Path.Combine(at, ImageFolder.CaptionsFile))) skipped.AddBesideClasses(at);
        var named = ClassifyCommand.GivenNames(parsed) ?? (known.Length > 0 ? known : null);
        var files = truthAt is null ? ImageFiles.Expand(ClassifyCommand.WithFolders(images, named, skipped), words, skipped, cancellation)
            : [.. judged.Select(image => image.Path)];
        var (names, templates) = classes(files, known.Length > 0 ? known : null);
        string[] labels = [.. names.Select(all => all[0])];
        var read = examplesAt is null && file is not null ? LabelThresholds.Load(file, labels) : null;
        foreach (var (of, at) in new[] { (examples, examplesAt), (judged, truthAt) })
            if (at is not null && !of.Any(image => image.Labels.Any(label => labels.Contains(label, StringComparer.OrdinalIgnoreCase))))
                throw new UsageException(words["classify.no-label-shown", at,
                    string.Join(", ", labels.Take(5)), string.Join(", ", known.Take(5))]);

        var folder = ModelChoice.Find(parsed);
        CommonOptions.StartTorch(parsed);
        terminal.Progress(words["progress.loading-model"]);
        using var model = ClipModel.Load(folder, CommonOptions.PrecisionOf(parsed), NoteWords.Writer(terminal, words));
        var classifier = ZeroShotClassifier.Create(names, templates,
            texts => model.EmbedTexts(texts, cancellation: cancellation), [contrast ?? Neutral]);
        var (learnt, ofExamples, _) = Scores([.. examples.Select(image => image.Path)]);
        examples = [.. learnt.Select(i => examples[i])];
        var thresholds = examplesAt is null ? read ?? LabelThresholds.All(labels)
            : LabelThresholds.Fit(labels, ofExamples, Shows(examples));
        if (examplesAt is not null && file is not null) thresholds.Save(file);
        var (good, scores, cosines) = Scores(files);
        files = [.. good.Select(i => files[i])];
        if (truthAt is not null) judged = [.. good.Select(i => judged[i])];
        terminal.CloseLine();
        var unfitted = examplesAt is null ? []
            : labels.Where(label => !examples.Any(image => image.Labels.Contains(label, StringComparer.OrdinalIgnoreCase))).ToArray();
        var results = truthAt is not null ? thresholds.Judge(scores, Shows(judged)) : examplesAt is not null
            && files.Count == 0 ? thresholds.Judge(ofExamples, Shows(examples)) : null;
        var given = scores.Select(thresholds.Decide).ToArray();
        var rows = ImageFiles.Labels(files);
        var written = examplesAt is not null ? file : null;
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new
            {
                model = model.Name, contrast = contrast ?? Neutral, labels,
                thresholds = labels.Zip(thresholds.Values).ToDictionary(pair => pair.First, pair => pair.Second), unfitted,
                results = files.Select((_, i) => new
                {
                    image = rows[i], right = truthAt is null ? null : judged[i].Labels,
                    labels = given[i].Select(k => new { label = labels[k], score = scores[i][k],
                        threshold = thresholds.Values[k], cosine = cosines[i][k] }),
                }),
                classes = results, path = written, skipped = skipped.Items,
            });
            return skipped.Say(terminal);
        }

        if (files.Count > 0)
            terminal.SayTable(
                [words["word.image"], words["classify.labels-above-threshold"]],
                files.Select((_, i) => (string[])[rows[i], given[i].Count == 0 ? "–" : string.Join(", ",
                    given[i].Select(k => string.Create(CultureInfo.InvariantCulture, $"{labels[k]} {scores[i][k]:+0.00;-0.00}")))]));
        Show(terminal, words, thresholds, results);
        if (unfitted.Length > 0)
            terminal.SayText(words["classify.no-example", string.Join(", ", unfitted)]);
        if (results is not null && truthAt is null)
            terminal.SayText(words["classify.judged-on-examples"]);
        if (written is not null) terminal.SayText(words.Wrote(written) + ".");
        return skipped.Say(terminal);

        (int[] Places, double[][] Scores, double[][] Cosines) Scores(IReadOnlyList<string> paths)
        {
            var (places, embedded) = skipped.Embed(model, paths,
                done => terminal.Progress(words["progress.embedding-images", done, paths.Count]), cancellation);
            return (places, [.. embedded.Select(image => classifier.Margins(image))], [.. embedded.Select(classifier.Cosines)]);
        }

        bool[][] Shows(IReadOnlyList<LabelledImage> of) =>
            [.. of.Select(image => names.Select(all => all.Any(name => image.Labels.Contains(name, StringComparer.OrdinalIgnoreCase)))
                .ToArray())];
    }

    private static void Show(Terminal terminal, Words words, LabelThresholds thresholds, IReadOnlyList<LabelResult>? results)
    {
        var rows = thresholds.Labels.Select((label, k) => (string[])
        [
            label, thresholds.Values[k].ToString("F3", CultureInfo.InvariantCulture),
            .. results is null ? [] : (string[])[results[k].Count.ToString(CultureInfo.InvariantCulture),
                Share(results[k].Precision), Share(results[k].Recall), Share(results[k].F1)],
        ]);
        terminal.SayTable(
            [words["word.label"], ">" + words["word.threshold"], .. results is null
                ? [] : (string[])[">" + words["word.images"], ">" + words["word.precision"], ">" + words["word.recall"], ">F1"]],
            rows);
        if (results is not null && results.Any(result => result.F1 is not null))
            terminal.SayText(words["classify.mean-f1", 100 * results.Average(result => result.F1 ?? 0)]);

        static string Share(double? value) => value is { } share ? (100 * share).ToString("F1", CultureInfo.InvariantCulture) + " %" : "–";
    }
}
