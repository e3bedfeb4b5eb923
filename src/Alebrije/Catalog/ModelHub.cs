using System.Diagnostics;
using Alebrije.Preprocessing;
using Alebrije.Weights;

namespace Alebrije.Catalog;

/// <summary>
/// Fetches published models into the hub's cache on the user's disk, shared with other tools of the hub. Only <see cref="PlanAsync"/> and
/// <see cref="PullAsync"/> use the network. For one caller at a time.
/// </summary>
public sealed class ModelHub : IDisposable
{
    /// <summary>Space that has to stay free on the disk, in bytes.</summary>
    private const long Reserve = 64L << 20;
    private const int LargestSmallFile = 64 << 20;

    private readonly HubSettings settings;
    private readonly HubCache cache;
    private readonly HubClient client;

    /// <param name="settings">Endpoint, token and cache; null takes them from the environment.</param>
    /// <exception cref="HubException">The environment has a value that cannot be used.</exception>
    public ModelHub(HubSettings? settings = null)
    {
        this.settings = settings ?? HubSettings.FromEnvironment();
        cache = new HubCache(this.settings.Cache);
        client = new HubClient(this.settings);
    }

    /// <summary>Called by <see cref="PlanAsync"/> before each retry with the error and the time to wait; null: not reported.</summary>
    public Action<string>? OnRetry { get; set; }

    /// <inheritdoc/>
    public void Dispose() => client.Dispose();

    /// <summary>
    /// Plans a fetch. A model that is complete on the disk costs no request; otherwise the hub's list of files and the small files
    /// that decide which are needed are read, and nothing is written.
    /// </summary>
    /// <param name="nameOrRepository">
    /// A name of <see cref="PublishedModels"/>, <c>owner/name</c>, or <c>owner/name/file</c> of a checkpoint in one file, fetched alone.
    /// </param>
    /// <param name="options">Revision and variant.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="HubException">It is neither, or the hub refuses, or nothing may be fetched.</exception>
    /// <exception cref="CheckpointNotFoundException">The repository holds no model that is read here.</exception>
    public async Task<PullPlan> PlanAsync(string nameOrRepository, PullOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(nameOrRepository);
        options ??= new PullOptions();
        if (options.Variant is not (null or ModelFiles.HalfVariant))
            throw new HubException($"The variant '{options.Variant}' is not supported; use {ModelFiles.HalfVariant}.");
        var single = PublishedModels.Find(nameOrRepository) is null ? HubRepository.TryParseFile(nameOrRepository) : null;
        if (single is not null && options.Variant is not null)
            throw new HubException($"{nameOrRepository} is one file, which has no variants; leave --variant out.");
        var (name, repositories) = single is var (owner, _) ? (nameOrRepository, [owner]) : Resolve(nameOrRepository);
        var revision = options.Revision ?? HubCache.MainRevision;
        if (!RelativePath.IsSafe(revision)) throw new HubException($"'{revision}' is not a revision; name a branch, a tag or a commit.");
        var planned = new List<PlannedRepository>();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(settings.ListingLimit);
        try
        {
            foreach (var repository in repositories)
            {
                planned.Add((options.Refresh ? null : OnDisk(repository, revision, options.Variant, single?.File))
                    ?? await AskAsync(repository, revision, options.Variant, single?.File, patience.Token));
            }
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new HubException(FormattableString.Invariant($"{settings.Endpoint.Host} has not listed the files of {name} within ")
                + FormattableString.Invariant($"{settings.ListingLimit.TotalSeconds:0.#} s; nothing was fetched. Try again later, or set ")
                + "ALEBRIJE_HUB_LISTING_LIMIT to more seconds.", e);
        }

        return new PullPlan(name, planned, settings.FreeBytes?.Invoke(cache.Root) ?? DiskSpace.FreeAt(cache.Root));
    }

