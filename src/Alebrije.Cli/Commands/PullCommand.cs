using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Alebrije.Catalog;
using Alebrije.Pipelines.Originals;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije models pull NAME|OWNER/NAME[/FILE]|FOLDER|ARCHIVE|FILE</c></summary>
internal static class PullCommand
{
    private static readonly Argument<string> Target = new("MODEL");
    private static readonly Option<string?> Revision = new("--revision") { HelpName = "R" };
    private static readonly Option<string?> Variant = new("--variant") { HelpName = "fp16" };
    private static readonly Option<string?> Name = new("--name") { HelpName = "NAME" };
    private static readonly Option<bool> DryRun = new("--dry-run");
    private static readonly Option<bool> Refresh = new("--refresh");

    public static Command Create(Terminal terminal)
    {
        Variant.AcceptOnlyFromAmong("fp16");
        var command = new Command("pull")
        {
            Target, Revision, Variant, Name, DryRun, Refresh,
        };
        command.SetAction((parsed, cancellation) =>
        {
            var target = parsed.GetValue(Target)!;
            var isFile = PublishedModels.Find(target) is null && ModelStore.CanImport(target);
            var words = new Words(CommonOptions.LanguageOf(parsed));
            if (isFile && (parsed.GetValue(Revision) is not null || parsed.GetValue(Refresh)))
                throw new UsageException(words["pull.import-without-revisions", target]);
            if (!isFile && parsed.GetValue(Name) is not null)
                throw new UsageException(words["pull.name-of-import-only", target]);
            return isFile ? Task.Run(() => Import(terminal, parsed, target, cancellation), CancellationToken.None)
                : PullAsync(terminal, parsed, target, cancellation);
        });
        return command;
    }

    private static async Task<int> PullAsync(Terminal terminal, ParseResult parsed, string target, CancellationToken cancellation)
    {
        var (words, watch) = (new Words(CommonOptions.LanguageOf(parsed)), Stopwatch.StartNew());
        var settings = HubSettings.FromEnvironment();
        using var hub = new ModelHub(settings) { OnRetry = terminal.Note };
        var options = new PullOptions { Revision = parsed.GetValue(Revision),
            Variant = parsed.GetValue(Variant), Refresh = parsed.GetValue(Refresh) };
        var plan = await Waiting(hub.PlanAsync(target, options, cancellation), seconds =>
        {
            var line = words["pull.asking", settings.Endpoint.Host, target];
            if (terminal.IsLive) terminal.Progress(seconds == 0 ? line : $"{line}  {Seconds(TimeSpan.FromSeconds(seconds))}");
            else if (seconds is 1 or 10 || (seconds > 0 && seconds % 30 == 0)) terminal.Note(line);
        });
        SayPlan(terminal, words, plan);
        var (json, whole, line) = (parsed.GetValue(CommonOptions.Json), new HashSet<(string, string)>(), new ProgressLine(terminal, words));
        if (!parsed.GetValue(DryRun))
            await StoppedRun.GuardAsync(terminal, words, json, () => whole.Count == 0 ? null : Document(),
                () => hub.PullAsync(plan, Show, cancellation));
        terminal.CloseLine();
        if (json)
        {
            terminal.SayJson(Document());
            return 0;
        }

        if (parsed.GetValue(DryRun))
        {
            foreach (var repository in plan.Repositories)
                terminal.SayTable(
                    [repository.Repository, ">" + words["word.size"], ">" + words["word.on-this-disk"]],
                    repository.Files.Select(f => new[] { f.Path, ModelsCommand.Size(f.Bytes),
                        f.Present == f.Bytes ? words["word.whole"] : ModelsCommand.Size(f.Present) }));
            terminal.SayText(words["pull.dry-run", ModelsCommand.Size(plan.BytesToFetch),
                ModelsCommand.Size(plan.Bytes), ModelsCommand.Size(plan.FreeBytes)]);
            return 0;
        }

        terminal.SayText(plan.BytesToFetch == 0
            ? words["pull.there-already", plan.Name, ModelsCommand.Size(plan.Bytes)]
            : words["pull.fetched", plan.Name, ModelsCommand.Size(Fetched()), Seconds(watch.Elapsed)]);
        terminal.Say(plan.Folder);
        return 0;

        void Show(PullProgress progress)
        {
            if (progress.IsWhole) whole.Add((progress.Repository, progress.File));
            line.Show(progress);
        }

        long Fetched() => plan.Repositories.Sum(r => r.Files.Where(f => whole.Contains((r.Repository, f.Path)))
            .Sum(f => f.Bytes - f.Present));

        object Document() => new
        {
            plan.Name, Path = plan.Folder, License = LicenceOf(plan), plan.Bytes, plan.BytesToFetch,
            Fetched = Fetched(), plan.FreeBytes, DryRun = parsed.GetValue(DryRun), Seconds = watch.Elapsed.TotalSeconds,
            Repositories = plan.Repositories.Select(r => new
            {
                r.Repository, r.Revision, r.Commit, License = r.Licence, r.Gated, Path = r.Folder, r.Notes,
                Files = r.Files.Select(f => new { f.Path, f.Bytes,
                    Present = whole.Contains((r.Repository, f.Path)) ? f.Bytes : f.Present }),
            }),
        };
    }

    /// <summary>Awaits a task and reports the seconds of waiting, 0 at once.</summary>
    private static async Task<T> Waiting<T>(Task<T> task, Action<int> report)
    {
        for (var seconds = 0; !task.IsCompleted; seconds++)
        {
            report(seconds);
            await Task.WhenAny(task, Task.Delay(TimeSpan.FromSeconds(1)));
        }

        return await task;
    }

