using Alebrije.Diffusion;
using Alebrije.Models.Autoencoders;
using Alebrije.Models.Clip;
using Alebrije.Models.UNets;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Published;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.SingleFiles;

/// <summary>
/// A checkpoint of Stable Diffusion in one file (<see cref="SingleFileLayout"/>), opened as the pipeline folder that it stands for:
/// configurations come from shapes and from what its authors published, the tokenizer is built in, and networks are read from the file by
/// key maps.
/// </summary>
internal sealed class SingleFilePipeline : PipelineFolder
{
    private const string EndPadding = "<|endoftext|>", ZeroPadding = "!", SmallImage = "low_res_scheduler", SamplerName = "scheduler";

    private readonly string path;
    private readonly SingleFileLayout layout;
    private readonly Dictionary<string, Network> networks = [];
    private readonly Dictionary<string, SchedulerConfig> schedulers = [];

    /// <param name="path">The file, or the folder that holds it alone, which gives the name.</param>
    /// <param name="file">The file.</param>
    /// <exception cref="WeightsException">It is damaged, or no checkpoint of Stable Diffusion.</exception>
    public SingleFilePipeline(string path, string file) : this(path, file, LayoutOf(file))
    {
    }

    private SingleFilePipeline(string path, string file, SingleFileLayout layout) : base(path, layout.ClassName, ComponentsOf(layout))
    {
        (this.path, this.layout) = (file, layout);
        File = new Lazy<ModelFile>(() => new ModelFile(System.IO.Path.GetFullPath(file), FileHash.Sha256(file)));
        using var source = CheckpointFolder.OpenWeights(file);
        var prediction = SingleFileSchedules.PredictionOf(file, source, layout);
        schedulers[SamplerName] = SingleFileSchedules.Of(layout, prediction, source.Contains(layout.Root + "ztsnr"));
        if (layout.Kind == SingleFileKind.Upscaler) schedulers[SmallImage] = SingleFileSchedules.OfSmallImage();
        foreach (var part in layout.Parts) networks[part.Component] = Describe(source, part, prediction);
    }

    /// <inheritdoc/>
    public override Lazy<ModelFile> File { get; }

    /// <inheritdoc/>
    public override bool Flag(string name) => name == "force_zeros_for_empty_prompt" && layout.Kind == SingleFileKind.Xl;

    /// <inheritdoc/>
    public override bool IsThere(string component) => Has(component);

    /// <inheritdoc/>
    public override void Require(string component)
    {
        if (!Has(component)) base.Require(component);
    }

    /// <inheritdoc/>
    public override T Config<T>(string component) => (T)networks[component].Config;

    /// <inheritdoc/>
    public override SchedulerConfig Scheduler(string component) => schedulers[component];

    /// <inheritdoc/>
    public override ClipTokenizer Tokenizer(string component) => SingleFileTexts.Tokenizer(
        path, component, Config<ClipTextConfig>(component.Replace("tokenizer", "text_encoder", StringComparison.Ordinal)),
        layout.Kind == SingleFileKind.One || (layout.Kind == SingleFileKind.Xl && component == "tokenizer") ? EndPadding : ZeroPadding);

    /// <inheritdoc/>
    public override IEnumerable<long> WeightBytes(string component) =>
        networks.TryGetValue(component, out var network) ? [network.Bytes] : [];

    /// <inheritdoc/>
    public override TensorSource OpenWeights(string component) => CheckpointFolder.OpenWeights(path);

    /// <inheritdoc/>
    public override void CheckWeights()
    {
        using var source = CheckpointFolder.OpenWeights(path);
        foreach (var network in networks.Values) ComponentCatalog.Check(network.Build, source, network.Options);
    }

    /// <inheritdoc/>
    public override T Load<T>(string component, ScalarType? type = null, IReadOnlyDictionary<string, Func<Tensor, Tensor>>? edits = null)
    {
        using var source = CheckpointFolder.OpenWeights(path);
        var options = networks[component].Options;
        return (T)ComponentCatalog.Load(networks[component].Build, source, edits is null ? options : options with { Edits = edits }, type);
    }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, long[]> Names(string component) => ComponentCatalog.Names(networks[component].Build);

    private static SingleFileLayout LayoutOf(string file)
    {
        using var source = CheckpointFolder.OpenWeights(file);
        return SingleFileLayout.Of(source);
    }

    private static IEnumerable<KeyValuePair<string, string>> ComponentsOf(SingleFileLayout layout)
    {
        foreach (var part in layout.Parts)
        {
            yield return KeyValuePair.Create(part.Component, part.ClassName);
            if (part.ClassName.StartsWith("CLIP", StringComparison.Ordinal))
                yield return KeyValuePair.Create(part.Component.Replace("text_encoder", "tokenizer", StringComparison.Ordinal),
                    "CLIPTokenizer");
        }

        yield return KeyValuePair.Create(SamplerName, "Scheduler");
        if (layout.Kind == SingleFileKind.Upscaler) yield return KeyValuePair.Create(SmallImage, "DDPMScheduler");
    }

    private Network Describe(TensorSource source, SingleFilePart part, PredictionType prediction)
    {
        var bytes = source.Names.Where(name => name.StartsWith(part.Prefix, StringComparison.Ordinal))
            .Sum(name => source.Describe(name) is var entry ? entry.Count * TensorTypes.SizeOf(entry.Type) : 0);
        switch (part.Component)
        {
            case "unet":
                var unet = SingleFileConfigs.UNet(source, part.Prefix, layout, SideOf(layout, prediction));
                return new(unet, () => new UNet2DConditionModel(unet), UNet2DConditionKeyMap.FromStableDiffusion(unet, part.Prefix), bytes);
            case "vae":
                var vae = SingleFileConfigs.Autoencoder(source, part.Prefix, layout.Kind);
                var options = AutoencoderKeyMap.FromOriginal(vae.BlockOutChannels.Count) with { Prefix = part.Prefix };
                return new(vae, () => new AutoencoderKL(vae), options, bytes);
            default:
                var (text, names) = SingleFileTexts.Of(source, part, layout.Kind);
                return new(text, () => new ClipTextModel(text, projects: part.ClassName == "CLIPTextModelWithProjection"), names, bytes);
        }
    }

    /// <summary>
    /// Side of the latents in training: Stable Diffusion 2 was trained on 768 pixels where it predicts the velocity, on 512 elsewhere.
    /// </summary>
    private static int SideOf(SingleFileLayout layout, PredictionType prediction) => layout.Kind switch
    {
        SingleFileKind.Xl or SingleFileKind.Upscaler => 128,
        SingleFileKind.Two when prediction == PredictionType.VPrediction => 96,
        _ => 64,
    };

    /// <summary>A network of the file.</summary>
    private sealed record Network(object Config, Func<nn.Module> Build, StateDictOptions Options, long Bytes);
}
