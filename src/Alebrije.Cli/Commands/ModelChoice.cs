using System.CommandLine;
using Alebrije.Catalog;

namespace Alebrije.Cli.Commands;

/// <summary>The model of <c>--model</c>, for a verb that runs it.</summary>
internal static class ModelChoice
{
    private const string Prior = "prior";

    /// <summary>Verbs with the same requirements as another verb in the catalogue's lists.</summary>
    private static readonly Dictionary<string, string> Alike = new(StringComparer.Ordinal)
    {
        ["robustness"] = "classify", ["probe"] = "classify", ["classifier"] = "classify", ["bench"] = "embed", ["evaluate"] = "imagine",
        ["job"] = "embed", ["search"] = "embed",
    };

    /// <summary>The model's folder.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="name">Name or path of the model; null is that of <c>--model</c>.</param>
    /// <param name="verb">Verb whose requirements apply; null is that of the command line.</param>
    /// <exception cref="UsageException">It is a published model that the verb cannot run, and it is not on the disk.</exception>
    /// <exception cref="Weights.CheckpointNotFoundException">It is not on the disk, or unknown.</exception>
    public static string Find(ParseResult parsed, string? name = null, string? verb = null)
    {
        var (catalog, chosen) = (ModelCatalog.Create(), name ?? parsed.GetValue(CommonOptions.Model)!);
        Check(catalog, verb ?? parsed.CommandResult.Command.Name, chosen, new Words(CommonOptions.LanguageOf(parsed)));
        return catalog.Find(chosen);
    }

    /// <summary>Rejects a published model that the verb cannot run, before any download.</summary>
    public static void Check(ModelCatalog catalog, string verb, string name, Words words)
    {
        var model = PublishedModels.Find(name)
            ?? PublishedModels.All.FirstOrDefault(model => model.Repositories[0].Equals(name, StringComparison.OrdinalIgnoreCase));
        if (model is null || catalog.Has(name) || Directory.Exists(name)) return;
        var runs = string.Join(", ", model.Verbs);
        if (model.Kind == Prior)
            throw new UsageException(words["models.is-a-prior", model.Name]);
        if (model.Verbs.Contains(Alike.GetValueOrDefault(verb, verb))) return;
        var kind = ModelsCommand.Kind(words, model.Kind);
        throw new UsageException(words["models.verb-does-not-run", verb, model.Name, kind, runs]);
    }
}
