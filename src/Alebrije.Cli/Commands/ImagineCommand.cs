using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Alebrije.Catalog;
using Alebrije.Datasets;
using Alebrije.Evaluation;
using Alebrije.Pipelines;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije imagine PROMPT...</c>: text to image, the whole chain.</summary>
internal static class ImagineCommand
{
    private static readonly Argument<string[]> Prompts = new("prompt") { Description = "What to draw; every prompt is a picture of its own.", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<string?> PromptsFile = new("--prompts-file") { Description = "A file with one prompt per line; - is standard input." };
    private static readonly Option<int> Count = new("--count") { Description = "Pictures of each prompt, with seeds that follow each other.", DefaultValueFactory = _ => 1 };
    private static readonly Option<int?> Steps = new("--steps") { Description = "Steps of the decoder." };
    private static readonly Option<double?> Scale = new("--guidance") { Description = "Guidance scale of the decoder; 1 means none." };
    private static readonly Option<string> Prior = PriorChoice.Option();
    private static readonly Option<int?> PriorSteps = new("--prior-steps") { Description = "Steps of the diffusion prior." };
    private static readonly Option<double?> PriorScale = new("--prior-guidance") { Description = "Guidance scale of the diffusion or autoregressive prior; 1 means none." };
    private static readonly Option<int> Candidates = new("--prior-candidates") { Description = "Embeddings that the prior draws; the one nearest to the text is kept.", DefaultValueFactory = _ => 1 };
    private static readonly Option<string> Negative = new("--negative") { Description = "What the decoder keeps away from.", DefaultValueFactory = _ => "" };
    private static readonly Option<int?> Size = new("--size") { Description = "Side of the picture in pixels; the size that the model's upsampler makes (256 in mini) runs it." };
    private static readonly Option<int?> UpsamplerSteps = new("--upsampler-steps") { Description = "Steps of the upsampler, where --size asks for what it makes." };
    private static readonly Option<double?> Eta = new("--eta") { Description = "Noise that every step of the decoder puts back, from 0 (none) to 1, with DDIM; without it the model's own sampler." };
    private static readonly Option<double?> ClipScale = new("--clip-guidance") { HelpName = "SCALE", Description = "Pulls the picture towards the prompt by the gradient of CLIP's cosine; 0.3 is a good start, 2 is too much." };
    private static readonly Option<bool> ClipAlone = new("--clip-guidance-alone") { Description = "Lets CLIP's gradient take the place of the image embedding." };
    private static readonly Option<int> BestOf = new("--best-of") { HelpName = "N", Description = "Pictures that are drawn for each one; CLIP keeps the one nearest to the prompt.", DefaultValueFactory = _ => 1 };
    private static readonly Option<bool> OnlyGuess = new("--only-guess") { Description = "Draws the first guess alone: the model's regression, blurred, without a denoiser." };
    private static readonly Option<bool> Estimate = new("--estimate") { Description = "Says how long it will take and how much memory, from the model's configurations, and draws nothing." };
    private static readonly Option<string?> DepthMap = new("--depth-map") { HelpName = "FILE", Description = "A depth map to draw along, light where things are near, for models that take one." };
    private static readonly Option<string?> Out = new("--out") { Description = "A .png file for one picture, or a folder for 0000.png, 0001.png, ..." };
    private static readonly Option<string?> Sheet = new("--sheet") { HelpName = "FILE", Description = "A .png of all pictures side by side, each with its prompt." };
    private static readonly Option<string?> Trace = new("--trace") { Description = "A folder for every stage of the chain: trace.json and the files it lists." };

    public static Command Create(Terminal terminal)
    {
        var command = new Command("imagine", "Draws pictures from texts: text embedding, prior, image embedding, decoder, picture.")
        {
            Prompts, PromptsFile, Count, Steps, Scale, Prior, PriorSteps, PriorScale, Candidates, Negative, Size, UpsamplerSteps, Eta, DepthMap, ClipScale, ClipAlone, BestOf, OnlyGuess, Estimate, Out, Sheet, Trace,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(parsed, terminal, cancellation), CancellationToken.None));
        return command;
    }

