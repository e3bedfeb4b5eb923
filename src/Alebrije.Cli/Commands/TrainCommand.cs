using System.CommandLine;
using System.Globalization;
using Alebrije.Training;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije train clip|autoencoder|prior|decoder --config F --out DIR [--resume] [--minutes M]</c></summary>
internal static class TrainCommand
{
    public static Command Create(Terminal terminal)
    {
        var part = new Argument<string>("part") { HelpName = "PART", Description = "What to train: " + string.Join(", ", Trainers.Names) + "." };
        part.AcceptOnlyFromAmong([.. Trainers.Names]);
        var config = new Option<string>("--config") { HelpName = "FILE", Description = "The run's JSON file.", Required = true };
        var folder = new Option<string>("--out") { HelpName = "DIR", Description = "Folder of the run: checkpoint, log, sample grids, weights.", Required = true };
        var resume = new Option<bool>("--resume") { Description = "Goes on from the folder's checkpoint." };
        var minutes = new Option<double?>("--minutes") { HelpName = "M", Description = "Stops, saved, after this many minutes." };
        minutes.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double?>() is <= 0) result.AddError("--minutes takes a number above 0.");
        });
        var command = new Command("train", "Trains a part of a model: resumable, with live loss, sample grids and an honest evaluation.")
        {
            part, config, folder, resume, minutes,
        };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                CommonOptions.StartTorch(parsed);
                var result = Trainers.Run(parsed.GetValue(part)!, parsed.GetValue(config)!, new TrainingOptions(parsed.GetValue(folder)!)
                {
                    Resume = parsed.GetValue(resume),
                    Minutes = parsed.GetValue(minutes),
                    OnProgress = progress => Show(terminal, progress),
                }, cancellation);
                terminal.CloseLine();
                if (parsed.GetValue(CommonOptions.Json)) terminal.SayJson(new { result.Steps, result.Seconds, result.Finished, result.Metrics });
                else terminal.Say(Summary(result));
                return 0;
            },
            CancellationToken.None));
        return command;
    }

    private static void Show(Terminal terminal, TrainingProgress progress)
    {
        var culture = CultureInfo.InvariantCulture;
        var share = string.Create(culture, $"step {progress.Step:N0} of {progress.Total:N0}");
        if (double.IsFinite(progress.Loss))
        {
            var line = string.Create(culture,
                $"{share}  loss {progress.Loss:F4}  {progress.SamplesPerSecond:F0} samples/s  rate {progress.LearningRate:G3}  gradient {progress.GradientNorm:F2}");
            if (terminal.IsLive) terminal.Progress(line);
            else terminal.Note(line);
        }

        if (progress.Note is { } note) terminal.Note($"{share}  {note}");
    }

    private static string Summary(TrainingResult result)
    {
        var metrics = string.Join(", ", result.Metrics.Select(m => string.Create(CultureInfo.InvariantCulture, $"{m.Key} {m.Value:F3}")));
        var state = result.Finished ? "finished" : "stopped and saved; go on with --resume";
        return string.Create(CultureInfo.InvariantCulture, $"{result.Steps:N0} steps in {result.Seconds / 60:F1} minutes, {state}. {metrics}");
    }
}
