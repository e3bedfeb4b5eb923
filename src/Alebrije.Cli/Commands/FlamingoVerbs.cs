using System.CommandLine;
using System.Globalization;
using Alebrije.Catalog;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Reports;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije caption IMAGE...</c> and <c>alebrije ask IMAGE "question"</c></summary>
internal sealed class FlamingoVerbs
{
    private readonly Option<string?> shots = new("--shots") { HelpName = "FILE|FOLDER" };
    private readonly Option<int?> retrieve = new("--retrieve") { HelpName = "K" };
    private readonly Option<int> tokens = new("--max-tokens") { HelpName = "N", DefaultValueFactory = _ => 20 };
    private readonly Option<int?> beams = new("--beams") { HelpName = "N" };
    private readonly Option<double?> temperature = new("--temperature") { HelpName = "T" };
    private readonly Option<double> topP = new("--top-p") { HelpName = "P", DefaultValueFactory = _ => 1 };
    private readonly Option<string?> trace = new("--trace") { HelpName = "FOLDER" };
    private readonly PictureOptions pictures = new(upright: true);
    private readonly Terminal terminal;

    private FlamingoVerbs(Terminal terminal)
    {
        this.terminal = terminal;
        AtLeastOne(retrieve);
        AtLeastOne(tokens);
        AtLeastOne(beams);
    }

    private IReadOnlyList<Option> Options => [shots, retrieve, tokens, beams, temperature, topP, trace];

