using System.CommandLine;
using System.Globalization;
using Alebrije.Datasets;
using Alebrije.Embeddings;
using Alebrije.Evaluation;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Flamingo;

namespace Alebrije.Cli.Commands;

/// <summary>
/// <c>alebrije evaluate [--only clip,prior,decoder,autoencoder,upsampler] [--count N] [--out DIR] [--per-concept FILE]</c>
/// </summary>
internal static class EvaluateCommand
{
    private const int PicturesPerConcept = 2;
    private static readonly string[] PartNames =
        [.. Enum.GetValues<EvaluationPart>().Where(part => part != EvaluationPart.Flamingo).Select(ModelEvaluation.NameOf)];

    public static Command Create(Terminal terminal)
    {
        var only = new Option<string?>("--only");
        only.Validators.Add(result =>
        {
            foreach (var name in Split(result.GetValueOrDefault<string?>()).Where(name => !PartNames.Contains(name)))
                result.AddError(Words.Of(result)["evaluate.only-unknown", name, string.Join(", ", PartNames)]);
        });
        var count = new Option<int>("--count")
        {
            DefaultValueFactory = _ => EvaluationOptions.DefaultCount,
        };
        count.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 100_000)
                result.AddError(Words.Of(result)["usage.whole-number-between", "--count", 1, 100_000]);
        });
        var priors = new Option<bool>("--priors")
        {
        };
        var sheets = new Option<string?>("--out");
        var record = new Option<string?>("--per-concept")
        {
        };
        var command = new Command("evaluate") { only, priors, count, sheets, record };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var words = new Words(CommonOptions.LanguageOf(parsed));
                var compares = parsed.GetValue(priors);
                if (compares && parsed.GetValue(only) is not null)
                    throw new UsageException(words["evaluate.priors-alone"]);
                OutputFile.Check(parsed.GetValue(record), words);
                OutputFile.CheckEmptyFolder("--out", parsed.GetValue(sheets), words);
                var folder = ModelChoice.Find(parsed);
                if (FlamingoPipeline.IsFlamingo(folder))
                {
                    if (compares || (parsed.GetValue(only) ?? parsed.GetValue(sheets) ?? parsed.GetValue(record)) is not null)
                        throw new UsageException(words["evaluate.flamingo-alone"]);
                    EvaluateFlamingo(parsed, terminal, words, folder, parsed.GetValue(count), cancellation);
                    return 0;
                }

                var world = EmojiWorld.Open();
                CommonOptions.StartTorch(parsed);
                using var pipeline = ImagePipeline.Load(folder, new ImagePipelineOptions { Precision = CommonOptions.PrecisionOf(parsed) });
                var names = Split(parsed.GetValue(only));
                var defaults = new EvaluationOptions();
                var (json, sheetFolder) = (parsed.GetValue(CommonOptions.Json), parsed.GetValue(sheets));
                var result = StoppedRun.Guard(terminal, words, json,
                    () => Sheets(sheetFolder) is { Length: > 0 } drawn ? new { model = pipeline.Name, sheets = drawn } : null, () =>
                {
                    var measured = ModelEvaluation.Run(pipeline, world, defaults with
                    {
                        Parts = compares ? [EvaluationPart.Prior] : names.Length == 0 ? defaults.Parts
                            : [.. Enum.GetValues<EvaluationPart>().Where(part => names.Contains(ModelEvaluation.NameOf(part)))],
                        Count = parsed.GetValue(count),
                        Seed = parsed.GetValue(CommonOptions.Seed) ?? defaults.Seed,
                        Folder = sheetFolder,
                        DrawsByPrior = compares,
                        PicturesPerConcept = parsed.GetValue(record) is null ? 0 : PicturesPerConcept,
                        OnProgress = progress => terminal.Progress(words["evaluate.progress",
                            ModelEvaluation.NameOf(progress.Part), progress.Doing, progress.Done, progress.Of]),
                    }, cancellation);
                    terminal.CloseLine();
                    if (parsed.GetValue(record) is { } file) ModelRecord.Of(measured).Write(file);
                    return measured;
                });
                if (json)
                    terminal.SayJson(new { result.Model, result.Seed, Metrics = result.Metrics.ToJson(),
                        result.Left, Sheets = Sheets(sheetFolder), Seconds = Math.Round(result.Seconds, 1) });
                else if (compares)
                    SayPriors(terminal, words, result);
                else
                    Say(terminal, words, result);
                return 0;
            },
            CancellationToken.None));
        return command;
    }

    private static void EvaluateFlamingo(
        ParseResult parsed, Terminal terminal, Words words, string folder, int count, CancellationToken cancellation)
    {
        var world = EmojiWorld.Open();
        CommonOptions.StartTorch(parsed);
        using var model = FlamingoPipeline.Load(folder, CommonOptions.PrecisionOf(parsed), NoteWords.Writer(terminal, words));
        var defaults = new EvaluationOptions();
        var result = FlamingoEvaluation.Run(model, world, defaults with
        {
            Count = count, Seed = parsed.GetValue(CommonOptions.Seed) ?? defaults.Seed,
            OnProgress = progress => terminal.Progress(words["evaluate.progress",
                ModelEvaluation.NameOf(progress.Part), progress.Doing, progress.Done, progress.Of]),
        }, cancellation);
        terminal.CloseLine();
        if (parsed.GetValue(CommonOptions.Json))
            terminal.SayJson(new { result.Model, result.Seed, Metrics = result.Metrics.ToJson(), Seconds = Math.Round(result.Seconds, 1) });
        else Say(terminal, words, result);
    }

    /// <summary>Paths of the sheets in a folder that was empty.</summary>
    private static string[] Sheets(string? folder) => folder is null
        || !Directory.Exists(folder) ? [] : [.. Directory.GetFiles(folder, "*.png").Order(StringComparer.Ordinal)];

    private static string[] Split(string? names) =>
        names?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];

    /// <summary>Writes one row for each prior or baseline, one column for each figure.</summary>
    private static void SayPriors(Terminal terminal, Words words, EvaluationResult result)
    {
        string[] figures = ["cosine", "retrieval_r1", "gap_closed", "energy_distance", "drawn_top1", "drawn_top5"];
        terminal.Say(words["evaluate.head-priors", result.Model, result.Seed]);
        terminal.Say($"{"",-24}" + string.Concat(figures.Select(name => $"{name,-26}")).TrimEnd());
        foreach (var (name, group) in result.Metrics.Groups["prior"].Groups)
            terminal.Say($"{name,-24}" + string.Concat(figures.Select(figure =>
                $"{(group.Figures.TryGetValue(figure, out var value) ? Interval(figure, value) : ""),-26}")).TrimEnd());
        foreach (var reason in result.Left) terminal.Say(words["evaluate.left-out", reason]);
        terminal.Say(string.Create(CultureInfo.InvariantCulture, $"{result.Seconds:F0} s"));
    }

    private static string Interval(string name, Figure figure) =>
        $"{Number(name, figure.Value)} ({Number(name, figure.Low)}-{Number(name, figure.High)})";

    private static void Say(Terminal terminal, Words words, EvaluationResult result)
    {
        terminal.Say(words["evaluate.head", result.Model, result.Seed]);
        Say(terminal, words, result.Metrics, "");
        if (result.Concepts.Count > 0)
            terminal.Say(words["evaluate.concepts", result.Concepts.Count(c => c.Right > 0),
                result.Concepts.Count, result.Concepts.Count(c => c.Right == c.Of)]);
        foreach (var reason in result.Left) terminal.Say(words["evaluate.left-out", reason]);
        terminal.Say(string.Create(CultureInfo.InvariantCulture, $"{result.Seconds:F0} s"));
    }

    private static void Say(Terminal terminal, Words words, MetricGroup group, string indent)
    {
        foreach (var (name, figure) in group.Figures) terminal.Say(Row(words, indent + name, name, figure));
        foreach (var (name, inner) in group.Groups)
        {
            if (indent.Length == 0) terminal.Say();
            terminal.Say(inner.Own is { } own ? Row(words, indent + name, name, own) : indent + name);
            Say(terminal, words, inner, indent + "  ");
        }
    }

    private static string Row(Words words, string label, string name, Figure figure) =>
        words["evaluate.row", label, Number(name, figure.Value), Number(name, figure.Low), Number(name, figure.High), figure.Count];

    /// <summary>Formats decibels, lengths and cosines as they are, shares in percent.</summary>
    private static string Number(string name, double value) =>
        name.Contains("psnr", StringComparison.Ordinal) ? value.ToString("F2", CultureInfo.InvariantCulture) + " dB"
        : name is "cosine" or "modality_gap" or "energy_distance" ? value.ToString("F3", CultureInfo.InvariantCulture)
        : (100 * value).ToString("F1", CultureInfo.InvariantCulture) + " %";
}
