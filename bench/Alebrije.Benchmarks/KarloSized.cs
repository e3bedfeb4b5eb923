using System.Diagnostics;
using System.Globalization;
using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Models.UNets;
using Alebrije.Pipelines;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Benchmarks;

/// <summary>
/// A model of Karlo's published sizes with random weights, written in the published layout (13.6 GB, removed afterwards), and one picture by it: the
/// estimate beside what it took. What is drawn is noise; time and memory are those of the real one.
/// </summary>
internal static class KarloSized
{
    private const string CommonUNet = """
        "_class_name": "UNet2DConditionModel", "sample_size": 64, "in_channels": 3, "out_channels": 6, "block_out_channels": [320, 640, 960, 1280], "layers_per_block": 3,
        "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnDownBlock2D"],
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "up_block_types": ["SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
        "attention_head_dim": 64, "cross_attention_dim": 1536, "class_embed_type": "identity", "resnet_time_scale_shift": "scale_shift"
        """;

    private const string CommonUpsampler = """
        "_class_name": "UNet2DModel", "sample_size": 256, "in_channels": 6, "out_channels": 3, "block_out_channels": [320, 640, 960, 1280], "layers_per_block": 3,
        "down_block_types": ["ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D"],
        "up_block_types": ["ResnetUpsampleBlock2D", "ResnetUpsampleBlock2D", "ResnetUpsampleBlock2D", "ResnetUpsampleBlock2D"],
        "add_attention": false, "resnet_time_scale_shift": "scale_shift"
        """;

    private const string Index = """
        { "_class_name": "UnCLIPPipeline", "prior": ["diffusers", "PriorTransformer"], "decoder": ["diffusers", "UNet2DConditionModel"],
          "text_encoder": ["transformers", "CLIPTextModelWithProjection"], "tokenizer": ["transformers", "CLIPTokenizer"],
          "text_proj": ["unclip", "UnCLIPTextProjModel"], "super_res_first": ["diffusers", "UNet2DModel"], "super_res_last": ["diffusers", "UNet2DModel"],
          "prior_scheduler": ["diffusers", "UnCLIPScheduler"], "decoder_scheduler": ["diffusers", "UnCLIPScheduler"], "super_res_scheduler": ["diffusers", "UnCLIPScheduler"] }
        """;

    public static void Run(int steps)
    {
        TorchRuntime.Initialize();
        var folder = Path.Combine(Path.GetTempPath(), "alebrije-karlo-sized");
        try
        {
            Write(folder);
            Draw(folder, steps);
        }
        finally
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
    }

    private static void Draw(string folder, int steps)
    {
        var request = new GenerationRequest { Prompt = "a koala riding a motorcycle", Seed = 1, Steps = steps, PriorSteps = 25 };
        using var pipeline = UnClipPipeline.Load(folder, new UnClipOptions { KeepLoaded = false });
        var estimate = pipeline.Estimate(request);
        foreach (var stage in estimate.Stages) Say($"  {stage.Stage,-18}{stage.Bytes / 1e9,8:F2} GB{stage.Seconds,10:F1} s");
        var clock = Stopwatch.StartNew();
        var result = pipeline.Generate(request);
        var (seconds, bytes) = (clock.Elapsed.TotalSeconds, Process.GetCurrentProcess().PeakWorkingSet64);
        Say($"stages: {string.Join(", ", result.Seconds.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Key} {s.Value:F1} s")))}");
        Say($"time: estimated {estimate.Seconds:F0} s, took {seconds:F0} s ({(estimate.Seconds / seconds) - 1:+0.0%;-0.0%})");
        Say($"peak memory: estimated {estimate.PeakBytes / 1e9:F2} GB, took {bytes / 1e9:F2} GB ({((double)estimate.PeakBytes / bytes) - 1:+0.0%;-0.0%})");
        foreach (var note in result.Notes) Say(note.Sentence);
    }

    private static void Write(string folder)
    {
        var clock = Stopwatch.StartNew();
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "model_index.json"), Index);
        Component(folder, "text_encoder", """{ "_class_name": "CLIPTextModelWithProjection", "hidden_size": 768, "intermediate_size": 3072, "projection_dim": 768, "num_attention_heads": 12, "eos_token_id": 2 }""",
            path => new ClipTextModel(ConfigFile.Read<ClipTextConfig>(path), projects: true), "model.safetensors");
        Component(folder, "prior", """{ "_class_name": "PriorTransformer" }""", path => new PriorTransformer(PriorTransformerConfig.Read(path)));
        Component(folder, "text_proj", """{ "_class_name": "UnCLIPTextProjModel", "clip_embeddings_dim": 768, "clip_extra_context_tokens": 4, "cross_attention_dim": 1536, "time_embed_dim": 1280 }""",
            path => new UnClipTextProjection(ConfigFile.Read<UnClipTextProjectionConfig>(path)));
        Component(folder, "decoder", $"{{ {CommonUNet} }}", path => new UNet2DConditionModel(ConfigFile.Read<UNet2DConditionConfig>(path)));
        foreach (var name in (string[])["super_res_first", "super_res_last"])
            Component(folder, name, $"{{ {CommonUpsampler} }}", path => new UNet2DModel(ConfigFile.Read<UNet2DConfig>(path)));
        Scheduler(folder, "prior_scheduler", """ "variance_type": "fixed_small_log", "prediction_type": "sample", "clip_sample_range": 5.0 """);
        Scheduler(folder, "decoder_scheduler", """ "variance_type": "learned_range", "prediction_type": "epsilon" """);
        Scheduler(folder, "super_res_scheduler", """ "variance_type": "fixed_small_log", "prediction_type": "epsilon" """);

        // Any vocabulary will do: only the length of its rows counts.
        var (source, target) = (Path.Combine(Alebrije.Catalog.ModelCatalog.Create().Find("mini"), "tokenizer"), Directory.CreateDirectory(Path.Combine(folder, "tokenizer")).FullName);
        foreach (var file in Directory.GetFiles(source)) File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        var config = Path.Combine(target, "tokenizer_config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"model_max_length\": 32", "\"model_max_length\": 77", StringComparison.Ordinal));
        var bytes = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
        Say($"written: {bytes / 1e9:F2} GB of random weights in {clock.Elapsed.TotalSeconds:F0} s");
    }

    private static void Component(string folder, string name, string config, Func<string, nn.Module> build, string file = "diffusion_pytorch_model.safetensors")
    {
        var path = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
        File.WriteAllText(Path.Combine(path, "config.json"), config);
        using var scope = NewDisposeScope();
        using var network = build(path);
        SafeTensorsWriter.Write(Path.Combine(path, file), network.state_dict());
    }

    private static void Scheduler(string folder, string name, string values)
    {
        var path = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
        File.WriteAllText(Path.Combine(path, "scheduler_config.json"), $$"""{ "_class_name": "UnCLIPScheduler", "num_train_timesteps": 1000, {{values}} }""");
    }

    private static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    private static void Say(string line) => Console.WriteLine(line);
}