    private static int Run(ParseResult parsed, Terminal terminal, CancellationToken cancellation)
    {
        var json = parsed.GetValue(CommonOptions.Json);
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var seed = parsed.GetValue(CommonOptions.Seed) ?? (ulong)Random.Shared.Next();
        var requests = Requests(parsed, seed, words);
        var (kind, elsewhere) = PriorChoice.Find(parsed.GetValue(Prior)!, words);
        var names = new OutputNames(parsed.GetValue(Out), requests, words);
        var (folder, companion) = PriorChoice.Model(parsed);

        var clock = Stopwatch.StartNew();
        CommonOptions.StartTorch(parsed);
        using var pipeline = UnClipPipeline.Load(folder, new UnClipOptions { PriorFolder = elsewhere, CompanionFolder = companion, Precision = CommonOptions.PrecisionOf(parsed) });
        kind = pipeline.PriorFromElsewhere ?? kind;
        if (parsed.GetValue(Estimate)) return Say(pipeline.Estimate(requests[0] with { Prior = kind }), requests.Length * parsed.GetValue(BestOf), terminal, words, json);
        var seconds = new Dictionary<string, double> { ["load"] = clock.Elapsed.TotalSeconds, ["text"] = 0, ["prior"] = 0, ["decoder"] = 0 };
        var record = ModelRecord.Read(folder);
        var (images, sheet) = (new List<object>(), new List<(RgbImage Picture, string Label)>());
        foreach (var (request, i) in requests.Select((request, i) => (request with { Prior = kind }, i)))
        {
            cancellation.ThrowIfCancellationRequested();
            var trace = TraceOf(parsed, i, requests.Length);
            var progress = new StepProgress(terminal, words, requests.Length > 1 ? words.In($"{i + 1} of {requests.Length}  ", $"{i + 1} de {requests.Length}  ") : "");
            var (result, scores) = Best(pipeline, request, parsed.GetValue(BestOf), progress, trace, cancellation);
            trace?.Finish(new { model = pipeline.Name, result.Request, result.ClipScore });
            var path = names.Of(i);
            result.Image.SavePng(path, Recipe.Of(pipeline.Name, result));
            foreach (var (stage, spent) in result.Seconds) seconds[stage] = seconds.GetValueOrDefault(stage) + spent;
            images.Add(scores is null
                ? new { request.Prompt, path, result.Request.Seed, result.Image.Width, result.Image.Height, clip_score = result.ClipScore }
                : new { request.Prompt, path, result.Request.Seed, result.Image.Width, result.Image.Height, clip_score = result.ClipScore, candidates = scores });
            if (parsed.GetValue(Sheet) is not null) sheet.Add((result.Image, request.Prompt));
            foreach (var note in result.Notes) terminal.Note(note);
            if (record is not null && !KnownConcepts.Mentions(record, request.Prompt)) terminal.Note(Hint(pipeline, record, request.Prompt, words));
            if (!json) Show(terminal, words, result, path);
        }

        if (parsed.GetValue(Sheet) is { } file) PictureSheet.Draw([.. sheet.Select(cell => cell.Picture)], [.. sheet.Select(cell => cell.Label)], SheetOptions(sheet)).SavePng(file);
        seconds["total"] = clock.Elapsed.TotalSeconds;
        if (json) terminal.SayJson(new { model = pipeline.Name, images, seconds });
        else terminal.Say(string.Create(CultureInfo.InvariantCulture,
            $"{seconds["total"]:F1} s: {string.Join(", ", seconds.Where(s => s.Key != "total").Select(s => string.Create(CultureInfo.InvariantCulture, $"{StepProgress.StageName(s.Key, words)} {s.Value:F1}")))}"));
        return 0;
    }

    /// <summary>A sentence about a prompt that names nothing the model was measured to draw.</summary>
    private static string Hint(UnClipPipeline pipeline, ModelRecord record, string prompt, Words words)
    {
        var nearest = string.Join(", ", KnownConcepts.Nearest(record, pipeline, prompt, words.Language == "es" ? Language.Spanish : Language.English));
        return words.In(
            $"{pipeline.Name} knows no thing in \"{prompt}\"; nearest to it are {nearest} (alebrije world --known lists what it draws).",
            $"{pipeline.Name} no conoce nada de \"{prompt}\"; lo más cercano es {nearest} (alebrije world --known muestra lo que dibuja).");
    }

    private static PictureSheetOptions SheetOptions(List<(RgbImage Picture, string Label)> cells) => new()
    {
        Columns = Math.Min(8, cells.Count), CellSize = Math.Max(128, cells.Max(cell => cell.Picture.Width)),
    };

