using System.Text.Json.Serialization;
using Alebrije.Weights;

namespace Alebrije.Models.UNets;

/// <summary>
/// config.json of a <see cref="UNet2DConditionModel"/> (diffusers, models/unets/unet_2d_condition.py). A missing or null key has the
/// reference constructor's default. Lists have one value per level, or a single one for all.
/// </summary>
internal sealed record UNet2DConditionConfig
{
    /// <summary>Side of the training samples; the network accepts any.</summary>
    [JsonConverter(typeof(OneOrManyConverter<int>))]
    public int[]? SampleSize { get; init; }

    /// <summary>Input channels.</summary>
    public int InChannels { get; init; } = 4;

    /// <summary>Output channels.</summary>
    public int OutChannels { get; init; } = 4;

    /// <summary>True if the sample is first mapped from [0, 1] to [-1, 1].</summary>
    public bool CenterInputSample { get; init; }

    /// <summary>True if the timestep embedding has the cosines first.</summary>
    public bool FlipSinToCos { get; init; } = true;

    /// <summary>Subtracted from the number of frequencies in the exponent of the timestep embedding.</summary>
    public double FreqShift { get; init; }

    /// <summary>Block type of each level of the down path.</summary>
    public string[] DownBlockTypes { get; init; } = ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"];

    /// <summary>Block type of the middle.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? MidBlockType { get; init; } = "UNetMidBlock2DCrossAttn";

    /// <summary>Block type of each level of the up path.</summary>
    public string[] UpBlockTypes { get; init; } = ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"];

    /// <summary>True if the first attention of a transformer block, like the second, attends to the text.</summary>
    [JsonConverter(typeof(OneOrManyConverter<bool>))]
    public bool[] OnlyCrossAttention { get; init; } = [false];

    /// <summary>Channels of each level, the finest first.</summary>
    public int[] BlockOutChannels { get; init; } = [320, 640, 1280, 1280];

    /// <summary>Residual blocks of a level of the down path; the up path has one more.</summary>
    [JsonConverter(typeof(OneOrManyConverter<int>))]
    public int[] LayersPerBlock { get; init; } = [2];

    /// <summary>Zero padding of the downsampling convolution.</summary>
    public int DownsamplePadding { get; init; } = 1;

    /// <summary>Divisor of the middle's residual sums.</summary>
    public double MidBlockScaleFactor { get; init; } = 1;

    /// <summary>Dropout probability.</summary>
    public double Dropout { get; init; }

    /// <summary>Name of the activation.</summary>
    public string ActFn { get; init; } = "silu";

    /// <summary>Groups of the normalisation.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>Epsilon of the variance in residual blocks.</summary>
    public double NormEps { get; init; } = 1e-5;

    /// <summary>Width of the text encodings, after their projection if there is one.</summary>
    [JsonConverter(typeof(OneOrManyConverter<int>))]
    public int[] CrossAttentionDim { get; init; } = [1280];

    /// <summary>Transformer blocks after a residual block: for all levels, per level, or per residual block of each level.</summary>
    [JsonConverter(typeof(DepthsConverter))]
    public Depths TransformerLayersPerBlock { get; init; } = new([[1]]);

    /// <summary>Transformer blocks of the up path, from the coarsest level; null: as in the down path.</summary>
    [JsonConverter(typeof(DepthsConverter))]
    public Depths? ReverseTransformerLayersPerBlock { get; init; }

    /// <summary>Width of the text encodings before a projection, or null.</summary>
    public int? EncoderHidDim { get; init; }

    /// <summary>Type of that projection: text_proj, text_image_proj, image_proj or null.</summary>
    public string? EncoderHidDimType { get; init; }

    /// <summary>
    /// Width of a head in levels that resize in their residual blocks; in the others, despite its name, the number of heads (a naming error
    /// of the reference that published configs retain).
    /// </summary>
    [JsonConverter(typeof(OneOrManyConverter<int>))]
    public int[] AttentionHeadDim { get; init; } = [8];

