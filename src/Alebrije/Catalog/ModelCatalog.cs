using Alebrije.Weights;

namespace Alebrije.Catalog;

/// <summary>A model that has a name.</summary>
/// <param name="Name">Value of <c>--model</c>: the folder's name.</param>
/// <param name="Folder">Path of its folder.</param>
/// <param name="ClassName">Class that its files were written for, such as <c>StableUnCLIPPipeline</c>.</param>
/// <param name="Bytes">Size of all its files.</param>
public sealed record CatalogModel(string Name, string Folder, string ClassName, long Bytes)
{
    /// <summary>Task in a word or two of English: <c>text to image</c>, <c>embeddings</c>; the class name if unknown.</summary>
    public string Kind => ModelKinds.Of(ClassName);

    /// <summary>Licence that its folder states, else the published one; null if there is neither.</summary>
    public string? Licence => ModelDescription.LicenceIn(Folder) ?? PublishedModels.Find(Name)?.Licence;
}

/// <summary>
/// Names a user may type, and where their folders are. A name is a folder below one of <see cref="Folders"/>; the embedded default
/// <c>mini</c> is found without any configuration. Looks at the disk at every call; safe from several threads.
/// </summary>
public sealed class ModelCatalog
{
    /// <summary>The model that is used when none is named.</summary>
    public const string DefaultName = "mini";

    /// <summary>Name of the model that captions images where none is named.</summary>
    public const string CaptioningName = "mini-flamingo";

    /// <summary>Environment variable with further folders of models, separated as in <c>PATH</c>.</summary>
    public const string Variable = "ALEBRIJE_MODELS";

    private const string FolderName = "models", Unrecognised = "unknown";
    private static readonly string[] Indices = ["model_index.json", "config.json", OpenClip, Flamingo];
    private const string OpenClip = "open_clip_config.json", Flamingo = "flamingo.json";

    /// <summary>Trained tensors of OpenFlamingo, which its repositories hold without a configuration.</summary>
    private const string FlamingoCheckpoint = "checkpoint.pt";

    /// <summary>Suffix of a decoder's name in the name of its prior.</summary>
    internal const string CompanionEnding = "-prior";

    private readonly HubCache? cache;

    /// <param name="folders">Folders whose sub-folders are models; the first that has a name decides. They need not exist.</param>
    public ModelCatalog(IEnumerable<string> folders) : this(folders, null) { }

    internal ModelCatalog(IEnumerable<string> folders, HubCache? cache)
    {
        ArgumentNullException.ThrowIfNull(folders);
        Folders = [.. folders.Select(Path.GetFullPath).Distinct(StringComparer.Ordinal)];
        this.cache = cache;
    }

    /// <summary>Folders that are searched, in this order.</summary>
    public IReadOnlyList<string> Folders { get; }

    /// <summary>
    /// The catalogue of this process: the folders of <see cref="Variable"/>, <c>models</c> next to the program, <c>models</c> of the clone
    /// around the program or the current folder, imported models (<see cref="ModelStore"/>), and the hub's cache.
    /// </summary>
    public static ModelCatalog Create() => Create(
        AppContext.BaseDirectory, Environment.CurrentDirectory, Environment.GetEnvironmentVariable(Variable),
        ModelStore.DefaultFolder, new HubCache(HubSettings.CacheFromEnvironment()));

    /// <summary>The catalogue of a program's folder, a current folder, a list of further folders, the store and the cache.</summary>
    internal static ModelCatalog Create(string program, string current, string? further, string? store = null, HubCache? cache = null)
    {
        var folders = (further ?? "").Split(Path.PathSeparator,
            StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).ToList();
        folders.Add(Path.Combine(program, FolderName));
        foreach (var start in new[] { program, current })
            if (CloneAbove(start) is { } clone) folders.Add(clone);
        if (store is not null) folders.Add(store);
        return new ModelCatalog(folders, cache);
    }

