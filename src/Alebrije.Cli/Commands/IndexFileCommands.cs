using System.CommandLine;
using System.Globalization;
using Alebrije.Search;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije index classify --labels ...</c> and <c>alebrije index export --out FILE|DIR</c></summary>
internal static class IndexFileCommands
{
    public static Command Classify(Terminal terminal)
    {
        var labels = new Option<string[]>("--labels")
        {
            HelpName = "LABEL", AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.OneOrMore, Required = true,
        };
        var templates = Templates.Option();
        var least = new Option<double>("--min-probability") { HelpName = "P" };
        least.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= 0 and <= 1))
                result.AddError(Words.Of(result)["usage.number-between", "--min-probability", 0, 1]);
        });
        var command = new Command("classify") { labels, templates, least, IndexChoice.Folder };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            var words = new Words(CommonOptions.LanguageOf(parsed));
            var given = parsed.GetValue(labels)!;
            if (given.GroupBy(label => label, StringComparer.OrdinalIgnoreCase).FirstOrDefault(group => group.Count() > 1) is { } twice)
                throw new UsageException(words["usage.label-twice", twice.Key]);
            if (given.Length < 2) throw new UsageException(words["index.one-label"]);
            var sentences = Templates.Find(parsed.GetValue(templates), words);
            using var index = IndexChoice.Open(parsed);
            using var model = IndexChoice.Load(parsed, IndexChoice.Model(parsed, index), terminal, words);
            var counts = IndexLabels.Classify(index, model, given, sentences, parsed.GetValue(least), cancellation);
            terminal.CloseLine();
            var items = index.Status().Items;
            if (parsed.GetValue(CommonOptions.Json))
            {
                terminal.SayJson(new { index = index.Folder, model = model.Name, items, labels = counts });
                return 0;
            }

            terminal.SayTable([words["word.label"], ">" + words["word.images"]],
                counts.Select(one => new[] { one.Label, one.Images.ToString(CultureInfo.InvariantCulture) }));
            terminal.SayText(words["index.classified", words.Images(counts.Sum(one => one.Images)), items]);
            return 0;
        }, CancellationToken.None));
        return command;
    }

    public static Command Export(Terminal terminal)
    {
        var file = new Option<string>("--out") { HelpName = "FILE|DIR", Required = true };
        var command = new Command("export") { file, IndexChoice.Folder };
        command.SetAction((parsed, cancellation) => Task.Run(async () =>
        {
            var (words, path) = (new Words(CommonOptions.LanguageOf(parsed)), parsed.GetValue(file)!);
            var isFile = Path.GetExtension(path).ToLowerInvariant() is ".parquet" or ".npy";
            if (!isFile && Path.HasExtension(path) && !Directory.Exists(path)) throw new UsageException(words["index.export-ending", path]);
            if (isFile) OutputFile.Check(path, words);
            else OutputFile.CheckEmptyFolder("--out", path, words);
            using var index = IndexChoice.Open(parsed);
            using var model = IndexChoice.Load(parsed, IndexChoice.Model(parsed, index), terminal, words);
            int count;
            try
            {
                count = await IndexExport.WriteAsync(index, model, path, cancellation);
            }
            catch (Exception e) when (!isFile && e is IOException or UnauthorizedAccessException)
            {
                throw new IOException(words["output.folder-not-made", path, e.Message.Split('\n')[0].TrimEnd('.')], e);
            }

            terminal.CloseLine();
            if (parsed.GetValue(CommonOptions.Json))
                terminal.SayJson(new { index = index.Folder, model = model.Name, items = count, path });
            else terminal.SayText($"{words.Wrote(path)}: {words.Images(count)}.");
            return 0;
        }, CancellationToken.None));
        return command;
    }
}
