using System.Text.Json;
using System.Text.Json.Nodes;
using Alebrije.Preprocessing;
using Alebrije.Weights;

namespace Alebrije.Catalog;

/// <summary>The files of a published folder that a model is loaded from.</summary>
/// <param name="Files">Their names, in order.</param>
/// <param name="Notes">Warnings about the files selected.</param>
/// <param name="IsAsAsked">True if all weights are of the requested variant.</param>
internal sealed record ModelFileChoice(IReadOnlyList<string> Files, IReadOnlyList<string> Notes, bool IsAsAsked);

/// <summary>
/// Selects the files that the loaders read (<c>Weights.CheckpointFolder</c>): <c>model_index.json</c> decides the components, safetensors
/// precede pickles, and each network has one set of weights, in shards if there is an index.
/// </summary>
internal sealed class ModelFiles
{
    /// <summary>The variant of weights that the loaders support in addition to full precision.</summary>
    public const string HalfVariant = "fp16";

    private const string Index = "model_index.json", Config = "config.json", OpenClip = "open_clip_config.json";
    private static readonly string[] Stems = ["model", "diffusion_pytorch_model"],
        PickleStems = ["pytorch_model", "diffusion_pytorch_model"];
    private static readonly string[] OpenClipStems = ["open_clip_model"], OpenClipPickleStems = ["open_clip_pytorch_model"];
    private static readonly string[] WeightEndings = [".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".msgpack", ".h5", ".onnx"];

    /// <summary>Ends of the names of classes that have no weights.</summary>
    private static readonly string[] WeightlessEndings = ["Tokenizer",
        "TokenizerFast", "Scheduler", "Processor", "ProcessorFast", "ProcessorPil", "FeatureExtractor", "Watermarker"];

    /// <summary>Part of this project's own folders that the published index has no place for.</summary>
    private static readonly string[] OwnParts = ["prior_linear"];

    private static readonly HashSet<string> Settings = new(StringComparer.Ordinal)
    {
        Config, "preprocessor_config.json", "processor_config.json",
        "scheduler_config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
        "special_tokens_map.json", "added_tokens.json", "vocab.json",
        "merges.txt", "vocab.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
    };

    private static readonly HashSet<string> Documents = new(StringComparer.OrdinalIgnoreCase)
    {
        "README.md", "LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "LICENSE-MODEL", "evaluation.json",
    };

    private readonly string where;
    private readonly HashSet<string> names;
    private readonly string? variant;
    private readonly Func<string, Task<byte[]>> read;
    private readonly SortedSet<string> chosen = new(StringComparer.Ordinal);
    private readonly List<string> notes = [];
    private readonly List<string> inFull = [];
    private bool variantSeen, otherVariantSeen;

    private ModelFiles(string where, IEnumerable<string> names, string? variant, Func<string, Task<byte[]>> read) =>
        (this.where, this.names, this.variant, this.read) = (where, names.ToHashSet(StringComparer.Ordinal), variant, read);

    /// <summary>Chooses.</summary>
    /// <param name="where">Name of their source, for messages.</param>
    /// <param name="names">All names, with forward slashes.</param>
    /// <param name="variant"><c>fp16</c>, or null: full precision where it is there.</param>
    /// <param name="read">Reads one of the small files.</param>
    /// <exception cref="CheckpointNotFoundException">There is no model in it that is read here, or a part of it is missing.</exception>
    /// <exception cref="WeightsException">A file that decides is damaged.</exception>
    public static async Task<ModelFileChoice> ChooseAsync(string where,
        IEnumerable<string> names, string? variant, Func<string, Task<byte[]>> read)
    {
        var files = new ModelFiles(where, names, variant, read);
        await files.ChooseAsync();
        return new ModelFileChoice([.. files.chosen], files.notes, !files.otherVariantSeen);
    }

    /// <summary>Describes the files that a folder lacks to be loaded; null if it is complete.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="variant">As in <see cref="ChooseAsync(string, IEnumerable{string}, string?, Func{string, Task{byte[]}})"/>.</param>
    /// <param name="strictly">True if the variant has to be the requested one.</param>
    public static string? Missing(string folder, string? variant = null, bool strictly = false)
    {
        var names = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(file => HubCache.SizeOf(file) >= 0)
            .Select(file => Path.GetRelativePath(folder, file).Replace('\\', '/'));
        try
        {
            var choice = ChooseAsync(folder, names, variant, name => Task.FromResult(RegularFile.ReadAllBytes(Path.Combine(folder, name))))
                .GetAwaiter().GetResult();
            return strictly && !choice.IsAsAsked ? $"{folder} has other weights than requested." : null;
        }
        catch (Exception e) when (e is WeightsException or IOException)
        {
            return e.Message;
        }
    }

    private async Task ChooseAsync()
    {
        if (names.Contains(Index)) await ChoosePipelineAsync();
        else if (names.Contains(Config) || names.Contains(OpenClip)) await ChooseNetworkAsync();
        else ChooseSingleFile();
        if (variant is not null && !variantSeen) throw new CheckpointNotFoundException(
            $"{where} has no weights in the variant {variant}; leave --variant out for full precision.");
        if (inFull.Count > 0) notes.Add($"{string.Join(", ", inFull)}: only in full precision.");
        chosen.UnionWith(names.Where(Documents.Contains));
    }

    private async Task ChoosePipelineAsync()
    {
        chosen.Add(Index);
        foreach (var (component, value) in await ReadObjectAsync(Index))
        {
            // Parts that a pipeline can do without are written as a pair of nulls.
            if (value is not JsonArray { Count: 2 } pair || pair[1] is not JsonValue type || !type.TryGetValue<string>(out var className))
                continue;
            var prefix = component + "/";
            if (!names.Any(name => name.StartsWith(prefix, StringComparison.Ordinal)))
                throw new CheckpointNotFoundException($"{where} lacks the folder {component}, though its model_index.json lists it.");
            AddSettings(prefix);
            var hasWeights = await AddWeightsAsync(prefix, Stems, PickleStems);
            if (WeightlessEndings.Any(ending => className.EndsWith(ending, StringComparison.Ordinal))) continue;
            if (!hasWeights || !names.Contains(prefix + Config))
                throw new CheckpointNotFoundException($"{where} lacks {(hasWeights ? prefix + Config : $"the weights of {component}")}, "
                    + $"a {className} by its model_index.json.");
        }

        foreach (var part in OwnParts.Where(part => names.Any(name => name.StartsWith(part + "/", StringComparison.Ordinal))))
        {
            AddSettings(part + "/");
            await AddWeightsAsync(part + "/", Stems, PickleStems);
        }
    }

    /// <summary>
    /// A single network at the top. If CLIP is there in both layouts, transformers' is read, unless only open_clip's has safetensors.
    /// </summary>
    private async Task ChooseNetworkAsync()
    {
        var isClip = names.Contains(Config) && ClassOf(await ReadObjectAsync(Config)).StartsWith("CLIP", StringComparison.Ordinal);
        var asOpenClip = names.Contains(OpenClip) && (!isClip || (!HasSafetensors(Stems) && HasSafetensors(OpenClipStems)));
        if (asOpenClip)
        {
            chosen.Add(OpenClip);
            AddSettings("");
            chosen.Remove(Config);
            if (await AddWeightsAsync("", OpenClipStems, OpenClipPickleStems, anyName: ".pt")) return;
        }
        else
        {
            AddSettings("");
            if (await AddWeightsAsync("", Stems, PickleStems)) return;
        }

        throw new CheckpointNotFoundException($"{where} has no weights next to its {(asOpenClip ? OpenClip : Config)}.");
    }

    private void ChooseSingleFile()
    {
        var weights = names.Where(name => !name.Contains('/', StringComparison.Ordinal)
            && Path.GetExtension(name) is ".pt" or ".safetensors" or ".ckpt").ToArray();
        if (weights.Length == 1)
        {
            // Web interfaces keep the configuration of a checkpoint in one file next to it.
            chosen.UnionWith(names.Where(name => name == weights[0] || name == Path.ChangeExtension(weights[0], ".yaml")));
            return;
        }

        throw new CheckpointNotFoundException(weights.Length == 0
            ? $"{where} holds no model that is read here: neither model_index.json "
                + $"nor config.json nor open_clip_config.json nor a single .pt, .safetensors or .ckpt file."
            : $"{where} has no model_index.json, config.json or open_clip_config.json, "
                + $"and {weights.Length} files of weights "
                    + $"({string.Join(", ", weights.Order(StringComparer.Ordinal).Take(4))}{(weights.Length > 4 ? ", ..." : "")}): it "
                        + $"is unclear which of them is the model; name one ({where}/{weights.Order(StringComparer.Ordinal).First()}).");
    }

    private void AddSettings(string prefix) => chosen.UnionWith(names.Where(name =>
        name.StartsWith(prefix, StringComparison.Ordinal) && name[prefix.Length..] is var rest
        && !rest.Contains('/', StringComparison.Ordinal) && Settings.Contains(rest)));

    /// <summary>Adds one set of weights; false where the folder has none at all.</summary>
    /// <param name="prefix">Folder of the network.</param>
    /// <param name="stems">Names of safetensors.</param>
    /// <param name="pickleStems">Names of pickles.</param>
    /// <param name="anyName">Ending of a pickle of any name that is read where it is the only one, or null.</param>
    private async Task<bool> AddWeightsAsync(string prefix, string[] stems, string[] pickleStems, string? anyName = null)
    {
        string[] variants = variant is null ? ["", "." + HalfVariant] : ["." + variant, ""];
        foreach (var (list, ending) in new[] { (stems, "safetensors"), (pickleStems, "bin") })
            foreach (var kind in variants)
                foreach (var stem in list)
                {
                    var (single, index) = ($"{prefix}{stem}{kind}.{ending}", $"{prefix}{stem}.{ending}.index{kind}.json");
                    if (names.Contains(single)) chosen.Add(single);
                    else if (names.Contains(index)) await AddShardsAsync(prefix, index);
                    else continue;
                    var part = prefix.Length == 0 ? where : prefix.TrimEnd('/');
                    variantSeen |= variant is null || kind.Length > 0;
                    otherVariantSeen |= variant is null == kind.Length > 0;
                    if (variant is not null && kind.Length == 0) inFull.Add(part);
                    if (variant is null && kind.Length > 0)
                        notes.Add($"{part}: its {(ending == "bin" ? "weights are" : "safetensors are")} only in {HalfVariant}.");
                    if (ending == "bin") notes.Add($"{part}: only as a pickle, which is read without running anything in it.");
                    return true;
                }

        var others = names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)
            && name.LastIndexOf('/') == prefix.Length - 1 && WeightEndings.Contains(Path.GetExtension(name))).ToArray();
        if (anyName is not null && others.Where(name => name.EndsWith(anyName, StringComparison.OrdinalIgnoreCase)).ToArray() is [var only])
        {
            chosen.Add(only);
            notes.Add($"{only}: only as a pickle, which is read without running anything in it.");
            return true;
        }

