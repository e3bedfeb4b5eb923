using System.CommandLine;
using Alebrije.Catalog;
using Alebrije.Pipelines;
using Alebrije.Search;

namespace Alebrije.Cli.Commands;

/// <summary>The option <c>--index</c>, and the model of an index.</summary>
internal static class IndexChoice
{
    /// <summary>Folder of the index.</summary>
    public static readonly Option<string?> Folder = new("--index") { HelpName = "DIR" };

    /// <summary>Opens the index of the command line.</summary>
    /// <exception cref="FileNotFoundException">There is none; one sentence.</exception>
    public static PictureIndex Open(ParseResult parsed) => PictureIndex.Open(FolderOf(parsed));

    /// <summary>The folder of the index: the option, the environment's, or the user's.</summary>
    public static string FolderOf(ParseResult parsed) => parsed.GetValue(Folder) ?? PictureIndex.DefaultFolder;

    /// <summary>
    /// Models of the command line: those of <c>--model</c> if it is given, else the ones that made the index, else the default.
    /// </summary>
    public static IReadOnlyList<string> Models(ParseResult parsed, PictureIndex index)
    {
        var given = parsed.GetValue(CommonOptions.Model)!;
        if (parsed.GetResult(CommonOptions.Model) is { Implicit: false }) return [given];
        var sources = index.Spaces.Select(space => space.Source).Distinct(StringComparer.Ordinal).ToArray();
        return sources.Length == 0 ? [given] : sources;
    }

    /// <summary>The one model for a query: the default if the index has it, else the first that made it.</summary>
    public static string Model(ParseResult parsed, PictureIndex index)
    {
        var models = Models(parsed, index);
        var usual = parsed.GetValue(CommonOptions.Model)!;
        return models.Contains(usual) ? usual : models[0];
    }

    /// <summary>Loads a model for a verb of the index.</summary>
    public static ClipModel Load(ParseResult parsed, string name, Terminal terminal, Words words)
    {
        var folder = ModelChoice.Find(parsed, name, "embed");
        CommonOptions.StartTorch(parsed);
        terminal.Progress(words["progress.loading-model"]);
        return ClipModel.Load(folder, CommonOptions.PrecisionOf(parsed), NoteWords.Writer(terminal, words));
    }

    /// <summary>The name under which a model is found again: a path in full.</summary>
    public static string SourceOf(string name) =>
        ModelCatalog.Create().Has(name) || (!Directory.Exists(name) && !File.Exists(name)) ? name : Path.GetFullPath(name);
}
