using System.Text.Json.Serialization;
using Alebrije.Nn;

namespace Alebrije.Models.Autoencoders;

/// <summary>
/// Keys that the config.json of <see cref="AutoencoderKL"/> and <see cref="VQModel"/> share. A key that is missing or null has the
/// reference constructor's default, as here.
/// </summary>
internal abstract record CoderConfig
{
    /// <summary>Channels of the image that is encoded.</summary>
    public int InChannels { get; init; } = 3;

    /// <summary>Channels of the image that is decoded.</summary>
    public int OutChannels { get; init; } = 3;

    /// <summary>DownEncoderBlock2D or AttnDownEncoderBlock2D for every level.</summary>
    public IReadOnlyList<string> DownBlockTypes { get; init; } = ["DownEncoderBlock2D"];

    /// <summary>UpDecoderBlock2D or AttnUpDecoderBlock2D for every level.</summary>
    public IReadOnlyList<string> UpBlockTypes { get; init; } = ["UpDecoderBlock2D"];

    /// <summary>Channels of every level, the finest first.</summary>
    public IReadOnlyList<int> BlockOutChannels { get; init; } = [64];

    /// <summary>Residual blocks of a level of the encoder; the decoder has one more.</summary>
    public int LayersPerBlock { get; init; } = 1;

    /// <summary>Name of the activation.</summary>
    public string ActFn { get; init; } = "silu";

    /// <summary>Channels of the latents.</summary>
    public int LatentChannels { get; init; }

    /// <summary>Groups of the normalisation; a spatial norm always has 32.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>Side of the images it was trained on; the network takes any.</summary>
    public int SampleSize { get; init; } = 32;

    /// <summary>Latents are multiplied by this for diffusion; Kandinsky, whose latents are not scaled, publishes it unused.</summary>
    public double ScalingFactor { get; init; } = 0.18215;

    /// <summary>True if the middle blocks attend.</summary>
    public bool MidBlockAddAttention { get; init; } = true;

    /// <summary>True if the reference leaves float16 for this network; float32 and bfloat16 need no care.</summary>
    public bool ForceUpcast { get; init; }

    /// <summary>Pixels per latent along a side.</summary>
    [JsonIgnore]
    public int Factor => 1 << (BlockOutChannels.Count - 1);

    /// <summary>Sizes of the encoder.</summary>
    [JsonIgnore]
    public CoderForm Encoder =>
        new((InChannels, EncoderMoments * LatentChannels), BlockOutChannels, DownBlockTypes, LayersPerBlock, Resnets, MidBlockAddAttention);

    /// <summary>Sizes of the decoder.</summary>
    [JsonIgnore]
    public CoderForm Decoder =>
        new((LatentChannels, OutChannels), [.. BlockOutChannels.Reverse()],
            UpBlockTypes, LayersPerBlock + 1, Resnets, MidBlockAddAttention);

    /// <summary>Channels that the encoder gives for each latent channel: 1, or 2 for a mean and the logarithm of a variance.</summary>
    protected virtual int EncoderMoments => 1;

    private ResnetForm Resnets => new(NormNumGroups, Autoencoders.Encoder.Eps) { Activation = ActFn };
}