    /// <summary>All models that have a name, the default first, then by name.</summary>
    public IReadOnlyList<CatalogModel> List()
    {
        var found = new SortedDictionary<string, CatalogModel>(StringComparer.Ordinal);
        foreach (var folder in Folders.Where(Directory.Exists))
            foreach (var model in Directory.EnumerateDirectories(folder).Where(IsModel))
                if (Path.GetFileName(model) is var name && !name.StartsWith('.')) found.TryAdd(name, Look(name, model));
        foreach (var file in Folders.Where(Directory.Exists).SelectMany(Directory.EnumerateFiles).Where(SingleFileLayout.HasEnding))
            if (Look(Path.GetFileName(file), file) is { ClassName: not Unrecognised } model) found.TryAdd(model.Name, model);
        foreach (var (name, folder) in Fetched()) found.TryAdd(name, Look(name, folder));
        return [.. found.Values.OrderByDescending(model => model.Name == DefaultName)];
    }

    /// <summary>
    /// Resolves a name or a path to a folder. Names of folders come first, then <see cref="PublishedModels"/>, paths, and the hub's
    /// <c>owner/name</c>: write <c>./mini</c> for a folder that has a model's name. Nothing is ever fetched.
    /// </summary>
    /// <param name="nameOrPath">
    /// A name that <see cref="List"/> gives, <c>owner/name</c>, <c>owner/name/file</c> of a checkpoint in one file, or a path of either
    /// kind.
    /// </param>
    /// <exception cref="CheckpointNotFoundException">None of these, or a published model that is not on the disk; the message gives the
    /// remedy.</exception>
    public string Find(string nameOrPath)
    {
        if (string.IsNullOrWhiteSpace(nameOrPath)) throw new CheckpointNotFoundException($"The model has no name; {Known()}");
        if (FindNamed(nameOrPath) is { } named) return named;
        var published = PublishedModels.Find(nameOrPath);
        if (published is not null && FindFetched(published) is { } fetched) return fetched;
        if (Directory.Exists(nameOrPath) || IsOpenAiFile(nameOrPath) || SingleFileLayout.FileOf(nameOrPath) is not null)
            return Path.GetFullPath(nameOrPath);
        if (published is not null)
            throw NotHere(published.Name, [.. published.Repositories.Select(text => HubRepository.TryParse(text)!.Value)]);
        if (HubRepository.TryParse(nameOrPath) is { } repository && !File.Exists(nameOrPath))
            return FindFetched(repository) ?? throw NotHere(nameOrPath, [repository]);
        if (HubRepository.TryParseFile(nameOrPath) is var (owner, file) && !File.Exists(nameOrPath))
            return FindFetched(owner, file) ?? throw NotHere(nameOrPath, []);
        throw File.Exists(nameOrPath)
            ? new CheckpointNotFoundException(
                $"{nameOrPath} is a file; a model is the folder that holds "
                    + $"model_index.json or config.json, a checkpoint of Stable Diffusion in one file "
                + "(.safetensors, .ckpt), or a .pt file of openai/CLIP.")
            : Unknown(nameOrPath);
    }

    /// <summary>
    /// The folder of a decoder's prior: the second repository of a published model, or the folder next to it named
    /// with <c>-prior</c>. Null if there is none, or for a path.
    /// </summary>
    /// <param name="nameOrPath">As in <see cref="Find"/>.</param>
    public string? CompanionOf(string nameOrPath) => CompanionsOf(nameOrPath) is [var first, ..] ? first : null;

    /// <summary>
    /// Folders of a published model's further repositories, such as DeepFloyd IF's later stages, in order; null if there is none.
    /// </summary>
    /// <param name="nameOrPath">As in <see cref="Find"/>.</param>
    public IReadOnlyList<string>? CompanionsOf(string nameOrPath)
    {
        ArgumentNullException.ThrowIfNull(nameOrPath);
        if (FindNamed(nameOrPath) is { } named) return IsModel(named + CompanionEnding) ? [named + CompanionEnding] : null;
        var published = PublishedModels.Find(nameOrPath)
            ?? (!Directory.Exists(nameOrPath) && HubRepository.TryParse(nameOrPath) is { } repository
                ? PublishedModels.Of(repository) : null);
        if (published is null) return null;
        string[] found = [.. published.Repositories.Skip(1).Select(name => FindFetched(HubRepository.TryParse(name)!.Value))
            .OfType<string>()];
        return found.Length > 0 ? found : null;
    }

