using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Alebrije.Weights;

namespace Alebrije.Models.Clip;

/// <summary>Sizes of open_clip's image tower (open_clip, model.py, CLIPVisionCfg), with that library's defaults.</summary>
internal sealed record OpenClipVisionConfig
{
    /// <summary>Blocks of a transformer; four values for a ModifiedResNet.</summary>
    [JsonConverter(typeof(OneOrManyConverter<int>))]
    public int[] Layers { get; init; } = [12];

    public int Width { get; init; } = 768;

    /// <summary>Width of one head; the number of heads is the width divided by this.</summary>
    public int HeadWidth { get; init; } = 64;

    public double MlpRatio { get; init; } = 4;
    public int PatchSize { get; init; } = 16;
    public int ImageSize { get; init; } = 224;

    /// <summary>Initial LayerScale of a block's branches, or null: none.</summary>
    public double? LsInitValue { get; init; }

    /// <summary>True if the norm before the blocks is omitted.</summary>
    public bool NoLnPre { get; init; }

    /// <summary>Pooling: <c>tok</c> takes the class token, <c>avg</c> the mean of the patches.</summary>
    public string PoolType { get; init; } = "tok";

    /// <summary>True if the last norm follows pooling.</summary>
    public bool FinalLnAfterPool { get; init; }

    /// <summary>True if learned queries attend to the tokens first; <see cref="PoolType"/> then pools over the queries.</summary>
    public bool AttentionalPool { get; init; }

    /// <summary>Queries of <see cref="AttentionalPool"/>.</summary>
    public int AttnPoolerQueries { get; init; } = 256;

    /// <summary>Heads of <see cref="AttentionalPool"/>.</summary>
    public int AttnPoolerHeads { get; init; } = 8;

    /// <summary><c>learnable</c> or <c>sin_cos_2d</c>: both are stored among the weights.</summary>
    public string PosEmbedType { get; init; } = "learnable";

    /// <summary>Arguments of the norms: <c>eps</c>.</summary>
    public Dictionary<string, double> NormKwargs { get; init; } = [];

    /// <summary>Arguments of the activation: <c>approximate</c>.</summary>
    public Dictionary<string, string> ActKwargs { get; init; } = [];

    /// <summary>Pooling of timm's tower; <c>map</c> for SigLIP.</summary>
    public string TimmPool { get; init; } = "avg";

    /// <summary>Projection after timm's tower; none for SigLIP.</summary>
    public string TimmProj { get; init; } = "linear";

    /// <summary>True for a ModifiedResNet.</summary>
    [JsonIgnore]
    public bool IsResNet => Layers.Length > 1;

    /// <summary>Converts to the tower's <see cref="ClipVisionConfig"/>.</summary>
    /// <param name="features">Width of the joint space.</param>
    /// <param name="quickGelu">True for QuickGELU.</param>
    /// <exception cref="ArgumentException">An option has a value that is not built in; the message names it.</exception>
    public ClipVisionConfig ToClip(int features, bool quickGelu)
    {
        if (IsResNet)
        {
            var residual = new ModifiedResNetConfig(Layers, Width, HeadWidth, ImageSize);
            return new ClipVisionConfig { ProjectionDim = features, ImageSize = ImageSize, ResNet = residual };
        }

        const string tower = "the image tower";
        if (PoolType is not ("tok" or "avg"))
            throw new ArgumentException($"pool_type '{PoolType}' of {tower} is not built in: it must be tok or avg.");
        if (PosEmbedType is not ("learnable" or "sin_cos_2d"))
            throw new ArgumentException($"pos_embed_type '{PosEmbedType}' of {tower} is not built in: it must be learnable or sin_cos_2d.");
        if (HeadWidth < 1)
            throw new ArgumentException($"Heads of {HeadWidth} features (head_width) in {tower} are empty: they must have at least 1.");
        if (AttentionalPool && (AttnPoolerQueries < 1 || AttnPoolerHeads < 1 || features % AttnPoolerHeads != 0))
            throw new ArgumentException($"An attentional pooler of {AttnPoolerQueries} queries (attn_pooler_queries) with {features} "
                + $"features cannot have {AttnPoolerHeads} heads (attn_pooler_heads).");
        return new ClipVisionConfig
        {
            HiddenSize = Width, IntermediateSize = (int)(Width * MlpRatio), ProjectionDim = features,
            NumHiddenLayers = Layers[0], NumAttentionHeads = Width / HeadWidth, ImageSize = ImageSize, PatchSize = PatchSize,
            HiddenAct = OpenClipOptions.Activation(quickGelu, ActKwargs, tower), LayerNormEps = OpenClipOptions.Eps(NormKwargs, tower),
            NoPreNorm = NoLnPre, PoolsMean = PoolType == "avg", NormAfterPooling = FinalLnAfterPool,
            Pooler = AttentionalPool ? new ClipPoolerConfig(AttnPoolerQueries, AttnPoolerHeads) : null,
        };
    }
}

