using System.Diagnostics;
using System.Globalization;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary>Redraws one line with stage, step and steps per second.</summary>
internal sealed class StepProgress(Terminal terminal, Words words, string prefix)
{
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private string stage = "";

    public void Show(GenerationProgress progress)
    {
        if (stage != progress.Stage) (stage, _) = (progress.Stage, Restart());
        var filled = 24 * progress.Step / progress.Of;
        var speed = progress.Step / Math.Max(1e-9, clock.Elapsed.TotalSeconds);
        terminal.Progress(string.Create(CultureInfo.InvariantCulture,
            $"{prefix}{StageName(progress.Stage, words).PadRight(words.In("upsampler", "decodificador").Length + 1)} [{new string('#', filled)}{new string('.', 24 - filled)}] {progress.Step} {words.In("of", "de")} {progress.Of}  {speed:F1} {words.In("steps", "pasos")}/s"));
    }

    private bool Restart()
    {
        clock.Restart();
        return true;
    }

    /// <summary>What a stage is called.</summary>
    public static string StageName(string stage, Words words) => stage switch
    {
        "load" => words.In(stage, "carga"),
        "text" => words.In(stage, "texto"),
        "decoder" => words.In(stage, "decodificador"),
        "upsampler" => words.In(stage, "ampliador"),
        _ => stage,
    };
}
