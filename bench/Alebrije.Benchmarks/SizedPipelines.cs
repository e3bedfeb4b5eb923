using System.Diagnostics;
using System.Globalization;
using Alebrije.Models.Autoencoders;
using Alebrije.Pipelines;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Benchmarks;

/// <summary>
/// Models of the published sizes of Stable Diffusion 1.5, SDXL and DeepFloyd IF's first stage (M), with random weights: one image by
/// each, with estimated and actual cost. The images are noise; time and memory equal those of the real models.
/// </summary>
internal static class SizedPipelines
{
    /// <summary>Denoiser of Stable Diffusion 1.5, 860 million parameters.</summary>
    public const string Sd15UNet = """
        { "_class_name": "UNet2DConditionModel", "attention_head_dim": 8, "block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 768, "in_channels": 4, "out_channels": 4, "layers_per_block": 2,
          "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
          "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"], "sample_size": 64 }
        """;

    private const string XlUNet = """
        { "_class_name": "UNet2DConditionModel", "addition_embed_type": "text_time", "addition_time_embed_dim": 256, "attention_head_dim": [5, 10, 20], "block_out_channels": [320, 640, 1280],
          "cross_attention_dim": 2048, "in_channels": 4, "out_channels": 4, "layers_per_block": 2, "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
          "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], "projection_class_embeddings_input_dim": 2816, "sample_size": 128,
          "transformer_layers_per_block": [1, 2, 10], "use_linear_projection": true }
        """;

    private const string IfUNet = """
        { "_class_name": "UNet2DConditionModel", "act_fn": "gelu", "addition_embed_type": "text", "addition_embed_type_num_heads": 64, "attention_head_dim": 64, "block_out_channels": [192, 384, 576, 768],
          "cross_attention_dim": 768, "cross_attention_norm": "group_norm", "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnDownBlock2D"],
          "up_block_types": ["SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"], "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
          "encoder_hid_dim": 4096, "encoder_hid_dim_type": "text_proj", "in_channels": 3, "out_channels": 6, "layers_per_block": 3, "resnet_time_scale_shift": "scale_shift", "sample_size": 64 }
        """;

    private const string Latents =
        """ "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": false, "set_alpha_to_one": false, "steps_offset": 1 """;

    private const string Vae = """
        { "_class_name": "AutoencoderKL", "block_out_channels": [128, 256, 512, 512], "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
          "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"], "in_channels": 3, "out_channels": 3, "latent_channels": 4, "layers_per_block": 2,
          "sample_size": SIDE, "scaling_factor": 0.18215 }
        """;

