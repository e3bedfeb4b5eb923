using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Alebrije.Weights;

namespace Alebrije.Models.Clip;

/// <summary>
/// Options of open_clip's constructors (open_clip, model.py, CLIPVisionCfg and CLIPTextCfg): those in the config records are read, those
/// without effect on an embedding are ignored, and the others are rejected by name unless they are off.
/// </summary>
internal static class OpenClipOptions
{
    private const string BlockType = "block_type";

    private static readonly Part Model = new("the model", typeof(OpenClipConfig),
        Idle: ["init_logit_scale", "output_dict", "cast_dtype"], Absent: ["multimodal_cfg", "audio_cfg"]);

    private static readonly Part Vision = new("the image tower", typeof(OpenClipVisionConfig),
        Idle: ["patch_dropout", "output_tokens", "timm_model_name", "timm_model_pretrained",
            "timm_proj_bias", "timm_drop", "timm_drop_path"], Blocks);

    private static readonly Part Text = new("the text tower", typeof(OpenClipTextConfig),
        Idle: ["tokenizer_kwargs", "tokenizer_mode", "pad_id", "final_ln_after_pool",
            "output_tokens", "correct_cls_mask", "hf_model_pretrained", "hf_proj_type", "hf_pooler_type", "proj", "pooler_type"],
        ["hf_model_name", "embed_cls", "use_pad_mask", .. Blocks]);

    /// <summary>Options of blocks that differ from OpenAI's (transformer.py, CustomResidualAttentionBlock).</summary>
    private static string[] Blocks => [BlockType, "qk_norm", "scaled_cosine_attn",
        "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc"];

    /// <summary>Checks that every option of a config is read, has no effect, or is off.</summary>
    /// <param name="root">open_clip's <c>model_cfg</c>.</param>
    /// <param name="path">Its file, for messages.</param>
    /// <exception cref="WeightsException">An option is unsupported or unknown; the message names it.</exception>
    public static void Check(JsonObject root, string path)
    {
        Check(root, Model, path);
        if (root["vision_cfg"] is JsonObject vision) Check(vision, Vision, path);
        if (root["text_cfg"] is JsonObject text) Check(text, Text, path);
    }

    /// <summary>Transformers' name of the config's activation, never inferred.</summary>
    /// <param name="quick">True for QuickGELU.</param>
    /// <param name="arguments">Arguments of GELU: <c>approximate</c>.</param>
    /// <param name="tower">Name of the tower in messages.</param>
    /// <exception cref="ArgumentException">An argument is not one of the activation's.</exception>
    public static string Activation(bool quick, Dictionary<string, string> arguments, string tower)
    {
        if (arguments.Any(pair => pair is not { Key: "approximate", Value: "tanh" or "none" }))
            throw new ArgumentException($"The act_kwargs of {tower} may hold approximate (tanh or none) alone.");
        if (quick && arguments.Count > 0)
            throw new ArgumentException(
                $"{char.ToUpperInvariant(tower[0])}{tower[1..]} has act_kwargs, which QuickGELU (quick_gelu) does not take.");
        return quick ? "quick_gelu" : arguments.GetValueOrDefault("approximate") == "tanh" ? "gelu_pytorch_tanh" : "gelu";
    }

    /// <summary>Epsilon of the config's norms.</summary>
    /// <param name="arguments">Arguments of the norms: <c>eps</c>.</param>
    /// <param name="tower">Name of the tower in messages.</param>
    /// <exception cref="ArgumentException">There are other arguments.</exception>
    public static double Eps(Dictionary<string, double> arguments, string tower) =>
        arguments.Keys.All(key => key == "eps") ? arguments.GetValueOrDefault("eps", 1e-5)
        : throw new ArgumentException($"The norm_kwargs of {tower} may hold eps alone.");

    private static void Check(JsonObject options, Part part, string path)
    {
        var read = part.Record.GetProperties().Where(property => property.GetCustomAttribute<JsonIgnoreAttribute>() is null)
            .Select(property => JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name)).ToHashSet(StringComparer.Ordinal);
        foreach (var (key, value) in options)
        {
            if (read.Contains(key) || part.Idle.Contains(key, StringComparer.Ordinal)) continue;
            // The other kind of block is the same network while its options are off.
            if (key == BlockType && value is not null && (Is(value, "default") || Is(value, "custom"))) continue;
            if (!part.Absent.Contains(key, StringComparer.Ordinal))
                throw new WeightsException($"{path} has '{key}' in {part.Name} ({value?.ToJsonString() ?? "null"}), "
                    + $"which is not a supported option of open_clip; leave it out if it changes nothing.");
            if (value is not null && !IsOff(value))
                throw new WeightsException(
                    $"{path} sets '{key}' in {part.Name} of open_clip, an architecture that is not built in ({value.ToJsonString()}).");
        }
    }

    private static bool IsOff(JsonNode value) => Is(value, "") || (value is JsonValue flag && flag.TryGetValue<bool>(out var on) && !on);

    private static bool Is(JsonNode value, string text) => value is JsonValue known
        && known.TryGetValue<string>(out var given) && given == text;

    /// <param name="Name">Name in messages.</param>
    /// <param name="Record">Record of the options that are read.</param>
    /// <param name="Idle">Options without effect on an embedding: of training, of other outputs, of absent parts.</param>
    /// <param name="Absent">Options that are not built in, rejected unless they are off.</param>
    private sealed record Part(string Name, Type Record, string[] Idle, string[] Absent);
}
