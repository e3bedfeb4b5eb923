using System.CommandLine;
using System.Globalization;
using Alebrije.Analysis;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije classify --images ... --labels ... [--templates simple|imagenet7|imagenet80|FILE] [--probe FILE] [--top K]</c></summary>
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
            Images, Labels, Set, Sentences, Probe, Top, Background, Contrast, Fit, MultiLabelClassification.IsAsked, MultiLabelClassification.Thresholds,
            MultiLabelClassification.Examples, MultiLabelClassification.Truth, file,
        };
        Pictures.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(parsed, terminal, parsed.GetValue(file), cancellation), CancellationToken.None));
        return command;
    }

    private static int Run(ParseResult parsed, Terminal terminal, string? path, CancellationToken cancellation)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        if (MultiLabelClassification.Wants(parsed, words))
        {
            if (new Option[] { Top, Background, Fit, Probe }.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false })?.Name is var other && (other ?? (path is null ? null : "--out")) is { } single)
                throw new UsageException(words.In($"{single} belongs to one answer for each image; --multi-label decides each label by itself.", $"{single} es para una sola respuesta por imagen; --multi-label decide cada etiqueta por separado."));
            return MultiLabelClassification.Run(parsed, terminal, words, (files, labels) => Classes(parsed, files, words, labels), parsed.GetValue(Images) ?? [], parsed.GetValue(Contrast), Pictures.Read(parsed, words), cancellation);
        }

        var top = parsed.GetValue(Top);
        if (top < 1) throw new UsageException(words.In($"--top is {top}; it has to be 1 or more.", $"--top es {top}; tiene que ser 1 o más."));
        OutputFile.Check(path, words);
        var skipped = Pictures.Read(parsed, words);
        var head = HeadOf(parsed, words);
        var files = ImageFiles.Expand(WithFolders(parsed.GetValue(Images) ?? [], head?.Labels ?? GivenNames(parsed), skipped), words, skipped, cancellation);
        if (files.Count == 0) throw new UsageException(words.In("There are no images to classify; give --images.", "No hay imágenes que clasificar; indica --images."));
        var (names, templates) = head is null ? Classes(parsed, files, words) : ([.. head.Labels.Select(label => (IReadOnlyList<string>)[label])], ZeroShotSet.Plain);
        var background = parsed.GetValue(Background);
        var asked = background is null ? names : [.. names, [background]];
        var right = files.Select(file => names.FindIndex(all => all.Any(name => name.Equals(FolderOf(file), StringComparison.OrdinalIgnoreCase)))).ToArray();
        var labelled = right.All(i => i >= 0);
        if (!labelled && (path is not null || parsed.GetValue(Fit)))
        {
            throw new UsageException(words.In(
                "Only images in folders named after the classes have a right answer; --out and --fit-temperature need one.",
                "Solo las imágenes en carpetas con el nombre de su clase tienen una respuesta correcta; --out y --fit-temperature la necesitan."));
        }

        var folder = ModelChoice.Find(parsed);
        CommonOptions.StartTorch(parsed);
        terminal.Progress(words.In("loading the model", "cargando el modelo"));
        using var model = ClipModel.Load(folder, CommonOptions.PrecisionOf(parsed), NoteWords.Writer(terminal, words));
        head?.RequireSpace(model);
        var classifier = head is not null ? null : ZeroShotClassifier.Create(
            asked, templates, texts => model.EmbedTexts(texts, done => Report("texts", "textos", done, texts.Count), cancellation),
            parsed.GetValue(Contrast) is { } opposite ? [opposite] : null);
        var (good, embedded) = skipped.Embed(model, files, done => Report("images", "imágenes", done, files.Count), cancellation);
        (files, right) = ([.. good.Select(i => files[i])], [.. good.Select(i => right[i])]);
        terminal.CloseLine();

        // What a class is scored by: the cosine with its text, or the logit of a fitted classifier.
        var classes = classifier?.Labels ?? head!.Labels;
        var scores = embedded.Select(image => classifier?.Cosines(image) ?? head!.Logits(image)).ToArray();
        var scale = parsed.GetValue(Fit) ? ZeroShotClassifier.FitScale(scores, right) : head is null ? model.LogitScale : 1;
        var shares = embedded.Select((image, i) => classifier is { HasContrast: true } ? classifier.Contrast(image, scale) : ZeroShot.Softmax(scores[i], scale)).ToArray();
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
                accuracy = matrix?.Accuracy.Value, accuracy_interval = matrix is null ? null : (double[])[matrix.Accuracy.Low, matrix.Accuracy.High], classes = matrix?.Classes, confusion = matrix?.Counts, path, skipped = skipped.Items,
            });
            return skipped.Say(terminal);
        }

        terminal.SayTable(
            [words.In("image", "imagen"), .. Enumerable.Range(1, best[0].Length).Select(n => n.ToString(CultureInfo.InvariantCulture))],
            files.Select((_, i) => (string[])[labels[i], .. best[i].Select(k => string.Create(CultureInfo.InvariantCulture, $"{classes[k]} {shares[i][k]:F2}"))]));
        if (matrix is not null) ShowClasses(terminal, matrix, words);
        if (path is not null) terminal.SayText(words.Wrote(path) + ".");
        return skipped.Say(terminal);

        object Answer(string label, double probability, double score) => head is null ? new { label, probability, cosine = score } : new { label, probability, logit = score };

        void Report(string english, string spanish, int done, int of) =>
            terminal.Progress(words.In($"embedding {english}: {done} of {of}", $"codificando {spanish}: {done} de {of}"));
    }

    /// <summary>The fitted classifier that was asked for; words and what belongs to them make no sense beside it.</summary>
    private static LinearHead? HeadOf(ParseResult parsed, Words words)
    {
        if (parsed.GetValue(Probe) is not { } path) return null;
        if (parsed.GetValue(Labels) is { Length: > 0 } || parsed.GetValue(Set) is not null || parsed.GetValue(Sentences) is not null || parsed.GetValue(Background) is not null || parsed.GetValue(Contrast) is not null)
            throw new UsageException(words.In(
                "--probe has its own classes; leave out --labels, --set, --templates, --background and --contrast.", "--probe tiene sus propias clases; quita --labels, --set, --templates, --background y --contrast."));
        CommonOptions.StartTorch(parsed);
        return LinearHead.Load(path);
    }

    private static void ShowClasses(Terminal terminal, ConfusionMatrix matrix, Words words)
    {
        terminal.Say();
        terminal.SayTable(
            [words.In("class", "clase"), words.In("images", "imágenes"), words.In("recall", "exhaustividad"), words.In("precision", "precisión")],
            matrix.Classes.Where(result => result.Count > 0).Select(result => (string[])[result.Label, result.Count.ToString(CultureInfo.InvariantCulture), Share(result.Recall), Share(result.Precision)]));
        var accuracy = matrix.Accuracy;
        terminal.SayText(string.Create(CultureInfo.InvariantCulture,
            $"{words.In("accuracy", "acierto")} {100 * accuracy.Value:F1} % ({accuracy.Count}; {words.In("95 % interval", "intervalo del 95 %")} {100 * accuracy.Low:F1} – {100 * accuracy.High:F1} %)"));

        static string Share(double? value) => value is { } share ? (100 * share).ToString("F1", CultureInfo.InvariantCulture) + " %" : "–";
    }

    private static (List<IReadOnlyList<string>> Names, IReadOnlyList<string> Templates) Classes(
        ParseResult parsed, IReadOnlyList<string> files, Words words, IReadOnlyList<string>? otherwise = null)
    {
        var set = parsed.GetValue(Set) is { } name ? ZeroShotSet.Find(name) : null;
        var given = parsed.GetValue(Labels) ?? [];
        if (set is not null && given.Length > 0) throw new UsageException(words.In("--set and --labels both name the classes; give one of them.", "--set y --labels nombran las clases; indica solo una."));
        if (given.GroupBy(label => label, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new UsageException(words.In($"The label '{twice.Key}' is there twice; each class needs a name of its own.", $"La etiqueta '{twice.Key}' está dos veces; cada clase necesita un nombre propio."));
        var names = set?.Names ?? (given.Length > 0 ? given : otherwise ?? [.. files.Select(FolderOf).Distinct(StringComparer.Ordinal).Order(NaturalOrder.Instance)])
            .Select(label => (IReadOnlyList<string>)[label]).ToArray();
        var templates = Templates.Find(parsed.GetValue(Sentences), words) ?? set?.Templates ?? ZeroShotSet.Plain;
        return ([.. names], templates);
    }

    /// <summary>Names of the classes as --set or --labels give them, every synonym; null where they give none.</summary>
    public static IReadOnlyList<string>? GivenNames(ParseResult parsed) => parsed.GetValue(Set) is { } name ? [.. ZeroShotSet.Find(name).Names.SelectMany(all => all)]
        : parsed.GetValue(Labels) is { Length: > 0 } given ? given : null;

    /// <summary>A folder of class folders stands for the images in those; images beside them are left out.</summary>
    /// <param name="images">Files, folders and patterns.</param>
    /// <param name="classes">Names of the classes; null where the folders name them.</param>
    /// <param name="skipped">Told of the images that are left out.</param>
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