    /// <summary>The autoencoder of Stable Diffusion, random weights, one image of 512 times <paramref name="scale"/> pixels.</summary>
    public static void Decode(int scale)
    {
        TorchRuntime.Initialize();
        using var inference = inference_mode();
        using var network = new AutoencoderKL(ConfigFile.Overlay(new AutoencoderKLConfig(),
            ConfigFile.ParseObject(Vae.Replace("SIDE", "512", StringComparison.Ordinal), nameof(Vae)), nameof(Vae)));
        using var latents = randn(1, 4, 64 * scale, 64 * scale);
        PeakMemory.Reset();
        var (clock, before) = (Stopwatch.StartNew(), PeakMemory.Bytes());
        using var image = network.Decode(latents);
        var width = 256L * 512 * scale * 512 * scale * sizeof(float);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{image.shape[3]} pixels: {clock.Elapsed.TotalSeconds:F1} s, ")
            + string.Create(CultureInfo.InvariantCulture,
                $"{(PeakMemory.Bytes() - before) / 1e9:F2} GB, {(double)(PeakMemory.Bytes() - before) / width:F1} of the widest map"));
    }

    /// <summary>Stable Diffusion 1.5, 512 pixels.</summary>
    public static void Sd15(int steps)
    {
        TorchRuntime.Initialize();
        using var folder = new SizedFolder("sd15-sized", Index("StableDiffusionPipeline", "CLIPTextModel"));
        folder.Tokenizer("tokenizer");
        folder.Network("text_encoder", "CLIPTextModel", Text(768, 3072, 12, 12, "quick_gelu"));
        folder.Network("unet", "UNet2DConditionModel", Sd15UNet);
        folder.Network("vae", "AutoencoderKL", Vae.Replace("SIDE", "512", StringComparison.Ordinal));
        folder.Scheduler("scheduler", "DDIMScheduler", Latents);
        folder.Draw(Request(steps));
    }

    /// <summary>SDXL, 1024 pixels.</summary>
    public static void Sdxl(int steps)
    {
        TorchRuntime.Initialize();
        using var folder = new SizedFolder("sdxl-sized", Index(
            "StableDiffusionXLPipeline", "CLIPTextModel",
            """ "tokenizer_2": ["transformers", "CLIPTokenizer"], "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"], "force_zeros_for_empty_prompt": true, """));
        foreach (var name in (string[])["tokenizer", "tokenizer_2"]) folder.Tokenizer(name);
        folder.Network("text_encoder", "CLIPTextModel", Text(768, 3072, 12, 12, "quick_gelu"));
        folder.Network("text_encoder_2", "CLIPTextModelWithProjection", Text(1280, 5120, 32, 20, "gelu"));
        folder.Network("unet", "UNet2DConditionModel", XlUNet);
        folder.Network("vae", "AutoencoderKL", Vae.Replace("SIDE", "1024", StringComparison.Ordinal));
        folder.Scheduler("scheduler", "EulerDiscreteScheduler",
            """ "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1 """);
        folder.Draw(Request(steps));
    }

    /// <summary>DeepFloyd IF's first stage of size M with T5 v1.1 XXL, 64 pixels.</summary>
    public static void DeepFloyd(int steps)
    {
        TorchRuntime.Initialize();
        using var folder = new SizedFolder("if-sized", """
            { "_class_name": "IFPipeline", "scheduler": ["diffusers", "DDPMScheduler"], "text_encoder": ["transformers", "T5EncoderModel"], "tokenizer": ["transformers", "T5Tokenizer"], "unet": ["diffusers", "UNet2DConditionModel"] }
            """);
        var tokenizer = Directory.CreateDirectory(Path.Combine(folder.Path, "tokenizer")).FullName;
        File.Copy(Path.Combine("tests", "Alebrije.Tests", "Fixtures", "unigram-text", "unigram-identity.model"),
            Path.Combine(tokenizer, "spiece.model"), overwrite: true);
        folder.Network("text_encoder", "T5EncoderModel", """
            { "architectures": ["T5EncoderModel"], "vocab_size": 32128, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64, "feed_forward_proj": "gated-gelu", "is_gated_act": true, "dense_act_fn": "gelu_new" }
            """);
        folder.Network("unet", "UNet2DConditionModel", IfUNet);
        folder.Scheduler("scheduler", "DDPMScheduler",
            """ "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "squaredcos_cap_v2", "thresholding": true, "sample_max_value": 1.5, "dynamic_thresholding_ratio": 0.95, "variance_type": "learned_range" """);
        folder.Draw(Request(steps));
    }

    private static GenerationRequest Request(int steps) => new() { Prompt = "a koala riding a motorcycle", Seed = 1, Steps = steps };

    private static string Index(string className, string encoder, string more = "") => $$"""
        { "_class_name": "{{className}}", {{more}} "scheduler": ["diffusers", "DDIMScheduler"], "text_encoder": ["transformers", "{{encoder}}"], "tokenizer": ["transformers", "CLIPTokenizer"],
          "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"] }
        """;

    private static string Text(int width, int inner, int layers, int heads, string activation) => $$"""
        { "hidden_size": {{width}}, "intermediate_size": {{inner}}, "num_hidden_layers": {{layers}}, "num_attention_heads": {{heads}}, "projection_dim": {{width}}, "hidden_act": "{{activation}}", "eos_token_id": 2 }
        """;
}