    private static int Say(GenerationEstimate estimate, int pictures, Terminal terminal, Words words, bool json)
    {
        if (json)
        {
            terminal.SayJson(new { estimate.PeakBytes, estimate.FreeBytes, estimate.Fits, estimate.Seconds, pictures, estimate.Stages });
            return 0;
        }

        const double gibibyte = 1 << 30;
        foreach (var stage in estimate.Stages)
            terminal.Say(string.Create(CultureInfo.InvariantCulture, $"{stage.Stage,-20} {stage.Bytes / gibibyte,8:F2} GiB {stage.Seconds,9:F1} s"));
        terminal.Say(words.In(
            string.Create(CultureInfo.InvariantCulture, $"About {Time(estimate.Seconds)} for a picture, loading included, and {estimate.PeakBytes / gibibyte:F1} GiB of memory at most; {estimate.FreeBytes / gibibyte:F1} GiB are free."),
            string.Create(CultureInfo.InvariantCulture, $"Unos {Time(estimate.Seconds)} por imagen, carga incluida, y {estimate.PeakBytes / gibibyte:F1} GiB de memoria como máximo; hay {estimate.FreeBytes / gibibyte:F1} GiB libres.")));
        return 0;

        static string Time(double seconds) => seconds switch
        {
            < 10 => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0.1, seconds):F1} s"),
            < 100 => string.Create(CultureInfo.InvariantCulture, $"{seconds:F0} s"),
            < 6000 => string.Create(CultureInfo.InvariantCulture, $"{seconds / 60:F0} min"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600:F1} h"),
        };
    }

    /// <summary>The best of several pictures by CLIP, with the seeds and scores of all of them; null where only one was drawn.</summary>
    private static (GenerationResult Result, IReadOnlyList<object>? Scores) Best(
        UnClipPipeline pipeline, GenerationRequest request, int count, StepProgress progress, GenerationTrace? trace, CancellationToken cancellation)
    {
        if (count == 1) return (pipeline.Generate(request, progress.Show, trace, cancellation), null);
        if (!pipeline.HasImageEncoder) throw new InvalidOperationException($"{pipeline.Name} has no image encoder, so CLIP cannot choose among pictures (--best-of); leave it out, or name a model that has one.");
        var (best, scores, seconds) = ((GenerationResult?)null, new List<object>(), new Dictionary<string, double>());
        for (var i = 0; i < count; i++)
        {
            var drawn = pipeline.Generate(request with { Seed = unchecked(request.Seed + (ulong)i) }, progress.Show, null, cancellation);
            foreach (var (stage, spent) in drawn.Seconds) seconds[stage] = seconds.GetValueOrDefault(stage) + spent;
            scores.Add(new { drawn.Request.Seed, clip_score = drawn.ClipScore });
            if (best is null || drawn.ClipScore > best.ClipScore) best = drawn;
        }

        if (trace is not null) best = pipeline.Generate(best!.Request, progress.Show, trace, cancellation);
        return (best! with { Seconds = seconds }, scores);
    }

    private static GenerationRequest[] Requests(ParseResult parsed, ulong seed, Words words)
    {
        var prompts = (parsed.GetValue(Prompts) ?? []).Concat(ReadPrompts(parsed.GetValue(PromptsFile), words)).ToArray();
        if (prompts.Length == 0)
            throw new UsageException(words.In("Say what to draw, as in: alebrije imagine \"a koala riding a motorcycle\".", "Di qué dibujar, por ejemplo: alebrije imagine \"un koala en una moto\"."));
        var count = parsed.GetValue(Count);
        if (count is < 1 or > 10_000) throw new UsageException(words.In($"--count is {count}; it has to lie between 1 and 10000.", $"--count es {count}; tiene que estar entre 1 y 10000."));
        var best = parsed.GetValue(BestOf);
        if (best is < 1 or > 1000) throw new UsageException(words.In($"--best-of is {best}; it has to lie between 1 and 1000.", $"--best-of es {best}; tiene que estar entre 1 y 1000."));
        var template = new GenerationRequest
        {
            Prompt = prompts[0], Negative = parsed.GetValue(Negative)!, Steps = parsed.GetValue(Steps), Guidance = parsed.GetValue(Scale),
            PriorSteps = parsed.GetValue(PriorSteps),
            PriorGuidance = parsed.GetValue(PriorScale), PriorCandidates = parsed.GetValue(Candidates), Size = parsed.GetValue(Size),
            UpsamplerSteps = parsed.GetValue(UpsamplerSteps), Eta = parsed.GetValue(Eta), DepthMap = parsed.GetValue(DepthMap), OnlyGuess = parsed.GetValue(OnlyGuess),
            ClipGuidance = parsed.GetValue(ClipScale) is { } pull ? new ClipGuidance(pull, parsed.GetValue(ClipAlone)) : null,
        };
        if (parsed.GetValue(ClipAlone) && template.ClipGuidance is null)
            throw new UsageException(words.In("--clip-guidance-alone needs a scale: add --clip-guidance 1.", "--clip-guidance-alone necesita una escala: añade --clip-guidance 1."));
        var requests = prompts.SelectMany((prompt, i) => Enumerable.Range(0, count)
            .Select(j => template with { Prompt = prompt, Seed = unchecked(seed + ((((ulong)i * (ulong)count) + (ulong)j) * (ulong)best)) })).ToArray();
        foreach (var request in requests) request.Check();
        return requests;
    }

    private static IEnumerable<string> ReadPrompts(string? file, Words words)
    {
        if (file is null) return [];
        if (file != "-" && !File.Exists(file))
        {
            throw new FileNotFoundException(words.In(
                $"There is no file {file}; --prompts-file takes a text file with one prompt per line, or - for standard input.",
                $"No existe el archivo {file}; --prompts-file toma un archivo de texto con una descripción por línea, o - para la entrada estándar."));
        }

        var text = file == "-" ? Console.In.ReadToEnd() : File.ReadAllText(file);
        return text.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0);
    }

    private static GenerationTrace? TraceOf(ParseResult parsed, int number, int of) => parsed.GetValue(Trace) is not { } folder ? null
        : new GenerationTrace(of == 1 ? folder : Path.Combine(folder, number.ToString("D4", CultureInfo.InvariantCulture)));

    private static void Show(Terminal terminal, Words words, GenerationResult result, string path)
    {
        terminal.CloseLine();
        if (terminal.HasColour)
            terminal.Say(TerminalPicture.Render(result.Image, TerminalDetection.Detect(isTerminal: true), Math.Min(64, terminal.Width)).TrimEnd('\n'));
        var score = result.ClipScore is { } cosine ? string.Create(CultureInfo.InvariantCulture, $"  CLIP {cosine:F3}") : "";
        terminal.Say($"{path}  {words.In("seed", "semilla")} {result.Request.Seed}{score}");
    }
}