    private static int Import(Terminal terminal, ParseResult parsed, string source, CancellationToken cancellation)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var store = ModelStore.Create();
        if (OriginalFolder.TryOpen(source) is { } original) return Convert(terminal, parsed, words, store, source, original, cancellation);
        var plan = store.PlanImport(source, parsed.GetValue(Name), parsed.GetValue(Variant), cancellation);
        terminal.Note(words["pull.import-plan", plan.Name, words.Count("pull.files", plan.Files.Count),
            ModelsCommand.Size(plan.Bytes), ModelsCommand.Size(plan.FreeBytes)]);
        foreach (var note in plan.Notes) terminal.Note(note);
        var pretend = parsed.GetValue(DryRun);
        if (!pretend) store.Import(plan, new ProgressLine(terminal, words).Show, cancellation);
        terminal.CloseLine();
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new { plan.Name, plan.Source, Path = plan.Folder,
                plan.Bytes, plan.FreeBytes, DryRun = pretend, plan.Notes, Files = plan.Files.Select(f => new { f.Path, f.Bytes }) });
            return 0;
        }

        if (pretend) terminal.SayTable([words["word.file"], ">" + words["word.size"]],
            plan.Files.Select(f => new[] { f.Path, ModelsCommand.Size(f.Bytes) }));
        terminal.SayText(pretend ? words["pull.import-dry-run"] : words["pull.imported", plan.Name]);
        if (!pretend) terminal.Say(plan.Folder);
        return 0;
    }

    /// <summary>Converts checkpoints in their authors' original layout to the layout of pipelines.</summary>
    private static int Convert(Terminal terminal, ParseResult parsed,
        Words words, ModelStore store, string source, OriginalFolder original, CancellationToken cancellation)
    {
        if (parsed.GetValue(Variant) is not null) throw new UsageException(words["pull.original-without-variants"]);
        var name = parsed.GetValue(Name) ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(source)));
        var names = original.Endings.Select(ending => name + ending).ToArray();
        var written = string.Join(words["list.and"], names);
        terminal.Note(words["pull.original", name, original.Kind, written, ModelsCommand.Size(original.Bytes)]);
        foreach (var note in original.Notes) terminal.Note(note);
        var pretend = parsed.GetValue(DryRun);
        IReadOnlyList<string> folders = pretend ? [.. names.Select(store.FolderFor)]
            : store.Add(original.Bytes, [.. original.Endings.Zip(names,
                (ending, called) => (called, (Action<string>)(folder => original.Write(ending, folder, cancellation))))]);
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new { name, source = Path.GetFullPath(source),
                original.Kind, Path = folders[^1], Paths = folders, original.Bytes, DryRun = pretend, original.Notes });
            return 0;
        }

        terminal.SayText(pretend ? words["pull.import-dry-run"] : words["pull.imported", name]);
        if (!pretend)
            foreach (var folder in folders) terminal.Say(folder);
        return 0;
    }

    /// <summary>Writes licence, size and disk space, before any download.</summary>
    private static void SayPlan(Terminal terminal, Words words, PullPlan plan)
    {
        foreach (var repository in plan.Repositories)
        {
            var licence = repository.Licence ?? PublishedModels.Find(plan.Name)?.Licence ?? words["models.licence-not-stated"];
            if (repository.LicencePage is { } page) licence += $" ({page})";
            terminal.Note(words["pull.repository", repository.Repository, repository.Commit[..8], licence]);
            foreach (var note in repository.Notes) terminal.Note(note);
        }

        if (plan.BytesToFetch > 0)
            terminal.Note(words["pull.plan", ModelsCommand.Size(plan.BytesToFetch),
                ModelsCommand.Size(plan.Bytes), ModelsCommand.Size(plan.FreeBytes)]);
    }

    private static string? LicenceOf(PullPlan plan) => plan.Repositories[0].Licence ?? PublishedModels.Find(plan.Name)?.Licence;

    internal static string Seconds(TimeSpan time) => time.TotalSeconds < 100
        ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.#} s")
        : string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalMinutes}:{time.Seconds:00} min");
}

/// <summary>One line of progress, redrawn: bar, share, speed, remaining time; a line for each file if there is no terminal.</summary>
internal sealed class ProgressLine(Terminal terminal, Words words)
{
    private const int BarWidth = 24;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private readonly Stopwatch sinceDrawn = new();

    public void Show(PullProgress progress)
    {
        if (progress.Note is { } note) terminal.Note(note);
        if (!terminal.IsLive)
        {
            if (progress.IsWhole) terminal.Note(words["pull.file-whole", progress.File, Share(progress)]);
            return;
        }

        if (sinceDrawn.IsRunning && sinceDrawn.Elapsed < Pause && progress.Present < progress.Total) return;
        sinceDrawn.Restart();
        var filled = progress.Total == 0 ? BarWidth : (int)(BarWidth * progress.Present / progress.Total);
        var left = progress.BytesPerSecond > 1
            ? TimeSpan.FromSeconds(Math.Min(360_000, (progress.Total - progress.Present) / progress.BytesPerSecond)) : (TimeSpan?)null;
        var (bar, rest) = (new string('#', filled).PadRight(BarWidth, '.'),
            left is { } time ? words["pull.time-left", PullCommand.Seconds(time)] : "");
        terminal.Progress($"[{bar}] {Share(progress)}{rest}  {progress.File}");
    }

    private string Share(PullProgress progress) =>
        words["pull.share", ModelsCommand.Size(progress.Present), ModelsCommand.Size(progress.Total), progress.BytesPerSecond / 1e6];
}
