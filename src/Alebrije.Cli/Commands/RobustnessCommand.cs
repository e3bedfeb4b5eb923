using System.CommandLine;
using System.Globalization;
using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Evaluation;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;
using Alebrije.Robustness;
using Alebrije.Tensors;
using Alebrije.Training;

namespace Alebrije.Cli.Commands;

/// <summary>
/// <c>alebrije robustness [--images DIR] [--labels ...] [--concepts a,b,c] [--severity 3|1-5] [--minutes M]
/// [--out report.html|.png|.csv]</c>
/// </summary>
internal static class RobustnessCommand
{
    private static readonly Option<string?> Images = new("--images") { HelpName = "DIR" };

    private static readonly Option<string[]> Labels = new("--labels")
    {
        HelpName = "LABEL", AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string[]> Concepts = new("--concepts")
    {
        HelpName = "NAME,NAME",
        AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<int> Count = new("--count") { HelpName = "N", DefaultValueFactory = _ => 10 };
    private static readonly Option<int> Training = new("--train-count") { HelpName = "N", DefaultValueFactory = _ => 40 };
    private static readonly Option<string?> Sentences = Templates.Option();
    private static readonly Option<string> Severity = new("--severity") { HelpName = "1|...|5|1-5", DefaultValueFactory = _ => "3" };
    private static readonly Option<double> Minutes = new("--minutes") { HelpName = "M", DefaultValueFactory = _ => 10 };
    private static readonly Option<int> Epochs = new("--epochs") { HelpName = "N", DefaultValueFactory = _ => 30 };

    private static readonly Option<bool> Strict = PictureOptions.StrictOption();

    static RobustnessCommand()
    {
        Count.Validators.Add(r => Within(r, "--count", 1, 10_000));
        Training.Validators.Add(r => Within(r, "--train-count", 1, 10_000));
        Epochs.Validators.Add(r => Within(r, "--epochs", 1, 10_000));
        Minutes.Validators.Add(r =>
        {
            if (!(r.GetValueOrDefault<double>() is >= 0 and <= 10_000)) r.AddError(Words.Of(r)["robustness.minutes-range"]);
        });
        Severity.Validators.Add(r =>
        {
            if (SeveritiesOf(r.GetValueOrDefault<string>()).Count == 0)
                r.AddError(Words.Of(r)["robustness.severity-range", r.GetValueOrDefault<string>()]);
        });
    }

    public static Command Create(Terminal terminal)
    {
        var file = OutputFile.Option(".html", ".png", ".csv");
        var command = new Command("robustness")
        {
            Images, Labels, Concepts, Count, Training, Sentences, Severity, Minutes, Epochs, Strict, file,
        };
        command.SetAction((parsed, cancellation) =>
            Task.Run(() => Run(parsed, terminal, parsed.GetValue(file), cancellation), CancellationToken.None));
        return command;
    }

    private static int Run(ParseResult parsed, Terminal terminal, string? path, CancellationToken cancellation)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        OutputFile.Check(path, words);
        CheckSources(parsed, words);
        var templates = Templates.Find(parsed.GetValue(Sentences), words) ?? ZeroShotSet.Plain;
        var folder = ModelChoice.Find(parsed);
        var processor = ClipModel.LoadImageProcessor(folder);
        var side = processor.PrepareBytes(new RgbImage(256, 256).ToPillow()).Width;
        var seed = parsed.GetValue(CommonOptions.Seed) ?? 0;
        var skipped = new SkippedPictures(words, upright: true, parsed.GetValue(Strict));
        var pictures = Read(parsed, side, seed, terminal, words, skipped, cancellation);

        CommonOptions.StartTorch(parsed);
        terminal.Progress(words["progress.loading-model"]);
        using var model = ClipModel.Load(folder, CommonOptions.PrecisionOf(parsed), NoteWords.Writer(terminal, words));
        var byWords = ZeroShotClassifier.Create(pictures.Labels, templates, texts => model.EmbedTexts(texts, cancellation: cancellation));
        var clip = ClipClassifiers.Create(
            model, byWords, pictures.Training,
            done => terminal.Progress(words["robustness.embedding", done, pictures.Training.Count]), cancellation);
        using var baseline = parsed.GetValue(Minutes) > 0 ? Train(parsed, model, pictures, seed, terminal, words, cancellation) : null;
        PictureClassifiers[] classifiers = baseline is null ? [clip]
            : [clip, new PictureClassifiers(["supervised"], images => [baseline.Classify(images, cancellation)])];
        var reportWords = RobustnessWords.In(words.Language);
        var report = RobustnessStudy.Run(
            pictures.Test, pictures.Labels, classifiers,
            new RobustnessOptions
            {
                Severities = SeveritiesOf(parsed.GetValue(Severity)), Seed = seed,
                Side = side, Model = model.Name, IsHeldOut = pictures.IsHeldOut,
                Shown = Math.Max(0, pictures.Labels.ToList().FindIndex(label => label.Contains("banana", StringComparison.OrdinalIgnoreCase)
                    || label.Contains("plátano", StringComparison.OrdinalIgnoreCase))),
            },
            (name, done, of) => terminal.Progress($"{reportWords.Condition(name)}: {done} / {of}"), cancellation);
        terminal.CloseLine();
        if (path is not null) report.Save(path, new ReportOptions { Language = words.Language, Model = model.Name });
        if (parsed.GetValue(CommonOptions.Json)) terminal.SayJson(Document(report, pictures, baseline, seed, path, skipped));
        else Say(report, reportWords, pictures, baseline, path, terminal, words);
        return skipped.Say(terminal);
    }

    private static void CheckSources(ParseResult parsed, Words words)
    {
        var given = parsed.GetValue(Labels) ?? [];
        if (parsed.GetValue(Images) is null && given.Length > 0)
            throw new UsageException(words["robustness.labels-without-images"]);
        if (parsed.GetValue(Images) is not null && parsed.GetResult(Concepts) is { Implicit: false })
            throw new UsageException(words["robustness.images-and-concepts"]);
        if (given.GroupBy(label => label, StringComparer.OrdinalIgnoreCase).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new UsageException(words["usage.label-twice", twice.Key]);
    }

    private static RobustnessPictures Read(
        ParseResult parsed, int side, ulong seed, Terminal terminal, Words words, SkippedPictures skipped, CancellationToken cancellation)
    {
        var square = Math.Max(Scene.Side, side);
        if (parsed.GetValue(Images) is { } folder)
        {
            var labels = parsed.GetValue(Labels) is { Length: > 0 } given ? given : null;
            skipped.AddBesideClasses(folder);
            return RobustnessPictures.FromFolder(folder, labels, square,
                (done, of) => terminal.Progress(words["robustness.reading", done, of]), skipped.Reader, cancellation);
        }

        var world = EmojiWorld.Open();
        var asked = parsed.GetResult(Concepts) is { Implicit: false };
        var concepts = WorldSelection.Chosen(world, asked ? parsed.GetValue(Concepts) ?? [] : [.. RobustnessPictures.UsualConcepts],
            asked, words);
        if (concepts.Length < 2)
            throw new UsageException(words["robustness.one-concept"]);
        terminal.Progress(words["robustness.drawing"]);
        return RobustnessPictures.FromWorld(
            world, concepts, parsed.GetValue(Training), parsed.GetValue(Count),
            seed, words.Language == "es" ? Language.Spanish : Language.English, Math.Min(512, square));
    }

    private static SupervisedBaseline Train(
        ParseResult parsed, ClipModel model, RobustnessPictures pictures,
        ulong seed, Terminal terminal, Words words, CancellationToken cancellation)
    {
        var (loss, share) = (0.0, 0.0);

        // int8 is for CLIP's embeddings only, not for training.
        var precision = CommonOptions.PrecisionOf(parsed) is var asked && asked == Precision.Int8 ? Precision.Auto : asked;
        return SupervisedBaseline.Train(
            model, [.. pictures.Training.Select(picture => picture.Image)],
            [.. pictures.Training.Select(picture => picture.Class)], pictures.Labels.Count,
            new SupervisedOptions { Minutes = parsed.GetValue(Minutes), Epochs = parsed.GetValue(Epochs),
                Seed = seed, Precision = precision },
            (step, of, now, right) =>
            {
                (loss, share) = step == 1 ? (now, right) : ((0.95 * loss) + (0.05 * now), (0.95 * share) + (0.05 * right));
                terminal.Progress(words["robustness.training-baseline", step, of, loss, 100 * share]);
            },
            cancellation);
    }

    private static void Say(RobustnessReport report, RobustnessWords names,
        RobustnessPictures pictures, SupervisedBaseline? baseline, string? path, Terminal terminal, Words words)
    {
        terminal.SayTable(
            [words["word.condition"], ">n", .. report.Classifiers.Select(name => ">" + names.Classifier(name))],
            report.Conditions.Select(condition => (string[])
            [
                names.Condition(condition.Name), condition.Count.ToString(CultureInfo.InvariantCulture),
                .. condition.Accuracy.Select(figure => string.Create(CultureInfo.InvariantCulture,
                    $"{100 * figure.Value:F1} % ({100 * figure.Low:F0}–{100 * figure.High:F0})")),
            ]));
        if (report.Conditions.FirstOrDefault(condition => condition.Severities.Count > 0) is { } corrupted)
            terminal.SayText(words["robustness.about-table", names.Severity(corrupted.Severities)]);
        terminal.SayText(words["robustness.about-images", pictures.Training.Count, pictures.Test.Count, pictures.Labels.Count]);
        if (baseline is not null)
            terminal.SayText(words["robustness.baseline", baseline.Parameters / 1e6,
                baseline.Steps.Done, baseline.Steps.Planned, baseline.Seconds]);
        terminal.SayText(report.Sentence(words.Language));
        if (path is not null) terminal.SayText(words.Wrote(path) + ".");
    }

    private static object Document(RobustnessReport report, RobustnessPictures pictures,
        SupervisedBaseline? baseline, ulong seed, string? path, SkippedPictures skipped)
    {
        return new
        {
            model = report.Model, seed, labels = report.Labels, training = pictures.Training.Count, test = pictures.Test.Count,
            baseline = baseline is null ? null : new { baseline.Parameters,
                steps = baseline.Steps.Done, planned_steps = baseline.Steps.Planned, baseline.Seconds },
            conditions = report.Conditions.Select(condition =>
            {
                var row = new Dictionary<string, object?> { ["name"] = condition.Name,
                    ["severity"] = Number(condition.Severities), ["count"] = condition.Count };
                foreach (var name in (string[])["zero_shot", "probe", "supervised"]) row[name] = Of(condition, name)?.Value;
                foreach (var name in report.Classifiers)
                    row[name + "_interval"] = (double[])[Of(condition, name)!.Low, Of(condition, name)!.High];
                return row;
            }),
            summary = report.Sentence(), path, skipped = skipped.Items,
        };

        Figure? Of(RobustnessCondition condition, string name) =>
            report.Classifiers.ToList().IndexOf(name) is >= 0 and var k ? condition.Accuracy[k] : null;

        static object? Number(IReadOnlyList<int> severities) => severities.Count switch { 0 => null, 1 => severities[0], _ => severities };
    }

    private static IReadOnlyList<int> SeveritiesOf(string? text)
    {
        var ends = (text ?? "").Split('-').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var n)
            && n is >= 1 and <= Corruptions.Severities ? n : 0).ToArray();
        return ends.Length is 1 or 2 && ends[0] > 0 && ends[^1] >= ends[0] ? [.. Enumerable.Range(ends[0], ends[^1] - ends[0] + 1)] : [];
    }

    private static void Within(System.CommandLine.Parsing.OptionResult result, string name, int least, int most)
    {
        if (result.GetValueOrDefault<int>() is var value && (value < least || value > most))
            result.AddError(Words.Of(result)["usage.whole-number-between-not", name, least, most, value]);
    }
}