/// <summary>File names of a run's pictures; nothing that exists is overwritten without being named.</summary>
internal sealed class OutputNames
{
    private readonly string? folder;
    private readonly string? file;
    private readonly IReadOnlyList<GenerationRequest> requests;
    private readonly HashSet<string> taken = [];

    public OutputNames(string? output, IReadOnlyList<GenerationRequest> requests, Words words)
    {
        this.requests = requests;
        if (output is null) return;
        var extension = Path.GetExtension(output);
        if (extension.Equals(".png", StringComparison.OrdinalIgnoreCase) && !Directory.Exists(output))
        {
            if (requests.Count > 1)
            {
                throw new UsageException(words.In(
                    $"--out {output} names one file, and {requests.Count} pictures are asked for; name a folder.",
                    $"--out {output} nombra un solo archivo y se piden {requests.Count} imágenes; nombra una carpeta."));
            }

            file = output;
            if (Path.GetDirectoryName(Path.GetFullPath(output)) is { } parent) Directory.CreateDirectory(parent);
        }
        else if (extension is ".jpg" or ".jpeg" or ".webp" or ".gif" or ".bmp")
        {
            throw new UsageException(words.In(
                $"--out {output}: pictures are written as .png, because it keeps the recipe; name a .png file or a folder.",
                $"--out {output}: las imágenes se escriben como .png, que conserva la receta; nombra un archivo .png o una carpeta."));
        }
        else
        {
            folder = output;
            Directory.CreateDirectory(output);
        }
    }

    /// <summary>Where picture <paramref name="i"/> goes.</summary>
    public string Of(int i)
    {
        if (file is not null) return file;
        if (folder is not null) return Path.Combine(folder, i.ToString("D4", CultureInfo.InvariantCulture) + ".png");
        var letters = requests[i].Prompt.ToLowerInvariant().Select(c => char.IsLetterOrDigit(c) ? c : '-').ToArray();
        var words = string.Join('-', new string(letters).Split('-', StringSplitOptions.RemoveEmptyEntries));
        var name = $"{(words.Length == 0 ? "picture" : words.Length > 60 ? words[..60].TrimEnd('-') : words)}-{requests[i].Seed}";
        var path = name + ".png";
        for (var n = 2; File.Exists(path) || taken.Contains(path); n++) path = $"{name}-{n}.png";
        taken.Add(path);
        return path;
    }
}
