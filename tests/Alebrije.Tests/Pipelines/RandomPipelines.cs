using System.Text.Json.Nodes;
using Alebrije.Nn;
using Alebrije.Published;
using Alebrije.Tensors;
using Alebrije.Verification;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Tests.Pipelines;

/// <summary>Pipelines of random weights in the published layout, of any size.</summary>
internal static class RandomPipelines
{
    internal const string Schedule = """{ "_class_name": "PNDMScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000, "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null, "clip_sample": false }""";

    /// <summary>Stable Diffusion 1 with a small network: 32 pixels, text encoder of width 32.</summary>
    /// <param name="folder">The folder, made by this.</param>
    /// <param name="inChannels">Channels of the denoiser's input: 4, or 9 for inpainting.</param>
    public static string StableDiffusion(string folder, int inChannels = 4)
    {
        TorchRuntime.Initialize();
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "model_index.json"), $$"""
            { "_class_name": "{{(inChannels == 9 ? "StableDiffusionInpaintPipeline" : "StableDiffusionPipeline")}}", "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
              "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"], "safety_checker": [null, null] }
            """);
        Directory.CreateDirectory(Path.Combine(folder, "scheduler"));
        File.WriteAllText(Path.Combine(folder, "scheduler", "scheduler_config.json"), Schedule);
        Catalog.TestModels.Copy(Path.Combine(AppContext.BaseDirectory, "Fixtures", "clip-tokenizer-sd1"), Path.Combine(folder, "tokenizer"));
        var words = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer", "vocab.json")))!.AsObject().Count;
        Write(folder, "text_encoder", "model.safetensors", "CLIPTextModel", $$"""
            { "architectures": ["CLIPTextModel"], "vocab_size": {{words}}, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 77, "hidden_act": "quick_gelu", "eos_token_id": {{words - 1}} }
            """);
        Write(folder, "unet", "diffusion_pytorch_model.safetensors", "UNet2DConditionModel", $$"""
            { "_class_name": "UNet2DConditionModel", "attention_head_dim": 2, "block_out_channels": [16, 24], "cross_attention_dim": 32, "in_channels": {{inChannels}}, "out_channels": 4, "layers_per_block": 1,
              "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"], "norm_num_groups": 8, "sample_size": 16 }
            """);
        Write(folder, "vae", "diffusion_pytorch_model.safetensors", "AutoencoderKL", """
            { "_class_name": "AutoencoderKL", "block_out_channels": [8, 16], "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"], "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"],
              "in_channels": 3, "out_channels": 3, "latent_channels": 4, "layers_per_block": 1, "norm_num_groups": 4, "sample_size": 32, "scaling_factor": 0.18215 }
            """);
        return folder;
    }

    /// <summary>Writes a component of random weights.</summary>
    internal static void Write(string folder, string component, string file, string className, string config)
    {
        var path = Path.Combine(folder, component);
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "config.json"), config);
        using var scope = NewDisposeScope();
        using var noise = new Noise(component.Length);
        var weights = ComponentCatalog.Names(className, path).ToDictionary(
            shape => shape.Key, shape => shape.Value.Length < 2 && shape.Key.EndsWith("weight", StringComparison.Ordinal) ? ones(shape.Value) : noise.Randn(shape.Value) * 0.1);
        SafeTensorsWriter.Write(Path.Combine(path, file), weights, new Dictionary<string, string> { ["format"] = "pt" });
    }
}