    /// <summary>The verb caption.</summary>
    public static Command Caption(Terminal terminal)
    {
        var verbs = new FlamingoVerbs(terminal);
        var images = new Argument<string[]>("IMAGE") { Arity = ArgumentArity.OneOrMore };
        var lead = new Option<string?>("--lead") { HelpName = "TEXT" };
        var command = new Command("caption") { images, lead };
        foreach (var option in verbs.Options) command.Add(option);
        verbs.pictures.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var words = new Words(CommonOptions.LanguageOf(parsed));
                var skipped = verbs.pictures.Read(parsed, words);
                var files = ImageFiles.Expand(parsed.GetValue(images)!, words, skipped, cancellation);
                var before = parsed.GetValue(lead) ?? LeadOf(parsed);
                return verbs.Run(
                    parsed, skipped, files, (image, examples) => FlamingoPrompt.Caption(image, examples, before), cancellation);
            },
            CancellationToken.None));
        return command;
    }

    /// <summary>The verb ask.</summary>
    public static Command Ask(Terminal terminal)
    {
        var verbs = new FlamingoVerbs(terminal);
        var image = new Argument<string>("IMAGE");
        var question = new Argument<string>("QUESTION");
        var command = new Command("ask") { image, question };
        foreach (var option in verbs.Options) command.Add(option);
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var words = new Words(CommonOptions.LanguageOf(parsed));
                var (file, asked) = (parsed.GetValue(image)!, parsed.GetValue(question)!);
                if (string.IsNullOrWhiteSpace(asked)) throw new UsageException(words["flamingo.empty-question"]);
                if (!File.Exists(file)) throw new UsageException(words["flamingo.no-image-file", file]);
                return verbs.Run(parsed, new SkippedPictures(words, upright: true, strict: false), [file],
                    (picture, examples) => FlamingoPrompt.Ask(picture, asked, examples), cancellation);
            },
            CancellationToken.None));
        return command;
    }

    private static void AtLeastOne<T>(Option<T> option) => option.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<T>() is int and < 1 or > 4096)
            result.AddError(Words.Of(result)["usage.whole-number-between", option.Name, 1, 4096]);
    });

    private int Run(ParseResult parsed, SkippedPictures skipped, IReadOnlyList<string> files,
        Func<RgbImage, IReadOnlyList<FlamingoShot>, FlamingoPrompt> prompt, CancellationToken cancellation)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var options = OptionsOf(parsed, words);
        var examples = parsed.GetValue(shots) is { } list ? FlamingoShots.Read(list) : [];
        if (parsed.GetValue(retrieve) is not null && examples.Count == 0) throw new UsageException(words["flamingo.retrieve-needs-shots"]);
        using var model = Load(parsed, words);
        var embedded = parsed.GetValue(retrieve) is null ? null : model.EmbedImages([.. examples.Select(e => e.Image)], cancellation);
        var isJson = parsed.GetValue(CommonOptions.Json);
        var results = new List<object>();
        foreach (var file in files)
        {
            if (skipped.Read(file)?.ToRgb() is not { } image) continue;
            var chosen = Chosen(model, image, examples, embedded, parsed.GetValue(retrieve), cancellation);
            var asked = prompt(image, [.. chosen.Select(i => examples[i])]);
            var answer = model.Generate(asked, options, onText: null, cancellation);
            var inside = parsed.GetValue(trace) is null ? null : model.Trace(asked, answer);
            var drawn = inside is null ? null : Draw(model, asked, inside, parsed.GetValue(trace)!, file);
            results.Add(new { image = file, answer.Text, answer.Ended, answer.LogProbability, answer.Tokens, shots = chosen,
                inside?.Gates, inside?.Grid, glances = inside?.Glances.Select(g => new { g.Image, g.Patches }), trace = drawn });
            if (isJson) continue;
            terminal.SayText(files.Count == 1 ? answer.Text : $"{file}: {answer.Text}");
            if (inside is not null) Say(words, inside, drawn);
        }

        skipped.RequireSome(files.Count, results.Count);
        if (isJson) terminal.SayJson(new { model = model.Name, results, skipped = skipped.Items });
        return skipped.Say(terminal);
    }

    /// <summary>The model of <c>--model</c>; without it the one that captions, where it is on the disk.</summary>
    private static string NameOf(ParseResult parsed, ModelCatalog catalog) =>
        parsed.GetResult(CommonOptions.Model) is null or { Implicit: true } && catalog.Has(ModelCatalog.CaptioningName)
            ? ModelCatalog.CaptioningName : parsed.GetValue(CommonOptions.Model)!;

    /// <summary>Text before a caption in the language of the messages; only this project's own model is trained on Spanish.</summary>
    private static string LeadOf(ParseResult parsed) =>
        NameOf(parsed, ModelCatalog.Create()) == ModelCatalog.CaptioningName
            ? FlamingoPrompt.LeadOf(CommonOptions.LanguageOf(parsed)) : FlamingoPrompt.CaptionLead;

    private FlamingoPipeline Load(ParseResult parsed, Words words)
    {
        var catalog = ModelCatalog.Create();
        var name = NameOf(parsed, catalog);
        var folder = ModelChoice.Find(parsed, name);
        if (!FlamingoPipeline.IsFlamingo(folder)) throw new UsageException(words["flamingo.needs-model", name]);
        CommonOptions.StartTorch(parsed);
        var (precision, note) = (CommonOptions.PrecisionOf(parsed), NoteWords.Writer(terminal, words));
        return catalog.CompanionsOf(name) is [var language, var vision] ? FlamingoPipeline.Load(folder, language, vision, precision, note)
            : FlamingoPipeline.Load(folder, precision, note);
    }

    private FlamingoOptions OptionsOf(ParseResult parsed, Words words)
    {
        var (warmth, share) = (parsed.GetValue(temperature), parsed.GetValue(topP));
        if (warmth is not (null or (> 0 and <= 100)) || share is not (> 0 and <= 1))
            throw new UsageException(words["flamingo.sampling-range"]);
        if (warmth is not null && parsed.GetValue(beams) > 1) throw new UsageException(words["flamingo.sampling-or-beams"]);
        return new FlamingoOptions
        {
            MaxTokens = parsed.GetValue(tokens), Beams = parsed.GetValue(beams) ?? (warmth is null ? 3 : 1), Temperature = warmth,
            TopP = share, Seed = (long)(parsed.GetValue(CommonOptions.Seed) ?? 0),
        };
    }

    private static int[] Chosen(FlamingoPipeline model, RgbImage image, IReadOnlyList<FlamingoShot> examples,
        float[][]? embedded, int? count, CancellationToken cancellation) =>
        embedded is null ? [.. Enumerable.Range(0, examples.Count)]
            : FlamingoShots.Nearest(embedded, model.EmbedImages([image], cancellation)[0], count!.Value);

    private static string? Draw(FlamingoPipeline model, FlamingoPrompt prompt, FlamingoTrace inside, string folder, string file)
    {
        if (inside.Glances.All(glance => glance.Image < 0)) return null;
        WrittenFile.MakeFolder(folder);
        var path = Path.Combine(folder, Path.GetFileNameWithoutExtension(file) + ".attention.png");
        WrittenFile.Write(path, FlamingoTracePng.Render(inside, [.. prompt.Images.Select(model.Seen)]));
        return path;
    }

    private void Say(Words words, FlamingoTrace inside, string? drawn)
    {
        terminal.SayTable(
            [">" + words["flamingo.layer"], ">" + words["flamingo.attention-gate"], ">" + words["flamingo.feed-forward-gate"]],
            inside.Gates.Select(g => new[] { Text(g.Layer), Text(g.Attention), Text(g.FeedForward) }));
        terminal.SayTable([words["flamingo.token"], ">" + words["flamingo.log-probability"], ">" + words["flamingo.image"]],
            inside.Glances.Select(g => new[]
            {
                g.Token.Text.Replace("\n", "\\n", StringComparison.Ordinal), Text(g.Token.LogProbability),
                g.Image < 0 ? "-" : Text(g.Image + 1),
            }));
        if (drawn is not null) terminal.SayText(words.Wrote(drawn) + ".");

        static string Text(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
    }
}
