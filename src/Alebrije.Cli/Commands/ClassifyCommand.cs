using System.CommandLine;
using System.Globalization;
using Alebrije.Embeddings;
using Alebrije.Pipelines;
using Alebrije.Reports;

namespace Alebrije.Cli.Commands;

/// <summary>
/// <c>alebrije classify --images ... --labels ... [--templates simple|imagenet7|imagenet80|FILE] [--probe FILE] [--top K]</c>
/// </summary>
internal static class ClassifyCommand
{
    private static readonly Option<string[]> Images = new("--images")
    {
        HelpName = "FILE|FOLDER|PATTERN",
        AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string[]> Labels = new("--labels")
    {
        HelpName = "LABEL", AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string?> Set = new("--set") { HelpName = "NAME" };

    private static readonly Option<string?> Sentences = Templates.Option();
    private static readonly Option<string?> Probe = new("--probe") { HelpName = "FILE" };

    private static readonly Option<int> Top = new("--top") { HelpName = "K", DefaultValueFactory = _ => 3 };
    private static readonly Option<string?> Background = new("--background") { HelpName = "TEXT" };
    private static readonly Option<string?> Contrast = new("--contrast") { HelpName = "TEMPLATE" };
    private static readonly Option<bool> Fit = new("--fit-temperature");

    private static readonly PictureOptions Pictures = new(upright: true);

    public static Command Create(Terminal terminal)
    {
        var file = OutputFile.Option(".png", ".csv");
        var command = new Command("classify")
        {
            Images, Labels, Set, Sentences, Probe, Top, Background, Contrast,
            Fit, MultiLabelClassification.IsAsked, MultiLabelClassification.Thresholds,
            MultiLabelClassification.Examples, MultiLabelClassification.Truth, file,
        };
        Pictures.AddTo(command);
        command.SetAction((parsed, cancellation) =>
            Task.Run(() => Run(parsed, terminal, parsed.GetValue(file), cancellation), CancellationToken.None));
        return command;
    }

    private static int Run(ParseResult parsed, Terminal terminal, string? path, CancellationToken cancellation)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        if (MultiLabelClassification.Wants(parsed, words))
        {
            if (new Option[] { Top, Background, Fit, Probe }.FirstOrDefault(option => parsed.GetResult(
                option) is { Implicit: false })?.Name is var other && (other ?? (path is null ? null : "--out")) is { } single)
                throw new UsageException(words["classify.one-answer-only", single]);
            return MultiLabelClassification.Run(parsed, terminal, words, (files, labels) => Classes(parsed, files, words, labels),
                parsed.GetValue(Images) ?? [], parsed.GetValue(Contrast), Pictures.Read(parsed, words), cancellation);
        }

        var top = parsed.GetValue(Top);
        if (top < 1) throw new UsageException(words["classify.top-too-small", top]);
        OutputFile.Check(path, words);
        var skipped = Pictures.Read(parsed, words);
        var head = HeadOf(parsed, words);
        var files = ImageFiles.Expand(WithFolders(parsed.GetValue(Images) ?? [], head?.Labels ?? GivenNames(parsed), skipped),
            words, skipped, cancellation);
        if (files.Count == 0) throw new UsageException(words["classify.no-images"]);
        var (names, templates) = head is null ? Classes(parsed, files, words)
            : ([.. head.Labels.Select(label => (IReadOnlyList<string>)[label])], ZeroShotSet.Plain);
        var background = parsed.GetValue(Background);
        var asked = background is null ? names : [.. names, [background]];
        var right = files.Select(file =>
            names.FindIndex(all => all.Any(name => name.Equals(FolderOf(file), StringComparison.OrdinalIgnoreCase)))).ToArray();
        var labelled = right.All(i => i >= 0);
        if (!labelled && (path is not null || parsed.GetValue(Fit)))
            throw new UsageException(words["classify.no-right-answer"]);
        var folder = ModelChoice.Find(parsed);
        CommonOptions.StartTorch(parsed);
        terminal.Progress(words["progress.loading-model"]);
        using var model = ClipModel.Load(folder, CommonOptions.PrecisionOf(parsed), NoteWords.Writer(terminal, words));
        head?.RequireSpace(model);
        var classifier = head is not null ? null : ZeroShotClassifier.Create(
            asked, templates, texts => model.EmbedTexts(texts,
                done => terminal.Progress(words["progress.embedding-texts", done, texts.Count]), cancellation),
            parsed.GetValue(Contrast) is { } opposite ? [opposite] : null);
        var (good, embedded) = skipped.Embed(model, files, done => terminal.Progress(words["progress.embedding-images", done, files.Count]),
            cancellation);
        (files, right) = ([.. good.Select(i => files[i])], [.. good.Select(i => right[i])]);
        terminal.CloseLine();

        // Score of a class: the cosine with its text, or the logit of a fitted classifier.
        var classes = classifier?.Labels ?? head!.Labels;
        var scores = embedded.Select(image => classifier?.Cosines(image) ?? head!.Logits(image)).ToArray();
        var scale = parsed.GetValue(Fit) ? ZeroShotClassifier.FitScale(scores, right) : head is null ? model.LogitScale : 1;
        var shares = embedded.Select((image, i) => classifier is { HasContrast: true }
            ? classifier.Contrast(image, scale) : ZeroShot.Softmax(scores[i], scale)).ToArray();
        var best = shares.Select(row => ZeroShot.TopK(row, Math.Min(top, row.Length))).ToArray();
        var matrix = labelled ? new ConfusionMatrix(classes, right, [.. best.Select(order => order[0])]) : null;
        if (path is not null) matrix!.Save(path, new ReportOptions { Language = words.Language, Model = model.Name });
        var labels = ImageFiles.Labels(files);
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new
            {
                model = model.Name, scale, labels = classes,
                results = files.Select((_, i) => new
                {
                    image = labels[i], right = labelled ? classes[right[i]] : null,
                    top = best[i].Select(k => Answer(classes[k], shares[i][k], scores[i][k])),
                }),
                accuracy = matrix?.Accuracy.Value, accuracy_interval = matrix is null ? null : (double[])[matrix.Accuracy.Low,
                    matrix.Accuracy.High], classes = matrix?.Classes, confusion = matrix?.Counts, path, skipped = skipped.Items,
            });
            return skipped.Say(terminal);
        }

