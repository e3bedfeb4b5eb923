using System.Diagnostics;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary>One line of progress: finished images, stage, step, steps per second, remaining time.</summary>
/// <param name="terminal">The terminal.</param>
/// <param name="words">Language.</param>
/// <param name="pictures">Images of the run.</param>
internal sealed class StepProgress(Terminal terminal, Words words, int pictures = 1)
{
    private static readonly string[] Stages = ["load", "text", "prior", "decoder", "upsampler"];

    private readonly Stopwatch clock = Stopwatch.StartNew();
    private int total = pictures;
    private RemainingTime remaining = new(pictures);
    private string stage = "";
    private int first;

    /// <summary>Counts finished images.</summary>
    public void Finished(int count) => remaining.Add(count);

    /// <summary>Redraws the line.</summary>
    public void Show(GenerationProgress progress) => terminal.Progress(Line(progress));

    /// <summary>Redraws the line of an experiment.</summary>
    /// <param name="done">Finished images.</param>
    /// <param name="of">Images of the run; 1 for work done once in addition, such as embedding a text.</param>
    /// <param name="progress">The stage within an image.</param>
    public void Show(int done, int of, GenerationProgress progress) => terminal.Progress(Line(done, of, progress));

    /// <summary>The line of an experiment.</summary>
    internal string Line(int done, int of, GenerationProgress progress)
    {
        if (of > 1)
        {
            if (of != total) (total, remaining) = (of, new RemainingTime(of));
            Finished(done - remaining.Done);
        }

        return Line(progress);
    }

    /// <summary>The line.</summary>
    internal string Line(GenerationProgress progress)
    {
        // Steps are counted from the first report on: the duration of that step is unknown.
        if (stage != progress.Stage || progress.Step <= first) (stage, first, _) = (progress.Stage, progress.Step, Restart());
        var filled = 24 * progress.Step / progress.Of;
        var steps = progress.Step - first;
        var speed = steps == 0 ? "" : words["progress.steps-per-second", steps / clock.Elapsed.TotalSeconds];
        var (before, after) = total == 1 ? ("", "") : (words["progress.pictures-done", remaining.Done, total], remaining.Sentence(words));
        var name = StageName(progress.Stage, words).PadRight(Stages.Max(each => StageName(each, words).Length) + 1);
        var bar = new string('#', filled).PadRight(24, '.');
        return words["progress.step", before, name, bar, progress.Step, progress.Of, speed, after];
    }

    private bool Restart()
    {
        clock.Restart();
        return true;
    }

    /// <summary>The name of a stage in the language.</summary>
    public static string StageName(string stage, Words words) => stage switch
    {
        "load" => words["stage.load"],
        "text" => words["stage.text"],
        "inversion" => words["stage.inversion"],
        "decoder" => words["stage.decoder"],
        "upsampler" => words["stage.upsampler"],
        _ => stage.StartsWith("stage ", StringComparison.Ordinal) ? words["stage.later", stage["stage ".Length..]] : stage,
    };
}
