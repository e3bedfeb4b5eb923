using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Alebrije.Catalog;
using Alebrije.Evaluation;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Estimates;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije imagine PROMPT...</c>: text to image with the whole pipeline.</summary>
internal static class ImagineCommand
{
    /// <summary>Most images of a run.</summary>
    private const int MostImages = 100_000;

    private static readonly Argument<string[]> Prompts = new("prompt") { Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<string?> PromptsFile = new("--prompts-file");
    private static readonly Option<int> Count = new("--count") { DefaultValueFactory = _ => 1 };
    private static readonly Option<int?> Steps = new("--steps");
    private static readonly Option<double?> Scale = new("--guidance");
    private static readonly Option<string> Prior = PriorChoice.Option();
    private static readonly Option<int?> PriorSteps = new("--prior-steps");
    private static readonly Option<double?> PriorScale = new("--prior-guidance");
    private static readonly Option<int> Candidates = new("--prior-candidates") { DefaultValueFactory = _ => 1 };
    private static readonly Option<string> Negative = new("--negative") { DefaultValueFactory = _ => "" };
    private static readonly Option<string?> Size = new("--size") { HelpName = "PIXELS|WxH" };
    private static readonly Option<string?> From = new("--from") { HelpName = "FILE" };
    private static readonly Option<double?> Strength = new("--strength");
    private static readonly Option<string?> Mask = new("--mask") { HelpName = "FILE" };
    private static readonly Option<string?> Scheduler = new("--scheduler") { HelpName = "NAME" };
    private static readonly Option<double?> Rescale = new("--rescale");
    private static readonly Option<int?> ClipSkip = new("--clip-skip");
    private static readonly StageOption Stage = new();
    private static readonly AdapterOptions Adapters = new();
    private static readonly Option<int?> UpsamplerSteps = new("--upsampler-steps");
    private static readonly Option<double?> Eta = new("--eta");
    private static readonly Option<double?> ClipScale = new("--clip-guidance") { HelpName = "SCALE" };
    private static readonly Option<bool> ClipAlone = new("--clip-guidance-alone");
    private static readonly Option<string?> Judge = new("--judge") { HelpName = "MODEL" };
    private static readonly Option<int> BestOf = new("--best-of") { HelpName = "N", DefaultValueFactory = _ => 1 };
    private static readonly Option<bool> OnlyGuess = new("--only-guess");
    private static readonly Option<bool> Estimate = new("--estimate");
    private static readonly Option<string?> DepthMap = new("--depth-map") { HelpName = "FILE" };
    private static readonly Option<string?> Out = new("--out");
    private static readonly Option<string?> Sheet = new("--sheet") { HelpName = "FILE" };
    private static readonly Option<string?> Trace = new("--trace");
    private static readonly Option<bool> Resume = new("--resume");

    public static Command Create(Terminal terminal)
    {
        var command = new Command("imagine")
        {
            Prompts, PromptsFile, Count, Steps, Scale, Prior, PriorSteps, PriorScale, Candidates, Negative, Size, From, Strength, Mask,
            Scheduler, Rescale, ClipSkip, Stage.Option,
        };
        Option[] further = [UpsamplerSteps, Eta, DepthMap, ClipScale, ClipAlone, Judge, BestOf, OnlyGuess, Estimate, Out, Sheet, Trace,
            Resume];
        foreach (var option in Adapters.All.Concat(further)) command.Add(option);
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(parsed, terminal, cancellation), CancellationToken.None));
        return command;
    }

    private static int Run(ParseResult parsed, Terminal terminal, CancellationToken cancellation)
    {
        var json = parsed.GetValue(CommonOptions.Json);
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var seed = parsed.GetValue(CommonOptions.Seed) ?? (ulong)Random.Shared.Next();
        var requests = Requests(parsed, seed, terminal, words);
        var (kind, elsewhere) = PriorChoice.Find(parsed.GetValue(Prior)!, words);
        var names = new OutputNames(parsed.GetValue(Out), requests, words, parsed.GetValue(Resume));
        if (names.Missing.Count < requests.Length)
        {
            terminal.Note(words["imagine.resumed", requests.Length - names.Missing.Count, requests.Length, parsed.GetValue(Out)]);
            if (names.Missing.Count == 0) return 0;
        }

        OutputFile.Check(parsed.GetValue(Sheet), words);
        OutputFile.CheckEmptyFolder("--trace", parsed.GetValue(Trace), words);
        OutputFile.CheckFolder(parsed.GetValue(Trace), GenerationTrace.IndexFile, words);
        var (folder, companions) = PriorChoice.Model(parsed);

        var clock = Stopwatch.StartNew();
        CommonOptions.StartTorch(parsed);
        using var pipeline = ImagePipeline.Load(folder,
            new ImagePipelineOptions { PriorFolder = elsewhere,
                CompanionFolders = Stage.Folders(parsed, ModelCatalog.Create()) ?? companions,
                JudgeFolder = parsed.GetValue(Judge) is { } judge ? ModelCatalog.Create().Find(judge) : null,
                Precision = CommonOptions.PrecisionOf(parsed) });
        kind = pipeline.PriorFromElsewhere ?? kind;
        if (parsed.GetValue(Estimate)) return Say(pipeline.Estimate(requests[names.Missing[0]] with { Prior = kind }),
            names.Missing.Count * parsed.GetValue(BestOf), terminal, words, json);
        var run = new ImagineRun(terminal, words, json, pipeline, names) { Clock = clock,
            Record = ModelRecord.Read(folder), KeepsSheet = parsed.GetValue(Sheet) is not null,
            ModelOption = parsed.GetResult(CommonOptions.Model) is { Implicit: false } ? parsed.GetValue(CommonOptions.Model) : null };
        run.Loaded();
        var progress = new StepProgress(terminal, words, names.Missing.Count);
        StoppedRun.Guard(terminal, words, json, run.Document, () =>
        {
            foreach (var (result, candidates) in Draw(parsed, pipeline, [.. requests.Select(request => request with { Prior = kind })],
                names.Missing, progress, cancellation))
            {
                run.Add(result, candidates);
                progress.Finished(1);
            }

            if (parsed.GetValue(Sheet) is { } file) run.SaveSheet(file);
        });
        run.Finish();
        return 0;
    }

    /// <summary>
    /// The missing images in order, in batches unless a stage is traced; with <c>--best-of</c> with all candidates' scores.
    /// </summary>
    private static IEnumerable<(GenerationResult Result, IReadOnlyList<object>? Candidates)> Draw(
        ParseResult parsed, ImagePipeline pipeline, GenerationRequest[] requests, IReadOnlyList<int> missing, StepProgress progress,
        CancellationToken cancellation)
    {
        var best = parsed.GetValue(BestOf);
        if (best == 1 && parsed.GetValue(Trace) is null)
        {
            foreach (var result in pipeline.GenerateMany(requests, progress.Show, missing, cancellation))
                yield return (result, null);
            yield break;
        }

        var words = new Words(CommonOptions.LanguageOf(parsed));
        foreach (var i in missing)
        {
            cancellation.ThrowIfCancellationRequested();
            var trace = TraceOf(parsed, i, requests.Length);
            var drawn = Best(pipeline, requests[i], best, progress, trace, words, cancellation);
            trace?.Finish(new { model = pipeline.Name, drawn.Result.Request, drawn.Result.ClipScore });
            yield return drawn;
        }
    }

    private static int Say(GenerationEstimate estimate, int pictures, Terminal terminal, Words words, bool json)
    {
        if (json)
        {
            terminal.SayJson(new { estimate.PeakBytes, estimate.FreeBytes, estimate.Fits, estimate.Seconds, pictures, estimate.Stages });
            return 0;
        }

        const double gibibyte = 1 << 30;
        foreach (var stage in estimate.Stages)
            terminal.Say(string.Create(CultureInfo.InvariantCulture,
                $"{stage.Stage,-20} {stage.Bytes / gibibyte,8:F2} GiB {stage.Seconds,9:F1} s"));
        terminal.Say(words["imagine.estimate", Time(estimate.Seconds), estimate.PeakBytes / gibibyte, estimate.FreeBytes / gibibyte]);
        return 0;

        static string Time(double seconds) => seconds switch
        {
            < 10 => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0.1, seconds):F1} s"),
            < 100 => string.Create(CultureInfo.InvariantCulture, $"{seconds:F0} s"),
            < 6000 => string.Create(CultureInfo.InvariantCulture, $"{seconds / 60:F0} min"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600:F1} h"),
        };
    }

    /// <summary>The best of several images by CLIP, with the seeds and scores of all of them; null for a single one.</summary>
    private static (GenerationResult Result, IReadOnlyList<object>? Scores) Best(
        ImagePipeline pipeline, GenerationRequest request, int count,
        StepProgress progress, GenerationTrace? trace, Words words, CancellationToken cancellation)
    {
        if (count == 1) return (pipeline.Generate(request, progress.Show, trace, cancellation), null);
        if (!pipeline.HasScores) throw new InvalidOperationException(words["imagine.no-image-encoder", pipeline.Name]);
        var (best, scores, seconds) = ((GenerationResult?)null, new List<object>(), new Dictionary<string, double>());
        foreach (var drawn in pipeline.GenerateMany(Enumerable.Range(0, count)
            .Select(i => request with { Seed = unchecked(request.Seed + (ulong)i) }), progress.Show, cancellation: cancellation))
        {
            foreach (var (stage, spent) in drawn.Seconds) seconds[stage] = seconds.GetValueOrDefault(stage) + spent;
            scores.Add(new { drawn.Request.Seed, clip_score = drawn.ClipScore });
            if (best is null || drawn.ClipScore > best.ClipScore) best = drawn;
        }

        if (trace is not null) best = pipeline.Generate(best!.Request, progress.Show, trace, cancellation);
        return (best! with { Seconds = seconds }, scores);
    }

    private static GenerationRequest[] Requests(ParseResult parsed, ulong seed, Terminal terminal, Words words)
    {
        var given = parsed.GetValue(Prompts) ?? [];
        var prompts = given.Where(prompt => prompt != "-").Select(prompt => new PromptLine { Prompt = prompt })
            .Concat(given.Contains("-") ? PromptLine.Read("-", terminal, words) : [])
            .Concat(parsed.GetValue(PromptsFile) is { } file ? PromptLine.Read(file, terminal, words) : []).ToArray();
        if (prompts.Length == 0)
            throw new UsageException(words["imagine.no-prompt"]);
        var count = parsed.GetValue(Count);
        if (count is < 1 or > 10_000) throw new UsageException(words["imagine.count-range", count]);
        if ((long)prompts.Length * count > MostImages)
            throw new UsageException(words["imagine.too-many", prompts.Length, count, MostImages]);
        var best = parsed.GetValue(BestOf);
        if (best is < 1 or > 1000) throw new UsageException(words["imagine.best-of-range", best]);
        var (size, height, width) = ImageSize.Parse(parsed.GetValue(Size), words);
        var template = new GenerationRequest
        {
            Prompt = prompts[0].Prompt, Negative = parsed.GetValue(Negative)!,
            Steps = parsed.GetValue(Steps), Guidance = parsed.GetValue(Scale),
            PriorSteps = parsed.GetValue(PriorSteps),
            PriorGuidance = parsed.GetValue(PriorScale), PriorCandidates = parsed.GetValue(Candidates),
            Size = size, Height = height, Width = width,
            From = Given(parsed, From, words), Mask = Given(parsed, Mask, words),
            Strength = parsed.GetValue(Strength), Scheduler = parsed.GetValue(Scheduler), Rescale = parsed.GetValue(Rescale),
            ClipSkip = parsed.GetValue(ClipSkip),
            UpsamplerSteps = parsed.GetValue(UpsamplerSteps), Eta = parsed.GetValue(Eta),
            DepthMap = parsed.GetValue(DepthMap), OnlyGuess = parsed.GetValue(OnlyGuess),
            ClipGuidance = parsed.GetValue(ClipScale) is { } pull ? new ClipGuidance(pull, parsed.GetValue(ClipAlone)) : null,
        };
        template = Adapters.Fill(parsed, template, words);
        if (parsed.GetValue(ClipAlone) && template.ClipGuidance is null)
            throw new UsageException(words["imagine.clip-guidance-alone"]);
        var requests = prompts.SelectMany((prompt, i) => Enumerable.Range(0, count).Select(j => prompt.Seed is { } own
            ? prompt.Fill(template) with { Seed = unchecked(own + ((ulong)j * (ulong)best)) }
            : prompt.Fill(template) with { Seed = unchecked(seed + ((((ulong)i * (ulong)count) + (ulong)j) * (ulong)best)) })).ToArray();
        foreach (var request in requests) request.Check();
        return requests;
    }

    /// <summary>The image of an option; its file must exist.</summary>
    private static ImageInput? Given(ParseResult parsed, Option<string?> option, Words words) =>
        parsed.GetValue(option) is not { } file ? null
        : File.Exists(file) ? new ImageInput(Path.GetFullPath(file))
        : throw new FileNotFoundException(words["experiment.no-picture", file]);

    private static GenerationTrace? TraceOf(ParseResult parsed, int number, int of) => parsed.GetValue(Trace) is not { } folder ? null
        : new GenerationTrace(of == 1 ? folder : Path.Combine(folder, number.ToString("D4", CultureInfo.InvariantCulture)));
}
