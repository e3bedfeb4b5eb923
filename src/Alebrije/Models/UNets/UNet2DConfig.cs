using System.Text.Json.Serialization;
using Alebrije.Nn;
using Alebrije.Weights;

namespace Alebrije.Models.UNets;

/// <summary>
/// config.json of a <see cref="UNet2DModel"/> (diffusers, models/unets/unet_2d.py). A missing or null key has the reference constructor's
/// default; some of those require unsupported features and are rejected.
/// </summary>
internal sealed record UNet2DConfig
{
    private const string Down = "ResnetDownsampleBlock2D", Up = "ResnetUpsampleBlock2D";

    /// <summary>Side of the training images, in pixels; the network accepts any.</summary>
    [JsonConverter(typeof(OneOrManyConverter<int>))]
    public int[]? SampleSize { get; init; }

    /// <summary>Input channels: six in an upsampler, the noisy image and the enlarged small one.</summary>
    public int InChannels { get; init; } = 3;

    /// <summary>Output channels.</summary>
    public int OutChannels { get; init; } = 3;

    /// <summary>True if the image is first mapped from [0, 1] to [-1, 1].</summary>
    public bool CenterInputSample { get; init; }

    /// <summary>Type of the timestep embedding: positional.</summary>
    public string TimeEmbeddingType { get; init; } = "positional";

    /// <summary>Width of the time embedding; null: four times the finest level's channels.</summary>
    public int? TimeEmbeddingDim { get; init; }

    /// <summary>Subtracted from the number of frequencies in the exponent of the timestep embedding.</summary>
    public double FreqShift { get; init; }

    /// <summary>True if the timestep embedding has the cosines first.</summary>
    public bool FlipSinToCos { get; init; } = true;

    /// <summary>Block type of each level of the down path.</summary>
    public string[] DownBlockTypes { get; init; } = ["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"];

    /// <summary>Block type of the middle.</summary>
    public string MidBlockType { get; init; } = "UNetMidBlock2D";

    /// <summary>Block type of each level of the up path.</summary>
    public string[] UpBlockTypes { get; init; } = ["AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"];

    /// <summary>Channels of each level, the finest first.</summary>
    public int[] BlockOutChannels { get; init; } = [224, 448, 672, 896];

    /// <summary>Residual blocks of a level of the down path, without the downsampler; the up path has one more.</summary>
    public int LayersPerBlock { get; init; } = 2;

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

    /// <summary>Conditioning of residual blocks on time: default (added) or scale_shift.</summary>
    public string ResnetTimeScaleShift { get; init; } = "default";

    /// <summary>True if the middle has attention.</summary>
    public bool AddAttention { get; init; } = true;

    /// <summary>Type of a class embedding, or null.</summary>
    public string? ClassEmbedType { get; init; }

    /// <summary>Rows of a class table, or null.</summary>
    public int? NumClassEmbeds { get; init; }

    /// <summary>Width of the time embedding.</summary>
    [JsonIgnore]
    public int TimeWidth => TimeEmbeddingDim ?? (4 * BlockOutChannels[0]);

    /// <summary>Form of the residual blocks.</summary>
    [JsonIgnore]
    public ResnetForm Form => new(NormNumGroups, NormEps)
    {
        Activation = ActFn, TimeWidth = TimeWidth, TimeScales = ResnetTimeScaleShift == "scale_shift", Dropout = Dropout,
    };

    /// <summary>The upsampler of unCLIP at other sizes (Ramesh et al., 2022, §2.1 and appendix C, in Karlo's layout).</summary>
    /// <param name="channels">Channels of each level, the finest first.</param>
    public static UNet2DConfig Upsampler(params int[] channels) => new()
    {
        InChannels = 6, OutChannels = 3, BlockOutChannels = channels, LayersPerBlock = 1, AddAttention = false,
        DownBlockTypes = [.. channels.Select(_ => Down)], UpBlockTypes = [.. channels.Select(_ => Up)],
    };

    /// <exception cref="ArgumentException">Lists are inconsistent, or the config requires a feature that the network does not
    /// support.</exception>
    public void Check()
    {
        var levels = BlockOutChannels.Length;
        if (levels == 0) throw new ArgumentException("The config has no block_out_channels: a network needs one level or more.");
        Kinds(DownBlockTypes, "down_block_types", Down);
        Kinds(UpBlockTypes, "up_block_types", Up);
        Refuse(MidBlockType != "UNetMidBlock2D", $"mid_block_type \"{MidBlockType}\"", "UNetMidBlock2D");
        Refuse(AddAttention, "add_attention true", "false");
        Refuse(TimeEmbeddingType != "positional", $"time_embedding_type \"{TimeEmbeddingType}\"", "positional");
        Refuse(ResnetTimeScaleShift is not ("default" or "scale_shift"),
            $"resnet_time_scale_shift \"{ResnetTimeScaleShift}\"", "default or scale_shift");
        Refuse(ClassEmbedType is not null, $"class_embed_type \"{ClassEmbedType}\"", "null");
        Refuse(NumClassEmbeds is not null, $"num_class_embeds {NumClassEmbeds}", "null");
    }

    private void Kinds(string[] types, string key, string known)
    {
        if (types.Length != BlockOutChannels.Length)
            throw new ArgumentException(
                $"The config has {types.Length} {key} and {BlockOutChannels.Length} block_out_channels: there must be as many.");
        foreach (var type in types) Refuse(type != known, $"the block type \"{type}\"", known);
    }

    private static void Refuse(bool condition, string what, string known)
    {
        if (condition) throw new ArgumentException($"UNet2DModel does not support {what}: it must be {known}.");
    }
}
