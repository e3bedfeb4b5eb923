using System.CommandLine;
using Alebrije.Catalog;
using Alebrije.Pipelines;

namespace Alebrije.Cli.Commands;

/// <summary>Options of the choice of a prior.</summary>
internal static class PriorChoice
{
    public static Option<string> Option()
    {
        var option = new Option<string>("--prior")
        {
            HelpName = "NAME|FOLDER", DefaultValueFactory = _ => "diffusion",
        };
        option.CompletionSources.Add([.. PriorNames.All]);
        return option;
    }

    /// <summary>The model's folder, and those of its published companions.</summary>
    public static (string Folder, IReadOnlyList<string>? Companions) Model(ParseResult parsed)
    {
        var (catalog, name) = (ModelCatalog.Create(), parsed.GetValue(CommonOptions.Model)!);
        ModelChoice.Check(catalog, parsed.CommandResult.Command.Name, name, new Words(CommonOptions.LanguageOf(parsed)));
        return (catalog.Find(name), catalog.CompanionsOf(name));
    }

    /// <summary>A kind by its name, or the folder of another prior.</summary>
    public static (PriorKind Kind, string? Folder) Find(string given, Words words)
    {
        if (PriorNames.TryParse(given, out var kind)) return (kind, null);
        if (Directory.Exists(given)) return (default, given);
        var catalog = ModelCatalog.Create();
        return catalog.Has(given) ? (default, catalog.CompanionOf(given) ?? catalog.Find(given))
            : throw new UsageException(words["prior.unknown", given, string.Join(", ", PriorNames.All)]);
    }
}
