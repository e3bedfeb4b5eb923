using System.Text.Json.Nodes;
using Alebrije.Nn;
using Alebrije.Preprocessing.Tokenizers;
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
    internal const string Schedule =
        """{ "_class_name": "PNDMScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000, "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null, "clip_sample": false }""";

    /// <summary>Stable Diffusion 1 with a small network: 32 pixels, text encoder of width 32.</summary>
    /// <param name="folder">The folder, created here.</param>
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
        Catalog.TestModels.Copy(Path.Combine(AppContext.BaseDirectory, "Fixtures", "clip-tokenizer-sd1"),
            Path.Combine(folder, "tokenizer"));
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

    /// <summary>
    /// A small network of one of the kinds that were also published as one file, with CLIP's vocabulary and the published heads, groups,
    /// samplers and scales.
    /// </summary>
    /// <param name="folder">The folder, created here.</param>
    /// <param name="kind">The kind.</param>
    /// <param name="inChannels">Channels of the denoiser's input: 4, 9 for inpainting, 7 for the upscaler.</param>
    /// <param name="isVelocity">True for Stable Diffusion 2 with velocity prediction.</param>
    public static string Published(string folder, SingleFileKind kind, int inChannels = 4, bool isVelocity = false)
    {
        TorchRuntime.Initialize();
        Directory.CreateDirectory(folder);
        var (isXl, isUpscaler) = (kind == SingleFileKind.Xl, kind == SingleFileKind.Upscaler);
        var sampler = isXl ? "EulerDiscreteScheduler" : isVelocity || isUpscaler ? "DDIMScheduler" : "PNDMScheduler";
        var betas = isUpscaler ? (0.0001, 0.02) : (0.00085, 0.012);
        var index = new JsonObject
        {
            ["_class_name"] = (kind, inChannels) switch
            {
                (SingleFileKind.Upscaler, _) => "StableDiffusionUpscalePipeline",
                (SingleFileKind.Xl, 9) => "StableDiffusionXLInpaintPipeline",
                (SingleFileKind.Xl, _) => "StableDiffusionXLPipeline",
                (_, 9) => "StableDiffusionInpaintPipeline",
                _ => "StableDiffusionPipeline",
            },
            ["unet"] = new JsonArray("diffusers", "UNet2DConditionModel"), ["vae"] = new JsonArray("diffusers", "AutoencoderKL"),
            ["text_encoder"] = new JsonArray("transformers", "CLIPTextModel"),
                ["tokenizer"] = new JsonArray("transformers", "CLIPTokenizer"),
            ["scheduler"] = new JsonArray("diffusers", sampler),
        };
        if (isXl)
        {
            (index["text_encoder_2"], index["tokenizer_2"]) = (new JsonArray("transformers", "CLIPTextModelWithProjection"),
                new JsonArray("transformers", "CLIPTokenizer"));
            index["force_zeros_for_empty_prompt"] = true;
        }

        Schedule("scheduler", new JsonObject
        {
            ["_class_name"] = sampler, ["beta_start"] = betas.Item1, ["beta_end"] = betas.Item2,
                ["beta_schedule"] = "scaled_linear", ["num_train_timesteps"] = 1000,
            ["steps_offset"] = 1, ["timestep_spacing"] = "leading",
                ["prediction_type"] = isVelocity || isUpscaler ? "v_prediction" : "epsilon",
        });
        if (isUpscaler)
        {
            index["low_res_scheduler"] = new JsonArray("diffusers", "DDPMScheduler");
            Schedule("low_res_scheduler", new JsonObject
            {
                ["_class_name"] = "DDPMScheduler", ["beta_start"] = 0.0001, ["beta_end"] = 0.02,
                    ["beta_schedule"] = "scaled_linear", ["num_train_timesteps"] = 1000,
                ["clip_sample"] = true,
            });
        }

        File.WriteAllText(Path.Combine(folder, "model_index.json"), index.ToJsonString());
        var isFirst = kind == SingleFileKind.One || isXl;
        Text("text_encoder", "CLIPTextModel", 64, isFirst ? "quick_gelu" : "gelu", isFirst ? "<|endoftext|>" : "!");
        if (isXl) Text("text_encoder_2", "CLIPTextModelWithProjection", 128, "gelu", "!");
        var specific = kind switch
        {
            SingleFileKind.One => """
                "block_out_channels": [32, 32, 64], "attention_head_dim": 8, "cross_attention_dim": 64,
                "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
                """,
            SingleFileKind.Xl => """
                "block_out_channels": [64, 64, 128], "attention_head_dim": [1, 1, 2], "cross_attention_dim": 192, "transformer_layers_per_block": [1, 1, 2],
                "addition_embed_type": "text_time", "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 1664, "use_linear_projection": true,
                "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"], "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
                """,
            SingleFileKind.Upscaler => """
                "block_out_channels": [32, 32, 64], "attention_head_dim": 8, "cross_attention_dim": 64, "num_class_embeds": 1000, "use_linear_projection": true,
                "only_cross_attention": [true, true, false],
                "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"], "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
                """,
            _ => """
                "block_out_channels": [64, 128], "attention_head_dim": [1, 2], "cross_attention_dim": 64, "use_linear_projection": true,
                "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
                """,
        };
        Write(folder, "unet", "diffusion_pytorch_model.safetensors", "UNet2DConditionModel", $$"""
            { "_class_name": "UNet2DConditionModel", {{specific}} "layers_per_block": {{(kind == SingleFileKind.Two ? 2 : 1)}}, "in_channels": {{inChannels}}, "sample_size": 64 }
            """);
        Write(folder, "vae", "diffusion_pytorch_model.safetensors", "AutoencoderKL", $$"""
            { "_class_name": "AutoencoderKL", "block_out_channels": [32, 64], "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
              "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"], "scaling_factor": {{(isXl ? "0.13025" : isUpscaler ? "0.08333" : "0.18215")}} }
            """);
        return folder;

        void Schedule(string component, JsonObject config)
        {
            if (config["_class_name"]!.GetValue<string>() is "PNDMScheduler") config["skip_prk_steps"] = true;
            if (config["_class_name"]!.GetValue<string>() is "PNDMScheduler" or "DDIMScheduler")
                (config["set_alpha_to_one"], config["clip_sample"]) = (false, false);
            Directory.CreateDirectory(Path.Combine(folder, component));
            File.WriteAllText(Path.Combine(folder, component, "scheduler_config.json"), config.ToJsonString());
        }

        void Text(string component, string className, int width, string activation, string padding)
        {
            BpeVocabulary.OpenAi().Save(Path.Combine(folder, component.Replace("text_encoder", "tokenizer", StringComparison.Ordinal)),
                padToken: padding);
            Write(folder, component, "model.safetensors", className, $$"""
                { "architectures": ["{{className}}"], "vocab_size": 49408, "hidden_size": {{width}}, "intermediate_size": {{2 * width}}, "num_hidden_layers": 2,
                  "num_attention_heads": {{width / 64}}, "projection_dim": {{width}}, "hidden_act": "{{activation}}", "eos_token_id": 2 }
                """);
        }
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
            shape => shape.Key, shape => shape.Value.Length < 2
            && shape.Key.EndsWith("weight", StringComparison.Ordinal) ? ones(shape.Value) : noise.Randn(shape.Value) * 0.1);
        SafeTensorsWriter.Write(Path.Combine(path, file), weights, new Dictionary<string, string> { ["format"] = "pt" });
    }
}
