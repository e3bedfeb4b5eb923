using Alebrije.Models.Autoencoders;
using Alebrije.Models.Clip;
using Alebrije.Models.Guesses;
using Alebrije.Models.Priors;
using Alebrije.Models.T5;
using Alebrije.Models.UNets;
using Alebrije.Models.XlmRoberta;
using Alebrije.Nn;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Published;

/// <summary>
/// Built-in networks by the class name of a published <c>config.json</c> or <c>model_index.json</c>: builders, loaders and writers.
/// </summary>
internal static class ComponentCatalog
{
    private const string TransformersFile = "model.safetensors", DiffusersFile = "diffusion_pytorch_model.safetensors";

    /// <summary>Old files hold the ids of the positions as a tensor, which is not a weight.</summary>
    private static readonly Func<string, StateDictOptions> Clip = _ => new() { Ignored = ["*.position_ids"] };

    private static readonly Func<string, StateDictOptions> OldAttention = _ => new() { Renames = AutoencoderKeyMap.FromOldAttention };

    private static readonly Func<string, StateDictOptions> OpenAi = path => OpenAiKeyMap.Whole(OpenClipConfig.Read(path));

    private static readonly Func<string, StateDictOptions> Same = _ => new();

    /// <summary>Builders of networks from their config, and the relation of the names in files to theirs.</summary>
    private static readonly Dictionary<string, Entry> Known = new(StringComparer.Ordinal)
    {
        ["CLIPModel"] = new(path => new ClipNetwork(ConfigFile.Read<ClipConfig>(path)), Clip),
        ["CLIPTextModel"] = new(path => new ClipTextModel(ConfigFile.Read<ClipTextConfig>(path), projects: false), Clip),
        ["CLIPTextModelWithProjection"] = new(path => new ClipTextModel(ConfigFile.Read<ClipTextConfig>(path), projects: true), Clip),
        ["CLIPVisionModelWithProjection"] = new(path => new ClipVisionModel(ConfigFile.Read<ClipVisionConfig>(path), projects: true), Clip),
        ["CLIP"] = new(path => new ClipNetwork(OpenClipConfig.Read(path).ToClip()), OpenAi),
        ["CustomTextCLIP"] = new(path => new ClipNetwork(OpenClipConfig.Read(path).ToClip()), OpenAi),
        ["PriorTransformer"] = new(path => new PriorTransformer(PriorTransformerConfig.Read(path)), Same),
        [LinearPriorConfig.ClassName] = new(path => new LinearPriorMap(LinearPriorConfig.Read(path)), Same),
        [AutoregressivePriorConfig.ClassName] = new(
            path => new AutoregressivePriorTransformer(ConfigFile.Read<AutoregressivePriorConfig>(path)), Same),
        [FirstGuessConfig.ClassName] = new(path => new FirstGuessModel(ConfigFile.Read<FirstGuessConfig>(path)), Same),
        ["StableUnCLIPImageNormalizer"] = new(
            path => new StableUnClipImageNormalizer(ConfigFile.Read<StableUnClipImageNormalizerConfig>(path)), Same),
        ["UNet2DModel"] = new(path => new UNet2DModel(ConfigFile.Read<UNet2DConfig>(path)), Same),
        ["UNet2DConditionModel"] = new(path => new UNet2DConditionModel(ConfigFile.Read<UNet2DConditionConfig>(path)), Same),
        ["UnCLIPTextProjModel"] = new(path => new UnClipTextProjection(ConfigFile.Read<UnClipTextProjectionConfig>(path)), Same),
        ["AutoencoderKL"] = new(path => new AutoencoderKL(ConfigFile.Read<AutoencoderKLConfig>(path)), OldAttention),
        ["VQModel"] = new(path => new VQModel(ConfigFile.Read<VQModelConfig>(path)), OldAttention),
        ["MultilingualCLIP"] = new(
            path => new MultilingualClip(ConfigFile.Read<MultilingualClipConfig>(path)), _ => MultilingualClip.FileOptions),
        ["T5EncoderModel"] = new(path => new T5Encoder(ConfigFile.Read<T5Config>(path)), _ => T5Encoder.FileOptions),
    };

    public static bool Knows(string className) => Known.ContainsKey(className);

    /// <summary>Names and shapes that a network has for a config, without allocating its weights.</summary>
    /// <exception cref="WeightsException">The class is not built in, or the config is not one of it.</exception>
    public static SortedDictionary<string, long[]> Names(string className, string configPath) =>
        Names(() => Configured(configPath, () => Find(className).Build(configPath)));

    /// <summary>Names and shapes of a network, none of its weights allocated.</summary>
    public static SortedDictionary<string, long[]> Names(Func<nn.Module> build)
    {
        using var meta = WeightInit.OnMeta();
        using var network = build();
        return StateDict.Names(network);
    }

    /// <summary>Relation of the names in files of a class to the network's.</summary>
    /// <param name="className">Class of the component.</param>
    /// <param name="configPath">Its config.</param>
    public static StateDictOptions Options(string className, string configPath) => Find(className).Options(configPath);

