using System.CommandLine;
using System.Globalization;
using Alebrije.Catalog;
using Alebrije.Pipelines;
using Alebrije.Training;

namespace Alebrije.Cli.Commands;

/// <summary>
/// <c>alebrije train clip|autoencoder|prior|guess|decoder|upsampler|cascade|flamingo --config F --out DIR [--resume] [--minutes M]</c>, and
/// probe and classifier
/// </summary>
internal static class TrainCommand
{
    private static readonly string[] TrainablePriors = [.. PriorNames.All.Where(name => name != PriorNames.Of(PriorKind.None))];

    public static Command Create(Terminal terminal)
    {
        var command = new Command("train");
        foreach (var part in Trainers.Names) command.Add(part == "clip" ? Clip(terminal) : Part(part, terminal));
        command.Add(TrainProbeCommand.Create(terminal));
        command.Add(TrainClassifierCommand.Create(terminal));
        return command;
    }

    /// <summary>Looks up names, also <c>owner/name</c>, among the models; an existing path is not changed.</summary>
    public static string FindModel(string name) => Path.GetFileName(name) != name
        && Path.Exists(name) ? name : ModelCatalog.Create().Find(name);

    private static Command Part(string part, Terminal terminal)
    {
        var config = new Option<string>("--config") { HelpName = "FILE", Required = true };
        var kind = new Option<string>("--kind") { HelpName = string.Join('|', TrainablePriors),
            DefaultValueFactory = _ => TrainablePriors[0] };
        kind.AcceptOnlyFromAmong(TrainablePriors);
        var stage = new Option<string?>("--stage") { HelpName = "1|2" };
        stage.AcceptOnlyFromAmong("1", "2");
        var run = new TrainingRunOptions();
        var command = new Command(part) { config };
        if (part == "prior") command.Add(kind);
        if (part is "cascade" or "flamingo") command.Add(stage);
        run.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(
            () => run.Run(parsed, terminal, options => Train(parsed, options, cancellation)),
            CancellationToken.None));
        return command;

        TrainingResult Train(ParseResult parsed, TrainingOptions options, CancellationToken cancellation)
        {
            var file = parsed.GetValue(config)!;
            return part switch
            {
                "prior" when PriorNames.TryParse(parsed.GetValue(kind), out var prior) =>
                    Trainers.RunPrior(prior, file, options, cancellation),
                "cascade" => Trainers.RunCascade(file, StageOf(parsed), options, cancellation),
                "flamingo" => Trainers.RunFlamingo(file, StageOf(parsed), options, cancellation),
                _ => Trainers.Run(part, file, options, cancellation),
            };
        }

        int? StageOf(ParseResult parsed) => parsed.GetValue(stage) is { } one ? one[0] - '0' : null;
    }

    private static Command Clip(Terminal terminal)
    {
        var config = new Option<string?>("--config") { HelpName = "FILE" };
        var data = new Option<string?>("--data")
        {
            HelpName = "FOLDER|CSV|TAR",
        };
        var start = new Option<string?>("--start")
        {
            HelpName = "NAME|FOLDER|PT",
        };
        var run = new TrainingRunOptions();
        var command = new Command("clip") { config, data, start };
        run.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var words = new Words(CommonOptions.LanguageOf(parsed));
                var (file, pictures, model) = (parsed.GetValue(config), parsed.GetValue(data), parsed.GetValue(start));
                if (file is null == pictures is null)
                    throw new UsageException(words["train.clip-needs-one"]);
                if (file is not null && model is not null)
                    throw new UsageException(words["train.start-with-config"]);
                return run.Run(parsed, terminal, options => pictures is null
                    ? Trainers.Run("clip", file!, options, cancellation) : Trainers.RunOnPictures(pictures, model, options, cancellation));
            },
            CancellationToken.None));
        return command;
    }
}

/// <summary>Options and output of every training run.</summary>
internal sealed class TrainingRunOptions
{
    private readonly Option<string> folder = new("--out") { HelpName = "DIR", Required = true };
    private readonly Option<bool> resume = new("--resume");
    private readonly Option<double?> minutes = new("--minutes") { HelpName = "M" };

    public TrainingRunOptions() => minutes.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<double?>() is <= 0) result.AddError(Words.Of(result)["train.minutes-above-0"]);
    });

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(folder);
        command.Add(resume);
        command.Add(minutes);
    }

    /// <summary>Trains, and writes the result.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="terminal">The terminal.</param>
    /// <param name="train">The training run.</param>
    /// <param name="strict">True if a skipped image makes the exit status 1.</param>
    /// <param name="classFolders">Folders of class folders that it reads.</param>
    /// <returns>The exit status: 1 if images were skipped and <paramref name="strict"/> is set.</returns>
    public int Run(ParseResult parsed, Terminal terminal, Func<TrainingOptions, TrainingResult> train,
        bool strict = false, IReadOnlyList<string?>? classFolders = null)
    {
        CommonOptions.StartTorch(parsed);
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var result = train(new TrainingOptions(parsed.GetValue(folder)!)
        {
            Resume = parsed.GetValue(resume),
            Minutes = parsed.GetValue(minutes),
            FindModel = TrainCommand.FindModel,
            OnProgress = progress => Show(terminal, words, progress),
        });
        terminal.CloseLine();
        var skipped = new SkippedPictures(words, upright: true, strict);
        skipped.Add(result.Skipped, classFolders ?? []);
        if (parsed.GetValue(CommonOptions.Json))
            terminal.SayJson(new { result.Steps, result.Seconds, result.Finished, result.Metrics, Skipped = skipped.Items });
        else terminal.Say(Summary(words, result));
        return skipped.Say(terminal);
    }

    private static void Show(Terminal terminal, Words words, TrainingProgress progress)
    {
        var share = words["train.step", progress.Step, progress.Total];
        if (double.IsFinite(progress.Loss))
        {
            var line = words["train.step-figures", share, progress.Loss,
                progress.SamplesPerSecond, progress.LearningRate, progress.GradientNorm];
            if (terminal.IsLive) terminal.Progress(line);
            else terminal.Note(line);
        }

        if (progress.Note is { } note) terminal.Note($"{share}  {note}");
    }

    private static string Summary(Words words, TrainingResult result)
    {
        var metrics = string.Join(", ", result.Metrics.Select(m => string.Create(CultureInfo.InvariantCulture, $"{m.Key} {m.Value:F3}")));
        var state = result.Finished ? words["train.finished"] : words["train.stopped"];
        return words.Count("train.summary", result.Steps, result.Seconds / 60, state, metrics);
    }
}
