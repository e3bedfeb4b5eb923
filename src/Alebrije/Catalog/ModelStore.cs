using System.Diagnostics;
using System.Text.RegularExpressions;
using Alebrije.Preprocessing;
using Alebrije.Weights;

namespace Alebrije.Catalog;

/// <summary>Plan of importing a folder or an archive, before anything is written.</summary>
/// <param name="Name">Value of <c>--model</c> afterwards.</param>
/// <param name="Source">The folder or archive.</param>
/// <param name="Folder">Target folder of its files.</param>
/// <param name="Files">The files that are needed.</param>
/// <param name="FreeBytes">Bytes that are free there.</param>
/// <param name="Notes">Warnings about the files selected.</param>
public sealed record ImportPlan(string Name, string Source, string Folder,
    IReadOnlyList<PlannedFile> Files, long FreeBytes, IReadOnlyList<string> Notes)
{
    /// <summary>Size of all files.</summary>
    public long Bytes => Files.Sum(file => file.Bytes);

    internal ModelArchive? Archive { get; init; }
}

/// <summary>Result of a removal, done or pretended.</summary>
/// <param name="Name">The name given.</param>
/// <param name="Folders">Folders that go.</param>
/// <param name="Bytes">Bytes that are freed.</param>
/// <param name="Kept">Other revisions, which stay.</param>
public sealed record RemovedModel(string Name, IReadOnlyList<string> Folders, long Bytes, IReadOnlyList<string> Kept);

/// <summary>
/// Models that this project keeps on the user's disk: those imported, in a folder of its own, and those fetched, in the hub's cache.
/// For one caller at a time.
/// </summary>
public sealed partial class ModelStore
{
    private const string IncomingPrefix = ".incoming-";
    private const long Reserve = 64L << 20;
    private readonly HubSettings settings;
    private readonly ModelCatalog catalog;
    private readonly HubCache cache;

    internal ModelStore(string folder, HubSettings settings, ModelCatalog catalog)
    {
        (Folder, this.settings, this.catalog) = (Path.GetFullPath(folder), settings, catalog);
        cache = new HubCache(settings.Cache);
    }

