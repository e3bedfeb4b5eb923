using System.Text.Json.Serialization;
using Alebrije.Weights;

namespace Alebrije.Models.UNets;

/// <summary>
/// config.json of a <see cref="UNet2DConditionModel"/> (diffusers, models/unets/unet_2d_condition.py). A key that is missing or null has the
/// reference constructor's default, as here. Lists have one value for every level, or a single one for all.
/// </summary>
internal sealed record UNet2DConditionConfig
{
    /// <summary>Side of the pictures it was trained on; the network takes any.</summary>
    [JsonConverter(typeof(OneOrManyConverter<int>))]
    public int[]? SampleSize { get; init; }

    /// <summary>Channels that come in.</summary>
    public int InChannels { get; init; } = 4;

    /// <summary>Channels that come out.</summary>
    public int OutChannels { get; init; } = 4;

    /// <summary>Whether the picture is moved from [0, 1] to [-1, 1] first.</summary>
    public bool CenterInputSample { get; init; }

    /// <summary>Whether the time code has the cosines first.</summary>
    public bool FlipSinToCos { get; init; } = true;

    /// <summary>Taken off the number of the time code's frequencies in the exponent.</summary>
    public double FreqShift { get; init; }

    /// <summary>Kind of every level on the way down.</summary>
    public string[] DownBlockTypes { get; init; } = ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"];

    /// <summary>Kind of the middle.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? MidBlockType { get; init; } = "UNetMidBlock2DCrossAttn";

    /// <summary>Kind of every level on the way up.</summary>
    public string[] UpBlockTypes { get; init; } = ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"];

    /// <summary>Whether a transformer block's first attention looks at the text too.</summary>
    [JsonConverter(typeof(OneOrManyConverter<bool>))]
    public bool[] OnlyCrossAttention { get; init; } = [false];

    /// <summary>Channels of every level, the finest first.</summary>
    public int[] BlockOutChannels { get; init; } = [320, 640, 1280, 1280];

    /// <summary>Residual blocks of a level on the way down; the way up has one more.</summary>
    [JsonConverter(typeof(OneOrManyConverter<int>))]
    public int[] LayersPerBlock { get; init; } = [2];

    /// <summary>Zeros around the picture where it is halved.</summary>
    public int DownsamplePadding { get; init; } = 1;

    /// <summary>The middle's residual sums are divided by this.</summary>
    public double MidBlockScaleFactor { get; init; } = 1;

    /// <summary>Probability that training drops a feature.</summary>
    public double Dropout { get; init; }

    /// <summary>Name of the activation.</summary>
    public string ActFn { get; init; } = "silu";

    /// <summary>Groups of the normalisation.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>Added to the variance in residual blocks.</summary>
    public double NormEps { get; init; } = 1e-5;

    /// <summary>Features of the text encodings, after their projection where there is one.</summary>
    [JsonConverter(typeof(OneOrManyConverter<int>))]
    public int[] CrossAttentionDim { get; init; } = [1280];

    /// <summary>Transformer blocks after a residual block: for all levels, for each, or for each residual block of each.</summary>
    [JsonConverter(typeof(DepthsConverter))]
    public Depths TransformerLayersPerBlock { get; init; } = new([[1]]);

    /// <summary>The same on the way up, from the coarsest level; null: as on the way down.</summary>
    [JsonConverter(typeof(DepthsConverter))]
    public Depths? ReverseTransformerLayersPerBlock { get; init; }

    /// <summary>Features of the text encodings before a projection, or null.</summary>
    public int? EncoderHidDim { get; init; }

    /// <summary>Kind of that projection: text_proj, text_image_proj, image_proj or null.</summary>
    public string? EncoderHidDimType { get; init; }

    /// <summary>
    /// Features of a head in levels that resize in their residual blocks; in the others, in spite of its name, the number of heads (a slip of the
    /// reference's that published configs keep).
    /// </summary>
    [JsonConverter(typeof(OneOrManyConverter<int>))]
    public int[] AttentionHeadDim { get; init; } = [8];

