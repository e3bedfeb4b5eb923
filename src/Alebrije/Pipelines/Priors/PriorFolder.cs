using Alebrije.Diffusion;
using Alebrije.Models.Priors;
using Alebrije.Published;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Priors;

/// <summary>The one place that loads priors: <c>config.json</c> names the class, the weights lie next to it.</summary>
internal static class PriorFolder
{
    /// <summary>Folder of a model's priors, next to the published component <c>prior</c>.</summary>
    public static IReadOnlyDictionary<PriorKind, string> Names { get; } = new Dictionary<PriorKind, string>
    {
        [PriorKind.Linear] = LinearPrior.FolderName, [PriorKind.OneStep] = OneStepPrior.FolderName,
            [PriorKind.Autoregressive] = AutoregressivePrior.FolderName,
    };

    /// <summary>The kind that a folder holds.</summary>
    /// <exception cref="WeightsException">Its config names no prior.</exception>
    public static PriorKind KindOf(string folder)
    {
        if (!Directory.Exists(folder)) throw new CheckpointNotFoundException($"there is no folder {folder}.");
        if (!File.Exists(Path.Combine(folder, "config.json")))
        {
            // Linear priors had no config at first: their weights identify them.
            using var weights = CheckpointFolder.OpenWeights(folder);
            if (weights.Names.Order(StringComparer.Ordinal).SequenceEqual(["map.bias", "map.weight"])) return PriorKind.Linear;
            throw new CheckpointNotFoundException($"{folder} holds no prior: it has no config.json.");
        }

        return ConfigFile.ClassName(folder) switch
        {
            "PriorTransformer" => PriorTransformerConfig.Read(folder).KnowsTime ? PriorKind.Diffusion : PriorKind.OneStep,
            LinearPriorConfig.ClassName => PriorKind.Linear,
            AutoregressivePriorConfig.ClassName => PriorKind.Autoregressive,
            var other => throw new WeightsException(
                $"{folder} holds no prior: its config.json names {other ?? "no class"}; "
                    + $"priors are PriorTransformer, {LinearPriorConfig.ClassName} and {AutoregressivePriorConfig.ClassName}."),
        };
    }

    /// <summary>Loads a prior.</summary>
    /// <param name="folder">config.json and weights.</param>
    /// <param name="scheduler">Makes the scheduler of a diffusion prior.</param>
    /// <param name="type">Type of the products of the large layers.</param>
    public static IPrior Load(string folder, Func<IScheduler> scheduler, ScalarType type)
    {
        // A prior may be loaded in the middle of a run, and outlives it.
        using var ordinary = inference_mode(false);
        return KindOf(folder) switch
        {
            PriorKind.Diffusion => new DiffusionPrior(Fill<PriorTransformer>("PriorTransformer"), scheduler, type),
            PriorKind.OneStep => new OneStepPrior(Fill<PriorTransformer>("PriorTransformer")),
            PriorKind.Linear => new LinearPrior(Fill<LinearPriorMap>(LinearPriorConfig.ClassName)),
            _ => new AutoregressivePrior(Fill<AutoregressivePriorTransformer>(AutoregressivePriorConfig.ClassName), type),
        };

        T Fill<T>(string className) where T : nn.Module => ComponentCatalog.Load<T>(className, folder).OutOfScopes();
    }

    /// <summary>Guidance scale that a folder's prior was made for, read from its config; null leaves it to the pipeline.</summary>
    public static double? GuidanceOf(PriorKind kind, string folder) =>
        kind == PriorKind.Autoregressive ? ConfigFile.Read<AutoregressivePriorConfig>(folder).Guidance : null;
}

/// <summary>
/// The priors of a model: those of its own folder, loaded on first use, and one from elsewhere in place of its kind.
/// </summary>
/// <param name="model">The model's name, for messages.</param>
/// <param name="spaces">The model's own spaces; read when a prior from elsewhere is added.</param>
internal sealed class PriorSet(string model, Func<PriorSpaces> spaces) : IDisposable
{
    private readonly Dictionary<PriorKind, Lazy<IPrior>> priors = new() { [PriorKind.None] = new(() => new NoPrior()) };
    private readonly Dictionary<PriorKind, Func<IPrior>> loaders = [];
    private readonly Dictionary<PriorKind, string> elsewhere = [];
    private readonly Dictionary<PriorKind, double?> guidances = [];

    /// <summary>Kinds available, in the order of <see cref="PriorKind"/>.</summary>
    public IEnumerable<PriorKind> Kinds => priors.Keys.Order();

    /// <summary>True if there is a prior of a kind.</summary>
    public bool Has(PriorKind kind) => priors.ContainsKey(kind);

    /// <summary>Name of a prior from elsewhere; null for the model's own.</summary>
    public string? From(PriorKind kind) => elsewhere.GetValueOrDefault(kind);

    /// <summary>The prior of a kind.</summary>
    /// <exception cref="InvalidOperationException">There is none; the message lists those present.</exception>
    public IPrior this[PriorKind kind]
    {
        get
        {
            Require(kind);
            return priors[kind].Value;
        }
    }

    /// <summary>Adds a prior that is loaded on first use.</summary>
    /// <param name="kind">The kind of prior.</param>
    /// <param name="load">Loads it.</param>
    /// <param name="guidance">The scale that it was made for; null leaves it to the pipeline.</param>
    public void Add(PriorKind kind, Func<IPrior> load, double? guidance)
    {
        priors[kind] = new Lazy<IPrior>(loaders[kind] = load);
        guidances[kind] = guidance;
    }

    /// <summary>
    /// Guidance scale that the prior of a kind was made for, without loading it; null where it has none, or there is no such prior.
    /// </summary>
    public double? GuidanceOf(PriorKind kind) => guidances.GetValueOrDefault(kind);

    /// <exception cref="InvalidOperationException">There is no prior of a kind; the message lists those present.</exception>
    public void Require(PriorKind kind)
    {
        if (!Has(kind)) throw new InvalidOperationException(
            $"{model} has no {PriorNames.Of(kind)} prior; it has {string.Join(", ", Kinds.Select(PriorNames.Of))}.");
    }

    /// <summary>Records the origin of the prior of a kind, when the whole first half of a model came from elsewhere.</summary>
    public void ComesFrom(PriorKind kind, string name) => elsewhere[kind] = name;

    /// <summary>Lets go of what can be loaded again.</summary>
    public void Release()
    {
        foreach (var (kind, load) in loaders)
        {
            if (!priors[kind].IsValueCreated) continue;
            priors[kind].Value.Dispose();
            priors[kind] = new Lazy<IPrior>(load);
        }
    }

    /// <summary>Takes a prior in place of that of its kind.</summary>
    /// <exception cref="WeightsException">It is of another embedding space.</exception>
    public void Use(IPrior prior, string name)
    {
        spaces().Require(prior.Spaces, name, model);
        if (priors.TryGetValue(prior.Kind, out var before) && before.IsValueCreated) before.Value.Dispose();
        (priors[prior.Kind], elsewhere[prior.Kind]) = (new Lazy<IPrior>(prior), name);
        guidances[prior.Kind] = prior.Guidance;
        loaders.Remove(prior.Kind);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var prior in priors.Values.Where(p => p.IsValueCreated)) prior.Value.Dispose();
    }
}
