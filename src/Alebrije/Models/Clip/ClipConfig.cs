using System.Text.Json.Serialization;

namespace Alebrije.Models.Clip;

/// <summary>Sizes of CLIP's text tower as <c>config.json</c> of transformers' <c>CLIPTextModel</c> holds them; defaults are that library's.</summary>
internal sealed record ClipTextConfig
{
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

    /// <summary>2 is what old configs hold: pooling then takes the largest id; any other value is the id that is looked for.</summary>
    public int EosTokenId { get; init; } = 49407;
}

/// <summary>Sizes of CLIP's image tower as <c>config.json</c> of transformers' <c>CLIPVisionModel</c> holds them; defaults are that library's.</summary>
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

    /// <summary>Patches along one side of the picture.</summary>
    [JsonIgnore]
    public int Grid => ImageSize / PatchSize;
}

/// <summary>Both towers and the joint space, as <c>config.json</c> of transformers' <c>CLIPModel</c> holds them.</summary>
internal sealed record ClipConfig
{
    public ClipTextConfig TextConfig { get; init; } = new();
    public ClipVisionConfig VisionConfig { get; init; } = new();
    public int ProjectionDim { get; init; } = 512;

    /// <summary>Logarithm of the scale of the logits at the start: ln(1 / 0.07).</summary>
    public double LogitScaleInitValue { get; init; } = 2.6592;
}
