using System.Text.Json.Serialization;
using Alebrije.Nn;
using Alebrije.Weights;

namespace Alebrije.Models.UNets;

/// <summary>
/// config.json of a <see cref="UNet2DModel"/> (diffusers, models/unets/unet_2d.py). A key that is missing or null has the reference
/// constructor's default, as here; some of those ask for what the network does not have, and it says so.
/// </summary>
internal sealed record UNet2DConfig
{
    private const string Down = "ResnetDownsampleBlock2D", Up = "ResnetUpsampleBlock2D";

    /// <summary>Side of the pictures it was trained on; the network takes any.</summary>
    [JsonConverter(typeof(OneOrManyConverter<int>))]
    public int[]? SampleSize { get; init; }

    /// <summary>Channels that come in: six in an upsampler, the noisy picture and the small one enlarged.</summary>
    public int InChannels { get; init; } = 3;

    /// <summary>Channels that come out.</summary>
    public int OutChannels { get; init; } = 3;

    /// <summary>Whether the picture is moved from [0, 1] to [-1, 1] first.</summary>
    public bool CenterInputSample { get; init; }

    /// <summary>Kind of the time code: positional.</summary>
    public string TimeEmbeddingType { get; init; } = "positional";

    /// <summary>Features of the time embedding; null: four times the finest level's channels.</summary>
    public int? TimeEmbeddingDim { get; init; }

    /// <summary>Taken off the number of the time code's frequencies in the exponent.</summary>
    public double FreqShift { get; init; }

    /// <summary>Whether the time code has the cosines first.</summary>
    public bool FlipSinToCos { get; init; } = true;

    /// <summary>Kind of every level on the way down.</summary>
    public string[] DownBlockTypes { get; init; } = ["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"];

    /// <summary>Kind of the middle.</summary>
    public string MidBlockType { get; init; } = "UNetMidBlock2D";

    /// <summary>Kind of every level on the way up.</summary>
    public string[] UpBlockTypes { get; init; } = ["AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"];

    /// <summary>Channels of every level, the finest first.</summary>
    public int[] BlockOutChannels { get; init; } = [224, 448, 672, 896];

    /// <summary>Residual blocks of a level on the way down, the one that halves not counted; the way up has one more.</summary>
    public int LayersPerBlock { get; init; } = 2;

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

    /// <summary>How time enters residual blocks: default (added) or scale_shift.</summary>
    public string ResnetTimeScaleShift { get; init; } = "default";

    /// <summary>Whether the middle attends.</summary>
    public bool AddAttention { get; init; } = true;

    /// <summary>Kind of a class embedding, or null.</summary>
    public string? ClassEmbedType { get; init; }

    /// <summary>Rows of a class table, or null.</summary>
    public int? NumClassEmbeds { get; init; }

    /// <summary>Features of the time embedding.</summary>
    [JsonIgnore]
    public int TimeWidth => TimeEmbeddingDim ?? (4 * BlockOutChannels[0]);

    /// <summary>What residual blocks have in common.</summary>
    [JsonIgnore]
    public ResnetForm Form => new(NormNumGroups, NormEps)
    {
        Activation = ActFn, TimeWidth = TimeWidth, TimeScales = ResnetTimeScaleShift == "scale_shift", Dropout = Dropout,
    };

    /// <summary>The upsampler of unCLIP at other sizes (Ramesh et al., 2022, §2.1 and appendix C, in Karlo's layout).</summary>
    /// <param name="channels">Channels of every level, the finest first.</param>
    public static UNet2DConfig Upsampler(params int[] channels) => new()
    {
        InChannels = 6, OutChannels = 3, BlockOutChannels = channels, LayersPerBlock = 1, AddAttention = false,
        DownBlockTypes = [.. channels.Select(_ => Down)], UpBlockTypes = [.. channels.Select(_ => Up)],
    };

    /// <exception cref="ArgumentException">Lists do not fit together, or the config asks for something that the network does not have.</exception>
    public void Check()
    {
        var levels = BlockOutChannels.Length;
        if (levels == 0) throw new ArgumentException("The config has no block_out_channels: a network needs one level or more.");
        Kinds(DownBlockTypes, "down_block_types", Down);
        Kinds(UpBlockTypes, "up_block_types", Up);
        Refuse(MidBlockType != "UNetMidBlock2D", $"mid_block_type \"{MidBlockType}\"", "UNetMidBlock2D");
        Refuse(AddAttention, "add_attention true", "false");
        Refuse(TimeEmbeddingType != "positional", $"time_embedding_type \"{TimeEmbeddingType}\"", "positional");
        Refuse(ResnetTimeScaleShift is not ("default" or "scale_shift"), $"resnet_time_scale_shift \"{ResnetTimeScaleShift}\"", "default or scale_shift");
        Refuse(ClassEmbedType is not null, $"class_embed_type \"{ClassEmbedType}\"", "null");
        Refuse(NumClassEmbeds is not null, $"num_class_embeds {NumClassEmbeds}", "null");
    }

    private void Kinds(string[] types, string key, string known)
    {
        if (types.Length != BlockOutChannels.Length)
            throw new ArgumentException($"The config has {types.Length} {key} and {BlockOutChannels.Length} block_out_channels: there must be as many.");
        foreach (var type in types) Refuse(type != known, $"the block type \"{type}\"", known);
    }

    private static void Refuse(bool condition, string what, string known)
    {
        if (condition) throw new ArgumentException($"UNet2DModel does not know {what}: it must be {known}.");
    }
}