    /// <summary>True if a name stands for a model on the disk.</summary>
    /// <param name="name">As in <see cref="Find"/>, but no path.</param>
    public bool Has(string name) => name is not null && (FindNamed(name) is not null
        || (PublishedModels.Find(name) is { } published ? FindFetched(published) is not null
            : (HubRepository.TryParse(name) is { } repository && FindFetched(repository) is not null)
            || (HubRepository.TryParseFile(name) is var (owner, file) && FindFetched(owner, file) is not null)));

    /// <summary>The folder below <see cref="Folders"/> that has a name, or null.</summary>
    internal string? FindNamed(string name) => !IsPlainName(name)
        ? null : Folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(IsModel);

    internal CheckpointNotFoundException Unknown(string name)
    {
        var near = PublishedModels.Suggest(name, List().Select(model => model.Name));
        return new CheckpointNotFoundException(
            $"There is no model '{name}'; {(near.Count > 0 ? $"did you mean {string.Join(" or ", near)}? Otherwise " : "")}{Known()}");
    }

    /// <summary>Describes a model from its files without loading it.</summary>
    /// <param name="nameOrPath">As in <see cref="Find"/>.</param>
    /// <exception cref="CheckpointNotFoundException">There is no such model, or its folder holds none.</exception>
    /// <exception cref="WeightsException">A file of it is damaged.</exception>
    public ModelDescription Describe(string nameOrPath)
    {
        var folder = Find(nameOrPath);
        if (!IsModel(folder)) throw new CheckpointNotFoundException(
            $"{folder} is not a model: it has neither {string.Join(" nor ", Indices)}.");
        return ModelDescription.Read(Look(CheckpointFolder.NameOf(folder), folder));
    }

    private static bool IsOpenAiFile(string path) => path.EndsWith(".pt", StringComparison.OrdinalIgnoreCase) && File.Exists(path);

    /// <summary>True if a folder holds a model: a pipeline, a single network, or a checkpoint in one file.</summary>
    internal static bool IsModel(string folder) => Indices.Any(file => File.Exists(Path.Combine(folder, file)))
        || SingleFileLayout.FileOf(folder) is not null;

    private static CatalogModel Look(string name, string folder) => new(name, folder, ClassOf(folder), SizeOf(folder));

    /// <summary>A listing includes damaged models; opening one reports the error.</summary>
    private static string ClassOf(string folder)
    {
        try
        {
            if (File.Exists(Path.Combine(folder, Flamingo)) || File.Exists(Path.Combine(folder, FlamingoCheckpoint)))
                return ModelKinds.Flamingo;
            if (SingleFileLayout.FileOf(folder) is { } single)
            {
                // A LoRA or another part of a model is not a model.
                using var weights = CheckpointFolder.OpenWeights(single);
                return SingleFileLayout.TryOf(weights)?.ClassName ?? Unrecognised;
            }

            var index = Indices.First(file => File.Exists(Path.Combine(folder, file)));
            return ConfigFile.ClassName(Path.Combine(folder, index)) ?? (index == OpenClip ? "CLIP of open_clip" : Unrecognised);
        }
        catch (WeightsException)
        {
            return "damaged";
        }
    }

    /// <summary>Size of all files below a folder, or of a file; links count as what they lead to.</summary>
    internal static long SizeOf(string folder) => File.Exists(folder) ? Math.Max(0, HubCache.SizeOf(folder))
        : Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Sum(file => Math.Max(0, HubCache.SizeOf(file)));

