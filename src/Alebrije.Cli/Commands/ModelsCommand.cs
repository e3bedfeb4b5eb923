using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Alebrije.Catalog;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije models list|show|pull|remove</c></summary>
internal static class ModelsCommand
{
    private const int ListedConcepts = 24;

    public static Command Create(Terminal terminal)
    {
        var command = new Command("models")
        {
            List(terminal), Show(terminal), PullCommand.Create(terminal), RemoveCommand.Create(terminal),
        };
        command.SetAction(parsed => SayList(terminal, parsed));
        return command;
    }

    private static Command List(Terminal terminal)
    {
        var command = new Command("list");
        command.SetAction(parsed => SayList(terminal, parsed));
        return command;
    }

    private static int SayList(Terminal terminal, ParseResult parsed)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var catalog = ModelCatalog.Create();
        var models = catalog.List();
        var published = PublishedModels.All;
        var here = models.Select(model => model.Name).ToHashSet(StringComparer.Ordinal);
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new
            {
                models = models.Select(m => new { m.Name, m.Kind, Class = m.ClassName, m.Bytes, License = m.Licence, Path = m.Folder }),
                published = published.Select(p => new { p.Name, p.Aliases, p.Kind,
                    License = p.Licence, p.Bytes, p.Repositories, p.Verbs, OnDisk = here.Contains(p.Name) }),
            });
            return 0;
        }

        if (models.Count == 0)
            terminal.SayText(words["models.none", string.Join(", ", catalog.Folders)]);
        else
        {
            terminal.SayTable(
                [words["word.on-this-disk"], words["word.kind"], ">" + words["word.size"], words["word.licence"]],
                models.Select(m => new[] { m.Name, Kind(words, m.Kind), Size(m.Bytes), m.Licence ?? "" }));

            // On lines of their own: a path broken by a table cannot be copied.
            foreach (var model in models) terminal.Say($"{model.Name}: {model.Folder}");
        }

        terminal.Say();
        terminal.SayTable(
            [words["word.to-be-fetched"], words["word.kind"], ">" + words["word.size-about"], words["word.licence"], words["word.verbs"]],
            published.Where(p => !here.Contains(p.Name)).Select(p => new[] { p.Name,
                Kind(words, p.Kind), p.Bytes is { } bytes ? Size(bytes) : "", p.Licence, string.Join(", ", p.Verbs.Take(2)) }));
        terminal.SayText(words["models.how-to-pull", ModelCatalog.Variable]);
        return 0;
    }

    private static Command Show(Terminal terminal)
    {
        var name = new Argument<string>("NAME") { DefaultValueFactory = _ => ModelCatalog.DefaultName };
        var command = new Command("show") { name };
        command.SetAction(parsed =>
        {
            var words = new Words(CommonOptions.LanguageOf(parsed));
            var (catalog, given) = (ModelCatalog.Create(), parsed.GetValue(name)!);
            if (PublishedModels.Find(given) is { } published && !catalog.Has(given))
            {
                SayPublished(terminal, words, published, parsed.GetValue(CommonOptions.Json));
                return 0;
            }

            var description = catalog.Describe(given);
            var model = description.Model;
            if (parsed.GetValue(CommonOptions.Json))
            {
                terminal.SayJson(new
                {
                    model.Name, model.Kind, Class = model.ClassName, model.Bytes, Path = model.Folder, description.Parameters,
                    License = description.Licence, description.Sha256,
                    Components = description.Components.Select(c => new { c.Name, Class = c.ClassName, c.Parameters, c.Types, c.Bytes }),
                    description.Card, description.Evaluation,
                });
                return 0;
            }

            Say(terminal, words, description);
            return 0;
        });
        return command;
    }

    /// <summary>Writes the published facts of a model that is not on the disk.</summary>
    private static void SayPublished(Terminal terminal, Words words, PublishedModel model, bool json)
    {
        if (json)
        {
            terminal.SayJson(new { model.Name, model.Kind, model.Bytes, Path = (string?)null,
                License = model.Licence, model.Repositories, model.Verbs, OnDisk = false });
            return;
        }

        terminal.Say($"{model.Name}: {Kind(words, model.Kind)}");
        terminal.Say(string.Join(", ", model.Repositories));
        var size = model.Bytes is { } bytes ? words["models.about-size", Size(bytes)] : "";
        terminal.SayText(words["models.published", size, model.Licence, string.Join(", ", model.Verbs), model.Name]);
    }

    private static void Say(Terminal terminal, Words words, ModelDescription description)
    {
        var model = description.Model;
        terminal.Say($"{model.Name}: {Kind(words, model.Kind)}" + (model.Kind == model.ClassName ? "" : $" ({model.ClassName})"));
        terminal.Say(model.Folder);
        if (description.Sha256 is { } hash) terminal.Say($"SHA-256: {hash}");
        terminal.SayText(words["models.summary", Count(description.Parameters),
            Size(model.Bytes), description.Licence ?? words["models.licence-not-stated"]]);
        terminal.SayTable(
            [words["word.part"], words["word.class"], ">" + words["word.parameters"], words["word.type"], ">" + words["word.size"]],
            description.Components.Select(c => new[] { c.Name, c.ClassName,
                c.Parameters is { } n ? Count(n) : "", string.Join(", ", c.Types), Size(c.Bytes) }));
        if (description.Evaluation is { } evaluation) SayEvaluation(terminal, words, evaluation);
        if (description.Card is { } card)
        {
            terminal.Say();
            foreach (var line in card.ReplaceLineEndings("\n").Split('\n')) terminal.Say(line);
        }
    }

    private static void SayEvaluation(Terminal terminal, Words words, JsonObject evaluation)
    {
        terminal.SayText(words["models.evaluation"]);
        terminal.SayTable(
            [words["word.figure"], ">" + words["word.value"], words["word.interval-95"], ">n"],
            Figures(evaluation["metrics"] as JsonObject ?? evaluation, "").ToArray());
        var concepts = (evaluation["concepts"] as JsonArray ?? []).OfType<JsonObject>()
            .Select(c => (Name: $"{c["emoji"]} {c["name"]}", Right: Whole(c["right"]),
                Of: Whole(c["of"]), TakenFor: c["taken_for"]?.ToString())).ToArray();
        if (concepts.Length == 0) return;
        var never = concepts.Where(c => c.Right == 0).ToArray();
        var (always, total) = (concepts.Count(c => c.Right == c.Of), concepts.Length);
        terminal.SayText(words["models.concepts", total, always, total - always - never.Length, never.Length]);
        if (never.Length == 0) return;
        var listed = string.Join(", ",
            never.Take(ListedConcepts).Select(c => c.TakenFor is null ? c.Name : words["models.taken-for", c.Name, c.TakenFor]));
        terminal.SayText(never.Length > ListedConcepts
            ? words["models.concepts-never-more", listed] : words["models.concepts-never", listed]);
    }

    private static int Whole(JsonNode? node) => node is JsonValue value && value.TryGetValue<int>(out var number) ? number : 0;

    /// <summary>All figures in a tree of metrics, named by their path.</summary>
    private static IEnumerable<IReadOnlyList<string>> Figures(JsonObject metrics, string path)
    {
        foreach (var (name, value) in metrics)
        {
            var full = path.Length == 0 ? name : $"{path} {name}";
            if (value is JsonObject { Count: > 0 } group)
            {
                if (group["value"] is JsonValue middle)
                    yield return [full, Number(name, middle), group["low"] is JsonValue low && group["high"] is JsonValue high
                        ? $"{Number(name, low)} … {Number(name, high)}" : "", group["count"]?.ToString() ?? ""];

                // A group may have a figure of its own and others below it.
                foreach (var row in Figures(new JsonObject(group.Where(pair => pair.Value is JsonObject)
                    .Select(pair => KeyValuePair.Create(pair.Key, pair.Value?.DeepClone()))), full))
                    yield return row;
            }
            else if (value is JsonValue single && single.TryGetValue<double>(out _))
            {
                yield return [full, Number(name, single), "", ""];
            }
        }
    }

    /// <summary>Formats decibels, lengths and cosines as they are, shares in percent.</summary>
    private static string Number(string name, JsonValue value) =>
        !value.TryGetValue<double>(out var number) ? value.ToString()
        : name.StartsWith("psnr", StringComparison.Ordinal) ? number.ToString("F1", CultureInfo.InvariantCulture) + " dB"
        : name is "cosine" or "modality_gap" ? number.ToString("F3", CultureInfo.InvariantCulture)
        : (100 * number).ToString("F1", CultureInfo.InvariantCulture) + " %";

    internal static string Kind(Words words, string kind) => kind switch
    {
        "text to image" => words["kind.text-to-image"],
        "image variations" => words["kind.image-variations"],
        "text and image embeddings" => words["kind.text-and-image-embeddings"],
        "inpainting" => words["kind.inpainting"],
        "depth to image" => words["kind.depth-to-image"],
        "captions of images" => words["kind.captions-of-images"],
        "text embeddings" => words["kind.text-embeddings"],
        "image embeddings" => words["kind.image-embeddings"],
        _ => kind,
    };

    private static string Count(long parameters) => parameters.ToString("#,0", CultureInfo.InvariantCulture);

    internal static string Size(long bytes) => bytes switch
    {
        < 1000 => $"{bytes} B",
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.#} kB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.#} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.#} GB"),
    };
}
