using System.Text;
using System.Text.Json.Nodes;
using Alebrije.Diffusion;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Published;
using Alebrije.Weights;
using TorchSharp;

namespace Alebrije.Tests.Fuzzing;

/// <summary>Readers of whole models: networks of changed configurations, schedules, tokenizers, processors, indices of shards.</summary>
internal static class ModelFuzz
{
    private const long Small = 256L << 20;

    /// <summary>Networks whose configurations are changed, by class and fixture.</summary>
    private static readonly (string Class, string Fixture)[] Networks =
    [
        ("CLIPTextModelWithProjection", "clip-hf-text-projection"), ("T5EncoderModel", "t5-v11-encoder-sharded"),
        ("UNet2DConditionModel", "sd1-unet"),
        ("AutoencoderKL", "sd-vae"), ("PriorTransformer", "prior-eclipse"), ("MultilingualCLIP", "mclip-xlmr-fp16"),
    ];

    /// <summary>All of them.</summary>
    /// <param name="fixtures">Folder of the tests' fixtures.</param>
    public static IEnumerable<FuzzTarget> Targets(string fixtures)
    {
        foreach (var (className, fixture) in Networks)
        {
            var folder = Path.Combine(fixtures, fixture, "model");
            yield return new FuzzTarget("network-" + fixture, "config.json", () => [File.ReadAllBytes(Path.Combine(folder, "config.json"))],
                path => Load(className, folder, path), [typeof(WeightsException), typeof(ArgumentException), typeof(NotSupportedException)],
                Small) { Change = ChangedNumber, MostLetters = 4500 };
        }

        yield return new FuzzTarget("scheduler", "scheduler_config.json",
            () => [.. Directory.GetFiles(Path.Combine(fixtures, "schedulers"), "scheduler_config.json", SearchOption.AllDirectories)
                .Order(StringComparer.Ordinal).Select(File.ReadAllBytes)],
            path => Schedule(path), [typeof(WeightsException), typeof(ArgumentException), typeof(NotSupportedException)], Small)
            { Change = ChangedNumber };
        yield return new FuzzTarget("shard-index", "model.safetensors.index.json",
            () => [File.ReadAllBytes(Path.Combine(fixtures, "clip-hf-model-sharded", "model", "model.safetensors.index.json"))],
            path => Shards(Path.Combine(fixtures, "clip-hf-model-sharded", "model"), path), [typeof(WeightsException)], Small);
        yield return new FuzzTarget("processor", "processor_config.json", () => [Processor(224), Processor(64)],
            path => ClipImageProcessor.Load(Path.GetDirectoryName(path)!).Prepare(new RgbImage(20, 30)),
            [typeof(InvalidDataException), typeof(FileNotFoundException), typeof(ArgumentException)], 2L << 30) { Change = ChangedNumber };
        yield return new FuzzTarget("tokenizer-json", "tokenizer.json", () => [Unigram()],
            path => UnigramTokenizer.Load(Path.GetDirectoryName(path)!).Encode("a lion, un león"), [typeof(InvalidDataException),
                typeof(FileNotFoundException)], Small);
    }

    private static void Load(string className, string folder, string config)
    {
        // The weights are linked, only the configuration is another.
        var place = Path.GetDirectoryName(config)!;
        foreach (var file in Directory.GetFiles(folder).Where(file => Path.GetFileName(file) != "config.json"))
            if (Path.Combine(place, Path.GetFileName(file)) is var link && !Path.Exists(link)) File.CreateSymbolicLink(link, file);
        ComponentCatalog.Load<torch.nn.Module>(className, place).Dispose();
    }

    private static void Schedule(string path) => Schedulers.Create(SchedulerConfig.Load(path)).SetTimesteps(5);

    private static void Shards(string folder, string path)
    {
        var place = Path.GetDirectoryName(path)!;
        foreach (var file in Directory.GetFiles(folder, "*.safetensors"))
            if (Path.Combine(place, Path.GetFileName(file)) is var link && !Path.Exists(link)) File.CreateSymbolicLink(link, file);
        using var source = CheckpointFolder.OpenWeights(place);
        foreach (var name in source.Names) source.Read(name).Dispose();
    }

    /// <summary>A JSON file with one number, text or list replaced by another, where it still is JSON.</summary>
    private static byte[]? ChangedNumber(byte[] sound, Random random)
    {
        if (JsonNode.Parse(sound) is not JsonObject root) return null;
        var target = root;
        while (target.Select(pair => pair.Value).OfType<JsonObject>().ToArray() is { Length: > 0 } inner && random.Next(2) == 0)
            target = inner[random.Next(inner.Length)];
        if (target.Count == 0) return null;
        var key = target.ElementAt(random.Next(target.Count)).Key;
        target[key] = random.Next(10) switch
        {
            0 => 0, 1 => -1, 2 => 1_000_000, 3 => int.MaxValue, 4 => 1e300, 5 => JsonValue.Create("x"), 6 => new JsonArray(1, 2, 1_000_000),
            7 => null, 8 => 1500, _ => random.Next(2, 100),
        };
        return Encoding.UTF8.GetBytes(root.ToJsonString());
    }

    private static byte[] Processor(int size) => Encoding.UTF8.GetBytes(
        $$$"""{"image_processor": {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": {{{size}}}}, """
        + $$$""" "crop_size": {{{size}}}}}""");

    private static byte[] Unigram() => Encoding.UTF8.GetBytes("""
        {"added_tokens": [{"id": 0, "content": "<pad>", "special": true}, {"id": 1, "content": "</s>", "special": true},
         {"id": 2, "content": "<unk>", "special": true}], "normalizer": null,
         "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
         "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
         "model": {"type": "Unigram", "unk_id": 2, "vocab": [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁a", -1.5], ["▁lion", -2.0],
          ["l", -3.0], ["i", -3.0], ["o", -3.1], ["n", -3.2], ["▁", -2.2]], "byte_fallback": false}}
        """);
}
