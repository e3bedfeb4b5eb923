using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Models.Clip;
using Alebrije.Models.Guesses;
using Alebrije.Models.UNets;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing;
using Alebrije.Published;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Training;

/// <summary>The runs that a model is put together from.</summary>
/// <param name="Clip">Folder of a CLIP run.</param>
/// <param name="Autoencoder">Folder of an autoencoder run.</param>
/// <param name="Prior">Folder of a prior run.</param>
/// <param name="Decoder">Folder of a decoder run.</param>
public sealed record PackedRuns(string Clip, string Autoencoder, string Prior, string Decoder)
{
    /// <summary>Folder of an upsampler run; null packs none.</summary>
    public string? Upsampler { get; init; }

    /// <summary>Folder of a run of the first guess that the decoder was trained with; null packs none.</summary>
    public string? Guess { get; init; }

    /// <summary>Folders of runs of other kinds of prior: linear, one-step, autoregressive.</summary>
    public IReadOnlyList<string> OtherPriors { get; init; } = [];
}

/// <summary>
/// Packs trained parts in the published Stable unCLIP layout: one folder per component, bf16 weights (statistics stay float32), with
/// the components of variations. Both text roles read one file: the decoder's text encoder is an index that points to the prior's.
/// </summary>
public static class ModelPacker
{
    /// <summary>Writes the folder.</summary>
    /// <param name="runs">Folders of the parts.</param>
    /// <param name="folder">The model's folder; its existing components are replaced.</param>
    /// <exception cref="CheckpointNotFoundException">A part is missing.</exception>
    public static void Pack(PackedRuns runs, string folder)
    {
        ArgumentNullException.ThrowIfNull(runs);
        using var guard = no_grad();
        DiskSpace.Require(Path.Combine(folder, "model_index.json"), PackedBytes([Path.Combine(runs.Clip, "clip"),
            Path.Combine(runs.Autoencoder, "vae"), Path.Combine(runs.Prior, "prior"), Path.Combine(runs.Decoder, "unet")]));
        WrittenFile.MakeFolder(folder);
        UnfinishedFile.Sweep(folder, below: true);
        CheckGuess(Path.Combine(runs.Decoder, "unet"), runs.Guess);
        PackClip(Path.Combine(runs.Clip, "clip"), folder);
        foreach (var tokenizer in new[] { "prior_tokenizer", "tokenizer" })
            CopyFolder(Path.Combine(runs.Clip, "tokenizer"), Path.Combine(folder, tokenizer));
        PackComponent(Path.Combine(runs.Autoencoder, "vae"), Path.Combine(folder, "vae"));
        PackComponent(Path.Combine(runs.Prior, "prior"), Path.Combine(folder, "prior"));
        PackComponent(Path.Combine(runs.Prior, LinearPrior.FolderName), Path.Combine(folder, LinearPrior.FolderName));
        foreach (var run in runs.OtherPriors) PackPrior(run, folder);
        PackComponent(Path.Combine(runs.Decoder, "unet"), Path.Combine(folder, "unet"));
        PackComponent(Path.Combine(runs.Decoder, "image_normalizer"), Path.Combine(folder, "image_normalizer"), keep: _ => true);
        WriteText(folder, "prior_scheduler/scheduler_config.json", MiniSchedulers.PriorText);
        WriteText(folder, "image_noising_scheduler/scheduler_config.json", MiniSchedulers.ImageNoisingText);
        WriteText(folder, "scheduler/scheduler_config.json", MiniSchedulers.DecoderText);
        WriteText(folder, "model_index.json", Index());
        if (runs.Guess is { } guess) AddGuess(guess, folder);
        else RemoveGuess(folder);
        if (runs.Upsampler is { } upsampler) AddUpsampler(upsampler, folder);
        else if (Directory.Exists(Path.Combine(folder, Upsampler.First))) ListUpsampler(folder);
        if (!File.Exists(Path.Combine(folder, GenerationDefaults.FileName)))
            new GenerationDefaults { Guidance = 3.5, PriorGuidance = 3 }.Save(folder);
        WriteHashes(folder);
    }

    /// <summary>Adds the upsampler of a run to a packed model, or replaces the one that it has.</summary>
    /// <param name="run">Folder of an upsampler run.</param>
    /// <param name="folder">The model's folder.</param>
    /// <exception cref="CheckpointNotFoundException">The run has no weights, or the folder holds no model.</exception>
    public static void PackUpsampler(string run, string folder)
    {
        using var guard = no_grad();
        UnfinishedFile.Sweep(folder, below: true);
        PipelineFolder.Open(folder);
        DiskSpace.Require(Path.Combine(folder, "model_index.json"), PackedBytes([Path.Combine(run, Upsampler.First)]));
        AddUpsampler(run, folder);
        WriteHashes(folder);
    }

