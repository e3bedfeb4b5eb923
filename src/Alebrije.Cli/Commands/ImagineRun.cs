using System.Diagnostics;
using System.Globalization;
using Alebrije.Catalog;
using Alebrije.Datasets;
using Alebrije.Evaluation;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary>Finished images of <c>imagine</c>: their files, their lines, and the one JSON document about them.</summary>
internal sealed class ImagineRun(Terminal terminal, Words words, bool json, ImagePipeline pipeline, OutputNames names)
{
    private readonly Dictionary<string, double> seconds = new() { ["load"] = 0 };
    private readonly List<object> images = [];
    private readonly List<(RgbImage Picture, string Label)> sheet = [];
    private readonly HashSet<RunNote> told = [];
    private readonly HashSet<string> hinted = [];

    /// <summary>Measured concepts of the model, for hints; null if its folder has none.</summary>
    public ModelRecord? Record { get; init; }

    /// <summary>Value of <c>--model</c>; null if it was not given.</summary>
    public string? ModelOption { get; init; }

    /// <summary>True to keep the images for <see cref="SaveSheet"/>.</summary>
    public bool KeepsSheet { get; init; }

    /// <summary>Clock of the run, started before the model was loaded.</summary>
    public required Stopwatch Clock { get; init; }

    /// <summary>Records the time until the model was loaded.</summary>
    public void Loaded() => seconds["load"] = Clock.Elapsed.TotalSeconds;

    /// <summary>Saves an image and writes its line.</summary>
    /// <param name="result">The image.</param>
    /// <param name="candidates">Seeds and scores of the candidates; null for a single one.</param>
    public void Add(GenerationResult result, IReadOnlyList<object>? candidates)
    {
        var (request, path) = (result.Request, names.Of(images.Count));
        result.Image.SavePng(path, Recipe.Of(pipeline.Name, result));
        foreach (var (stage, spent) in result.Seconds) seconds[stage] = seconds.GetValueOrDefault(stage) + spent;
        images.Add(candidates is null
            ? new { request.Prompt, path, request.Seed, result.Image.Width, result.Image.Height, clip_score = result.ClipScore }
            : new { request.Prompt, path, request.Seed, result.Image.Width,
                result.Image.Height, clip_score = result.ClipScore, candidates });
        if (KeepsSheet) sheet.Add((result.Image, request.Prompt));
        foreach (var note in result.Notes.Where(told.Add)) terminal.Note(NoteWords.In(words, note));
        if (Record is { } record && hinted.Add(request.Prompt) && !KnownConcepts.Mentions(record, request.Prompt))
            terminal.Note(Hint(record, result));
        if (!json) Show(result, path);
    }

    /// <summary>Saves all images side by side.</summary>
    public void SaveSheet(string file)
    {
        var options = new PictureSheetOptions { Columns = Math.Min(8, sheet.Count),
            CellSize = Math.Max(128, sheet.Max(cell => cell.Picture.Width)) };
        PictureSheet.Draw([.. sheet.Select(cell => cell.Picture)], [.. sheet.Select(cell => cell.Label)], options).SavePng(file);
    }

    /// <summary>Writes the seconds, or the JSON document.</summary>
    public void Finish()
    {
        if (json) terminal.SayJson(Document()!);
        else terminal.Aside(string.Create(CultureInfo.InvariantCulture,
            $"{Clock.Elapsed.TotalSeconds:F1} s: {string.Join(", ", Parts())}"));

        IEnumerable<string> Parts() => seconds.Where(s => s.Key != "total")
            .Select(s => string.Create(CultureInfo.InvariantCulture, $"{StepProgress.StageName(s.Key, words)} {s.Value:F1}"));
    }

    /// <summary>The JSON document of the finished images; null if there is none.</summary>
    public object? Document()
    {
        seconds["total"] = Clock.Elapsed.TotalSeconds;
        return images.Count == 0 ? null : new { model = pipeline.Name, images, seconds };
    }

    /// <summary>The command that lists the concepts of <see cref="Record"/>.</summary>
    private string KnownCommand => ModelOption is not { } model ? "alebrije world --known"
        : $"alebrije world --known --model {(model.Contains(' ', StringComparison.Ordinal) ? $"\"{model}\"" : model)}";

    /// <summary>A hint for a prompt without any concept that the model was measured to draw.</summary>
    private string Hint(ModelRecord record, GenerationResult result)
    {
        var nearest = string.Join(", ",
            KnownConcepts.Nearest(record, pipeline, result.Image, words.Language == "es" ? Language.Spanish : Language.English));
        return nearest.Length == 0 ? words["imagine.unknown-things", pipeline.Name, result.Request.Prompt, KnownCommand]
            : words["imagine.unknown-things-near", pipeline.Name, result.Request.Prompt, KnownCommand, nearest];
    }

    private void Show(GenerationResult result, string path)
    {
        if (terminal.IsQuiet)
        {
            terminal.Say(path);
            return;
        }

        terminal.Show(result.Image, 64);
        var score = result.ClipScore is { } cosine ? string.Create(CultureInfo.InvariantCulture, $"  CLIP {cosine:F3}") : "";
        terminal.Say(words["imagine.drawn", path, result.Request.Seed, score]);
    }
}
