using Alebrije.Pipelines;
using Alebrije.Tensors;

namespace Alebrije.Benchmarks;

/// <summary>
/// One image by a model of Karlo's published sizes with random weights, written in the published layout (7 GB in float16, removed
/// afterwards), with estimated and actual cost. The image is noise; time and memory equal those of the real model.
/// </summary>
internal static class KarloSized
{
    private const string Scheduler = "UnCLIPScheduler";

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
        using var folder = new SizedFolder("karlo-sized", Index);
        folder.Network("text_encoder", "CLIPTextModelWithProjection",
            """{ "_class_name": "CLIPTextModelWithProjection", "hidden_size": 768, "intermediate_size": 3072, "projection_dim": 768, "num_attention_heads": 12, "eos_token_id": 2 }""");
        folder.Network("prior", "PriorTransformer", """{ "_class_name": "PriorTransformer" }""");
        folder.Network("text_proj", "UnCLIPTextProjModel",
            """{ "_class_name": "UnCLIPTextProjModel", "clip_embeddings_dim": 768, "clip_extra_context_tokens": 4, "cross_attention_dim": 1536, "time_embed_dim": 1280 }""");
        folder.Network("decoder", "UNet2DConditionModel", $"{{ {CommonUNet} }}");
        foreach (var name in (string[])["super_res_first", "super_res_last"])
            folder.Network(name, "UNet2DModel", $"{{ {CommonUpsampler} }}");
        folder.Scheduler("prior_scheduler", Scheduler,
            """ "variance_type": "fixed_small_log", "prediction_type": "sample", "clip_sample_range": 5.0 """);
        folder.Scheduler("decoder_scheduler", Scheduler, """ "variance_type": "learned_range", "prediction_type": "epsilon" """);
        folder.Scheduler("super_res_scheduler", Scheduler, """ "variance_type": "fixed_small_log", "prediction_type": "epsilon" """);
        folder.Tokenizer("tokenizer");
        folder.Draw(new GenerationRequest { Prompt = "a koala riding a motorcycle", Seed = 1, Steps = steps, PriorSteps = 25 });
    }
}
