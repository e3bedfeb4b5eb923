using System.Text.Json.Serialization;

namespace Alebrije.Models.Clip;

/// <summary>Token whose state is a text's embedding.</summary>
internal enum TextPooling
{
    /// <summary>The first of id <see cref="ClipTextConfig.EosTokenId"/>.</summary>
    EndToken,

    /// <summary>The first of the largest id in the row.</summary>
    LargestId,

    /// <summary>The first token.</summary>
    First,

    /// <summary>The last token, padding included.</summary>
    Last,
}

/// <summary>Layer from a text tower's width into the joint space.</summary>
internal enum TextProjection
{
    /// <summary>A matrix.</summary>
    Matrix,

    /// <summary>A matrix and a bias.</summary>
    WithBias,

    /// <summary>None: the tower's width is that of the joint space.</summary>
    None,
}

/// <summary>
/// Sizes of CLIP's text tower as in <c>config.json</c> of transformers' <c>CLIPTextModel</c>, with that library's defaults. Members that
/// are not read from the file are options of open_clip without a key in transformers.
/// </summary>
internal sealed record ClipTextConfig
{
    private readonly TextPooling? pooling;

    public int VocabSize { get; init; } = 49408;
    public int HiddenSize { get; init; } = 512;
    public int IntermediateSize { get; init; } = 2048;
    public int ProjectionDim { get; init; } = 512;
    public int NumHiddenLayers { get; init; } = 12;
    public int NumAttentionHeads { get; init; } = 8;
    public int MaxPositionEmbeddings { get; init; } = 77;
    public string HiddenAct { get; init; } = "quick_gelu";
    public double LayerNormEps { get; init; } = 1e-5;
    public int PadTokenId { get; init; } = 1;
    public int BosTokenId { get; init; } = 49406;

    /// <summary>Id of the end token; in old configs 2, which makes pooling take the largest id.</summary>
    public int EosTokenId { get; init; } = 49407;

    /// <summary>Token whose state is a text's embedding; by <see cref="EosTokenId"/> unless set.</summary>
    [JsonIgnore]
    public TextPooling Pooling
    {
        get => pooling ?? (EosTokenId == 2 ? TextPooling.LargestId : TextPooling.EndToken);
        init => pooling = value;
    }

    /// <summary>True if tokens also attend to later ones (no causal mask).</summary>
    [JsonIgnore]
    public bool SeesLaterTokens { get; init; }

    /// <summary>Form of the projection, if any.</summary>
    [JsonIgnore]
    public TextProjection Projection { get; init; }

    /// <summary>Form of the blocks.</summary>
    [JsonIgnore]
    public ClipBlockForm Blocks => new(HiddenSize, IntermediateSize, NumAttentionHeads, HiddenAct, LayerNormEps);
}

/// <summary>Learned queries that attend to all tokens of an image tower (open_clip, attentional_pool).</summary>
/// <param name="Queries">Number of queries.</param>
/// <param name="Heads">Number of heads; they divide the joint space's width.</param>
internal sealed record ClipPoolerConfig(int Queries, int Heads);

/// <summary>
/// Sizes of CLIP's image tower as in <c>config.json</c> of transformers' <c>CLIPVisionModel</c>, with that library's defaults. Members that
/// are not read from the file are options of open_clip without a key in transformers.
/// </summary>
internal sealed record ClipVisionConfig
{
    public int HiddenSize { get; init; } = 768;
    public int IntermediateSize { get; init; } = 3072;
    public int ProjectionDim { get; init; } = 512;
    public int NumHiddenLayers { get; init; } = 12;
    public int NumAttentionHeads { get; init; } = 12;
    public int NumChannels { get; init; } = 3;
    public int ImageSize { get; init; } = 224;
    public int PatchSize { get; init; } = 32;
    public string HiddenAct { get; init; } = "quick_gelu";
    public double LayerNormEps { get; init; } = 1e-5;

    /// <summary>True if the norm before the blocks is omitted.</summary>
    [JsonIgnore]
    public bool NoPreNorm { get; init; }

    /// <summary>True if pooling takes the mean of all tokens except the first, false if it takes the first (the class token).</summary>
    [JsonIgnore]
    public bool PoolsMean { get; init; }

    /// <summary>True if the last norm follows the mean; no effect on pooling of the first token.</summary>
    [JsonIgnore]
    public bool NormAfterPooling { get; init; }

    /// <summary>Attention whose queries replace the tokens before pooling, or null.</summary>
    [JsonIgnore]
    public ClipPoolerConfig? Pooler { get; init; }

    /// <summary>The residual network in place of the vision transformer, or null.</summary>
    [JsonIgnore]
    public ModifiedResNetConfig? ResNet { get; init; }

    /// <summary>SigLIP's tower in place of the vision transformer, or null.</summary>
    [JsonIgnore]
    public SigLipVisionConfig? SigLip { get; init; }

    /// <summary>True for a vision transformer with a class token, to which the other members apply.</summary>
    [JsonIgnore]
    public bool IsTransformer => ResNet is null && SigLip is null;

    /// <summary>Patches along one side of the image; pixels beyond the last whole patch are ignored.</summary>
    [JsonIgnore]
    public int Grid => ImageSize / PatchSize;

    /// <summary>Width of the pooled features.</summary>
    [JsonIgnore]
    public int PooledSize => Pooler is null ? HiddenSize : ProjectionDim;

    /// <summary>Form of the blocks.</summary>
    [JsonIgnore]
    public ClipBlockForm Blocks => new(HiddenSize, IntermediateSize, NumAttentionHeads, HiddenAct, LayerNormEps);
}

/// <summary>Both towers and the joint space, as in <c>config.json</c> of transformers' <c>CLIPModel</c>.</summary>
internal sealed record ClipConfig
{
    public ClipTextConfig TextConfig { get; init; } = new();
    public ClipVisionConfig VisionConfig { get; init; } = new();
    public int ProjectionDim { get; init; } = 512;

    /// <summary>Initial logarithm of the scale of the logits: ln(1 / 0.07).</summary>
    public double LogitScaleInitValue { get; init; } = 2.6592;

    /// <summary>Initial bias of the logits (Zhai et al., 2023); null: no bias.</summary>
    [JsonIgnore]
    public double? InitLogitBias { get; init; }

    /// <summary>Short description of the first part that transformers' <c>CLIPModel</c> cannot represent, or null.</summary>
    /// <param name="endToken">Id of the end token of the texts.</param>
    public string? Obstacle(int endToken) =>
        VisionConfig.SigLip is not null ? "its image tower is timm's (SigLIP)"
        : VisionConfig.ResNet is not null ? "its image tower is a ModifiedResNet"
        : VisionConfig.PoolsMean ? "its image tower pools over all patches"
        : VisionConfig.Pooler is not null ? "its image tower pools by attention"
        : VisionConfig.NoPreNorm ? "its image tower has no norm before the blocks"
        : InitLogitBias is not null ? "its logits have a bias"
        : TextConfig.SeesLaterTokens ? "its text tower attends to later tokens"
        : TextConfig.Projection == TextProjection.None ? "its texts are not projected"
        : TextConfig.Projection == TextProjection.WithBias ? "the projection of its texts has a bias"
        : TextConfig.Pooling == TextPooling.LargestId ? null
        : TextConfig.Pooling == TextPooling.EndToken && TextConfig.EosTokenId == endToken ? null
        : "its texts are read elsewhere than at the end token (pool_type)";
}
