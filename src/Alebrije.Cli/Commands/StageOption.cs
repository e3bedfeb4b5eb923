using System.CommandLine;
using Alebrije.Catalog;

namespace Alebrije.Cli.Commands;

/// <summary>The option <c>--stage</c>: later stages of DeepFloyd IF, in place of those that the model is published with.</summary>
internal sealed class StageOption
{
    private const string None = "none";

    /// <summary>The option.</summary>
    public Option<string[]> Option { get; } = new("--stage") { HelpName = "FOLDER", Arity = ArgumentArity.OneOrMore };

    /// <summary>Folders of the stages; null if none was given, empty for <c>none</c>.</summary>
    public string[]? Folders(ParseResult parsed, ModelCatalog catalog) => parsed.GetValue(Option) is not { Length: > 0 } given ? null
        : given is [None] ? [] : [.. given.Select(catalog.Find)];
}
