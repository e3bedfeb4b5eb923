using System.Diagnostics;
using System.Globalization;
using Alebrije.Datasets;
using Alebrije.Preprocessing;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>Progress of a run.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Total">Steps of the whole run.</param>
/// <param name="Loss">Mean loss since the last report.</param>
/// <param name="LearningRate">Rate of the last step.</param>
/// <param name="GradientNorm">Mean norm of the gradients before clipping since the last report.</param>
/// <param name="SamplesPerSecond">Speed since the last report.</param>
/// <param name="Note">Words on what was saved, measured or noticed; null in a plain report.</param>
public sealed record TrainingProgress(
    long Step, long Total, double Loss, double LearningRate, double GradientNorm, double SamplesPerSecond, string? Note = null);

/// <summary>Result of a run.</summary>
/// <param name="Steps">Steps done in all, earlier sessions in the same folder included.</param>
/// <param name="Seconds">Seconds of training in all.</param>
/// <param name="Finished">True if the schedule is at its end; false when time ran out or the run was stopped.</param>
/// <param name="Metrics">Named results of the last evaluation.</param>
public sealed record TrainingResult(long Steps, double Seconds, bool Finished, IReadOnlyDictionary<string, double> Metrics)
{
    /// <summary>Pictures that could not be read, where the run read a labelled folder.</summary>
    public IReadOnlyList<SkippedPicture> Skipped { get; init; } = [];
}

/// <summary>Options of a training run outside its configuration.</summary>
/// <param name="Folder">Folder of the run: checkpoint, log, sample grids, exported weights.</param>
public sealed record TrainingOptions(string Folder)
{
    /// <summary>True to continue from the folder's checkpoint, if any; false refuses a folder that holds a run.</summary>
    public bool Resume { get; init; }

    /// <summary>Stops, saved, after this many minutes; null runs to the end of the schedule.</summary>
    public double? Minutes { get; init; }

    /// <summary>Maps a model's name in a configuration to its folder; null: the name is a folder.</summary>
    public Func<string, string>? FindModel { get; init; }

    /// <summary>Called about every ten seconds.</summary>
    public Action<TrainingProgress>? OnProgress { get; init; }
}

/// <summary>
/// The folder of a run: its resolved configuration, its log, and one checkpoint that is replaced as a whole, so that a run killed at any
/// moment goes on from the last one and takes exactly the steps that it would have taken.
/// </summary>
internal sealed class TrainingRun : IDisposable
{
    private const string CheckpointName = "checkpoint.safetensors", LockName = ".run.lock";
    private const string LogHead = "step,seconds,loss,learning_rate,gradient_norm,samples_per_second,note";
    private readonly FileStream? held;
    private readonly TrainingOptions options;
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly string? log;
    private readonly double earlierSeconds;
    private readonly LossWatch watch;
    private readonly HashSet<string> noted = new(StringComparer.Ordinal);
    private double reportedAt, savedAt, evaluatedAt, losses, norms;
    private long reportedSamples;
    private int reported;

    /// <param name="options">Folder and limits.</param>
    /// <param name="configuration">The run's configuration; a resumed run must have the same.</param>
    /// <param name="watch">Warning given when the loss shows that a run is stuck.</param>
    public TrainingRun(TrainingOptions options, object configuration, LossWatch watch)
    {
        (this.options, this.watch) = (options, watch);
        DiskSpace.Require(Path.Combine(options.Folder, "training.json"), 0);
        WrittenFile.MakeFolder(options.Folder);
        held = Hold(options.Folder);
        try
        {
            Checkpoint = Open(configuration);
            Step = Checkpoint is null ? 0 : long.Parse(Checkpoint.Metadata["step"], CultureInfo.InvariantCulture);
            earlierSeconds = Checkpoint is null ? 0 : double.Parse(Checkpoint.Metadata["seconds"], CultureInfo.InvariantCulture);
            log = OpenLog();
        }
        catch
        {
            Checkpoint?.Dispose();
            held.Dispose();
            throw;
        }
    }

    /// <summary>Checks the folder, and opens its checkpoint; null at the start.</summary>
    private SafeTensorsFile? Open(object configuration)
    {
        if (File.Exists(CheckpointPath) && !options.Resume)
            throw new InvalidOperationException(
                $"{options.Folder} already holds a run. Add --resume to go on with it, or choose another folder.");
        KeepConfiguration(configuration);

        // A run killed while it saved leaves unfinished files behind.
        UnfinishedFile.Sweep(options.Folder, below: true);
        return File.Exists(CheckpointPath) ? new SafeTensorsFile(CheckpointPath) : null;
    }

