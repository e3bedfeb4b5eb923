using System.Text.RegularExpressions;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>
/// From OpenAI's names and forms to those of transformers' <c>CLIPModel</c> (convert_clip_original_pytorch_to_hf.py): the same network, as trainers and
/// published folders keep it.
/// </summary>
internal static class OpenClipKeyMap
{
    private static readonly (string Pattern, string Replacement)[] Renames =
    [
        (@"^text\.", ""),
        (@"^visual\.(class_embedding)$", "vision_model.embeddings.$1"),
        (@"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
        (@"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
        (@"^visual\.ln_pre\.", "vision_model.pre_layrnorm."),
        (@"^visual\.ln_post\.", "vision_model.post_layernorm."),
        (@"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
        (@"^visual\.proj$", "visual_projection.weight"),
        (@"^token_embedding\.", "text_model.embeddings.token_embedding."),
        (@"^positional_embedding$", "text_model.embeddings.position_embedding.weight"),
        (@"^ln_final\.", "text_model.final_layer_norm."),
        (@"^transformer\.resblocks\.", "text_model.encoder.layers."),
        (@"^text_projection$", "text_projection.weight"),
        (@"\.ln_([12])\.", ".layer_norm$1."),
        (@"\.mlp\.c_fc\.", ".mlp.fc1."),
        (@"\.mlp\.c_proj\.", ".mlp.fc2."),
        (@"\.attn\.", ".self_attn."),
    ];

    /// <summary>What of a network the other layout has no place for, in a few words; null where it has one for all of it.</summary>
    /// <param name="config">Sizes.</param>
    /// <param name="endToken">Id of the end token that texts are given.</param>
    public static string? Obstacle(OpenClipConfig config, int endToken) =>
        config.SigLip is not null ? "its image tower is timm's (SigLIP)"
        : config.VisionCfg.IsResNet ? "its image tower is a ModifiedResNet"
        : config.VisionCfg.PoolType != "tok" ? "its image tower pools over all patches"
        : config.VisionCfg.AttentionalPool ? "its image tower pools by attention"
        : config.VisionCfg.ActKwargs.ContainsValue("tanh") ? "its image tower approximates GELU"
        : config.VisionCfg.NoLnPre ? "its image tower has no norm before the blocks"
        : config.VisionCfg.ImageSize % config.VisionCfg.PatchSize != 0 ? $"patches of {config.VisionCfg.PatchSize} pixels do not fill pictures of {config.VisionCfg.ImageSize}"
        : config.InitLogitBias is not null ? "its logits have a bias"
        : config.TextCfg.NoCausalMask ? "its text tower sees later tokens"
        : config.TextCfg.ProjType == "none" ? "its texts are not projected"
        : config.TextCfg.ProjBias ? "the projection of its texts has a bias"
        : config.TextCfg.ActKwargs.ContainsValue("tanh") ? "its text tower approximates GELU"
        : config.TextCfg.PoolType == "argmax" || (config.TextCfg.PoolType == "eos" && config.TextCfg.EosId == endToken) ? null
        : $"its texts are read elsewhere than at the end token (pool_type {config.TextCfg.PoolType})";

    /// <summary>The same sizes in transformers' words.</summary>
    /// <param name="config">Sizes without an <see cref="Obstacle"/>.</param>
    /// <param name="endToken">Id of the end token that texts are given.</param>
    public static ClipConfig ConfigOf(OpenClipConfig config, int endToken)
    {
        var text = config.TextCfg;
        return new ClipConfig
        {
            ProjectionDim = config.EmbedDim,
            TextConfig = new ClipTextConfig
            {
                VocabSize = text.VocabSize, HiddenSize = text.Width, IntermediateSize = (int)(text.Width * text.MlpRatio), ProjectionDim = config.EmbedDim, NumHiddenLayers = text.Layers,
                NumAttentionHeads = text.Heads, MaxPositionEmbeddings = text.ContextLength, HiddenAct = config.QuickGelu ? "quick_gelu" : "gelu",
                LayerNormEps = text.NormKwargs.GetValueOrDefault("eps", 1e-5), EosTokenId = endToken,
            },
            VisionConfig = config.VisionSizes!,
        };
    }

    /// <summary>Copies the weights; the scale of a block's branches (LayerScale) is multiplied into the matrices before it.</summary>
    /// <exception cref="WeightsException">A tensor of one network has no place in the other.</exception>
    public static void Copy(OpenClipNetwork from, ClipNetwork to)
    {
        using var quiet = no_grad();
        var targets = to.state_dict();
        var missing = targets.Keys.ToHashSet(StringComparer.Ordinal);
        var scales = new List<(string Layer, Tensor Scale)>();
        foreach (var (name, tensor) in from.state_dict())
        {
            using var scope = NewDisposeScope();
            var renamed = Renames.Aggregate(name, (current, rename) => Regex.Replace(current, rename.Pattern, rename.Replacement, RegexOptions.CultureInvariant));
            if (renamed.EndsWith(".gamma", StringComparison.Ordinal)) scales.Add((renamed.Replace(".ls_1.gamma", ".self_attn.out_proj", StringComparison.Ordinal).Replace(".ls_2.gamma", ".mlp.fc2", StringComparison.Ordinal), tensor));
            else if (renamed.Contains(".in_proj_", StringComparison.Ordinal))
            {
                var parts = tensor.chunk(3);
                for (var i = 0; i < parts.Length; i++) Put(renamed.Replace("in_proj_", $"{"qkv"[i]}_proj.", StringComparison.Ordinal), parts[i]);
            }
            else Put(renamed, renamed.EndsWith("_projection.weight", StringComparison.Ordinal) ? tensor.t() : tensor);
        }

        if (missing.Count > 0) throw new WeightsException($"{missing.First()} and {missing.Count - 1} more tensors have no namesake in OpenAI's names.");
        foreach (var (layer, scale) in scales)
        {
            targets[layer + ".weight"].mul_(scale.unsqueeze(1));
            targets[layer + ".bias"].mul_(scale);
        }

        void Put(string name, Tensor tensor)
        {
            if (!missing.Remove(name)) throw new WeightsException($"{name} has no place in transformers' CLIPModel.");
            targets[name].copy_(name == "logit_scale" ? tensor.reshape(targets[name].shape) : tensor);
        }
    }
}
