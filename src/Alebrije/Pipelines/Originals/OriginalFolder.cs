using System.Text.Json.Nodes;
using Alebrije.Models.Autoencoders;
using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
using Alebrije.Models.XlmRoberta;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using Alebrije.Weights;

namespace Alebrije.Pipelines.Originals;

/// <summary>
/// A folder with the files that Karlo's or Kandinsky 2.1's authors published before there was a pipeline folder of them. It is written as
/// such a folder once, and opened like any other from then on. Tensors keep their number format; one of them is in memory at a time.
/// </summary>
public sealed class OriginalFolder
{
    private const string PriorEnding = "-prior";
    private const string Texts = "text_encoder", SentencePiece = "sentencepiece.bpe.model";
    private readonly string path;
    private readonly IReadOnlyDictionary<OriginalRole, OriginalFile> files;

    private OriginalFolder(string path, IReadOnlyDictionary<OriginalRole, OriginalFile> files)
    {
        (this.path, this.files) = (path, files);
        IsKarlo = files.ContainsKey(OriginalRole.KarloDecoder);
        Require(OriginalRole.Prior, "the prior (prior-ckpt-step=*.ckpt, prior_fp16.ckpt)");
        Require(OriginalRole.Statistics, "the mean and standard deviation of image embeddings (ViT-L-14_stats.th)");
        Require(OriginalRole.Clip, "CLIP (ViT-L-14.pt of openai/CLIP)");
        if (IsKarlo) Require(OriginalRole.Upsamplers, "the upsampler (improved-sr-ckpt-step=*.ckpt)");
        else Require(OriginalRole.MoVq, "the autoencoder (movq_final.ckpt)");
        if (!IsKarlo && !File.Exists(TextFile(SentencePiece)))
            throw new CheckpointNotFoundException(
                $"{path} lacks {Texts}/{SentencePiece}, the vocabulary of the text encoder that was published with it.");
    }

    /// <summary>Whose files these are: <c>Karlo</c>, <c>Kandinsky 2.1</c> or <c>Kandinsky 2.1 inpainting</c>.</summary>
    public string Kind => IsKarlo ? "Karlo" : InpaintsOnly ? "Kandinsky 2.1 inpainting" : "Kandinsky 2.1";

    /// <summary>Suffix of the name of each folder written: Kandinsky is two, the prior's (<c>-prior</c>) and the decoder's.</summary>
    public IReadOnlyList<string> Endings => IsKarlo ? [""] : [PriorEnding, ""];

    /// <summary>Bytes that the folders take, about.</summary>
    public long Bytes => files.Values.Select(file => file.Path)
        .Concat(Directory.Exists(TextFile("")) ? Directory.EnumerateFiles(TextFile("")) : []).Sum(file => new FileInfo(file).Length);

    /// <summary>Warnings about the files selected.</summary>
    public IReadOnlyList<string> Notes => files.TryGetValue(OriginalRole.KandinskyInpainting, out var other) && !InpaintsOnly
        ? [$"{Path.GetFileName(other.Path)} is ignored: import it from a folder without the other decoder."] : [];

    private bool IsKarlo { get; }

    private bool InpaintsOnly => !IsKarlo && !files.ContainsKey(OriginalRole.KandinskyDecoder);

    /// <summary>Detects original files in a folder; null if there are none.</summary>
    /// <exception cref="CheckpointNotFoundException">One of the files that belong to it is missing; the message names it.</exception>
    /// <exception cref="WeightsException">A file is damaged or holds more than tensors.</exception>
    public static OriginalFolder? TryOpen(string path) => OriginalFiles.Find(path) is { } files ? new OriginalFolder(path, files) : null;

    /// <summary>Writes one of the folders.</summary>
    /// <param name="ending">One of <see cref="Endings"/>.</param>
    /// <param name="folder">Target folder; made when absent.</param>
    /// <param name="cancellation">Checked before every network.</param>
    /// <exception cref="WeightsException">A file is damaged, or not of the published form.</exception>
    public void Write(string ending, string folder, CancellationToken cancellation = default)
    {
        TorchRuntime.Initialize();
        var target = new PublishedFolder(folder, cancellation);
        if (IsKarlo) WriteKarlo(target);
        else if (ending == PriorEnding) WriteKandinskyPrior(target);
        else WriteKandinskyDecoder(target);
    }

