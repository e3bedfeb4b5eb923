using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Alebrije.Catalog;
using Alebrije.Pipelines.Originals;

namespace Alebrije.Cli.Commands;

/// <summary><c>alebrije models pull NAME|OWNER/NAME|FOLDER|ARCHIVE</c></summary>
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
                throw new UsageException(words.In(
                    $"{target} is imported and has no revisions; leave --revision and --refresh away.", $"{target} se importa y no tiene revisiones; quita --revision y --refresh."));
            if (!isFile && parsed.GetValue(Name) is not null)
                throw new UsageException(words.In(
                    $"--name goes with a folder or an archive; {target} has its name already.", $"--name va con una carpeta o un archivo comprimido; {target} ya tiene nombre."));
            return isFile ? Task.Run(() => Import(terminal, parsed, target, cancellation), CancellationToken.None) : PullAsync(terminal, parsed, target, cancellation);
        });
        return command;
    }

    private static async Task<int> PullAsync(Terminal terminal, ParseResult parsed, string target, CancellationToken cancellation)
    {
        var (words, watch) = (new Words(CommonOptions.LanguageOf(parsed)), Stopwatch.StartNew());
        var settings = HubSettings.FromEnvironment();
        using var hub = new ModelHub(settings) { OnRetry = terminal.Note };
        var options = new PullOptions { Revision = parsed.GetValue(Revision), Variant = parsed.GetValue(Variant), Refresh = parsed.GetValue(Refresh) };
        terminal.Progress(words.In($"asking {settings.Endpoint.Host} for the files of {target}", $"preguntando a {settings.Endpoint.Host} por los archivos de {target}"));
        var plan = await hub.PlanAsync(target, options, cancellation);
        SayPlan(terminal, words, plan);
        var (json, whole, line) = (parsed.GetValue(CommonOptions.Json), new HashSet<(string, string)>(), new ProgressLine(terminal, words));
        if (!parsed.GetValue(DryRun))
            await StoppedRun.GuardAsync(terminal, words, json, () => whole.Count == 0 ? null : Document(), () => hub.PullAsync(plan, Show, cancellation));
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
                    [repository.Repository, ">" + words.In("size", "tamaño"), ">" + words.In("on this disk", "en este disco")],
                    repository.Files.Select(f => new[] { f.Path, ModelsCommand.Size(f.Bytes), f.Present == f.Bytes ? words.In("whole", "completo") : ModelsCommand.Size(f.Present) }));
            terminal.SayText(words.In(
                $"Nothing was fetched. It would be {ModelsCommand.Size(plan.BytesToFetch)} of {ModelsCommand.Size(plan.Bytes)}; {ModelsCommand.Size(plan.FreeBytes)} are free.",
                $"No se ha descargado nada. Serían {ModelsCommand.Size(plan.BytesToFetch)} de {ModelsCommand.Size(plan.Bytes)}; hay {ModelsCommand.Size(plan.FreeBytes)} libres."));
            return 0;
        }

        terminal.SayText(plan.BytesToFetch == 0
            ? words.In($"{plan.Name} is on this disk, {ModelsCommand.Size(plan.Bytes)}; nothing was fetched.", $"{plan.Name} ya está en este disco, {ModelsCommand.Size(plan.Bytes)}; no se ha descargado nada.")
            : words.In($"Fetched {plan.Name}: {ModelsCommand.Size(Fetched())} in {Seconds(watch.Elapsed)}, all checked.", $"Descargado {plan.Name}: {ModelsCommand.Size(Fetched())} en {Seconds(watch.Elapsed)}, todo comprobado."));
        terminal.Say(plan.Folder);
        return 0;

        void Show(PullProgress progress)
        {
            if (progress.IsWhole) whole.Add((progress.Repository, progress.File));
            line.Show(progress);
        }

        long Fetched() => plan.Repositories.Sum(r => r.Files.Where(f => whole.Contains((r.Repository, f.Path))).Sum(f => f.Bytes - f.Present));

        object Document() => new
        {
            plan.Name, Path = plan.Folder, License = LicenceOf(plan), plan.Bytes, plan.BytesToFetch, Fetched = Fetched(), plan.FreeBytes, DryRun = parsed.GetValue(DryRun), Seconds = watch.Elapsed.TotalSeconds,
            Repositories = plan.Repositories.Select(r => new
            {
                r.Repository, r.Revision, r.Commit, License = r.Licence, r.Gated, Path = r.Folder, r.Notes,
                Files = r.Files.Select(f => new { f.Path, f.Bytes, Present = whole.Contains((r.Repository, f.Path)) ? f.Bytes : f.Present }),
            }),
        };
    }

    private static int Import(Terminal terminal, ParseResult parsed, string source, CancellationToken cancellation)
    {
        var words = new Words(CommonOptions.LanguageOf(parsed));
        var store = ModelStore.Create();
        if (OriginalFolder.TryOpen(source) is { } original) return Convert(terminal, parsed, words, store, source, original, cancellation);
        var plan = store.PlanImport(source, parsed.GetValue(Name), parsed.GetValue(Variant), cancellation);
        terminal.Note(words.In(
            $"{plan.Name}: {plan.Files.Count} files, {ModelsCommand.Size(plan.Bytes)}; {ModelsCommand.Size(plan.FreeBytes)} are free.",
            $"{plan.Name}: {plan.Files.Count} archivos, {ModelsCommand.Size(plan.Bytes)}; hay {ModelsCommand.Size(plan.FreeBytes)} libres."));
        foreach (var note in plan.Notes) terminal.Note(note);
        var pretend = parsed.GetValue(DryRun);
        if (!pretend) store.Import(plan, new ProgressLine(terminal, words).Show, cancellation);
        terminal.CloseLine();
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new { plan.Name, plan.Source, Path = plan.Folder, plan.Bytes, plan.FreeBytes, DryRun = pretend, plan.Notes, Files = plan.Files.Select(f => new { f.Path, f.Bytes }) });
            return 0;
        }

        if (pretend) terminal.SayTable([words.In("file", "archivo"), ">" + words.In("size", "tamaño")], plan.Files.Select(f => new[] { f.Path, ModelsCommand.Size(f.Bytes) }));
        terminal.SayText(pretend ? words.In("Nothing was imported.", "No se ha importado nada.") : words.In($"Imported as {plan.Name}:", $"Importado como {plan.Name}:"));
        if (!pretend) terminal.Say(plan.Folder);
        return 0;
    }

    /// <summary>Files as their authors first published them are written anew in the layout of pipelines.</summary>
    private static int Convert(Terminal terminal, ParseResult parsed, Words words, ModelStore store, string source, OriginalFolder original, CancellationToken cancellation)
    {
        if (parsed.GetValue(Variant) is not null) throw new UsageException(words.In("Original files have no variants; leave --variant away.", "Los archivos originales no tienen variantes; quita --variant."));
        var name = parsed.GetValue(Name) ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(source)));
        var names = original.Endings.Select(ending => name + ending).ToArray();
        terminal.Note(words.In(
            $"{name}: the original files of {original.Kind}, written anew as {string.Join(" and ", names)}; about {ModelsCommand.Size(original.Bytes)}.",
            $"{name}: los archivos originales de {original.Kind}, que se escriben de nuevo como {string.Join(" y ", names)}; unos {ModelsCommand.Size(original.Bytes)}."));
        foreach (var note in original.Notes) terminal.Note(note);
        var pretend = parsed.GetValue(DryRun);
        IReadOnlyList<string> folders = pretend ? [.. names.Select(store.FolderFor)]
            : store.Add(original.Bytes, [.. original.Endings.Zip(names, (ending, called) => (called, (Action<string>)(folder => original.Write(ending, folder, cancellation))))]);
        if (parsed.GetValue(CommonOptions.Json))
        {
            terminal.SayJson(new { name, source = Path.GetFullPath(source), original.Kind, Path = folders[^1], Paths = folders, original.Bytes, DryRun = pretend, original.Notes });
            return 0;
        }

        terminal.SayText(pretend ? words.In("Nothing was imported.", "No se ha importado nada.") : words.In($"Imported as {name}:", $"Importado como {name}:"));
        if (!pretend)
            foreach (var folder in folders) terminal.Say(folder);
        return 0;
    }

    /// <summary>Licence, size and space, before anything is fetched.</summary>
    private static void SayPlan(Terminal terminal, Words words, PullPlan plan)
    {
        foreach (var repository in plan.Repositories)
        {
            var licence = repository.Licence ?? PublishedModels.Find(plan.Name)?.Licence ?? words.In("not stated", "no indicada");
            terminal.Note(words.In(
                $"{repository.Repository} at {repository.Commit[..8]}: licence {licence}{(repository.LicencePage is { } page ? $" ({page})" : "")}",
                $"{repository.Repository} en {repository.Commit[..8]}: licencia {licence}{(repository.LicencePage is { } where ? $" ({where})" : "")}"));
            foreach (var note in repository.Notes) terminal.Note(note);
        }

        if (plan.BytesToFetch > 0)
            terminal.Note(words.In(
                $"{ModelsCommand.Size(plan.BytesToFetch)} to fetch of {ModelsCommand.Size(plan.Bytes)}; {ModelsCommand.Size(plan.FreeBytes)} are free.",
                $"Por descargar {ModelsCommand.Size(plan.BytesToFetch)} de {ModelsCommand.Size(plan.Bytes)}; hay {ModelsCommand.Size(plan.FreeBytes)} libres."));
        NoteWhatRunsIt(terminal, words, plan.Name);
    }

    private static string? LicenceOf(PullPlan plan) => plan.Repositories[0].Licence ?? PublishedModels.Find(plan.Name)?.Licence;

    /// <summary>That no verb does with a model what it was published for, before it is fetched.</summary>
    private static void NoteWhatRunsIt(Terminal terminal, Words words, string name)
    {
        if (PublishedModels.Find(name) is not { IsComplete: false } model) return;
        var (kind, verbs) = (ModelsCommand.Kind(words, model.Kind), string.Join(", ", model.Verbs));
        terminal.Note(model.Verbs.Count == 0
            ? words.In($"No verb runs {model.Name} yet.", $"Ningún verbo usa todavía {model.Name}.")
            : words.In($"What {model.Name} was published for ({kind}) no verb does yet; these run: {verbs}.", $"Aquello para lo que se publicó {model.Name} ({kind}) todavía no lo hace ningún verbo; funcionan: {verbs}."));
    }

    internal static string Seconds(TimeSpan time) => time.TotalSeconds < 100
        ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.#} s") : string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalMinutes}:{time.Seconds:00} min");
}