    /// <summary>Opens the log. Rows after the checkpoint, and a torn one, are dropped: the run writes them again.</summary>
    private string OpenLog()
    {
        var path = Path.Combine(options.Folder, "log.csv");
        string[] rows = Checkpoint is not null && File.Exists(path) ? [.. RegularFile.ReadAllText(path).Split('\n')] : [];
        // What follows the last line break is torn, or empty. A run without a checkpoint begins again, and so does its log.
        string[] kept = [LogHead, .. rows.SkipLast(1).Skip(1).Where(row => long.TryParse(row.Split(',')[0], out var step) && step <= Step)];
        WrittenFile.Write(path, string.Join('\n', kept) + "\n");
        noted.UnionWith(kept.Where(row => row.Contains("NaN", StringComparison.Ordinal)).Select(NoteOf));
        return path;
    }

    /// <summary>Step and note of a row.</summary>
    private static string NoteOf(string row) => $"{row.Split(',')[0]},{row[Math.Max(0, row.IndexOf('"', StringComparison.Ordinal))..]}";

    /// <summary>Holds the folder for this process: a second run in it is refused.</summary>
    private static FileStream Hold(string folder)
    {
        try
        {
            return new FileStream(Path.Combine(folder, LockName), FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, bufferSize: 1,
                FileOptions.DeleteOnClose);
        }
        catch (Exception e) when (WrittenFile.IsRefusal(e))
        {
            throw new InvalidOperationException(File.Exists(Path.Combine(folder, LockName))
                ? $"Another run is active in {folder}; wait for it, or choose another folder."
                : WrittenFile.Refusal(Path.Combine(folder, LockName), e).Message, e);
        }
    }

    /// <summary>A run without a folder: no log, no checkpoint.</summary>
    /// <param name="minutes">Minutes after which it ends; null: never.</param>
    public TrainingRun(double? minutes) =>
        (options, watch) = (new TrainingOptions("") { Minutes = minutes }, new LossWatch(double.PositiveInfinity, 0, ""));

    /// <summary>The checkpoint that the run goes on from, or null at the start.</summary>
    public SafeTensorsFile? Checkpoint { get; }

    /// <summary>Folder of the run.</summary>
    public string Folder => options.Folder;

    /// <summary>Steps done.</summary>
    public long Step { get; private set; }

    /// <summary>Seconds of training, earlier sessions of the run included.</summary>
    public double Seconds => earlierSeconds + clock.Elapsed.TotalSeconds;

    /// <summary>True if the time limit has passed or the run is cancelled.</summary>
    public bool IsOver(CancellationToken cancellation) =>
        cancellation.IsCancellationRequested || (options.Minutes is { } minutes && clock.Elapsed.TotalMinutes >= minutes);

    private string CheckpointPath => Path.Combine(options.Folder, CheckpointName);

    /// <summary>Copies the checkpoint's tensors into those of the model and its optimiser.</summary>
    public void Restore(nn.Module model, Optimizer optimizer)
    {
        if (Checkpoint is null) return;
        foreach (var (name, tensor) in Everything(model, optimizer)) Checkpoint.ReadInto(name, tensor);
        optimizer.Steps = long.Parse(Checkpoint.Metadata["optimizer_steps"], CultureInfo.InvariantCulture);
    }

    /// <summary>Refuses a run whose checkpoint and exported weights have too little space.</summary>
    /// <exception cref="UnwritableFileException">The disk is too full.</exception>
    public void RequireSpace(nn.Module model, Optimizer optimizer)
    {
        if (log is null) return;
        DiskSpace.Require(CheckpointPath, Everything(model, optimizer).Concat(model.state_dict())
            .Sum(pair => pair.Value.NumberOfElements * pair.Value.ElementSize));
    }

