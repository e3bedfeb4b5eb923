using System.CommandLine;
using System.Globalization;
using Alebrije.Analysis;
using Alebrije.Catalog;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije classify --images ... --labels ... [--templates simple|imagenet7|imagenet80|FILE] [--top K]</c></summary>
internal static class ClassifyCommand
{
    private static readonly Option<string[]> Images = new("--images")
    {
        HelpName = "FILE|FOLDER|PATTERN", Description = "Images: files, folders, or patterns. Folders of a folder name the classes of the images in them.",
        AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string[]> Labels = new("--labels")
    {
        HelpName = "LABEL", Description = "Classes to choose from; without them the names of the images' folders.", AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string?> Set = new("--set") { HelpName = "NAME", Description = "Class names and templates of a dataset, such as ImageNet or CIFAR10." };

    private static readonly Option<string?> Templates = new("--templates")
    {
        HelpName = "simple|imagenet7|imagenet80|FILE", Description = "Sentences that the labels are put in, {} being the place; without it the label as it is.",
    };

    private static readonly Option<int> Top = new("--top") { HelpName = "K", Description = "How many classes are shown for each image.", DefaultValueFactory = _ => 3 };
    private static readonly Option<string?> Background = new("--background") { HelpName = "TEXT", Description = "What an image shows that shows none of the classes, such as \"a red background\"." };
    private static readonly Option<string?> Contrast = new("--contrast") { HelpName = "TEMPLATE", Description = "Judges each class by itself, against this opposite with {} for the label; several may hold." };
    private static readonly Option<bool> Fit = new("--fit-temperature") { Description = "Fits the temperature on these images, whose folders name their classes." };

    public static Command Create(Terminal terminal)
    {
        var file = OutputFile.Option("Writes the confusion matrix", ".png", ".csv");
        var command = new Command("classify", "Says what images show, out of classes that are given as words; with folders as classes also how often that is right.")
        {
            Images, Labels, Set, Templates, Top, Background, Contrast, Fit, file,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(parsed, terminal, parsed.GetValue(file), cancellation), CancellationToken.None));
        return command;
    }

    private static int Run(ParseResult parsed, Terminal terminal, string? path, CancellationToken cancellation)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var top = parsed.GetValue(Top);
        if (top < 1) throw new UsageException(words.In($"--top is {top}; it has to be 1 or more.", $"--top es {top}; tiene que ser 1 o más."));
        OutputFile.Check(path, words);
        var files = ImageFiles.Expand((parsed.GetValue(Images) ?? []).Select(WithFolders), words);
        if (files.Count == 0) throw new UsageException(words.In("There are no images to classify; give --images.", "No hay imágenes que clasificar; indica --images."));
        var (names, templates) = Classes(parsed, files, words);
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

        var folder = ModelCatalog.Create().Find(parsed.GetValue(CommonOptions.Model)!);
        CommonOptions.StartTorch(parsed);
        terminal.Progress(words.In("loading the model", "cargando el modelo"));
        using var model = ClipModel.Load(folder, CommonOptions.PrecisionOf(parsed));
        var classifier = ZeroShotClassifier.Create(
            asked, templates, texts => model.EmbedTexts(texts, done => Report("texts", "textos", done, texts.Count), cancellation),
            parsed.GetValue(Contrast) is { } opposite ? [opposite] : null);
        var embedded = model.EmbedImages(files, done => Report("images", "imágenes", done, files.Count), cancellation);
        terminal.CloseLine();

        var cosines = embedded.Select(classifier.Cosines).ToArray();
        var scale = parsed.GetValue(Fit) ? ZeroShotClassifier.FitScale(cosines, right) : model.LogitScale;
        var shares = embedded.Select((image, i) => classifier.HasContrast ? classifier.Contrast(image, scale) : ZeroShot.Softmax(cosines[i], scale)).ToArray();
        var best = shares.Select(row => ZeroShot.TopK(row, Math.Min(top, row.Length))).ToArray();
        var matrix = labelled ? new ConfusionMatrix(classifier.Labels, right, [.. best.Select(order => order[0])]) : null;
        if (path is not null) matrix!.Save(path, new ReportOptions { Language = words.Language, Model = model.Name });
        var labels = ImageFiles.Labels(files);
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new
            {
                model = model.Name, scale, labels = classifier.Labels,
                results = files.Select((_, i) => new
                {
                    image = labels[i], right = labelled ? classifier.Labels[right[i]] : null,
                    top = best[i].Select(k => new { label = classifier.Labels[k], probability = shares[i][k], cosine = cosines[i][k] }),
                }),
                accuracy = matrix?.Accuracy.Value, accuracy_interval = matrix is null ? null : (double[])[matrix.Accuracy.Low, matrix.Accuracy.High], classes = matrix?.Classes, confusion = matrix?.Counts, path,
            });
            return 0;
        }

        terminal.SayTable(
            [words.In("image", "imagen"), .. Enumerable.Range(1, best[0].Length).Select(n => n.ToString(CultureInfo.InvariantCulture))],
            files.Select((_, i) => (string[])[labels[i], .. best[i].Select(k => string.Create(CultureInfo.InvariantCulture, $"{classifier.Labels[k]} {shares[i][k]:F2}"))]));
        if (matrix is not null) ShowClasses(terminal, matrix, words);
        if (path is not null) terminal.SayText(words.Wrote(path) + ".");
        return 0;

        void Report(string english, string spanish, int done, int of) =>
            terminal.Progress(words.In($"embedding {english}: {done} of {of}", $"codificando {spanish}: {done} de {of}"));
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

    private static (List<IReadOnlyList<string>> Names, IReadOnlyList<string> Templates) Classes(ParseResult parsed, IReadOnlyList<string> files, Words words)
    {
        var set = parsed.GetValue(Set) is { } name ? ZeroShotSet.Find(name) : null;
        var given = parsed.GetValue(Labels) ?? [];
        if (set is not null && given.Length > 0) throw new UsageException(words.In("--set and --labels both name the classes; give one of them.", "--set y --labels nombran las clases; indica solo una."));
        if (given.GroupBy(label => label, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new UsageException(words.In($"The label '{twice.Key}' is there twice; each class needs a name of its own.", $"La etiqueta '{twice.Key}' está dos veces; cada clase necesita un nombre propio."));
        var names = set?.Names ?? (given.Length > 0 ? given : [.. files.Select(FolderOf).Distinct(StringComparer.Ordinal).Order(NaturalOrder.Instance)])
            .Select(label => (IReadOnlyList<string>)[label]).ToArray();
        var templates = parsed.GetValue(Templates) switch
        {
            null => set?.Templates ?? ZeroShotSet.Plain,
            "simple" => ZeroShotSet.Simple,
            "imagenet7" => ZeroShotSet.ImageNet7,
            "imagenet80" => ZeroShotSet.Find("ImageNet").Templates,
            var file when File.Exists(file) => [.. File.ReadAllLines(file).Select(line => line.Trim()).Where(line => line.Length > 0)],
            var other => throw new FileNotFoundException(words.In(
                $"There are no templates {other}; choose simple, imagenet7, imagenet80, or name a file with one sentence per line and {{}} for the label.",
                $"No hay plantillas {other}; elige simple, imagenet7, imagenet80, o un archivo con una frase por línea y {{}} en lugar de la etiqueta.")),
        };
        return ([.. names], templates);
    }

    /// <summary>A folder of folders stands for the images in those.</summary>
    private static string WithFolders(string name) =>
        Directory.Exists(name) && !Directory.EnumerateFiles(name).Any() && Directory.EnumerateDirectories(name).Any() ? Path.Combine(name, "*", "*") : name;

    private static string FolderOf(string file) => Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(file))!);
}
