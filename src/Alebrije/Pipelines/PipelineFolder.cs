using System.Text.Json.Nodes;
using Alebrije.Diffusion;
using Alebrije.Pipelines.SingleFiles;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Published;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>
/// A published pipeline folder: <c>model_index.json</c> names the components and their classes, each in a folder of its own. A checkpoint
/// of one file is opened as such a folder too (<see cref="SingleFilePipeline"/>).
/// </summary>
internal class PipelineFolder
{
    private readonly Dictionary<string, string> classes = [];
    private readonly HashSet<string> flags = [];

    private protected PipelineFolder(string path, string className, IEnumerable<KeyValuePair<string, string>>? components = null)
    {
        (Path, ClassName) = (path, className);
        Name = CheckpointFolder.NameOf(path);
        foreach (var (name, component) in components ?? []) classes[name] = component;
    }

    /// <summary>The folder, or the file.</summary>
    public string Path { get; }

    /// <summary>Its own name.</summary>
    public string Name { get; }

    /// <summary>The file that all networks are in, hashed on first use; null: a folder.</summary>
    public virtual Lazy<ModelFile>? File => null;

    /// <summary>Class of the pipeline, such as <c>StableUnCLIPPipeline</c>.</summary>
    public string ClassName { get; }

    /// <summary>Components that are there, with their classes.</summary>
    public IReadOnlyDictionary<string, string> Components => classes;

    /// <summary>Reads <c>model_index.json</c>, or the names in a checkpoint of one file.</summary>
    /// <param name="path">A pipeline's folder, a checkpoint of one file, or a folder with such a file alone.</param>
    /// <exception cref="CheckpointNotFoundException">The folder or its index is missing.</exception>
    /// <exception cref="WeightsException">The index is invalid, or the file is not a checkpoint of Stable Diffusion.</exception>
    public static PipelineFolder Open(string path)
    {
        if (SingleFileLayout.FileOf(path) is { } single) return new SingleFilePipeline(path, single);
        if (!Directory.Exists(path)) throw new CheckpointNotFoundException($"There is no folder {path}.");
        var file = System.IO.Path.Combine(path, "model_index.json");
        if (!System.IO.File.Exists(file))
            throw new CheckpointNotFoundException($"{path} is not a pipeline folder: it has no model_index.json.");
        var index = ConfigFile.ReadObject(file);
        var folder = new PipelineFolder(path, ConfigFile.ClassName(file)
            ?? throw new WeightsException($"{file} does not name its pipeline: the key _class_name is missing."));
        foreach (var (name, value) in index)
        {
            if (value is not JsonArray { Count: 2 } pair || pair[1] is not JsonValue type || !type.TryGetValue<string>(out var text))
                continue;
            if (name is "" or "." or ".." || name.AsSpan().ContainsAny('/', '\\', ':'))
                throw new WeightsException($"{file} names the component '{name}'; a component is a folder in {path}, without a path.");
            folder.classes[name] = text;
        }

        folder.flags.UnionWith(index.Where(entry => entry.Value is JsonValue flag && flag.TryGetValue<bool>(out var set) && set)
            .Select(entry => entry.Key));
        return folder;
    }

    /// <summary>A switch of the index; false where it is not set.</summary>
    public virtual bool Flag(string name) => flags.Contains(name);

    /// <summary>True if a folder is a pipeline's.</summary>
    public static bool IsOne(string path) => System.IO.File.Exists(System.IO.Path.Combine(path, "model_index.json"));

    /// <summary>True if the index lists a component.</summary>
    public bool Has(string component) => classes.ContainsKey(component);

    /// <summary>A component's folder.</summary>
    /// <exception cref="CheckpointNotFoundException">The index does not list it, or its folder is missing.</exception>
    public string Of(string component)
    {
        if (!Has(component))
            throw new CheckpointNotFoundException(
                $"{Path} ({ClassName}) has no component '{component}'; it has {string.Join(", ", classes.Keys)}.");
        var folder = System.IO.Path.Combine(Path, component);
        return Directory.Exists(folder) ? folder
            : throw new CheckpointNotFoundException($"The folder {folder} is missing, though model_index.json lists it.");
    }

    /// <summary>False of a component that the index lists and that is missing.</summary>
    public virtual bool IsThere(string component) => Directory.Exists(System.IO.Path.Combine(Path, component));

    /// <summary>Names a component that is missing before anything runs.</summary>
    /// <exception cref="CheckpointNotFoundException">The index does not list it, or its folder is missing.</exception>
    public virtual void Require(string component) => Of(component);

    /// <summary>Configuration of a network.</summary>
    public virtual T Config<T>(string component) where T : class => ConfigFile.Read<T>(Of(component));

    /// <summary>Configuration of a scheduler.</summary>
    public virtual SchedulerConfig Scheduler(string component) => SchedulerConfig.Load(Of(component));

    /// <summary>A tokenizer of CLIP.</summary>
    public virtual ClipTokenizer Tokenizer(string component) => ClipTokenizer.Load(Of(component));

    /// <summary>Bytes of every file of weights of a component; none where it is missing or has no weights.</summary>
    public virtual IEnumerable<long> WeightBytes(string component) => !IsThere(component) ? []
        : Directory.EnumerateFiles(System.IO.Path.Combine(Path, component))
        .Where(file => System.IO.Path.GetExtension(file) is ".safetensors" or ".bin")
            .Select(file => new FileInfo(file).Length);

    /// <summary>Opens the file that holds a component's weights; the caller closes it.</summary>
    /// <exception cref="CheckpointNotFoundException">The component has no weights.</exception>
    public virtual TensorSource OpenWeights(string component) => CheckpointFolder.OpenWeights(Of(component));

    /// <summary>
    /// Opens the weights of every network that is there, and reads none: networks are loaded when their turn comes, but a file that is
    /// missing or cut short is refused before anything is computed.
    /// </summary>
    /// <exception cref="CheckpointNotFoundException">A network has no weights.</exception>
    /// <exception cref="WeightsException">A file is damaged.</exception>
    public virtual void CheckWeights()
    {
        foreach (var component in classes.Keys.Select(name => System.IO.Path.Combine(Path, name))
            .Where(path => System.IO.File.Exists(System.IO.Path.Combine(path, "config.json"))))
            CheckpointFolder.OpenWeights(component).Dispose();
    }

    /// <summary>Names and shapes of a network's weights, none allocated.</summary>
    public virtual IReadOnlyDictionary<string, long[]> Names(string component) =>
        ComponentCatalog.Names(classes.GetValueOrDefault(component, ""), Of(component));

    /// <summary>Loads a component's network by its class in the index (<see cref="ComponentCatalog"/>).</summary>
    /// <param name="component">Its name in the index.</param>
    /// <param name="type">Type of the weights in memory; null: float32.</param>
    /// <param name="edits">Changes of weights (<see cref="StateDictOptions.Edits"/>); null: none.</param>
    public virtual T Load<T>(string component, ScalarType? type = null, IReadOnlyDictionary<string, Func<Tensor, Tensor>>? edits = null)
        where T : nn.Module => ComponentCatalog.Load<T>(classes.GetValueOrDefault(component, ""), Of(component), type, edits);
}
