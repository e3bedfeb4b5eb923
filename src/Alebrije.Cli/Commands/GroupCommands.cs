using System.CommandLine;
using System.Globalization;
using Alebrije.Embeddings;
using Alebrije.Evaluation;
using Alebrije.Preprocessing;
using Alebrije.Search;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije duplicates</c> and <c>alebrije cluster</c>: groups of the images of an index. Nothing is ever deleted.</summary>
internal static class GroupCommands
{
    private const int Listed = 5;

    public static Command Duplicates(Terminal terminal)
    {
        var filter = new FilterOptions();
        var least = new Option<double>("--similarity") { HelpName = "COSINE", DefaultValueFactory = _ => 0.95 };
        var all = new Option<bool>("--all");
        least.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= -1 and <= 1))
                result.AddError(Words.Of(result)["usage.number-between", "--similarity", -1, 1]);
        });
        var command = new Command("duplicates") { least, all, IndexChoice.Folder };
        filter.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            var words = new Words(CommonOptions.LanguageOf(parsed));
            using var index = IndexChoice.Open(parsed);
            using var model = IndexChoice.Load(parsed, IndexChoice.Model(parsed, index), terminal, words);
            var groups = PictureDuplicates.Find(index, model, parsed.GetValue(least), filter.Of(parsed), cancellation);
            terminal.CloseLine();
            if (SayJson(parsed, terminal, index, model.Name, groups)) return 0;
            SayGroups(terminal, words, groups, parsed.GetValue(all), group => group.Kind == GroupKind.Same
                ? words["duplicates.same", group.Pictures.Count] : words["duplicates.alike", group.Pictures.Count, Number(group.Least)]);
            var copies = groups.Where(group => group.Kind == GroupKind.Same).ToArray();
            terminal.SayText(words["duplicates.summary", copies.Length, copies.Sum(group => group.Pictures.Count - 1),
                groups.Count - copies.Length, Number(parsed.GetValue(least))]);
            return 0;
        }, CancellationToken.None));
        return command;
    }

    public static Command Cluster(Terminal terminal)
    {
        var filter = new FilterOptions();
        var count = new Option<int>("--count") { HelpName = "N" };
        var labels = new Option<string[]>("--labels")
        {
            HelpName = "TEXT", AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.ZeroOrMore,
        };
        var all = new Option<bool>("--all");
        count.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 0 or > 1000)
                result.AddError(Words.Of(result)["usage.whole-number-between", "--count", 1, 1000]);
        });
        var command = new Command("cluster") { count, labels, all, IndexChoice.Folder };
        filter.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            var words = new Words(CommonOptions.LanguageOf(parsed));
            using var index = IndexChoice.Open(parsed);
            var name = IndexChoice.Model(parsed, index);
            using var model = IndexChoice.Load(parsed, name, terminal, words);
            var groups = PictureClusters.Find(index, model, new ClusterOptions
            {
                Count = parsed.GetValue(count), Filter = filter.Of(parsed),
                Seed = unchecked((int)(parsed.GetValue(CommonOptions.Seed) ?? 0)),
                Names = parsed.GetValue(labels) is { Length: > 0 } given ? given
                    : UsualNames(ModelChoice.Find(parsed, name, "embed"), words),
            }, cancellation);
            terminal.CloseLine();
            if (SayJson(parsed, terminal, index, model.Name, groups)) return 0;
            SayGroups(terminal, words, groups, parsed.GetValue(all), group => words["cluster.group", group.Name,
                words.Images(group.Pictures.Count)]);
            terminal.SayText(words["cluster.summary", words.Images(groups.Sum(group => group.Pictures.Count)), groups.Count]);
            return 0;
        }, CancellationToken.None));
        return command;
    }

    /// <summary>Names of a model's own concepts, else those of ImageNet's classes.</summary>
    private static IReadOnlyList<string> UsualNames(string folder, Words words)
    {
        var concepts = ModelRecord.Read(folder)?.Concepts.Where(concept => concept.Right > 0).ToArray() ?? [];
        return concepts.Length == 0 ? [.. ZeroShotSet.Find("ImageNet").Classes.Distinct(StringComparer.Ordinal)]
            : [.. concepts.Select(one => words.Language == "es" ? one.SpanishName ?? one.Name : one.Name).Distinct(StringComparer.Ordinal)];
    }

    private static bool SayJson(ParseResult parsed, Terminal terminal, PictureIndex index, string model, IReadOnlyList<PictureGroup> groups)
    {
        if (!parsed.GetValue(CommonOptions.Json)) return false;
        terminal.SayJson(new
        {
            model, index = index.Folder, groups = groups.Select(group => new
            {
                group.Kind, group.Name, group.Least, files = group.Pictures.Select(picture => picture.File),
            }),
        });
        return true;
    }

    private static void SayGroups(Terminal terminal, Words words, IReadOnlyList<PictureGroup> groups,
        bool all, Func<PictureGroup, string> head)
    {
        foreach (var group in groups)
        {
            terminal.Say(head(group));
            var shown = all ? group.Pictures.Count : Math.Min(Listed, group.Pictures.Count);
            foreach (var picture in group.Pictures.Take(shown))
                terminal.Say(string.Create(CultureInfo.InvariantCulture, $"  {picture.Width,5} x {picture.Height,-5} ")
                    + PrintableText.Of(picture.File));
            if (shown < group.Pictures.Count) terminal.Say("  " + words["index.more", group.Pictures.Count - shown]);
            terminal.Say();
        }
    }

    private static string Number(double value) => value.ToString("F3", CultureInfo.InvariantCulture);
}