    /// <summary>Counts a step and reports progress at intervals.</summary>
    /// <exception cref="InvalidOperationException">The loss or the norm is not a number.</exception>
    public void Count(double loss, double norm, double rate, int samples, long total)
    {
        Step++;
        if (!double.IsFinite(loss) || !double.IsFinite(norm))
            throw new InvalidOperationException($"The loss is not a number at step {Step}. " + (log is null
                ? "Train with a lower learning rate."
                : $"The checkpoint in {options.Folder} is from before; go on with --resume and a lower learning_rate."));
        (losses, norms, reported, reportedSamples) = (losses + loss, norms + norm, reported + 1, reportedSamples + samples);
        if (clock.Elapsed.TotalSeconds - reportedAt < 10 && Step < total) return;
        var seconds = clock.Elapsed.TotalSeconds - reportedAt;
        Tell(new TrainingProgress(Step, total, losses / reported, rate,
            norms / reported, reportedSamples / seconds, watch.Say(Step, losses / reported)));
        (reportedAt, losses, norms, reported, reportedSamples) = (clock.Elapsed.TotalSeconds, 0, 0, 0, 0);
    }

    /// <summary>Writes a note into the log and reports it.</summary>
    public void Note(string note, long total) =>
        Tell(new TrainingProgress(Step, total, double.NaN, double.NaN, double.NaN, double.NaN, note));

    /// <summary>True if <paramref name="minutes"/> of training have passed since the last save.</summary>
    public bool IsSaveDue(double minutes) => clock.Elapsed.TotalMinutes - savedAt >= minutes;

    /// <summary>True, once, if <paramref name="minutes"/> of training have passed since the last evaluation.</summary>
    public bool IsEvaluationDue(double minutes)
    {
        if (clock.Elapsed.TotalMinutes - evaluatedAt < minutes) return false;
        evaluatedAt = clock.Elapsed.TotalMinutes;
        return true;
    }

    /// <summary>Replaces the checkpoint as a whole: a kill while this runs leaves the earlier one.</summary>
    public void Save(nn.Module model, Optimizer optimizer)
    {
        if (log is null) return;
        Checkpoint?.Dispose();
        SafeTensorsWriter.Write(CheckpointPath, Everything(model, optimizer), new Dictionary<string, string>
        {
            ["step"] = Step.ToString(CultureInfo.InvariantCulture),
            ["optimizer_steps"] = optimizer.Steps.ToString(CultureInfo.InvariantCulture),
            ["seconds"] = Seconds.ToString("R", CultureInfo.InvariantCulture),
        });
        savedAt = clock.Elapsed.TotalMinutes;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Checkpoint?.Dispose();
        held?.Dispose();
    }

    /// <summary>Writes the configuration into the run's folder, or refuses when the run was begun with another one.</summary>
    private void KeepConfiguration(object configuration)
    {
        var saved = Path.Combine(options.Folder, "training.json");
        var text = ConfigFile.TextOf(configuration);
        if (File.Exists(CheckpointPath) && File.Exists(saved) && File.ReadAllText(saved) != text)
            throw new InvalidOperationException(
                $"The configuration differs from the one that {options.Folder} was begun "
                    + $"with ({saved}). Resume with that one, delete that file to go on with the new one, or choose another folder.");
        WrittenFile.Write(saved, text);
    }

    private static IEnumerable<KeyValuePair<string, Tensor>> Everything(nn.Module model, Optimizer optimizer) =>
        model.state_dict().Select(p => KeyValuePair.Create("model/" + p.Key, p.Value)).Concat(optimizer.State);

    private void Tell(TrainingProgress progress)
    {
        var row = string.Create(CultureInfo.InvariantCulture,
            $"{progress.Step},{Seconds:F1},{progress.Loss:G6},{progress.LearningRate:G4},{progress.GradientNorm:G4},"
                + $"{progress.SamplesPerSecond:F1},\"{progress.Note?.Replace('"', '\'')}\"");

        // A run that was killed between the last evaluation and its end evaluates again.
        if (log is not null && !noted.Contains(NoteOf(row))) WrittenFile.Append(log, row + "\n");
        options.OnProgress?.Invoke(progress);
    }
}

/// <summary>Warning for a loss that shows that a run is stuck.</summary>
/// <param name="Chance">Loss at chance level.</param>
/// <param name="Patience">Steps after which a loss at chance level gives the warning.</param>
/// <param name="Advice">Remedies, for the user.</param>
internal sealed record LossWatch(double Chance, long Patience, string Advice)
{
    /// <returns>The warning, or null.</returns>
    public string? Say(long step, double loss) => step > Patience && loss > 0.97 * Chance
        ? string.Create(CultureInfo.InvariantCulture,
            $"The loss ({loss:F3}) is still that of guessing ({Chance:F3}) after {step} steps. {Advice}")
        : null;
}
