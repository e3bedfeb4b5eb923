using System.CommandLine;
using System.Text;
using Alebrije.Catalog;
using Alebrije.Datasets;
using Alebrije.Evaluation;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Cli.Commands;

/// <summary>
/// <c>alebrije world --count N --seed S [--concepts lion,cat] [--objects 1|2|3] [--split train|heldout] [--out grid.png]
/// [--export DIR]</c>
/// </summary>
internal static class WorldCommand
{
    private const int MostScenes = 1_000_000, MostOnASheet = 400, ShownRows = 40, ShownPictures = 8;

    public static Command Create(Terminal terminal)
    {
        var count = new Option<int>("--count") { HelpName = "N", DefaultValueFactory = _ => 16 };
        var concepts = new Option<string[]>("--concepts")
        {
            HelpName = "NAME,NAME",
            AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.ZeroOrMore,
        };
        var objects = new Option<int?>("--objects") { HelpName = "1|2|3" };
        var styles = new Option<string[]>("--styles")
        {
            HelpName = "NAME,NAME",
            AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.ZeroOrMore,
        };
        var split = new Option<string>("--split") { HelpName = "train|heldout", DefaultValueFactory = _ => "train" };
        var size = new Option<int>("--size") { HelpName = "PIXELS", DefaultValueFactory = _ => Scene.Side };
        var sheet = OutputFile.Option(".png");
        var export = new Option<string?>("--export") { HelpName = "DIR" };
        split.AcceptOnlyFromAmong("train", "heldout");
        styles.Validators.Add(r =>
        {
            foreach (var name in WorldSelection.Listed(r.GetValueOrDefault<string[]>())
                .Where(name => !WorldSelection.StyleNames.ContainsKey(name)))
                r.AddError(Words.Of(r)["world.style-unknown", name, string.Join(", ", WorldSelection.StyleNames.Keys)]);
        });
        count.Validators.Add(r => Within(r, "--count", 1, MostScenes));
        size.Validators.Add(r => Within(r, "--size", 16, 512));
        objects.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<int?>() is < 1 or > 3) r.AddError(Words.Of(r)["world.objects-range"]);
        });

        var known = new Option<bool>("--known");
        var command = new Command("world") { count, concepts, objects, styles, split, size, sheet, export, known };
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                var (words, path, folder) = (new Words(CommonOptions.LanguageOf(parsed)), parsed.GetValue(sheet), parsed.GetValue(export));
                if (parsed.GetValue(known)) return SayKnown(parsed, terminal, words);
                OutputFile.Check(path, words);
                OutputFile.CheckEmptyFolder("--export", folder, words);
                var (number, seed) = (parsed.GetValue(count), parsed.GetValue(CommonOptions.Seed) ?? 0);
                if (path is not null && number > MostOnASheet)
                    throw new UsageException(words["world.sheet-too-large", MostOnASheet, number]);
                var world = EmojiWorld.Open();
                var chosen = WorldSelection.Chosen(world, parsed.GetValue(concepts) ?? [],
                    parsed.GetResult(concepts) is { Implicit: false }, words);
                var options = WorldSelection.Options(chosen, parsed.GetValue(objects),
                    WorldSelection.Mixture(parsed.GetValue(split)!, WorldSelection.Listed(parsed.GetValue(styles))), words);
                var scenes = Enumerable.Range(0, number).Select(i => world.Scene(seed, i, options[i % options.Count])).ToArray();
                var files = scenes.Select((scene, i) => folder is null ? "" : WorldSelection.FileName(i, scene)).ToArray();
                var language = words.Language == "es" ? Language.Spanish : Language.English;
                var records = scenes.Select((scene, i) => SceneRecord.Of(world, scene, files[i], language)).ToArray();
                var (finished, sheetFile) = (folder is null ? number : 0, (string?)null);
                var json = parsed.GetValue(CommonOptions.Json);
                StoppedRun.Guard(terminal, words, json, () => sheetFile is null
                    && (folder is null || finished == 0) ? null : Document(), () =>
                {
                    if (folder is not null)
                        Export(world, scenes, files, folder, parsed.GetValue(size), done => finished = done, terminal, words, cancellation);
                    if (path is null) return;
                    PictureSheet.Draw([.. scenes.Select(Draw)], [.. records.Select(r => r.Caption)]).SavePng(path);
                    sheetFile = path;
                });
                if (json)
                {
                    terminal.SayJson(Document());
                    return 0;
                }

                if (path is null && folder is null && terminal.HasColour)
                    terminal.Show(PictureSheet.Draw([.. scenes.Take(ShownPictures).Select(Draw)],
                        options: new PictureSheetOptions { Columns = Math.Min(ShownPictures / 2, number), Gap = 4 }),
                        Math.Min(terminal.Width - 1, 100));
                Say(terminal, words, scenes, records);
                terminal.Say(words["world.seed", seed]);
                if (folder is not null) terminal.Say(words.Wrote(folder) + $": {words.Images(number)}, {ImageFolder.CaptionsFile}.");
                if (path is not null) terminal.Say(words.Wrote(path) + ".");
                return 0;

                object Document() => new
                {
                    seed,
                    Split = parsed.GetValue(split),
                    Path = sheetFile,
                    scenes = records.Take(finished).Select(r => new { File = folder is null ? null : r.File, Path = folder is null
                        ? null : System.IO.Path.Combine(folder, r.File), r.Caption, r.Lang, r.Objects, r.Background, r.Relation, r.Style }),
                };

                RgbImage Draw(Scene scene) => new(parsed.GetValue(size), parsed.GetValue(size), world.Render(scene, parsed.GetValue(size)));
            },
            CancellationToken.None));
        return command;
    }

    private static void Within(System.CommandLine.Parsing.OptionResult result, string name, int least, int most)
    {
        if (result.GetValueOrDefault<int>() is var value && (value < least || value > most))
            result.AddError(Words.Of(result)["usage.whole-number-between-not", name, least, most, value]);
    }

    /// <summary>Lists the concepts of the model's record, the most often recognised first.</summary>
    private static int SayKnown(ParseResult parsed, Terminal terminal, Words words)
    {
        var folder = ModelCatalog.Create().Find(parsed.GetValue(CommonOptions.Model)!);
        if (ModelRecord.Read(folder) is not { Concepts.Count: > 0 } record)
            throw new InvalidOperationException(words["world.not-measured", folder, Path.Combine(folder, ModelRecord.FileName)]);
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new { record.Model, record.Concepts });
            return 0;
        }

        string Name(DrawnConcept concept) => words.Language == "es" ? concept.SpanishName ?? concept.Name : concept.Name;
        foreach (var group in record.Concepts.GroupBy(concept => (concept.Right, concept.Of))
            .OrderByDescending(group => (double)group.Key.Right / group.Key.Of))
        {
            terminal.Say(words["world.named-right", group.Key.Right, group.Key.Of, group.Count()]);
            terminal.SayText(string.Join(", ", group.Select(concept => $"{concept.Emoji} {Name(concept)}")));
        }

        return 0;
    }

    /// <summary>Writes images, each with its captions before the next: a stopped run leaves complete pairs.</summary>
    private static void Export(
        EmojiWorld world, Scene[] scenes, string[] files, string folder,
        int size, Action<int> finished, Terminal terminal, Words words, CancellationToken cancellation)
    {
        OutputFile.CheckFolder(folder, ImageFolder.CaptionsFile, words, scenes.Length * DiskSpace.Block);
        var (path, captions) = (Path.Combine(folder, ImageFolder.CaptionsFile), new StringBuilder());
        for (var i = 0; i < scenes.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            new RgbImage(size, size, world.Render(scenes[i], size)).SavePng(Path.Combine(folder, files[i]));
            captions.Clear();
            foreach (var language in Enum.GetValues<Language>())
                captions.Append(SceneRecord.Of(world, scenes[i], files[i], language).ToJson()).Append('\n');
            WrittenFile.Append(path, captions.ToString());
            finished(i + 1);
            if (i % 64 == 63) terminal.Progress(words["world.drawing", i + 1, scenes.Length]);
        }

        terminal.CloseLine();
    }

    private static void Say(Terminal terminal, Words words, Scene[] scenes, SceneRecord[] records)
    {
        var language = words.Language == "es" ? Language.Spanish : Language.English;
        terminal.SayTable(
            [">", words["word.caption"], words["word.shows"], words["word.style"]],
            scenes.Zip(records).Take(ShownRows)
                .Select((pair, i) => new[] { $"{i}", pair.Second.Caption, Shown(pair.First, language), Style(words, pair.First.Style) }));
        if (records.Length > ShownRows) terminal.Say(words["world.and-more", records.Length - ShownRows]);
    }

    private static string Shown(Scene scene, Language language) =>
        (scene.Count > 1 ? $"{scene.Count} x " : "") + string.Join(", ", scene.Concepts.Select(c => c.Name(language)));

    private static string Style(Words words, SceneStyle style) => style switch
    {
        SceneStyle.PencilSketch => words["style.pencil-sketch"],
        SceneStyle.BlackAndWhite => words["style.black-and-white"],
        SceneStyle.PixelArt => words["style.pixel-art"],
        SceneStyle.Blurred => words["style.blurred"],
        SceneStyle.Night => words["style.night"],
        SceneStyle.BusyBackground => words["style.busy-background"],
        _ => words["style.plain"],
    };
}
