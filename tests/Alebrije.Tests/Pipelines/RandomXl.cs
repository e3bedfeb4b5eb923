using System.Text.Json.Nodes;
using Alebrije.Tensors;

namespace Alebrije.Tests.Pipelines;

/// <summary>Stable Diffusion XL with small networks of random weights: 32 pixels, text encoders of widths 32 and 24.</summary>
internal static class RandomXl
{
    private const string Model = "diffusion_pytorch_model.safetensors";

    /// <param name="folder">The folder, created here.</param>
    public static string Make(string folder)
    {
        TorchRuntime.Initialize();
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "model_index.json"), """
            { "_class_name": "StableDiffusionXLPipeline", "force_zeros_for_empty_prompt": true, "scheduler": ["diffusers", "PNDMScheduler"],
              "text_encoder": ["transformers", "CLIPTextModel"], "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
              "tokenizer": ["transformers", "CLIPTokenizer"], "tokenizer_2": ["transformers", "CLIPTokenizer"],
              "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"] }
            """);
        Directory.CreateDirectory(Path.Combine(folder, "scheduler"));
        File.WriteAllText(Path.Combine(folder, "scheduler", "scheduler_config.json"), RandomPipelines.Schedule);
        foreach (var name in new[] { "tokenizer", "tokenizer_2" })
            Catalog.TestModels.Copy(Path.Combine(AppContext.BaseDirectory, "Fixtures", "clip-tokenizer-sd1"), Path.Combine(folder, name));
        var words = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "tokenizer", "vocab.json")))!.AsObject().Count;
        RandomPipelines.Write(folder, "text_encoder", "model.safetensors", "CLIPTextModel", Text(words, 32, words - 1));
        RandomPipelines.Write(folder, "text_encoder_2", "model.safetensors", "CLIPTextModelWithProjection", Text(words, 24, 2));
        RandomPipelines.Write(folder, "unet", Model, "UNet2DConditionModel", """
            { "_class_name": "UNet2DConditionModel", "attention_head_dim": 2, "block_out_channels": [16, 24], "cross_attention_dim": 56,
              "in_channels": 4, "out_channels": 4, "layers_per_block": 2, "use_linear_projection": true, "addition_embed_type": "text_time",
              "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 72, "transformer_layers_per_block": [1, 2],
              "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"], "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
              "norm_num_groups": 8, "sample_size": 16 }
            """);
        RandomPipelines.Write(folder, "vae", Model, "AutoencoderKL", """
            { "_class_name": "AutoencoderKL", "block_out_channels": [8, 16],
              "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
              "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"], "in_channels": 3, "out_channels": 3, "latent_channels": 4,
              "layers_per_block": 1, "norm_num_groups": 4, "sample_size": 32, "scaling_factor": 0.13025 }
            """);
        return folder;
    }

    private static string Text(int words, int width, int end) => $$"""
        { "vocab_size": {{words}}, "hidden_size": {{width}}, "intermediate_size": {{2 * width}}, "num_hidden_layers": 2,
          "num_attention_heads": 4, "max_position_embeddings": 77, "projection_dim": {{width}},
          "hidden_act": "gelu", "eos_token_id": {{end}} }
        """;
}