    /// <summary>The number of heads if it differs from <see cref="AttentionHeadDim"/>, or null.</summary>
    [JsonConverter(typeof(OneOrManyConverter<int>))]
    public int[]? NumAttentionHeads { get; init; }

    /// <summary>True for attention to two texts; not used by any published network of the family.</summary>
    public bool DualCrossAttention { get; init; }

    /// <summary>True if a transformer's input and output projections are linear layers rather than 1×1 convolutions.</summary>
    public bool UseLinearProjection { get; init; }

    /// <summary>
    /// Type of the class embedding: null (a table, with <see cref="NumClassEmbeds"/>), timestep, identity, projection or simple_projection.
    /// </summary>
    public string? ClassEmbedType { get; init; }

    /// <summary>Type of the additional embedding: text, text_image, text_time, image, image_hint or null.</summary>
    public string? AdditionEmbedType { get; init; }

    /// <summary>Heads of the attention pooling of the type "text".</summary>
    public int AdditionEmbedTypeNumHeads { get; init; } = 64;

    /// <summary>Width of the embedding of one of text_time's numbers.</summary>
    public int? AdditionTimeEmbedDim { get; init; }

    /// <summary>Rows of the class table, or null.</summary>
    public int? NumClassEmbeds { get; init; }

    /// <summary>True if attention scores are upcast from float16.</summary>
    public bool UpcastAttention { get; init; }

    /// <summary>Conditioning of residual blocks on time: default (added) or scale_shift.</summary>
    public string ResnetTimeScaleShift { get; init; } = "default";

    /// <summary>
    /// True if residual blocks take the time embedding without activation; only in levels that resize in their residual blocks, as in the
    /// reference.
    /// </summary>
    public bool ResnetSkipTimeAct { get; init; }

    /// <summary>Divisor of residual sums; only in levels that resize in their residual blocks, as in the reference.</summary>
    public double ResnetOutScaleFactor { get; init; } = 1;

    /// <summary>Type of the timestep embedding: positional.</summary>
    public string TimeEmbeddingType { get; init; } = "positional";

    /// <summary>Width of the time embedding; null: four times the finest level's channels.</summary>
    public int? TimeEmbeddingDim { get; init; }

    /// <summary>Activation after the complete time embedding, or null.</summary>
    public string? TimeEmbeddingActFn { get; init; }

    /// <summary>Second activation inside the time embedding, or null.</summary>
    public string? TimestepPostAct { get; init; }

    /// <summary>Width of a condition added to the timestep embedding (guidance-distilled networks), or null.</summary>
    public int? TimeCondProjDim { get; init; }

    /// <summary>Kernel size of the first convolution.</summary>
    public int ConvInKernel { get; init; } = 3;

    /// <summary>Kernel size of the last convolution.</summary>
    public int ConvOutKernel { get; init; } = 3;

    /// <summary>Input width of the projection of the class or additional embedding.</summary>
    public int? ProjectionClassEmbeddingsInputDim { get; init; }

    /// <summary>Type of transformer block: default.</summary>
    public string AttentionType { get; init; } = "default";

    /// <summary>True if the class embedding is concatenated to the time embedding rather than added.</summary>
    public bool ClassEmbeddingsConcat { get; init; }

    /// <summary>
    /// Normalisation of the text inside attention: group_norm, layer_norm or null; only in levels that resize in their residual blocks.
    /// </summary>
    public string? CrossAttentionNorm { get; init; }

    /// <summary>True if the middle's positions attend to the text alone; null: as in the levels, if one value applies to all.</summary>
    public bool? MidBlockOnlyCrossAttention { get; init; }

    /// <summary>Width of the time embedding.</summary>
    [JsonIgnore]
    public int TimeWidth => TimeEmbeddingDim ?? 4 * BlockOutChannels[0];

    /// <summary>Width of the time embedding in the levels.</summary>
    [JsonIgnore]
    public int BlockTimeWidth => ClassEmbeddingsConcat ? 2 * TimeWidth : TimeWidth;

    /// <summary>The smallest divisor of sides that every level halves exactly; other sides are rounded.</summary>
    [JsonIgnore]
    public int Factor => 1 << (BlockOutChannels.Length - 1);
}
