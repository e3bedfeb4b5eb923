using System.Text.Json.Nodes;
using Alebrije.Preprocessing;
using Alebrije.Weights;

namespace Alebrije.Catalog;

/// <summary>A part of a model.</summary>
/// <param name="Name">Its folder, or the model's own name where the model is a single network.</param>
/// <param name="ClassName">Class that its files were written for.</param>
/// <param name="Parameters">Numbers in its weights; null for parts without weights, such as tokenizers.</param>
/// <param name="Types">Number formats of its weights, such as <c>Float32</c>.</param>
/// <param name="Bytes">Size of its files.</param>
public sealed record ModelComponent(string Name, string ClassName, long? Parameters, IReadOnlyList<string> Types, long Bytes);

/// <summary>Components of a model and the metadata in its folder.</summary>
/// <param name="Model">Name, folder, kind and size.</param>
/// <param name="Components">Its parts.</param>
/// <param name="Licence">From the model card's head (<c>license:</c>) or the first line of a licence file; null if there is
/// neither.</param>
/// <param name="Card">The model card (README.md) without its head; null when there is none.</param>
/// <param name="Evaluation">Unparsed results of <c>evaluate</c> (<c>evaluation.json</c>); null if there are none.</param>
public sealed record ModelDescription(
    CatalogModel Model, IReadOnlyList<ModelComponent> Components, string? Licence, string? Card, JsonObject? Evaluation)
{
    private static readonly string[] Cards = ["README.md", "MODEL_CARD.md", "model_card.md"];
    private static readonly string[] Checkpoints = ["checkpoint.safetensors", "checkpoint.pt"];
    private static readonly string[] Licences = ["LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE"];

    /// <summary>SHA-256 of a model in one file, 64 hexadecimal digits; null for folders.</summary>
    public string? Sha256 { get; init; }

    /// <summary>Parameters of all parts.</summary>
    public long Parameters => Components.Sum(component => component.Parameters ?? 0);

    internal static ModelDescription Read(CatalogModel model)
    {
        var (head, card) = Split(ReadFirst(model.Folder, Cards));
        var evaluation = Path.Combine(model.Folder, "evaluation.json");
        return new ModelDescription(
            model, [.. Parts(model)], LicenceOf(head) ?? FirstLine(ReadFirst(model.Folder, Licences)), card,
            File.Exists(evaluation) ? ConfigFile.ReadObject(evaluation) : null)
        {
            Sha256 = SingleFileLayout.FileOf(model.Folder) is { } single ? FileHash.Sha256(single) : null,
        };
    }

    /// <summary>The licence that a folder states, or null.</summary>
    internal static string? LicenceIn(string folder) =>
        LicenceOf(Split(ReadFirst(folder, Cards)).Head) ?? FirstLine(ReadFirst(folder, Licences));

    private static IEnumerable<ModelComponent> Parts(CatalogModel model)
    {
        if (model.ClassName == ModelKinds.Flamingo)
        {
            foreach (var part in FlamingoParts(model.Folder)) yield return part;
            yield break;
        }

        if (SingleFileLayout.FileOf(model.Folder) is { } single)
        {
            using var file = CheckpointFolder.OpenWeights(single);
            foreach (var part in SingleFileLayout.Of(file).Parts)
                yield return Part(part.Component, part.ClassName,
                    [.. file.Names.Where(name => name.StartsWith(part.Prefix, StringComparison.Ordinal)).Select(file.Describe)]);
            yield break;
        }

        var index = Path.Combine(model.Folder, "model_index.json");
        if (!File.Exists(index))
        {
            yield return Part(model.Name, model.ClassName, model.Folder);
            yield break;
        }

        var listed = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, value) in ConfigFile.ReadObject(index))
        {
            // Parts that a pipeline can do without are written as a pair of nulls.
            if (value is not JsonArray { Count: 2 } pair || pair[1] is not JsonValue type || !type.TryGetValue<string>(out var className))
                continue;
            var folder = Path.Combine(model.Folder, name);
            if (!Directory.Exists(folder))
                throw new CheckpointNotFoundException($"The folder {folder} is missing, though model_index.json lists it.");
            listed.Add(name);
            yield return Part(name, className, folder);
        }

        // Parts of this project in addition to the published ones, such as the linear prior.
        foreach (var folder in Directory.EnumerateDirectories(model.Folder).Where(HasWeights).Order(StringComparer.Ordinal))
            if (Path.GetFileName(folder) is var name && !listed.Contains(name)) yield return Part(name, "", folder);
    }

    /// <summary>The trained tensors, the language model and the image tower of a Flamingo, as far as its folder has them.</summary>
    private static IEnumerable<ModelComponent> FlamingoParts(string folder)
    {
        var trained = Checkpoints.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        if (trained is not null)
        {
            using var weights = CheckpointFolder.OpenWeights(trained);
            yield return Part(Path.GetFileName(trained), "", [.. weights.Names.Select(weights.Describe)]);
        }

        foreach (var part in Directory.EnumerateDirectories(folder).Where(HasWeights).Order(StringComparer.Ordinal))
            yield return Part(Path.GetFileName(part),
                File.Exists(Path.Combine(part, "config.json")) ? ConfigFile.ClassName(part) ?? "" : "", part);
    }

    private static ModelComponent Part(string name, string className, string folder)
    {
        var bytes = ModelCatalog.SizeOf(folder);
        if (!HasWeights(folder)) return new ModelComponent(name, className, null, [], bytes);
        using var weights = CheckpointFolder.OpenWeights(folder);
        return Part(name, className, [.. weights.Names.Select(weights.Describe)]) with { Bytes = bytes };
    }

    private static ModelComponent Part(string name, string className, IReadOnlyList<TensorEntry> entries) => new(
        name, className, entries.Sum(e => e.Count), [.. entries.Select(e => e.Type.ToString()).Distinct().Order(StringComparer.Ordinal)],
        entries.Sum(e => e.Count * TensorTypes.SizeOf(e.Type)));

    private static bool HasWeights(string folder) =>
        Directory.EnumerateFiles(folder).Any(file => Path.GetExtension(file) is ".safetensors" or ".bin");

    private static string? ReadFirst(string folder, IEnumerable<string> names) =>
        names.Select(name => Path.Combine(folder, name)).Where(RegularFile.Is).Select(RegularFile.ReadAllText).FirstOrDefault();

    /// <summary>Model cards begin with a head of keys between lines of three dashes.</summary>
    private static (string? Head, string? Card) Split(string? text)
    {
        if (text is null) return (null, null);
        text = text.ReplaceLineEndings("\n").TrimStart('\uFEFF');
        if (!text.StartsWith("---\n", StringComparison.Ordinal)) return (null, text.Trim());
        var end = text.IndexOf("\n---", 3, StringComparison.Ordinal);
        return end < 0 ? (null, text.Trim()) : (text[4..Math.Max(4, end)], text[(end + 4)..].Trim('-', '\n', ' '));
    }

    private static string? LicenceOf(string? head) => head?.Split('\n')
        .Where(line => line.StartsWith("license:", StringComparison.OrdinalIgnoreCase)
            || line.StartsWith("licence:", StringComparison.OrdinalIgnoreCase))
        .Select(line => line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim().Trim('"', '\''))
        .FirstOrDefault(value => value.Length > 0);

    private static string? FirstLine(string? text) => text?.Split('\n').Select(line => line.Trim()).FirstOrDefault(line => line.Length > 0);
}