    private void WriteKarlo(PublishedFolder target)
    {
        WriteTowers(target, "feature_extractor");
        WritePrior(target);
        using (var file = Open(OriginalRole.KarloDecoder, out var prefix))
        {
            var config = OriginalConfigs.KarloDecoder(file, prefix);
            target.Network("decoder", "UNet2DConditionModel", config, (file, UNet2DConditionKeyMap.FromKarlo(config, prefix)));
            target.Network("text_proj", "UnCLIPTextProjModel", OriginalConfigs.TextProjection(file, prefix),
                (file, UNet2DConditionKeyMap.TextProjection(prefix)));
        }

        using (var file = Open(OriginalRole.Upsamplers, out var prefix))
        {
            foreach (var (name, role) in new[] { (Upsampler.First, UNet2DKeyMap.KarloFirst), (Upsampler.Last, UNet2DKeyMap.KarloLast) })
            {
                var config = OriginalConfigs.Upsampler(file, prefix + role);
                target.Network(name, "UNet2DModel", config,
                    (file, new StateDictOptions { Prefix = prefix + role, Renames = UNet2DKeyMap.FromKarlo(config) }));
            }
        }

        // The published conversion holds the prior to 5, Karlo's own sampler to 10 (models/prior_model.py).
        target.Scheduler("prior_scheduler", PriorScheduler(5));
        target.Scheduler("decoder_scheduler", UnClip("epsilon", "learned_range"));
        target.Scheduler(Upsampler.Scheduler, UnClip("epsilon", "fixed_small_log"));
        target.Index("UnCLIPPipeline");
    }

    private void WriteKandinskyPrior(PublishedFolder target)
    {
        WriteTowers(target, "image_processor");
        WritePrior(target);
        target.Scheduler("scheduler", PriorScheduler(10));
        target.Index("KandinskyPriorPipeline");
    }

    private void WriteKandinskyDecoder(PublishedFolder target)
    {
        using (var file = Open(InpaintsOnly ? OriginalRole.KandinskyInpainting : OriginalRole.KandinskyDecoder, out var prefix))
        {
            var config = OriginalConfigs.KandinskyDecoder(file, prefix);
            target.Network("unet", "UNet2DConditionModel", config, (file, UNet2DConditionKeyMap.FromKandinsky(config, prefix)));
        }

        using (var file = Open(OriginalRole.MoVq, out var prefix))
        {
            var config = OriginalConfigs.MoVq(file, prefix);
            target.Network("movq", "VQModel", config,
                (file, AutoencoderKeyMap.FromOriginal(config.BlockOutChannels.Count, hasSpatialNorm: true) with { Prefix = prefix }));
        }

        using (var file = CheckpointFolder.OpenWeights(TextFile("")))
            target.Network(Texts, "MultilingualCLIP", OriginalConfigs.MultilingualClip(file), (file, MultilingualClip.FileOptions));
        target.Copy("tokenizer", "XLMRobertaTokenizer", Directory.EnumerateFiles(TextFile("")).Where(name =>
            Path.GetFileName(name) is SentencePiece or "tokenizer_config.json" or "special_tokens_map.json" or "tokenizer.json"));
        target.Scheduler("scheduler", new JsonObject
        {
            ["_class_name"] = "DDIMScheduler", ["beta_start"] = 0.00085,
                ["beta_end"] = 0.012, ["beta_schedule"] = "linear", ["clip_sample"] = false, ["num_train_timesteps"] = 1000,
            ["prediction_type"] = "epsilon", ["set_alpha_to_one"] = false, ["steps_offset"] = 1,
        });
        target.Index(InpaintsOnly ? "KandinskyInpaintPipeline" : "KandinskyPipeline");
    }

    private void WriteTowers(PublishedFolder target, string preparation)
    {
        using var file = Open(OriginalRole.Clip, out var prefix);
        var (text, vision) = OriginalConfigs.Clip(file, prefix);
        target.Network(Texts, "CLIPTextModelWithProjection", text, (file, OpenAiKeyMap.TextFromOpenAi(prefix)));
        target.Network("image_encoder", "CLIPVisionModelWithProjection", vision, (file, OpenAiKeyMap.VisionFromOpenAi(prefix)));
        target.Preparation(preparation, vision.ImageSize);
        target.Tokenizer("tokenizer", folder => BpeVocabulary.OpenAi().Save(folder, text.MaxPositionEmbeddings));
    }

    private void WritePrior(PublishedFolder target)
    {
        using var file = Open(OriginalRole.Prior, out var prefix);
        using var statistics = Open(OriginalRole.Statistics, out _);
        var config = OriginalConfigs.Prior(file, prefix);
        target.Network("prior", "PriorTransformer", config, (file, PriorKeyMap.FromOriginal(config.AttentionHeadDim, prefix)),
            (statistics, PriorKeyMap.Statistics));
    }

    private static JsonObject PriorScheduler(double range)
    {
        var config = UnClip("sample", "fixed_small_log");
        config["clip_sample_range"] = range;
        return config;
    }

    private static JsonObject UnClip(string prediction, string variance) => new()
    {
        ["_class_name"] = "UnCLIPScheduler", ["num_train_timesteps"] = 1000,
            ["prediction_type"] = prediction, ["variance_type"] = variance, ["clip_sample"] = true,
        ["clip_sample_range"] = 1.0,
    };

    private TensorSource Open(OriginalRole role, out string prefix)
    {
        prefix = files[role].Prefix;
        return CheckpointFolder.OpenWeights(files[role].Path);
    }

    private string TextFile(string name) => Path.Combine(path, Texts, name);

    private void Require(OriginalRole role, string what)
    {
        if (!files.ContainsKey(role))
            throw new CheckpointNotFoundException($"{path} holds original files of {Kind}, but lacks {what}; put it there too.");
    }
}