    /// <summary>Models in the hub's cache: those that have a name here, and others of a kind that is known.</summary>
    private IEnumerable<(string Name, string Folder)> Fetched()
    {
        if (cache is null) yield break;
        foreach (var repository in cache.Repositories())
        {
            if (PublishedModels.Of(repository) is { } published)
            {
                if (FindFetched(published) is { } folder) yield return (published.Name, folder);
            }
            else if (FindFetched(repository) is { } other && ClassOf(other) is var name
                && (ModelKinds.Of(name) != name || File.Exists(Path.Combine(other, OpenClip))))
            {
                yield return (repository.ToString(), other);
            }
        }
    }

    private string? FindFetched(PublishedModel model)
    {
        var folders = model.Repositories.Select(text => FindFetched(HubRepository.TryParse(text)!.Value)).ToArray();
        return folders.Contains(null) ? null : folders[0];
    }

    /// <summary>A file of a repository at the hub's cache, or null.</summary>
    private string? FindFetched(HubRepository repository, string file) =>
        cache?.Find(repository, HubCache.MainRevision) is { } folder
        && Path.Combine(folder, file) is var path && HubCache.SizeOf(path) > 0 ? path : null;

    private string? FindFetched(HubRepository repository) =>
        cache?.Find(repository, HubCache.MainRevision) is { } folder && ModelFiles.Missing(folder) is null ? folder : null;

    private CheckpointNotFoundException NotHere(string name, IReadOnlyList<HubRepository> repositories)
    {
        var begun = repositories.Any(repository => cache is not null && Directory.Exists(cache.FolderOf(repository)));
        return new CheckpointNotFoundException(
            $"{name} is {(begun ? "incomplete" : "not")} on this disk; 'alebrije models pull {name}' fetches it.");
    }

    private static bool IsPlainName(string name) =>
        name is not ("." or "..") && name.IndexOfAny([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar]) < 0;

    /// <summary>The folder of models of the clone that a folder lies in: the nearest one above that has the default in it.</summary>
    private static string? CloneAbove(string start)
    {
        for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            if (Path.Combine(folder.FullName, FolderName) is var models && IsModel(Path.Combine(models, DefaultName))) return models;
        return null;
    }

    private string Known()
    {
        var names = List().Select(model => model.Name).ToArray();
        var known = names.Length == 0 ? $"no models were found (in {string.Join(", ", Folders)})"
            : $"known names are {string.Join(", ", names)}";
        return $"{known}, and the path of a model's folder works too.";
    }
}

/// <summary>Tasks of the published classes.</summary>
internal static class ModelKinds
{
    /// <summary>Name of the class of a Flamingo's folder, which has none in its files.</summary>
    public const string Flamingo = "OpenFlamingo";

    /// <summary>Task of models that draw from text.</summary>
    public const string TextToImage = "text to image";

    public static string Of(string className) => className switch
    {
        "StableUnCLIPPipeline" or "UnCLIPPipeline" or "StableDiffusionPipeline" or "StableDiffusionXLPipeline"
            or "KandinskyPipeline" or "KandinskyImg2ImgPipeline" or "KandinskyV22Pipeline" or "KandinskyV22Img2ImgPipeline"
            or "IFPipeline" =>
                TextToImage,
        "KandinskyInpaintPipeline" or "KandinskyV22InpaintPipeline"
             or "StableDiffusionInpaintPipeline" or "StableDiffusionXLInpaintPipeline" => "inpainting",
        "KandinskyV22ControlnetPipeline" or "KandinskyV22ControlnetImg2ImgPipeline" => "depth to image",
        "KandinskyPriorPipeline" or "KandinskyV22PriorPipeline" or "KandinskyV22PriorEmb2EmbPipeline" or "PriorTransformer" => "prior",
        "StableUnCLIPImg2ImgPipeline" or "UnCLIPImageVariationPipeline" => "image variations",
        Flamingo => "captions of images",
        "CLIPModel" => "text and image embeddings",
        "CLIPTextModelWithProjection" => "text embeddings",
        "CLIPVisionModelWithProjection" => "image embeddings",
        _ => className,
    };
}