    /// <summary>Fetches the files that a plan lacks, each checked while written; a repository becomes visible when complete.</summary>
    /// <param name="plan">Result of <see cref="PlanAsync"/>.</param>
    /// <param name="onProgress">Called with the progress.</param>
    /// <param name="cancellation">Stops it; files so far are kept, and the same call resumes.</param>
    /// <returns>Bytes that were fetched.</returns>
    /// <exception cref="HubException">It does not fit, the hub refuses, or a file differs from the hub's list.</exception>
    public async Task<long> PullAsync(PullPlan plan, Action<PullProgress>? onProgress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (plan.BytesToFetch > 0 && plan.BytesToFetch + Reserve > plan.FreeBytes)
            throw new HubException($"{plan.Name} needs {DiskSpace.Text(plan.BytesToFetch)} more, and "
                + $"{cache.Root} has {DiskSpace.Text(plan.FreeBytes)} free; make room, or set HF_HUB_CACHE to a folder on another disk.");
        if (plan.Repositories.SelectMany(repository => repository.Files).Any(file => file.Source is null && file.Present < file.Bytes))
            throw new ArgumentException("The plan was not made by PlanAsync: its files have no hashes.", nameof(plan));
        var (watch, present, fetched) = (Stopwatch.StartNew(), plan.Bytes - plan.BytesToFetch, 0L);
        foreach (var repository in plan.Repositories)
        {
            var id = HubRepository.TryParse(repository.Repository)!.Value;
            var sources = repository.Files.Where(file => file.Source is not null).ToArray();
            foreach (var (file, source) in sources.Select(file => (file, file.Source!)))
            {
                var (others, before) = (present - file.Present, file.Present);
                void Say(long bytes, bool whole, string? note = null) => onProgress?.Invoke(
                    new PullProgress(file.Path, others + bytes, plan.Bytes, (fetched + Math.Max(0, bytes - before)) / Math.Max(0.001,
                        watch.Elapsed.TotalSeconds), whole) { Repository = repository.Repository, Note = note });

                var last = before;
                client.OnRetry = (problem, wait) => Say(last, false, Retry(problem, wait));
                if (file.Present < file.Bytes || cache.BytesOf(id, repository.Commit, source) < source.Bytes)
                {
                    using var held = cache.Lock(id, source);
                    await new HubDownload(client, id, repository.Commit, source) { FollowsOthers = others > 0 }.RunAsync(
                        cache.BlobOf(id, source), bytes => Say(last = bytes, false), cancellation);
                    fetched += Math.Max(0, file.Bytes - before);
                    Say(file.Bytes, true);
                }

                present = others + file.Bytes;
            }

            client.OnRetry = null;
            if (sources.Length > 0) cache.Publish(id, repository.Revision, repository.Commit, sources.Select(file => file.Source!));
        }

        return fetched;
    }

    private static string Retry(string problem, TimeSpan wait) =>
        FormattableString.Invariant($"{problem}; next try in {wait.TotalSeconds:0.#} s");

    private static (string Name, IReadOnlyList<HubRepository> Repositories) Resolve(string given)
    {
        if (PublishedModels.Find(given) is { } model)
            return (model.Name, [.. model.Repositories.Select(r => HubRepository.TryParse(r)!.Value)]);
        if (HubRepository.TryParse(given) is { } repository)
            return (PublishedModels.Of(repository) is { Repositories.Count: 1 } known ? known.Name : given, [repository]);
        var near = PublishedModels.Suggest(given, []);
        throw new HubException($"'{given}' is neither a name of the "
            + $"catalogue nor owner/name nor a folder or an archive nor a file of weights; "
            + (near.Count > 0 ? $"did you mean {string.Join(" or ", near)}?" : "'models list' shows the names."));
    }