/// <summary>Sizes of open_clip's text tower (open_clip, model.py, CLIPTextCfg), with that library's defaults.</summary>
internal sealed record OpenClipTextConfig
{
    public int ContextLength { get; init; } = 77;
    public int VocabSize { get; init; } = 49408;
    public int Width { get; init; } = 512;
    public int Heads { get; init; } = 8;
    public int Layers { get; init; } = 12;
    public double MlpRatio { get; init; } = 4;

    /// <summary>Initial LayerScale of a block's branches, or null: none.</summary>
    public double? LsInitValue { get; init; }

    public bool NoCausalMask { get; init; }

    /// <summary>Projection: <c>none</c> omits it; any other value is a linear one.</summary>
    public string ProjType { get; init; } = "linear";

    /// <summary>True if the projection is a layer with bias rather than a matrix.</summary>
    public bool ProjBias { get; init; }

    /// <summary>
    /// <c>argmax</c> pools at the largest id, <c>eos</c> at the first <see cref="EosId"/>, <c>last</c> and <c>first</c> at a fixed
    /// position.
    /// </summary>
    public string PoolType { get; init; } = "argmax";

    public int EosId { get; init; } = 2;

    /// <summary>Name of a tokenizer other than CLIP's, or null.</summary>
    public string? HfTokenizerName { get; init; }

    /// <summary>Arguments of the norms: <c>eps</c>.</summary>
    public Dictionary<string, double> NormKwargs { get; init; } = [];

    /// <summary>Arguments of the activation: <c>approximate</c>.</summary>
    public Dictionary<string, string> ActKwargs { get; init; } = [];

    /// <summary>Converts to the tower's <see cref="ClipTextConfig"/>.</summary>
    /// <param name="features">Width of the joint space.</param>
    /// <param name="quickGelu">True for QuickGELU.</param>
    /// <exception cref="ArgumentException">An option has a value that is not built in; the message names it.</exception>
    public ClipTextConfig ToClip(int features, bool quickGelu)
    {
        const string tower = "the text tower";
        var config = new ClipTextConfig
        {
            VocabSize = VocabSize, HiddenSize = Width, IntermediateSize = (int)(Width * MlpRatio), ProjectionDim = features,
            NumHiddenLayers = Layers, NumAttentionHeads = Heads, MaxPositionEmbeddings = ContextLength,
            EosTokenId = PoolType == "argmax" ? 2 : EosId, SeesLaterTokens = NoCausalMask,
            HiddenAct = OpenClipOptions.Activation(quickGelu, ActKwargs, tower), LayerNormEps = OpenClipOptions.Eps(NormKwargs, tower),
            Projection = ProjType == "none" ? TextProjection.None : ProjBias ? TextProjection.WithBias : TextProjection.Matrix,
        };

        // Set only if the id of the end token does not imply it.
        return PoolType switch
        {
            "argmax" => config,
            "eos" => EosId == 2 ? config with { Pooling = TextPooling.EndToken } : config,
            "last" => config with { Pooling = TextPooling.Last },
            "first" => config with { Pooling = TextPooling.First },
            _ => throw new ArgumentException($"pool_type '{PoolType}' of {tower} is not built in: it must be argmax, eos, last or first."),
        };
    }
}

/// <summary>
/// Configuration of a CLIP in open_clip's form (<c>open_clip_config.json</c>, its <c>model_cfg</c>), also for OpenAI's own, whose sizes are
/// inferred from its tensors.
/// </summary>
internal sealed record OpenClipConfig
{
    /// <summary>Name of the file in a published folder.</summary>
    public const string FileName = "open_clip_config.json";

