using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Weights;

namespace Alebrije.Catalog;

/// <summary>A published checkpoint that has a name here.</summary>
/// <param name="Name">Value of <c>--model</c>.</param>
/// <param name="Aliases">Alternative names.</param>
/// <param name="Repositories">Its repositories at the hub, <c>owner/name</c>; <c>--model</c> opens the first, a second holds its
/// prior.</param>
/// <param name="Kind">Task, as in <see cref="CatalogModel.Kind"/>.</param>
/// <param name="Licence">Licence of the weights, as their owners state it.</param>
/// <param name="Bytes">Approximate size of a fetch in full precision; null: unknown here, <c>models pull --dry-run</c> finds out.</param>
/// <param name="Verbs">Verbs that run it, at least one.</param>
public sealed record PublishedModel(
    string Name, IReadOnlyList<string> Aliases, IReadOnlyList<string> Repositories,
    string Kind, string Licence, long? Bytes, IReadOnlyList<string> Verbs);

/// <summary>The published checkpoints that have a name here.</summary>
public static class PublishedModels
{
    private const int FarthestSlip = 3;

    /// <summary>Verbs that draw from texts alone; a prior is named to the same verbs with --prior.</summary>
    private static readonly string[] FromTexts = ["imagine", "interpolate", "mix", "inpaint", "sweep"];

    /// <summary>All of them, in the order in which a list shows them.</summary>
    public static IReadOnlyList<PublishedModel> All { get; } = Read();

    /// <summary>The model of a name or an alias, whatever its case; null when there is none.</summary>
    public static PublishedModel? Find(string name) =>
        All.FirstOrDefault(model => model.Name.Equals(name, StringComparison.OrdinalIgnoreCase)
            || model.Aliases.Contains(name, StringComparer.OrdinalIgnoreCase));

    /// <summary>The model that a repository belongs to, or null.</summary>
    internal static PublishedModel? Of(HubRepository repository) =>
        All.FirstOrDefault(model => model.Repositories[0].Equals(repository.ToString(), StringComparison.OrdinalIgnoreCase));

    /// <summary>Names that a mistyped one may have meant, the nearest first.</summary>
    /// <param name="mistyped">The mistyped name.</param>
    /// <param name="further">Names in addition to the published ones.</param>
    internal static IReadOnlyList<string> Suggest(string mistyped, IEnumerable<string> further)
    {
        var names = further.Select(name => (Typed: name, Name: name))
            .Concat(All.SelectMany(model => model.Aliases.Append(model.Name).Select(name => (Typed: name, model.Name))));
        return [.. names.Select(pair => (pair.Name, Slip: Spelling.Distance(mistyped, pair.Typed),
            Holds: mistyped.Length > 2 && pair.Typed.Contains(mistyped, StringComparison.OrdinalIgnoreCase)))
            .Where(pair => pair.Holds || pair.Slip <= Math.Min(FarthestSlip, mistyped.Length / 2))
            .OrderBy(pair => pair.Holds ? 1 : pair.Slip).Select(pair => pair.Name).Distinct(StringComparer.Ordinal).Take(4)];
    }

    private static PublishedModel[] Read()
    {
        using var stream = typeof(PublishedModels).Assembly.GetManifestResourceStream("published-models.json")!;
        return [.. ((JsonArray)JsonNode.Parse(stream)!["models"]!).Select(node => Of(node.Deserialize<Entry>(JsonSerializerOptions.Web)!))];
    }

    private static PublishedModel Of(Entry entry)
    {
        string[] verbs = entry.Runs switch
        {
            "unclip-from-texts" => [.. FromTexts, "embed", "tokenize"],
            "karlo" => [.. FromTexts, "upscale", "embed", "tokenize"],
            "karlo-variations" => ["vary", "interpolate", "mix", "textdiff",
                "pca-reconstruct", "inpaint", "upscale", "embed", "similarity", "classify", "pca", "tokenize", "preprocess"],
            "stable-variations" => ["vary", "interpolate", "mix", "pca-reconstruct", "inpaint", "embed", "preprocess"],
            "kandinsky" => ["imagine", "vary", "interpolate", "mix", "textdiff", "pca-reconstruct", "inpaint", "sweep"],
            "inpainting" => ["inpaint"],
            "prior" => FromTexts,
            "clip" => ["embed", "similarity", "classify", "pca", "explain", "tokenize", "preprocess"],
            // Relevance follows attention from a class token, which these towers lack.
            "clip-without-explain" => ["embed", "similarity", "classify", "pca", "tokenize", "preprocess"],
            "text to image" => ["imagine", "interpolate", "inpaint", "sweep", "tokenize"],
            "flamingo" => ["caption", "ask"],
            "pixels from text" => ["imagine", "interpolate", "inpaint", "sweep"],
            _ => throw new InvalidDataException($"published-models.json: {entry.Name} has no known verbs '{entry.Runs}'."),
        };
        return new PublishedModel(entry.Name, entry.Aliases, entry.Repositories, entry.Kind, entry.Licence, entry.Bytes, verbs);
    }

    private sealed record Entry(string Name, string[] Aliases, string[] Repositories,
        string Kind, string Licence, long? Bytes, string Runs);
}