    /// <summary>Default folder of imported models: <c>alebrije/models</c> in the user's application data.</summary>
    public static string DefaultFolder => Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify),
        "alebrije", "models");

    /// <summary>Folder of imported models.</summary>
    public string Folder { get; }

    /// <summary>The store of this user.</summary>
    /// <exception cref="HubException">The environment has a value that cannot be used.</exception>
    public static ModelStore Create() => new(DefaultFolder, HubSettings.FromEnvironment(), ModelCatalog.Create());

    /// <summary>
    /// True if a path can be imported: a folder, an archive (.zip, .tar, .tar.gz, .tgz), or a checkpoint in one file (.safetensors, .ckpt).
    /// </summary>
    public static bool CanImport(string path) => ModelArchive.IsOne(path);

    /// <summary>Finds out what importing means; writes nothing.</summary>
    /// <param name="source">A folder, an archive, or a checkpoint in one file, which is kept byte for byte.</param>
    /// <param name="name">The name that it gets; null takes the source's own.</param>
    /// <param name="variant"><c>fp16</c>, or null: full precision.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="HubException">The archive is damaged or refused, or the name is taken.</exception>
    /// <exception cref="CheckpointNotFoundException">It holds no model that is read here.</exception>
    /// <exception cref="WeightsException">The file is damaged, or no checkpoint of Stable Diffusion.</exception>
    public ImportPlan PlanImport(string source, string? name = null, string? variant = null, CancellationToken cancellation = default)
    {
        name ??= ModelArchive.StemOf(source);
        var folder = FolderFor(name);
        if (SingleFileLayout.FileOf(source) is { } single)
        {
            using var weights = CheckpointFolder.OpenWeights(single);
            SingleFileLayout.Of(weights);
        }

        var archive = ModelArchive.Open(source, cancellation);
        var files = archive.Files;
        var choice = ModelFiles.ChooseAsync(source, files.Keys, variant, file => Task.FromResult(archive.Read(file)))
            .GetAwaiter().GetResult();
        return new ImportPlan(name, Path.GetFullPath(source), folder,
            [.. choice.Files.Select(file => new PlannedFile(file, files[file], 0))],
            settings.FreeBytes?.Invoke(Folder) ?? DiskSpace.FreeAt(Folder), choice.Notes) { Archive = archive };
    }

    /// <summary>Copies what a plan lists; the model is there as a whole or not at all.</summary>
    /// <exception cref="HubException">It does not fit, or the archive is refused after all.</exception>
    public void Import(ImportPlan plan, Action<PullProgress>? onProgress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (plan.Bytes + Reserve > plan.FreeBytes)
            throw new HubException($"{plan.Name} needs {DiskSpace.Text(plan.Bytes)}, "
                + $"and {Folder} has {DiskSpace.Text(plan.FreeBytes)} free; make room and try again.");
        SweepIncoming();
        var incoming = Path.Combine(Folder, $"{IncomingPrefix}{plan.Name}-{Environment.ProcessId}");
        var (watch, total, written) = (Stopwatch.StartNew(), plan.Bytes, 0L);
        try
        {
            Directory.CreateDirectory(incoming);
            (plan.Archive ?? ModelArchive.Open(plan.Source, cancellation))
                .Extract(plan.Files.Select(file => file.Path).ToHashSet(StringComparer.Ordinal), incoming, (file, bytes) =>
            {
                written += bytes;
                onProgress?.Invoke(new PullProgress(file, written, total, written / Math.Max(0.001, watch.Elapsed.TotalSeconds), false));
            }, cancellation);
            Directory.Move(incoming, plan.Folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HubException($"{plan.Folder} cannot be written: {e.Message}", e);
        }
        finally
        {
            if (Directory.Exists(incoming)) Directory.Delete(incoming, recursive: true);
        }
    }

    /// <summary>Removes what killed imports left: a folder named for a process that no longer runs.</summary>
    private void SweepIncoming()
    {
        if (!Directory.Exists(Folder)) return;
        foreach (var left in Directory.GetDirectories(Folder, IncomingPrefix + "*"))
            if (int.TryParse(left[(left.LastIndexOf('-') + 1)..], out var id) && !IsRunning(id)) Directory.Delete(left, recursive: true);
    }

    private static bool IsRunning(int process)
    {
        try
        {
            using var running = Process.GetProcessById(process);
            return !running.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    /// <summary>Target folder of a model of this name.</summary>
    /// <exception cref="HubException">It cannot be a name, or is taken.</exception>
    public string FolderFor(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!PlainName().IsMatch(name))
            throw new HubException($"'{name}' cannot be a model's name: letters, digits, '.', '_' and '-' can; give one with --name.");
        var folder = Path.Combine(Folder, name);
        return name != ModelCatalog.DefaultName && !Path.Exists(folder) ? folder
            : throw new HubException($"There is a model '{name}' already; give another name with --name, or remove that one first.");
    }

    /// <summary>Adds models that are written rather than copied: each is there as a whole or not at all.</summary>
    /// <param name="bytes">Approximate size of all of them.</param>
    /// <param name="models">Their names, and what writes each into the folder that it gets.</param>
    /// <exception cref="HubException">It does not fit, a name is taken, or the disk refuses.</exception>
    public IReadOnlyList<string> Add(long bytes, IReadOnlyList<(string Name, Action<string> Write)> models)
    {
        ArgumentNullException.ThrowIfNull(models);
        var folders = models.Select(model => FolderFor(model.Name)).ToArray();
        var free = settings.FreeBytes?.Invoke(Folder) ?? DiskSpace.FreeAt(Folder);
        if (bytes + Reserve > free)
            throw new HubException($"{models[^1].Name} needs {DiskSpace.Text(bytes)}, "
                + $"and {Folder} has {DiskSpace.Text(free)} free; make room and try again.");
        SweepIncoming();
        var incoming = models.Select(model => Path.Combine(Folder, $"{IncomingPrefix}{model.Name}-{Environment.ProcessId}")).ToArray();
        try
        {
            foreach (var (model, place) in models.Zip(incoming))
            {
                Directory.CreateDirectory(place);
                model.Write(place);
            }

            foreach (var (place, folder) in incoming.Zip(folders)) Directory.Move(place, folder);
            return folders;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HubException($"{folders[^1]} cannot be written: {e.Message}", e);
        }
        finally
        {
            foreach (var place in incoming.Where(Directory.Exists)) Directory.Delete(place, recursive: true);
        }
    }

    /// <summary>
    /// Removes a model that was fetched or imported. Blobs that another revision needs stay, as do files that were not fetched.
    /// </summary>
    /// <param name="name">A name that <c>models list</c> gives, or <c>owner/name</c>.</param>
    /// <param name="revision">Of a fetched model: branch, tag or commit; null is <c>main</c>.</param>
    /// <param name="pretend">True only reports what would be removed; bytes are then those of the whole repository at most.</param>
    /// <exception cref="HubException">It is built in, or in a folder that is the user's own.</exception>
    /// <exception cref="CheckpointNotFoundException">There is no such model.</exception>
    public RemovedModel Remove(string name, string? revision = null, bool pretend = false)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (catalog.FindNamed(name) is { } folder) return RemoveFolder(name, folder, revision, pretend);
        if (Path.Exists(name)) throw new HubException(
            $"{name} is a path, and only what was fetched or imported is removed by name; delete it yourself.");
        var repositories = PublishedModels.Find(name) is { } model
            ? [.. model.Repositories.Select(text => HubRepository.TryParse(text)!.Value)]
            : HubRepository.TryParse(name) is { } one ? new[] { one } : throw catalog.Unknown(name);
        var here = repositories.Where(repository => Directory.Exists(cache.FolderOf(repository))
            && (repository.Equals(repositories[0]) || !IsSharedWithAnother(repository, repositories[0]))).ToArray();
        if (here.Length == 0) throw new CheckpointNotFoundException($"{name} is not on this disk: {cache.Root} has nothing of it.");
        var commits = here.Select(repository => (Repository: repository, Commit: CommitToRemove(repository, revision))).ToArray();
        var freed = commits.Sum(pair => cache.Remove(pair.Repository, pair.Commit, pretend));
        return new RemovedModel(name, [.. commits.Select(pair => cache.SnapshotOf(pair.Repository, pair.Commit))], freed,
            [.. commits.SelectMany(pair => cache.CommitsOf(pair.Repository)
                .Where(other => other != pair.Commit).Select(other => $"{pair.Repository} {other}"))]);
    }

    private RemovedModel RemoveFolder(string name, string folder, string? revision, bool pretend)
    {
        if (Path.GetDirectoryName(folder) != Folder)
            throw new HubException(name == ModelCatalog.DefaultName ? $"{name} is built in and stays."
                : $"{name} lies in {folder}, which no command fetched or imported; delete it yourself.");
        if (revision is not null) throw new HubException($"{name} was imported and has no revisions; leave --revision out.");
        var bytes = ModelCatalog.SizeOf(folder);
        if (!pretend && File.Exists(folder)) File.Delete(folder);
        else if (!pretend) Directory.Delete(folder, recursive: true);
        return new RemovedModel(name, [folder], bytes, []);
    }

    /// <summary>Several decoders have one prior: it stays while another of them is here.</summary>
    private bool IsSharedWithAnother(HubRepository prior, HubRepository decoder) => PublishedModels.All.Any(model =>
        model.Repositories.Skip(1).Contains(prior.ToString(), StringComparer.OrdinalIgnoreCase)
        && HubRepository.TryParse(model.Repositories[0]) is { } other && !other.Equals(decoder) && Directory.Exists(cache.FolderOf(other)));

    private string CommitToRemove(HubRepository repository, string? revision)
    {
        var commits = cache.CommitsOf(repository);
        if (cache.CommitOf(repository, revision ?? HubCache.MainRevision) is { } commit && (commits.Contains(commit) || commits.Count == 0))
            return commit;
        // What an interrupted run left has no revision yet.
        if (commits.Count == 0) return new string('0', 40);
        throw new CheckpointNotFoundException(
            $"{repository} has no revision '{revision ?? HubCache.MainRevision}' here; --revision takes {string.Join(" or ", commits)}.");
    }

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", RegexOptions.CultureInvariant)]
    private static partial Regex PlainName();
}