        return others.Length == 0 ? false
            : throw new CheckpointNotFoundException($"{where} has weights for {(prefix.Length == 0 ? "its network" : prefix.TrimEnd('/'))} "
                + $"only in forms that are not read here ({string.Join(", ", others.Take(3))}).");
    }

    private async Task AddShardsAsync(string prefix, string index)
    {
        chosen.Add(index);
        var map = (await ReadObjectAsync(index))["weight_map"] as JsonObject
            ?? throw new WeightsException($"{where}/{index} has no weight_map.");
        foreach (var shard in map.Select(pair => pair.Value is JsonValue value && value.TryGetValue<string>(out var name) ? name : "")
            .Distinct(StringComparer.Ordinal))
        {
            // Two parts may share their weights: one then names a file of the other's.
            var path = Normalise(prefix + shard);
            if (!names.Contains(path))
                throw new CheckpointNotFoundException($"{where}: {index} names the shard '{shard}', which is not there.");
            chosen.Add(path);
        }
    }

    /// <summary>A name without <c>..</c>; empty where it would lie outside.</summary>
    private static string Normalise(string path)
    {
        var parts = new List<string>();
        foreach (var part in path.Split('/'))
        {
            if (part != "..") parts.Add(part);
            else if (parts.Count == 0) return "";
            else parts.RemoveAt(parts.Count - 1);
        }

        return string.Join('/', parts);
    }

    private bool HasSafetensors(string[] stems) =>
        stems.Any(stem => names.Contains($"{stem}.safetensors") || names.Contains($"{stem}.safetensors.index.json"));

    private static string ClassOf(JsonObject config) =>
        config["architectures"] is JsonArray { Count: > 0 } list && list[0] is JsonValue value
        && value.TryGetValue<string>(out var name) ? name : "";

    private async Task<JsonObject> ReadObjectAsync(string name)
    {
        try
        {
            return JsonText.ParseNode(await read(name)) as JsonObject
                ?? throw new WeightsException($"{where}/{name} must hold a JSON object.");
        }
        catch (JsonException e)
        {
            throw new WeightsException($"{where}/{name} is not valid JSON: {e.Message}", e);
        }
    }
}
