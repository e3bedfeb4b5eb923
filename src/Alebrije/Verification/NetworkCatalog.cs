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

namespace Alebrije.Verification;

/// <summary>The networks that are built in, by the class name that a published <c>config.json</c> gives.</summary>
internal static class NetworkCatalog
{
    private static readonly Dictionary<string, (Func<string, nn.Module> Build, StateDictOptions Options)> Known = new(StringComparer.Ordinal)
    {
        ["CLIPModel"] = (path => new ClipNetwork(ConfigFile.Read<ClipConfig>(path)), Clip),
        ["CLIPTextModel"] = (path => new ClipTextModel(ConfigFile.Read<ClipTextConfig>(path), projects: false), Clip),
        ["CLIPTextModelWithProjection"] = (path => new ClipTextModel(ConfigFile.Read<ClipTextConfig>(path), projects: true), Clip),
        ["CLIPVisionModelWithProjection"] = (path => new ClipVisionModel(ConfigFile.Read<ClipVisionConfig>(path), projects: true), Clip),
        ["CLIP"] = (path => new OpenClipNetwork(OpenClipConfig.Read(path)), OpenAi),
        ["CustomTextCLIP"] = (path => new OpenClipNetwork(OpenClipConfig.Read(path)), OpenAi),
        ["PriorTransformer"] = (path => new PriorTransformer(PriorTransformerConfig.Read(path)), new StateDictOptions()),
        [LinearPriorConfig.ClassName] = (path => new LinearPriorMap(LinearPriorConfig.Read(path)), new StateDictOptions()),
        [AutoregressivePriorConfig.ClassName] = (path => new AutoregressivePriorTransformer(ConfigFile.Read<AutoregressivePriorConfig>(path)), new StateDictOptions()),
        [FirstGuessConfig.ClassName] = (path => new FirstGuessModel(ConfigFile.Read<FirstGuessConfig>(path)), new StateDictOptions()),
        ["StableUnCLIPImageNormalizer"] = (path => new StableUnClipImageNormalizer(ConfigFile.Read<StableUnClipImageNormalizerConfig>(path)), new StateDictOptions()),
        ["UNet2DModel"] = (path => new UNet2DModel(ConfigFile.Read<UNet2DConfig>(path)), new StateDictOptions()),
        ["UNet2DConditionModel"] = (path => new UNet2DConditionModel(ConfigFile.Read<UNet2DConditionConfig>(path)), new StateDictOptions()),
        ["UnCLIPTextProjModel"] = (path => new UnClipTextProjection(ConfigFile.Read<UnClipTextProjectionConfig>(path)), new StateDictOptions()),
        ["AutoencoderKL"] = (path => new AutoencoderKL(ConfigFile.Read<AutoencoderKLConfig>(path)), new StateDictOptions { Renames = AutoencoderKeyMap.FromOldAttention }),
        ["VQModel"] = (path => new VQModel(ConfigFile.Read<VQModelConfig>(path)), new StateDictOptions { Renames = AutoencoderKeyMap.FromOldAttention }),
        ["MultilingualCLIP"] = (path => new MultilingualClip(ConfigFile.Read<MultilingualClipConfig>(path)), MultilingualClip.FileOptions),
        ["T5EncoderModel"] = (path => new T5Encoder(ConfigFile.Read<T5Config>(path)), T5Encoder.FileOptions),
    };

    /// <summary>Old files hold the ids of the positions as a tensor, which is no weight.</summary>
    private static StateDictOptions Clip => new() { Ignored = ["*.position_ids"] };

    /// <summary>What OpenAI's files hold beside the weights.</summary>
    private static StateDictOptions OpenAi => new() { Ignored = OpenClipFolder.NoWeights };

    public static bool Knows(string className) => Known.ContainsKey(className);

    /// <summary>Names and shapes that a network has for a config, without allocating its weights.</summary>
    /// <exception cref="WeightsException">The class is not built in, or the config is not one of it.</exception>
    public static SortedDictionary<string, long[]> Names(string className, string configPath)
    {
        using var meta = WeightInit.OnMeta();
        using var network = Find(className).Build(configPath);
        return StateDict.Names(network);
    }

    /// <summary>How names in files of this class relate to the network's.</summary>
    public static StateDictOptions Options(string className) => Find(className).Options;

    /// <summary>Builds a network from a component's folder and loads its weights.</summary>
    public static T Load<T>(string className, string folder) where T : nn.Module
    {
        var (build, options) = Find(className);
        using var skip = WeightInit.Skip();
        var network = (T)build(folder);
        network.eval();
        using var weights = CheckpointFolder.OpenWeights(folder);
        StateDict.Load(network, weights, options);
        return network;
    }

    private static (Func<string, nn.Module> Build, StateDictOptions Options) Find(string className) => Known.TryGetValue(className, out var known)
        ? known
        : throw new WeightsException($"the class {className} is not built in; these are: {string.Join(", ", Known.Keys)}.");
}