    /// <summary>A complete revision on the disk, or the one requested file of it.</summary>
    private PlannedRepository? OnDisk(HubRepository repository, string revision, string? variant, string? single)
    {
        if (cache.Find(repository, revision) is not { } folder) return null;
        // One file that was fetched alone looks like a whole repository.
        var isWhole = single is not null ? HubCache.SizeOf(Path.Combine(folder, single)) > 0
            : (settings.Offline || SingleFileLayout.FileOf(folder) is null) && ModelFiles.Missing(folder, variant, strictly: true) is null;
        if (!isWhole) return null;
        var files = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(path => (Path: Path.GetRelativePath(folder, path).Replace('\\', '/'), Bytes: HubCache.SizeOf(path)))
            .Where(file => file.Bytes >= 0 && (single is null || file.Path == single))
            .Select(file => new PlannedFile(file.Path, file.Bytes, file.Bytes)).OrderBy(file => file.Path, StringComparer.Ordinal);
        return new PlannedRepository(repository.ToString(), revision,
            Path.GetFileName(folder), folder, [.. files]) { Licence = ModelDescription.LicenceIn(folder), Single = single };
    }

    private async Task<PlannedRepository> AskAsync(HubRepository repository,
        string revision, string? variant, string? single, CancellationToken cancellation)
    {
        if (settings.Offline)
            throw new HubException($"{repository} is incomplete in {cache.Root}, "
                + $"and HF_HUB_OFFLINE is set, so nothing is fetched; unset it, or name a folder or an archive to import.");
        client.OnRetry = (problem, wait) => OnRetry?.Invoke(Retry(problem, wait));
        var listing = await client.ListAsync(repository, revision, cancellation);
        var files = listing.Files.DistinctBy(file => file.Path).ToDictionary(file => file.Path, StringComparer.Ordinal);
        if (single is not null && !files.ContainsKey(single))
        {
            var others = files.Keys.Where(SingleFileLayout.HasEnding).Where(name => !name.Contains('/', StringComparison.Ordinal))
                .Order(StringComparer.Ordinal).Take(8).ToArray();
            throw new CheckpointNotFoundException(
                $"{repository} has no file {single}; "
                    + $"{(others.Length > 0 ? $"at its top it has {string.Join(", ", others)}" : "it has none of this kind at its top")}.");
        }

        var choice = single is not null ? new ModelFileChoice([single], [], true)
            : await ModelFiles.ChooseAsync(repository.ToString(), files.Keys, variant, async name =>
        {
            files[name] = await KnownAsync(repository, listing.Commit, files[name], cancellation);
            return await ReadSmallAsync(repository, listing.Commit, files[name], cancellation);
        });
        var planned = new List<PlannedFile>();
        foreach (var name in choice.Files)
        {
            var file = await KnownAsync(repository, listing.Commit, files[name], cancellation);
            planned.Add(new PlannedFile(name, file.Bytes, cache.BytesOf(repository, listing.Commit, file)) { Source = file });
        }

        return new PlannedRepository(repository.ToString(), revision, listing.Commit, cache.SnapshotOf(repository, listing.Commit), planned)
        {
            Licence = listing.Licence, LicencePage = listing.LicencePage, Gated = listing.Gated, Notes = choice.Notes, Single = single,
        };
    }

    private async Task<HubFile> KnownAsync(HubRepository repository, string commit, HubFile file, CancellationToken cancellation) =>
        file.IsKnown ? file : await client.DescribeAsync(repository, commit, file, cancellation);

    /// <summary>Reads a small file from the cache, or from the hub without keeping it.</summary>
    private async Task<byte[]> ReadSmallAsync(HubRepository repository, string commit, HubFile file, CancellationToken cancellation)
    {
        if (cache.BlobOf(repository, file) is var blob && File.Exists(blob)) return await File.ReadAllBytesAsync(blob, cancellation);
        if (file.Bytes > LargestSmallFile) throw new HubException(
            $"{file.Path} of {repository} has {DiskSpace.Text(file.Bytes)}, too much for a file of settings; nothing was fetched.");
        var temporary = Path.Combine(Directory.CreateTempSubdirectory("alebrije-").FullName, file.Hash);
        try
        {
            await new HubDownload(client, repository, commit, file) { KeepsPart = false }.RunAsync(temporary, _ => { }, cancellation);
            return await File.ReadAllBytesAsync(temporary, cancellation);
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(temporary)!, recursive: true);
        }
    }
}
