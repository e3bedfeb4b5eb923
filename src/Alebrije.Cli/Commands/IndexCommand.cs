using System.CommandLine;
using System.Globalization;
using Alebrije.Preprocessing;
using Alebrije.Search;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije index add|update|remove|status|watch|classify|export</c></summary>
internal static class IndexCommand
{
    private const int ListedRoots = 20, ListedLabels = 20;

    public static Command Create(Terminal terminal)
    {
        var command = new Command("index")
        {
            Add(terminal), Update(terminal), Remove(terminal), Status(terminal), Watch(terminal),
            IndexFileCommands.Classify(terminal), IndexFileCommands.Export(terminal),
        };
        command.SetAction(parsed => SayStatus(parsed, terminal));
        command.Add(IndexChoice.Folder);
        return command;
    }

    private static Command Add(Terminal terminal)
    {
        var paths = new Argument<string[]>("DIR") { Arity = ArgumentArity.OneOrMore };
        var strict = PictureOptions.StrictOption();
        var command = new Command("add") { paths, strict, IndexChoice.Folder };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            var words = new Words(CommonOptions.LanguageOf(parsed));
            var asked = parsed.GetValue(paths) ?? [];
            if (asked.FirstOrDefault(path => !Directory.Exists(path) && !File.Exists(path)) is { } missing)
                throw new FileNotFoundException(words["index.no-such-path", PrintableText.Of(missing)]);
            using var index = PictureIndex.OpenOrCreate(IndexChoice.FolderOf(parsed));
            return Run(parsed, terminal, words, index, parsed.GetValue(strict), (model, source, progress) =>
                index.Add(asked, model, source, progress, cancellation));
        }, CancellationToken.None));
        return command;
    }

    private static Command Update(Terminal terminal)
    {
        var strict = PictureOptions.StrictOption();
        var command = new Command("update") { strict, IndexChoice.Folder };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            using var index = IndexChoice.Open(parsed);
            return Run(parsed, terminal, new Words(CommonOptions.LanguageOf(parsed)), index, parsed.GetValue(strict),
                (model, source, progress) => index.Update(model, source, progress, cancellation));
        }, CancellationToken.None));
        return command;
    }

    private static Command Remove(Terminal terminal)
    {
        var paths = new Argument<string[]>("PATH") { Arity = ArgumentArity.ZeroOrMore };
        var space = new Option<long?>("--space") { HelpName = "N" };
        var command = new Command("remove") { paths, space, IndexChoice.Folder };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            var words = new Words(CommonOptions.LanguageOf(parsed));
            var asked = parsed.GetValue(paths) ?? [];
            if (asked.Length == 0 && parsed.GetValue(space) is null) throw new UsageException(words["index.remove-nothing"]);
            using var index = IndexChoice.Open(parsed);
            if (parsed.GetValue(space) is { } number)
            {
                index.Remove(index.Spaces.FirstOrDefault(one => one.Id == number)
                    ?? throw new UsageException(words["index.no-space", number,
                    string.Join(", ", index.Spaces.Select(one => $"{one.Id} ({one.Model})"))]));
            }

            var removed = index.Remove(asked);
            var items = index.Status().Items;
            if (parsed.GetValue(CommonOptions.Json)) terminal.SayJson(new { index = index.Folder, items, removed = removed.Count });
            else terminal.SayText(words["index.removed", words.Images(removed.Count), words.Images(items)]);
            return 0;
        }, CancellationToken.None));
        return command;
    }

    private static Command Status(Terminal terminal)
    {
        var command = new Command("status") { IndexChoice.Folder };
        command.SetAction(parsed => SayStatus(parsed, terminal));
        return command;
    }

    private static Command Watch(Terminal terminal)
    {
        var command = new Command("watch") { IndexChoice.Folder };
        command.SetAction((parsed, cancellation) => Task.Run(async () =>
        {
            var words = new Words(CommonOptions.LanguageOf(parsed));
            using var index = IndexChoice.Open(parsed);
            var name = IndexChoice.Model(parsed, index);
            using var model = IndexChoice.Load(parsed, name, terminal, words);
            terminal.CloseLine();
            terminal.Note(words["index.watching", index.Roots.Count, index.Folder]);
            var first = true;
            try
            {
                await new IndexWatch(index, model, IndexChoice.SourceOf(name)).RunAsync(report =>
                {
                    terminal.CloseLine();
                    if (first || report.Added.Count + report.Changed.Count + report.Moved.Count + report.Removed.Count > 0)
                        Say(parsed, terminal, words, index, new IndexTotal(report), strict: false, compact: true);
                    first = false;
                }, progress => terminal.Progress(words["progress.indexing", progress.Done, progress.Total]), cancellation);
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                terminal.CloseLine();
            }

            return 0;
        }, CancellationToken.None));
        return command;
    }

    /// <summary>Brings the index up to date for each of its models.</summary>
    private static int Run(ParseResult parsed, Terminal terminal, Words words, PictureIndex index, bool strict,
        Func<Pipelines.ClipModel, string, Action<IndexProgress>, IndexReport> run)
    {
        var total = new IndexTotal();
        var done = 0;
        StoppedRun.Guard(terminal, words, parsed.GetValue(CommonOptions.Json),
            () => done == 0 ? null : new { index = index.Folder, items = index.Status().Items }, () =>
        {
            try
            {
                foreach (var name in IndexChoice.Models(parsed, index))
                {
                    using var model = IndexChoice.Load(parsed, name, terminal, words);
                    RemainingTime? remaining = null;
                    total.Add(run(model, IndexChoice.SourceOf(name), progress =>
                    {
                        remaining ??= new RemainingTime(progress.Total);
                        remaining.Add(progress.Done - remaining.Done);
                        done = progress.Done;
                        terminal.Progress(words["progress.indexing", progress.Done, progress.Total] + remaining.Sentence(words));
                    }));
                }
            }
            catch (Exception) when (done > 0)
            {
                terminal.Note(words["index.kept", words.Images(index.Status().Items)]);
                throw;
            }
        });
        terminal.CloseLine();
        return Say(parsed, terminal, words, index, total, strict, compact: false);
    }

    private static int Say(ParseResult parsed, Terminal terminal, Words words, PictureIndex index,
        IndexTotal total, bool strict, bool compact)
    {
        var skipped = new SkippedPictures(words, upright: true, strict);
        foreach (var one in total.Skipped) skipped.Reader.Skip(one.File, one.Reason);
        skipped.AddOtherKinds(total.OtherKinds);
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new
            {
                total.Model, total.Items, added = total.Added, changed = total.Changed, moved = total.Moved, removed = total.Removed,
                total.Embedded, skipped = skipped.Items, total.MissingRoots, index = index.Folder,
            }, compact);
        }
        else
        {
            terminal.SayText(words["index.report", words.Images(total.Items), total.Added, total.Changed, total.Moved, total.Removed,
                total.Model, index.Folder]);
        }

        foreach (var root in total.MissingRoots) terminal.Note(words["index.root-missing", PrintableText.Of(root)]);
        return skipped.Say(terminal);
    }

    private static int SayStatus(ParseResult parsed, Terminal terminal)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        using var index = IndexChoice.Open(parsed);
        var status = index.Status();
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new
            {
                index = status.Folder, status.Items, status.Contents, status.Bytes,
                model = string.Join(", ", status.Spaces.Select(s => s.Model)),
                status.Roots, spaces = status.Spaces.Select(s => new { s.Id, s.Model, s.Dimensions, s.Weights, s.Source, s.Images }),
                labels = status.Labels.Select(one => new { label = one.Key, images = one.Value }), status.Skipped,
            });
            return 0;
        }

        terminal.Say(status.Folder);
        terminal.SayText(words["index.status", words.Images(status.Items), status.Contents,
            (status.Bytes / 1e6).ToString("F1", CultureInfo.InvariantCulture)]);
        foreach (var root in status.Roots.Take(ListedRoots)) terminal.Say("  " + PrintableText.Of(root));
        if (status.Roots.Count > ListedRoots) terminal.Say(words["index.more", status.Roots.Count - ListedRoots]);
        if (status.Spaces.Count > 0)
        {
            terminal.Say();
            terminal.SayTable([">N", words["word.model"], ">" + words["word.dimensions"],
                words["word.weights"], ">" + words["word.images"]],
                status.Spaces.Select(space => new[] { Number(space.Id), space.Model, Number(space.Dimensions), space.Weights,
                    Number(space.Images) }));
        }

        if (status.Labels.Count > 0)
        {
            terminal.SayText(string.Join(", ", status.Labels.Take(ListedLabels).Select(one => $"{one.Key} {Number(one.Value)}")));
            if (status.Labels.Count > ListedLabels) terminal.Say(words["index.more", status.Labels.Count - ListedLabels]);
        }

        var skipped = new SkippedPictures(words, upright: true, strict: false);
        foreach (var one in status.Skipped) skipped.Reader.Skip(one.File, one.Reason);
        return skipped.Say(terminal);
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