    /// <summary>Builds a network from a component's folder in evaluation mode, and loads its weights strictly.</summary>
    /// <param name="className">Class of the component.</param>
    /// <param name="folder">The component's folder: <c>config.json</c> and weights.</param>
    /// <param name="type">Type of the weights in memory, converted where the file has another; null: float32.</param>
    /// <param name="edits">Changes of weights (<see cref="StateDictOptions.Edits"/>); null: none.</param>
    /// <exception cref="CheckpointNotFoundException">The folder holds no weights.</exception>
    /// <exception cref="WeightsException">The class is unknown or another one, a file is damaged, or tensors do not fit the
    /// configuration.</exception>
    public static T Load<T>(
        string className, string folder, ScalarType? type = null, IReadOnlyDictionary<string, Func<Tensor, Tensor>>? edits = null)
        where T : nn.Module
    {
        var (build, options) = Find(className);
        using var weights = CheckpointFolder.OpenWeights(folder);
        using var skip = WeightInit.Skip(type, LimitOf(weights, folder));
        var built = Configured(folder, () => build(folder));
        if (built is not T network)
        {
            built.Dispose();
            throw new WeightsException($"{folder} is a {className}, and another class of network is needed here.");
        }

        var names = options(folder);
        StateDict.Load(network, weights, edits is null ? names : names with { Edits = edits });
        network.eval();
        return network;
    }

    /// <summary>Builds a network in evaluation mode, and loads its weights strictly from a file of another layout.</summary>
    /// <param name="build">Constructor of the network.</param>
    /// <param name="weights">The file; it stays the caller's.</param>
    /// <param name="options">Relation of its names and shapes to the network's.</param>
    /// <param name="type">Type of the weights in memory, converted where the file has another; null: float32.</param>
    /// <exception cref="WeightsException">Tensors do not fit the network.</exception>
    public static nn.Module Load(Func<nn.Module> build, TensorSource weights, StateDictOptions options, ScalarType? type = null)
    {
        using var skip = WeightInit.Skip(type, LimitOf(weights));
        var network = Build(build, weights);
        StateDict.Load(network, weights, options);
        network.eval();
        return network;
    }

    /// <summary>Builds a network for the weights of folders, initialised as usual and within the size of their files.</summary>
    /// <param name="folders">Folders whose weights it takes together.</param>
    /// <param name="build">Constructor of the network.</param>
    /// <exception cref="WeightsException">Its configuration describes a far larger network than the files hold.</exception>
    public static T BuildFor<T>(IReadOnlyList<string> folders, Func<T> build) where T : nn.Module
    {
        var (elements, tensors) = (0.0, 0L);
        foreach (var folder in folders)
        {
            using var weights = CheckpointFolder.OpenWeights(folder);
            (elements, tensors) = (elements + weights.Elements, tensors + weights.Names.Count);
        }

        using var within = WeightInit.Within(WeightLimit.Of(folders[0], "its files", (elements, tensors),
            sentence => new WeightsException(sentence)));
        return build();
    }

    private static WeightLimit LimitOf(TensorSource weights, string? config = null) => WeightLimit.Of(config ?? weights.Location,
        weights.Location, (weights.Elements, weights.Names.Count), sentence => new WeightsException(sentence));

    /// <summary>Compares a file of another layout with a network, strictly in both directions; reads no weights.</summary>
    /// <exception cref="WeightsException">Tensors do not fit the network.</exception>
    public static void Check(Func<nn.Module> build, TensorSource weights, StateDictOptions options)
    {
        using var meta = WeightInit.OnMeta(LimitOf(weights));
        using var network = Build(build, weights);
        StateDict.Check(network, weights, options);
    }

    /// <summary>Builds something from a component's config, whose sizes may contradict each other, be 0 or exceed every network.</summary>
    /// <param name="folder">The component's folder, for the error.</param>
    /// <param name="build">Constructor of the network, or what is computed from it.</param>
    /// <exception cref="WeightsException">The config describes no network.</exception>
    public static T Configured<T>(string folder, Func<T> build)
    {
        try
        {
            return build();
        }
        catch (Exception e) when (e is ArgumentException or ArithmeticException || e.GetType() == typeof(InvalidDataException))
        {
            throw new WeightsException($"{folder} has an invalid configuration: "
                + (e is ArithmeticException ? "a size is 0 or too large." : e.Message), e);
        }
    }

    /// <summary>Builds a network whose sizes are those of a file's tensors.</summary>
    private static nn.Module Build(Func<nn.Module> build, TensorSource weights)
    {
        try
        {
            return build();
        }
        catch (ArgumentException e)
        {
            throw new WeightsException($"{weights.Location} has tensors that no network fits: {e.Message}", e);
        }
    }

    /// <summary>Loads weights into a network of a class, strictly in both directions, to continue training.</summary>
    /// <param name="className">Class of the component.</param>
    /// <param name="network">The network, of the sizes of the folder.</param>
    /// <param name="folder">The component's folder.</param>
    public static void Fill(string className, nn.Module network, string folder) =>
        CheckpointFolder.Load(network, folder, Find(className).Options(folder));

    /// <summary>Writes the weights of a component as published ones are: safetensors, named by their library.</summary>
    /// <param name="folder">The component's folder, made where it is missing.</param>
    /// <param name="weights">Names and tensors.</param>
    /// <param name="ofTransformers">True takes the file name of transformers, false that of diffusers.</param>
    public static void Export(string folder, IEnumerable<KeyValuePair<string, Tensor>> weights, bool ofTransformers = false) =>
        Write(Path.Combine(folder, ofTransformers ? TransformersFile : DiffusersFile), weights);

    /// <summary>Writes a file of weights as published ones are.</summary>
    public static void Write(string path, IEnumerable<KeyValuePair<string, Tensor>> weights) =>
        SafeTensorsWriter.Write(path, weights, new Dictionary<string, string> { ["format"] = "pt" });

    private static Entry Find(string className) => Known.TryGetValue(className, out var known)
        ? known
        : throw new WeightsException($"the class {className} is not built in; these are: {string.Join(", ", Known.Keys)}.");

    /// <param name="Build">Builds the network from its config.</param>
    /// <param name="Options">Relation of the names in files to the network's, by the config.</param>
    private sealed record Entry(Func<string, nn.Module> Build, Func<string, StateDictOptions> Options);
}