    /// <summary>Puts the decoder of a run in place of the one that a packed model has.</summary>
    /// <param name="run">Folder of a decoder run on the same CLIP and autoencoder: only sizes can be compared.</param>
    /// <param name="folder">The model's folder.</param>
    /// <exception cref="CheckpointNotFoundException">The run has no decoder, or the folder holds no model.</exception>
    /// <exception cref="WeightsException">The decoder's latents, texts or image embeddings have other sizes than the model's.</exception>
    /// <param name="guess">Folder of the run of the first guess used in the decoder's training; null: none was used.</param>
    public static void PackDecoder(string run, string folder, string? guess = null)
    {
        using var guard = no_grad();
        UnfinishedFile.Sweep(folder, below: true);
        var model = PipelineFolder.Open(folder);
        if (!Directory.Exists(Path.Combine(run, "unet")) || !Directory.Exists(Path.Combine(run, "image_normalizer")))
            throw new CheckpointNotFoundException($"{run} holds no decoder: it lacks a folder, unet or image_normalizer.");
        var (ours, theirs) = (Sizes(model.Of("unet")), Sizes(Path.Combine(run, "unet")));
        if (ours != theirs)
            throw new WeightsException($"The decoder of {run} was trained for other parts than those of {folder} "
                + $"(latents, texts, image embeddings: {theirs} and {ours}); give the CLIP and the autoencoder that it was trained on.");
        CheckGuess(Path.Combine(run, "unet"), guess);
        DiskSpace.Require(Path.Combine(folder, "model_index.json"), PackedBytes([Path.Combine(run, "unet")]));
        PackComponent(Path.Combine(run, "unet"), Path.Combine(folder, "unet"));
        PackComponent(Path.Combine(run, "image_normalizer"), Path.Combine(folder, "image_normalizer"), keep: _ => true);
        if (guess is not null) AddGuess(guess, folder);
        else RemoveGuess(folder);
        WriteHashes(folder);

        static string Sizes(string path)
        {
            var config = ConfigFile.Read<UNet2DConditionConfig>(path);
            return $"{config.OutChannels}, {string.Join('/', config.CrossAttentionDim)}, {config.ProjectionClassEmbeddingsInputDim / 2}";
        }
    }

    /// <summary>Bytes that folders of float32 weights take as bf16.</summary>
    private static long PackedBytes(IEnumerable<string> folders) => folders.Where(Directory.Exists)
        .Sum(folder => Directory.GetFiles(folder, "*.safetensors").Sum(file => new FileInfo(file).Length)) / 2;

    /// <exception cref="WeightsException">The decoder was trained with a first guess and none is given, or the reverse.</exception>
    private static void CheckGuess(string decoder, string? guess)
    {
        var config = ConfigFile.Read<UNet2DConditionConfig>(decoder);
        var wanted = guess is null ? config.OutChannels : 2 * config.OutChannels;
        if (config.InChannels != wanted)
            throw new WeightsException(
                $"The denoiser {decoder} takes {config.InChannels} channels, "
                    + $"and {(guess is null ? "latents alone" : "latents with a first guess")} "
                        + $"have {wanted}: pack it with the first guess that it was trained with, and only with that one (--guess).");
    }

    private static void AddGuess(string run, string folder)
    {
        PackComponent(Path.Combine(run, FirstGuessConfig.Component), Path.Combine(folder, FirstGuessConfig.Component));
        ChangeIndex(folder, index => index[FirstGuessConfig.Component] = new JsonArray("alebrije", FirstGuessConfig.ClassName));
    }

    /// <summary>Removes the first guess of the previous decoder.</summary>
    private static void RemoveGuess(string folder)
    {
        if (Path.Combine(folder, FirstGuessConfig.Component) is var path && Directory.Exists(path)) Directory.Delete(path, recursive: true);
        ChangeIndex(folder, index => index.Remove(FirstGuessConfig.Component));
    }

    private static void AddUpsampler(string run, string folder)
    {
        PackComponent(Path.Combine(run, Upsampler.First), Path.Combine(folder, Upsampler.First));
        WriteText(folder, $"{Upsampler.Scheduler}/scheduler_config.json", MiniSchedulers.UpsamplerText);
        ListUpsampler(folder);
    }

