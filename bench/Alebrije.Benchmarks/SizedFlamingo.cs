using System.Diagnostics;
using System.Globalization;
using Alebrije.Evaluation;
using Alebrije.Models.Flamingo;
using Alebrije.Pipelines.Flamingo;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Published;
using Alebrije.Tensors;

namespace Alebrije.Benchmarks;

/// <summary>
/// A Flamingo of OpenFlamingo 3B's size with random weights: peak memory of a caption, and speed with and without the cache.
/// </summary>
internal static class SizedFlamingo
{
    private const string Flamingo = """{ "cross_attn_every_n_layers": 1, "patch_norm": false }""";

    /// <summary>Configuration of mpt-1b-redpajama-200b, with the tokens that OpenFlamingo adds.</summary>
    private const string Language = """
        { "model_type": "mosaic_gpt", "d_model": 2048, "n_heads": 16, "n_layers": 24, "mlp_ratio": 4, "vocab_size": 50280,
          "max_seq_len": 2048, "alibi": true, "attn_qk_ln": true, "no_bias": true }
        """;

    /// <summary>Image tower of ViT-L/14.</summary>
    private const string Vision = """
        { "architectures": ["CLIPVisionModelWithProjection"], "model_type": "clip_vision_model", "hidden_size": 1024,
          "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16, "image_size": 224, "patch_size": 14,
          "projection_dim": 768, "hidden_act": "quick_gelu" }
        """;

    private const string Preparation = """
        { "do_resize": true, "size": { "shortest_edge": 224 }, "resample": 3, "do_center_crop": true,
          "crop_size": { "height": 224, "width": 224 }, "do_normalize": true, "do_convert_rgb": true, "image_mean": [0.48145466, 0.4578275, 0.40821073],
          "image_std": [0.26862954, 0.26130258, 0.27577711] }
        """;

    /// <summary>Writes the folder, captions one image, and measures <paramref name="rounds"/> rounds of 128 tokens in both ways.</summary>
    public static void Run(int rounds)
    {
        TorchRuntime.Initialize();
        using var folder = new SizedFolder("flamingo-3b-sized", "{}");
        File.WriteAllText(Path.Combine(folder.Path, FlamingoConfig.FileName), Flamingo);
        folder.Network("vision", "CLIPVisionModelWithProjection", Vision);
        File.WriteAllText(Path.Combine(folder.Path, "vision", "preprocessor_config.json"), Preparation);
        var language = Directory.CreateDirectory(Path.Combine(folder.Path, "language")).FullName;
        File.WriteAllText(Path.Combine(language, "config.json"), Language);
        // Only the length of a text affects time: mini-flamingo's own vocabulary serves; ids beyond it have no text.
        File.Copy(Path.Combine(Catalog.ModelCatalog.Create().Find("mini-flamingo"), "language", "tokenizer.json"),
            Path.Combine(language, "tokenizer.json"), overwrite: true);
        var names = ComponentCatalog.Names(() => new FlamingoNetwork(
            new FlamingoConfig { CrossAttnEveryNLayers = 1 }, LanguageConfig.Read(language), mediaWidth: 1024) { MediaToken = 0 });
        SizedFolder.Weights(language, "model", names.Where(name => !FlamingoNetwork.IsTrained(name.Key))
            .Select(name => KeyValuePair.Create(name.Key[FlamingoNetwork.LanguagePrefix.Length..], name.Value)));
        SizedFolder.Weights(
            folder.Path, "checkpoint", names.Where(name => FlamingoNetwork.IsTrained(name.Key)), mostNumbers: long.MaxValue);
        folder.SayWritten();

        var image = new RgbImage(224, 224, [.. Enumerable.Range(0, 224 * 224 * 3).Select(i => (byte)(i * 7))]);
        PeakMemory.Reset();
        var clock = Stopwatch.StartNew();
        using (var model = FlamingoPipeline.Load(folder.Path))
        {
            var loaded = clock.Elapsed.TotalSeconds;
            var answer = model.Generate(FlamingoPrompt.Caption(image), new FlamingoOptions { StopsAtEnd = false });
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"caption of {answer.Tokens.Count} tokens, 3 beams: loaded in ")
                + string.Create(CultureInfo.InvariantCulture, $"{loaded:F1} s, {clock.Elapsed.TotalSeconds:F1} s in all, ")
                + string.Create(CultureInfo.InvariantCulture, $"peak memory {PeakMemory.Bytes() / 1e9:F2} GB"));
        }

        // Random weights leave the best tokens so close to each other that the rounding of bfloat16 decides between them.
        Measure("", rounds, (FlamingoBenchmark.Tokens, 0), Precision.Auto);
        Measure("after 4 examples, ", rounds, (FlamingoBenchmark.Tokens, 4), Precision.Auto);
        Measure("float32, ", rounds: 1, (32, 0), Precision.Fp32);

        void Measure(string what, int rounds, (int Tokens, int Shots) sizes, Precision precision)
        {
            var result = FlamingoBenchmark.Run(folder.Path, rounds, sizes, precision, Console.Error.WriteLine, CancellationToken.None);
            Console.WriteLine($"{what}{result.Tokens} tokens: "
                + string.Create(CultureInfo.InvariantCulture, $"{result.Cached:F2} tokens a second with the cache, ")
                + string.Create(CultureInfo.InvariantCulture, $"{result.Plain:F2} without, x {result.Ratio:F2}; ")
                + (result.Same ? "the same tokens" : "other tokens"));
        }
    }
}