    /// <summary>The number of heads where it is told apart from <see cref="AttentionHeadDim"/>, or null.</summary>
    [JsonConverter(typeof(OneOrManyConverter<int>))]
    public int[]? NumAttentionHeads { get; init; }

    /// <summary>Two texts at once; no published network of the family has it.</summary>
    public bool DualCrossAttention { get; init; }

    /// <summary>Whether a transformer is entered and left by linear layers rather than 1×1 convolutions.</summary>
    public bool UseLinearProjection { get; init; }

    /// <summary>Kind of the class embedding: null (a table, with <see cref="NumClassEmbeds"/>), timestep, identity, projection or simple_projection.</summary>
    public string? ClassEmbedType { get; init; }

    /// <summary>Kind of the further embedding: text, text_image, text_time, image, image_hint or null.</summary>
    public string? AdditionEmbedType { get; init; }

    /// <summary>Heads of the attention that pools the text for the kind "text".</summary>
    public int AdditionEmbedTypeNumHeads { get; init; } = 64;

    /// <summary>Features of the code of one of text_time's numbers.</summary>
    public int? AdditionTimeEmbedDim { get; init; }

    /// <summary>Rows of the class table, or null.</summary>
    public int? NumClassEmbeds { get; init; }

    /// <summary>Whether float16 is left for attention's scores.</summary>
    public bool UpcastAttention { get; init; }

    /// <summary>How time enters residual blocks: default (added) or scale_shift.</summary>
    public string ResnetTimeScaleShift { get; init; } = "default";

    /// <summary>Whether the time embedding enters residual blocks as it is; only in levels that resize in their residual blocks, as in the reference.</summary>
    public bool ResnetSkipTimeAct { get; init; }

    /// <summary>Residual sums are divided by this; only in levels that resize in their residual blocks, as in the reference.</summary>
    public double ResnetOutScaleFactor { get; init; } = 1;

    /// <summary>Kind of the time code: positional.</summary>
    public string TimeEmbeddingType { get; init; } = "positional";

    /// <summary>Features of the time embedding; null: four times the finest level's channels.</summary>
    public int? TimeEmbeddingDim { get; init; }

    /// <summary>Activation of the finished time embedding, or null.</summary>
    public string? TimeEmbeddingActFn { get; init; }

    /// <summary>Second activation inside the time embedding, or null.</summary>
    public string? TimestepPostAct { get; init; }

    /// <summary>Features of a condition added to the time code (guidance-distilled networks), or null.</summary>
    public int? TimeCondProjDim { get; init; }

    /// <summary>Kernel of the first convolution.</summary>
    public int ConvInKernel { get; init; } = 3;

    /// <summary>Kernel of the last convolution.</summary>
    public int ConvOutKernel { get; init; } = 3;

    /// <summary>Features that the class or further embedding is projected from.</summary>
    public int? ProjectionClassEmbeddingsInputDim { get; init; }

    /// <summary>Kind of transformer block: default.</summary>
    public string AttentionType { get; init; } = "default";

    /// <summary>Whether the class embedding stands beside the time embedding instead of being added.</summary>
    public bool ClassEmbeddingsConcat { get; init; }

    /// <summary>Normalisation of the text inside attention: group_norm, layer_norm or null; only in levels that resize in their residual blocks.</summary>
    public string? CrossAttentionNorm { get; init; }

    /// <summary>Whether the middle's positions look at the text alone; null: as the levels, where one value stands for all.</summary>
    public bool? MidBlockOnlyCrossAttention { get; init; }

    /// <summary>Features of the time embedding.</summary>
    [JsonIgnore]
    public int TimeWidth => TimeEmbeddingDim ?? 4 * BlockOutChannels[0];

    /// <summary>Features of the time embedding as levels get it.</summary>
    [JsonIgnore]
    public int BlockTimeWidth => ClassEmbeddingsConcat ? 2 * TimeWidth : TimeWidth;

    /// <summary>The smallest divisor of sides that lets every level halve exactly; other sides work, but round.</summary>
    [JsonIgnore]
    public int Factor => 1 << (BlockOutChannels.Length - 1);
}