    public int EmbedDim { get; init; } = 512;
    public bool QuickGelu { get; init; }

    /// <summary>True if the text tower's tensors have the prefix <c>text.</c>.</summary>
    public bool CustomText { get; init; }

    /// <summary>True if the scale and the bias of the logits are lists of one number.</summary>
    public bool NonscalarLogitScale { get; init; }

    /// <summary>Initial bias of SigLIP's logits; null: no bias.</summary>
    public double? InitLogitBias { get; init; }

    public OpenClipVisionConfig VisionCfg { get; init; } = new();
    public OpenClipTextConfig TextCfg { get; init; } = new();

    /// <summary>A sentence about an assumption that the files do not confirm, or null.</summary>
    [JsonIgnore]
    public string? Assumption { get; init; }

    /// <summary>The tower of timm in place of <see cref="VisionCfg"/>, or null.</summary>
    [JsonIgnore]
    public SigLipVisionConfig? SigLip { get; init; }

    /// <summary>Converts to the network's configuration.</summary>
    /// <exception cref="ArgumentException">An option has a value that is not built in; the message names it.</exception>
    public ClipConfig ToClip() => new()
    {
        ProjectionDim = EmbedDim, InitLogitBias = InitLogitBias, TextConfig = TextCfg.ToClip(EmbedDim, QuickGelu),
        VisionConfig = SigLip is { } tower ? new ClipVisionConfig { ProjectionDim = EmbedDim, ImageSize = tower.ImageSize, SigLip = tower }
            : VisionCfg.ToClip(EmbedDim, QuickGelu),
    };

    /// <summary>Reads <c>open_clip_config.json</c>, or a file with its <c>model_cfg</c> alone.</summary>
    /// <param name="path">The file, or its folder.</param>
    /// <param name="tower">Sizes of timm's image tower; null: by its name in the config.</param>
    /// <exception cref="WeightsException">The architecture in the config is not built in; the message names it.</exception>
    public static OpenClipConfig Read(string path, SigLipVisionConfig? tower = null)
    {
        if (Directory.Exists(path)) path = Path.Combine(path, FileName);
        var root = ConfigFile.ReadObject(path);
        var wrapped = root["model_cfg"] is JsonObject;
        if (wrapped) root = (JsonObject)root["model_cfg"]!;
        if (root.ContainsKey("vision_layers")) return FromOpenAi(root, path);
        OpenClipOptions.Check(root, path);
        var config = wrapped ? ConfigFile.Read<Wrapper>(path).ModelCfg : ConfigFile.Read<OpenClipConfig>(path);
        if (root["vision_cfg"]?["timm_model_name"]?.GetValue<string>() is not { Length: > 0 } name) return config;
        config = config with { SigLip = tower ?? SigLipVisionConfig.Named(name, config.VisionCfg.ImageSize, path) };
        return config.VisionCfg is { TimmPool: "map", TimmProj: "none" or "" } ? config
            : throw new WeightsException($"{path} sets timm_pool '{config.VisionCfg.TimmPool}' and timm_proj "
                + $"'{config.VisionCfg.TimmProj}' behind timm's image tower, which are not built in: SigLIP's towers have map and none.");
    }

    /// <summary>Infers the sizes of a bare state dictionary with OpenAI's names (openai/CLIP, model.py, build_model).</summary>
    /// <param name="weights">The tensors.</param>
    /// <param name="prefix">Prefix of OpenAI's names.</param>
    /// <param name="origin">Properties that the tensors do not show; null: as in openai/CLIP.</param>
    /// <exception cref="WeightsException">The tensors are not those of a CLIP.</exception>
    public static OpenClipConfig Infer(TensorSource weights, string prefix = "", OpenClipOrigin? origin = null)
    {
        origin ??= OpenClipOrigin.OpenAi;
        var (token, projection) = (Shape(weights, prefix + "token_embedding.weight", 2), Shape(weights, prefix + "text_projection", 2));
        var text = new OpenClipTextConfig
        {
            ContextLength = (int)Shape(weights, prefix + "positional_embedding", 2)[0], VocabSize = (int)token[0], Width = (int)token[1],
            Heads = (int)(token[1] / 64), Layers = Count(weights, prefix + "transformer.resblocks."),
            MlpRatio = MlpRatio(weights, prefix + "transformer."),
        };
        return new OpenClipConfig
        {
            EmbedDim = (int)projection[1], QuickGelu = origin.QuickGelu,
            Assumption = origin.Assumption, TextCfg = text, VisionCfg = InferVision(weights, prefix, origin.HeadWidth),
        };
    }