    private static void ListUpsampler(string folder) => ChangeIndex(folder, index =>
    {
        index[Upsampler.First] = new JsonArray("diffusers", "UNet2DModel");
        index[Upsampler.Scheduler] = new JsonArray("diffusers", "UnCLIPScheduler");
    });

    private static void ChangeIndex(string folder, Action<JsonObject> change)
    {
        var index = ConfigFile.ReadObject(Path.Combine(folder, "model_index.json"));
        change(index);
        var lines = index.OrderBy(entry => entry.Key, StringComparer.Ordinal)
            .Select(entry => $"  \"{entry.Key}\": "
                + $"{(entry.Value?.ToJsonString() ?? "null").Replace("\",\"", "\", \"", StringComparison.Ordinal)}");
        WriteText(folder, "model_index.json", $"{{\n{string.Join(",\n", lines)}\n}}");
    }

    /// <summary>Puts priors of other kinds into a model's folder, next to its components.</summary>
    /// <param name="runs">Folders of prior runs.</param>
    /// <param name="folder">The model's folder.</param>
    /// <exception cref="CheckpointNotFoundException">A run holds no such prior, or the folder no model.</exception>
    /// <exception cref="WeightsException">A prior was trained in another embedding space than the model's.</exception>
    public static void AddPriors(IEnumerable<string> runs, string folder)
    {
        ArgumentNullException.ThrowIfNull(runs);
        using var guard = no_grad();
        if (!File.Exists(Path.Combine(folder, "model_index.json")))
            throw new CheckpointNotFoundException($"{folder} is not a model: it has no model_index.json.");
        try
        {
            foreach (var run in runs) PackPrior(run, folder);
        }
        finally
        {
            // Priors packed before a refused one are in the model.
            WriteHashes(folder);
        }
    }

    private static void PackPrior(string run, string folder)
    {
        using var scope = NewDisposeScope();
        using var text = CheckpointFolder.OpenWeights(Path.Combine(folder, "prior_text_encoder"));
        var projection = text.Read("text_projection.weight");
        var own = new PriorSpaces((int)projection.shape[0], 0, PriorSpaces.FingerprintOf(projection));
        if (File.Exists(Path.Combine(run, "prior", "config.json")))
            throw new WeightsException($"{run} is a run of the diffusion "
                + $"prior, which is packed with --clip, --autoencoder and --decoder; only other kinds of prior are added to a model.");
        var found = PriorFolder.Names.Values.Where(name => Directory.Exists(Path.Combine(run, name))).ToArray();
        if (found.Length == 0) throw new CheckpointNotFoundException(
            $"{run} holds no prior; looked for {string.Join(", ", PriorFolder.Names.Values)}.");
        foreach (var name in found)
        {
            using (var prior = PriorFolder.Load(Path.Combine(run, name),
                () => throw new InvalidOperationException("no prior of these kinds has a scheduler."), ScalarType.Float32))
                own.Require(prior.Spaces, run, folder);
            PackComponent(Path.Combine(run, name), Path.Combine(folder, name),
                tensor => tensor is "clip_mean" or "clip_std" || tensor.StartsWith("quantizer.", StringComparison.Ordinal));
        }
    }

    private static void PackClip(string source, string folder)
    {
        var config = ConfigFile.Read<ClipConfig>(source);
        using var weights = CheckpointFolder.OpenWeights(source);
        var textNames = weights.Names.Where(n => n.StartsWith("text_", StringComparison.Ordinal)).ToArray();
        Write(Path.Combine(folder, "prior_text_encoder", "model.safetensors"), weights, textNames);
        WriteConfig(Path.Combine(folder, "prior_text_encoder", "config.json"), config.TextConfig, "CLIPTextModelWithProjection");
        Write(Path.Combine(folder, "image_encoder", "model.safetensors"), weights,
            [.. weights.Names.Where(n => n.StartsWith("vision_", StringComparison.Ordinal)
                || n.StartsWith("visual_", StringComparison.Ordinal))]);
        WriteConfig(Path.Combine(folder, "image_encoder", "config.json"), config.VisionConfig, "CLIPVisionModelWithProjection");

        var shared = textNames.Where(n => n.StartsWith("text_model.", StringComparison.Ordinal)).Order(StringComparer.Ordinal)
            .ToDictionary(n => n, _ => "../prior_text_encoder/model.safetensors");
        WriteText(folder, "text_encoder/model.safetensors.index.json", JsonSerializer.Serialize(
            new { metadata = new { }, weight_map = shared }, JsonForms.Indented));
        WriteConfig(Path.Combine(folder, "text_encoder", "config.json"), config.TextConfig, "CLIPTextModel");
        WriteText(folder, "feature_extractor/preprocessor_config.json", Preprocessor(config.VisionConfig.ImageSize));
    }

    private static void PackComponent(string source, string target, Func<string, bool>? keep = null)
    {
        keep ??= name => name is "clip_mean" or "clip_std";
        using var weights = CheckpointFolder.OpenWeights(source);
        Write(Path.Combine(target, "diffusion_pytorch_model.safetensors"), weights, [.. weights.Names], keep);
        var config = Path.Combine(source, "config.json");
        if (File.Exists(config)) WrittenFile.Copy(config, Path.Combine(target, "config.json"));
    }

    private static void Write(string path, TensorSource weights, string[] names, Func<string, bool>? keep = null)
    {
        using var scope = NewDisposeScope();
        WrittenFile.MakeFolder(Path.GetDirectoryName(path)!);
        ComponentCatalog.Write(path, names.Select(name =>
            KeyValuePair.Create(name, keep?.Invoke(name) == true ? weights.Read(name) : weights.Read(name).to(ScalarType.BFloat16))));
    }

    private static string Index()
    {
        var components = new (string Name, string Library, string Class)[]
        {
            ("feature_extractor", "transformers", "CLIPImageProcessor"),
            ("image_encoder", "transformers", "CLIPVisionModelWithProjection"),
            ("image_noising_scheduler", "diffusers", "DDPMScheduler"),
            ("image_normalizer", "stable_diffusion", "StableUnCLIPImageNormalizer"),
            ("prior", "diffusers", "PriorTransformer"),
            ("prior_scheduler", "diffusers", "DDPMScheduler"),
            ("prior_text_encoder", "transformers", "CLIPTextModelWithProjection"),
            ("prior_tokenizer", "transformers", "CLIPTokenizer"),
            ("scheduler", "diffusers", "DDIMScheduler"),
            ("text_encoder", "transformers", "CLIPTextModel"),
            ("tokenizer", "transformers", "CLIPTokenizer"),
            ("unet", "diffusers", "UNet2DConditionModel"),
            ("vae", "diffusers", "AutoencoderKL"),
        };
        var text = new StringBuilder("{\n  \"_class_name\": \"StableUnCLIPPipeline\"");
        foreach (var (name, library, type) in components) text.Append($",\n  \"{name}\": [\"{library}\", \"{type}\"]");
        return text.Append("\n}").ToString();
    }

    private static string Preprocessor(int size) => $$"""
        {
          "crop_size": { "height": {{size}}, "width": {{size}} },
          "do_center_crop": true,
          "do_convert_rgb": true,
          "do_normalize": true,
          "do_rescale": true,
          "do_resize": true,
          "image_mean": [0.48145466, 0.4578275, 0.40821073],
          "image_processor_type": "CLIPImageProcessor",
          "image_std": [0.26862954, 0.26130258, 0.27577711],
          "resample": 3,
          "rescale_factor": 0.00392156862745098,
          "size": { "shortest_edge": {{size}} }
        }
        """;

    private static void WriteText(string folder, string file, string text)
    {
        var path = Path.Combine(folder, file);
        WrittenFile.MakeFolder(Path.GetDirectoryName(path)!);
        WrittenFile.Write(path, text + "\n");
    }

    private static void CopyFolder(string source, string target)
    {
        WrittenFile.MakeFolder(target);
        foreach (var file in Directory.GetFiles(source)) WrittenFile.Copy(file, Path.Combine(target, Path.GetFileName(file)));
    }

    private static void WriteHashes(string folder)
    {
        var lines = Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(folder, path).Replace('\\', '/'))
            .Where(file => file.EndsWith(".safetensors", StringComparison.Ordinal)).Order(StringComparer.Ordinal)
            .Select(file => $"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(folder, file))))}  {file}");
        WrittenFile.Write(Path.Combine(folder, "SHA256SUMS"), string.Join('\n', lines) + "\n");
    }

    /// <summary>Writes a configuration with transformers' key for the class.</summary>
    private static void WriteConfig<T>(string path, T config, string architecture)
    {
        ConfigFile.Write(path, config);
        var body = ConfigFile.ReadObject(path);
        body.Insert(0, "architectures", new JsonArray(architecture));
        WrittenFile.Write(path, body.ToJsonString(JsonForms.Indented) + "\n");
    }
}