        terminal.SayTable(
            [words["word.image"], .. Enumerable.Range(1, best[0].Length).Select(n => n.ToString(CultureInfo.InvariantCulture))],
            files.Select((_, i) => (string[])[labels[i],
                .. best[i].Select(k => string.Create(CultureInfo.InvariantCulture, $"{classes[k]} {shares[i][k]:F2}"))]));
        if (matrix is not null) ShowClasses(terminal, matrix, words);
        if (path is not null) terminal.SayText(words.Wrote(path) + ".");
        return skipped.Say(terminal);

        object Answer(string label, double probability, double score) =>
            head is null ? new { label, probability, cosine = score } : new { label, probability, logit = score };
    }

    /// <summary>The fitted classifier of <c>--probe</c>; labels and their options are rejected together with it.</summary>
    private static LinearHead? HeadOf(ParseResult parsed, Words words)
    {
        if (parsed.GetValue(Probe) is not { } path) return null;
        if (parsed.GetValue(Labels) is { Length: > 0 } || parsed.GetValue(Set) is not null
            || parsed.GetValue(Sentences) is not null || parsed.GetValue(Background) is not null || parsed.GetValue(Contrast) is not null)
            throw new UsageException(words["classify.probe-has-classes"]);
        CommonOptions.StartTorch(parsed);
        return LinearHead.Load(path);
    }

    private static void ShowClasses(Terminal terminal, ConfusionMatrix matrix, Words words)
    {
        terminal.Say();
        terminal.SayTable(
            [words["word.class"], words["word.images"], words["word.recall"], words["word.precision"]],
            matrix.Classes.Where(result => result.Count > 0).Select(result => (string[])[result.Label,
                result.Count.ToString(CultureInfo.InvariantCulture), Share(result.Recall), Share(result.Precision)]));
        var accuracy = matrix.Accuracy;
        terminal.SayText(words["classify.accuracy", 100 * accuracy.Value, accuracy.Count, 100 * accuracy.Low, 100 * accuracy.High]);

        static string Share(double? value) => value is { } share ? (100 * share).ToString("F1", CultureInfo.InvariantCulture) + " %" : "–";
    }

    private static (List<IReadOnlyList<string>> Names, IReadOnlyList<string> Templates) Classes(
        ParseResult parsed, IReadOnlyList<string> files, Words words, IReadOnlyList<string>? otherwise = null)
    {
        var set = parsed.GetValue(Set) is { } name ? ZeroShotSet.Find(name) : null;
        var given = parsed.GetValue(Labels) ?? [];
        if (set is not null && given.Length > 0) throw new UsageException(words["classify.set-and-labels"]);
        if (given.GroupBy(label => label, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new UsageException(words["usage.label-twice", twice.Key]);
        var names = set?.Names ?? (given.Length > 0 ? given : otherwise
            ?? [.. files.Select(FolderOf).Distinct(StringComparer.Ordinal).Order(NaturalOrder.Instance)])
            .Select(label => (IReadOnlyList<string>)[label]).ToArray();
        var templates = Templates.Find(parsed.GetValue(Sentences), words) ?? set?.Templates ?? ZeroShotSet.Plain;
        return ([.. names], templates);
    }

    /// <summary>Names of the classes from --set or --labels, every synonym; null if there are none.</summary>
    public static IReadOnlyList<string>? GivenNames(ParseResult parsed) =>
        parsed.GetValue(Set) is { } name ? [.. ZeroShotSet.Find(name).Names.SelectMany(all => all)]
        : parsed.GetValue(Labels) is { Length: > 0 } given ? given : null;

    /// <summary>Replaces a folder of class folders by the images in those; images next to them are left out.</summary>
    /// <param name="images">Files, folders and patterns.</param>
    /// <param name="classes">Names of the classes; null to take them from the folders.</param>
    /// <param name="skipped">Collects the images that are left out.</param>
    public static IEnumerable<string> WithFolders(IEnumerable<string> images, IReadOnlyList<string>? classes, SkippedPictures skipped)
    {
        foreach (var name in images)
        {
            var isFolder = ImageFiles.IsFolderOfClasses(name, classes);
            if (isFolder) skipped.AddBesideClasses(name);
            yield return isFolder ? Path.Combine(name, "*", "*") : name;
        }
    }

    private static string FolderOf(string file) => Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(file))!);
}