    private static OpenClipVisionConfig InferVision(TensorSource weights, string prefix, int headWidth)
    {
        var stem = Shape(weights, prefix + "visual.conv1.weight", 4);
        if (weights.Contains(prefix + "visual.proj"))
        {
            var places = Shape(weights, prefix + "visual.positional_embedding", 2)[0];
            var grid = (int)Math.Round(Math.Sqrt(places - 1));
            return new OpenClipVisionConfig
            {
                Width = (int)stem[0], PatchSize = (int)stem[3], ImageSize = grid * (int)stem[3],
                Layers = [Count(weights, prefix + "visual.transformer.resblocks.")],
                HeadWidth = headWidth, MlpRatio = MlpRatio(weights, prefix + "visual.transformer."),
            };
        }

        var side = (int)Math.Round(Math.Sqrt(Shape(weights, prefix + "visual.attnpool.positional_embedding", 2)[0] - 1));
        return new OpenClipVisionConfig
        {
            Width = 2 * (int)stem[0], ImageSize = 32 * side,
            Layers = [.. Enumerable.Range(1, 4).Select(level => Count(weights, $"{prefix}visual.layer{level}."))],
        };
    }

    /// <summary>Ratio whose product with the width, rounded down, is the width of the perceptron.</summary>
    private static double MlpRatio(TensorSource weights, string transformer)
    {
        const string first = "resblocks.0.mlp.c_fc.weight";
        if (!weights.Contains(transformer + first)) return new OpenClipTextConfig().MlpRatio;
        var shape = Shape(weights, transformer + first, 2);
        return shape[0] % shape[1] == 0 ? shape[0] / shape[1] : (shape[0] + 0.5) / shape[1];
    }

    /// <summary>OpenAI's constructor arguments (openai/CLIP, model.py, CLIP).</summary>
    private static OpenClipConfig FromOpenAi(JsonObject root, string path)
    {
        int Number(string key) => root[key] is JsonValue value
            && value.TryGetValue<int>(out var number) ? number : throw new WeightsException($"{path} lacks the number '{key}'.");
        var layers = root["vision_layers"] is JsonArray list ? list.Select(n => n!.GetValue<int>()).ToArray() : [Number("vision_layers")];
        return new OpenClipConfig
        {
            EmbedDim = Number("embed_dim"), QuickGelu = true,
            VisionCfg = new OpenClipVisionConfig
            {
                Layers = layers, Width = Number("vision_width"), ImageSize = Number("image_resolution"),
                PatchSize = layers.Length > 1 ? 16 : Number("vision_patch_size"),
            },
            TextCfg = new OpenClipTextConfig
            {
                ContextLength = Number("context_length"), VocabSize = Number("vocab_size"), Width = Number("transformer_width"),
                Heads = Number("transformer_heads"), Layers = Number("transformer_layers"),
            },
        };
    }

    private static long[] Shape(TensorSource weights, string name, int dimensions)
    {
        if (!weights.Contains(name))
            throw new WeightsException($"{weights.Location} is not a CLIP in OpenAI's names: it has no tensor '{name}'.");
        var shape = weights.Describe(name).Shape;
        return shape.Length == dimensions && shape.All(size => size is > 0 and < 1 << 24) ? shape
            : throw new WeightsException($"{weights.Location} is not a CLIP in OpenAI's names: '{name}' is [{string.Join(", ", shape)}].");
    }

    private static int Count(TensorSource weights, string prefix) =>
        weights.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
        .Select(name => name[prefix.Length..].Split('.')[0]).Distinct(StringComparer.Ordinal).Count();

    private sealed record Wrapper
    {
        public OpenClipConfig ModelCfg { get; init; } = new();
    }
}
