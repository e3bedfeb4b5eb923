using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Alebrije.Catalog;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Experiments;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary>Common part of the verbs for the DALL-E 2 paper's experiments: sampling options, and paths of the images.</summary>
internal sealed class ExperimentCommand
{
    private readonly Terminal terminal;
    private readonly ExperimentKind kind;

    private readonly Option<int?> steps = new("--steps");
    private readonly Option<double?> guidance = new("--guidance");
    private readonly Option<double?> eta = new("--eta");
    private readonly Option<string> negative = new("--negative") { DefaultValueFactory = _ => "" };
    private readonly Option<int?> size = new("--size");
    private readonly Option<string?> depthMap = new("--depth-map") { HelpName = "FILE" };
    private readonly Option<string> prior = PriorChoice.Option();
    private readonly Option<string?> output = new("--out") { HelpName = "FILE|FOLDER" };
    private readonly Option<string?> trace = new("--trace");

    private ExperimentCommand(Terminal terminal, ExperimentKind kind, string name)
    {
        (this.terminal, this.kind) = (terminal, kind);
        Command = new Command(name);
    }

    private Command Command { get; }

    /// <summary>Makes a verb.</summary>
    /// <param name="terminal">The terminal.</param>
    /// <param name="kind">The experiment.</param>
    /// <param name="name">The verb.</param>
    /// <param name="own">Arguments and options of its own.</param>
    /// <param name="fill">Fills an experiment from them.</param>
    public static Command Create(
        Terminal terminal, ExperimentKind kind, string name, Symbol[] own, Func<ParseResult, PictureExperiment, PictureExperiment> fill)
    {
        var verb = new ExperimentCommand(terminal, kind, name);
        foreach (var symbol in own)
        {
            if (symbol is Argument argument) verb.Command.Add(argument);
            else verb.Command.Add((Option)symbol);
        }

        foreach (var option in new Option[] { verb.steps, verb.guidance,
            verb.eta, verb.negative, verb.size, verb.depthMap, verb.prior, verb.output, verb.trace })
            if (own.All(symbol => symbol.Name != option.Name)) verb.Command.Add(option);
        verb.Command.SetAction((parsed, cancellation) => Task.Run(() => verb.Run(parsed, fill, cancellation), CancellationToken.None));
        return verb.Command;
    }

    /// <summary>A text, or an image if a file of that name exists or the name ends as an image's.</summary>
    public static ExperimentPart PartOf(ParseResult parsed, string text, double weight = 1) =>
        File.Exists(text) || PillowImage.HasPictureName(text) ? PictureOf(parsed, text) with { Weight = weight }
        : new ExperimentPart(text, null, weight);

    /// <summary>An image whose file must exist.</summary>
    public static ExperimentPart PictureOf(ParseResult parsed, string path) => File.Exists(path)
        ? new ExperimentPart(null, path)
        : throw new FileNotFoundException(new Words(CommonOptions.LanguageOf(parsed))["experiment.no-picture", path]);

    private int Run(ParseResult parsed, Func<ParseResult, PictureExperiment, PictureExperiment> fill, CancellationToken cancellation)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var request = new GenerationRequest
        {
            Prompt = "", Seed = parsed.GetValue(CommonOptions.Seed) ?? (ulong)Random.Shared.Next(),
            Steps = ValueOf(parsed, steps), Guidance = ValueOf(parsed, guidance),
            Eta = ValueOf(parsed, eta), Negative = parsed.GetValue(negative) ?? "",
            Size = parsed.GetValue(size), DepthMap = parsed.GetValue(depthMap),
        };
        var experiment = fill(parsed, new PictureExperiment { Kind = kind, Request = request });
        experiment.Check();
        var (priorKind, elsewhere) = PriorChoice.Find(parsed.GetValue(prior)!, words);
        var (folder, companions) = PriorChoice.Model(parsed);
        OutputFile.CheckEmptyFolder("--trace", parsed.GetValue(trace), words);
        OutputFile.CheckFolder(parsed.GetValue(trace), GenerationTrace.IndexFile, words);
        var place = new ExperimentFiles(parsed.GetValue(output), kind, request.Seed, words);

        var clock = Stopwatch.StartNew();
        CommonOptions.StartTorch(parsed);
        using var pipeline = ImagePipeline.Load(folder, new ImagePipelineOptions { PriorFolder = elsewhere,
            CompanionFolders = companions, Precision = CommonOptions.PrecisionOf(parsed) });
        experiment = experiment with { Request = experiment.Request with { Prior = pipeline.PriorFromElsewhere ?? priorKind } };
        var loaded = clock.Elapsed.TotalSeconds;
        ExperimentResult? result = null;
        var progress = new StepProgress(terminal, words);
        var json = parsed.GetValue(CommonOptions.Json);
        StoppedRun.Guard(terminal, words, json, () => place.Saved.IsEmpty ? null : Document(), () =>
        {
            result = new ImageExperiments(pipeline).Run(experiment, progress.Show,
                soFar => place.Add(pipeline.Name, result = soFar), cancellation);
            terminal.CloseLine();
            foreach (var note in result.Notes) terminal.Note(NoteWords.In(words, note));
            place.Save(pipeline.Name, ExperimentWords.Labelled(words, result));
            if (parsed.GetValue(trace) is { } traced) ExperimentFiles.Trace(traced, pipeline.Name, result);
        });
        if (json)
        {
            terminal.SayJson(Document());
            return 0;
        }

        var shown = ExperimentWords.Labelled(words, result!);
        terminal.Show(shown.Sheet(), terminal.Width);
        var widest = shown.Pictures.Max(picture => picture.Label.Length);
        foreach (var picture in shown.Pictures)
            terminal.Say($"{picture.Label.PadRight(widest)}  {ExperimentWords.Line(words, picture)}".TrimEnd());
        terminal.Say(words["experiment.written", place.Saved.Sheet, request.Seed, clock.Elapsed.TotalSeconds]);
        return 0;

        object Document() => new
        {
            model = pipeline.Name, place.Saved.Sheet, place.Saved.Animation,
            images = result!.Pictures.Select((picture, i) => new { picture.Label, path = place.Saved.Pictures.ElementAtOrDefault(i),
                request.Seed, picture.Image.Width, picture.Image.Height, picture.Numbers }),
            seconds = new { load = loaded, total = clock.Elapsed.TotalSeconds },
        };
    }

    /// <summary>An option of this verb, or null if the verb has an own one of that name.</summary>
    private static T? ValueOf<T>(ParseResult parsed, Option<T?> option) where T : struct =>
        parsed.CommandResult.Command.Options.Contains(option) ? parsed.GetValue(option) : null;
}