/// <summary>One line that is redrawn: a bar, how much of it, how fast, how long still; a line for each file where nobody looks.</summary>
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
            if (progress.IsWhole) terminal.Note(words.In($"{progress.File}: whole, {Share(progress)}", $"{progress.File}: completo, {Share(progress)}"));
            return;
        }

        if (sinceDrawn.IsRunning && sinceDrawn.Elapsed < Pause && progress.Present < progress.Total) return;
        sinceDrawn.Restart();
        var filled = progress.Total == 0 ? BarWidth : (int)(BarWidth * progress.Present / progress.Total);
        var left = progress.BytesPerSecond > 1 ? TimeSpan.FromSeconds(Math.Min(360_000, (progress.Total - progress.Present) / progress.BytesPerSecond)) : (TimeSpan?)null;
        terminal.Progress($"[{new string('#', filled)}{new string('.', BarWidth - filled)}] {Share(progress)}{(left is { } time ? words.In($", {PullCommand.Seconds(time)} left", $", quedan {PullCommand.Seconds(time)}") : "")}  {progress.File}");
    }

    private string Share(PullProgress progress) => string.Create(CultureInfo.InvariantCulture,
        $"{ModelsCommand.Size(progress.Present)} {words.In("of", "de")} {ModelsCommand.Size(progress.Total)}, {progress.BytesPerSecond / 1e6:0.#} MB/s");
}
