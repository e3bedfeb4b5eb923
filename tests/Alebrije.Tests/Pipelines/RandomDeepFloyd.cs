using System.Text.Json.Nodes;
using Alebrije.Tensors;

namespace Alebrije.Tests.Pipelines;

/// <summary>The three stages of DeepFloyd IF with random weights, in the published layouts: 8, 32 and 128 pixels.</summary>
internal static class RandomDeepFloyd
{
    private const string Blocks = """
        "_class_name": "UNet2DConditionModel", "act_fn": "gelu", "addition_embed_type": "text", "addition_embed_type_num_heads": 2, "attention_head_dim": 8, "block_out_channels": [16, 24],
        "cross_attention_dim": 32, "cross_attention_norm": "group_norm", "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
        "up_block_types": ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"], "mid_block_type": "UNetMidBlock2DSimpleCrossAttn", "encoder_hid_dim": 24, "encoder_hid_dim_type": "text_proj",
        "layers_per_block": 1, "norm_num_groups": 8, "out_channels": 6, "resnet_time_scale_shift": "scale_shift"
        """;

    /// <summary>Writes the stages into the folders <c>if-1</c>, <c>if-2</c> and <c>x4</c>.</summary>
    /// <param name="parent">Their parent.</param>
    /// <returns>Folder of the first stage.</returns>
    public static string Write(string parent)
    {
        TorchRuntime.Initialize();
        First(Path.Combine(parent, "if-1"));
        Second(Path.Combine(parent, "if-2"));
        Third(Path.Combine(parent, "x4"));
        return Path.Combine(parent, "if-1");
    }

    private static void First(string folder)
    {
        Index(folder, """ "_class_name": "IFPipeline", "scheduler": ["diffusers", "DDPMScheduler"], "text_encoder": ["transformers", "T5EncoderModel"], "tokenizer": ["transformers", "T5Tokenizer"], "unet": ["diffusers", "UNet2DConditionModel"] """);
        Scheduler(folder, "scheduler",
            """ "beta_schedule": "squaredcos_cap_v2", "dynamic_thresholding_ratio": 0.95, "sample_max_value": 1.5, "thresholding": true, "variance_type": "learned_range" """);
        Directory.CreateDirectory(Path.Combine(folder, "tokenizer"));
        File.Copy(Path.Combine(AppContext.BaseDirectory, "Fixtures", "unigram-text", "unigram-identity.model"),
            Path.Combine(folder, "tokenizer", "spiece.model"));
        RandomPipelines.Write(folder, "text_encoder", "model.safetensors", "T5EncoderModel", """
            { "architectures": ["T5EncoderModel"], "vocab_size": 4096, "d_model": 24, "d_kv": 8, "d_ff": 40, "num_layers": 2, "num_heads": 2, "feed_forward_proj": "gated-gelu", "is_gated_act": true, "dense_act_fn": "gelu_new" }
            """);
        RandomPipelines.Write(folder, "unet", "diffusion_pytorch_model.safetensors",
            "UNet2DConditionModel", $$"""{ {{Blocks}}, "in_channels": 3, "sample_size": 8 }""");
    }

    private static void Second(string folder)
    {
        Index(folder, """ "_class_name": "IFSuperResolutionPipeline", "scheduler": ["diffusers", "DDPMScheduler"], "image_noising_scheduler": ["diffusers", "DDPMScheduler"], "text_encoder": [null, null], "tokenizer": [null, null], "unet": ["diffusers", "UNet2DConditionModel"] """);
        Scheduler(folder, "scheduler",
            """ "beta_schedule": "squaredcos_cap_v2", "dynamic_thresholding_ratio": 0.95, "thresholding": true, "variance_type": "learned_range" """);
        Scheduler(folder, "image_noising_scheduler", """ "beta_schedule": "squaredcos_cap_v2" """);
        RandomPipelines.Write(folder, "unet", "diffusion_pytorch_model.safetensors", "UNet2DConditionModel", $$"""
            { {{Blocks}}, "in_channels": 6, "sample_size": 32, "class_embed_type": "timestep", "mid_block_scale_factor": 1.41422712, "only_cross_attention": true, "resnet_out_scale_factor": 1.41422712,
              "resnet_skip_time_act": true, "time_embedding_act_fn": "gelu" }
            """);
    }

    private static void Third(string folder)
    {
        Index(folder, """ "_class_name": "StableDiffusionUpscalePipeline", "scheduler": ["diffusers", "DDIMScheduler"], "low_res_scheduler": ["diffusers", "DDPMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"] """);
        File.WriteAllText(
            Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "scheduler")).FullName, "scheduler_config.json"),
            """{ "_class_name": "DDIMScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": false, "prediction_type": "v_prediction", "set_alpha_to_one": false, "steps_offset": 1 }""");
        Scheduler(folder, "low_res_scheduler", """ "beta_schedule": "scaled_linear" """);
        Catalog.TestModels.Copy(Path.Combine(AppContext.BaseDirectory, "Fixtures", "clip-tokenizer-sd1"),
            Path.Combine(folder, "tokenizer"));
        var words = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer", "vocab.json")))!.AsObject().Count;
        RandomPipelines.Write(folder, "text_encoder", "model.safetensors", "CLIPTextModel", $$"""
            { "architectures": ["CLIPTextModel"], "vocab_size": {{words}}, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 77, "hidden_act": "gelu", "eos_token_id": {{words - 1}} }
            """);
        RandomPipelines.Write(folder, "unet", "diffusion_pytorch_model.safetensors", "UNet2DConditionModel", """
            { "_class_name": "UNet2DConditionModel", "attention_head_dim": [2, 4], "block_out_channels": [16, 24], "cross_attention_dim": 32, "in_channels": 7, "out_channels": 4, "layers_per_block": 1, "num_class_embeds": 1000,
              "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"], "norm_num_groups": 8, "only_cross_attention": [true, false], "sample_size": 32, "use_linear_projection": true }
            """);
        RandomPipelines.Write(folder, "vae", "diffusion_pytorch_model.safetensors", "AutoencoderKL", """
            { "_class_name": "AutoencoderKL", "block_out_channels": [4, 8, 8], "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
              "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"], "in_channels": 3, "out_channels": 3, "latent_channels": 4, "layers_per_block": 1, "norm_num_groups": 4, "sample_size": 128, "scaling_factor": 0.08333 }
            """);
    }

    private static void Index(string folder, string entries)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "model_index.json"), $"{{ {entries} }}");
    }

    private static void Scheduler(string folder, string component, string entries)
    {
        Directory.CreateDirectory(Path.Combine(folder, component));
        File.WriteAllText(
            Path.Combine(folder, component, "scheduler_config.json"),
            $$"""{ "_class_name": "DDPMScheduler", "beta_start": 0.0001, "beta_end": 0.02, "num_train_timesteps": 1000, "prediction_type": "epsilon", {{entries}} }""");
    }
}
