using System.Text.Json.Serialization;
using Alebrije.Nn;

namespace Alebrije.Models.Autoencoders;

/// <summary>
/// Keys common to the config.json of <see cref="AutoencoderKL"/> and <see cref="VQModel"/>. A missing or null key has the reference
/// constructor's default.
/// </summary>
internal abstract record CoderConfig
{
    /// <summary>Channels of the encoder's input image.</summary>
    public int InChannels { get; init; } = 3;

    /// <summary>Channels of the decoded image.</summary>
    public int OutChannels { get; init; } = 3;

    /// <summary>DownEncoderBlock2D or AttnDownEncoderBlock2D for each level.</summary>
    public IReadOnlyList<string> DownBlockTypes { get; init; } = ["DownEncoderBlock2D"];

    /// <summary>UpDecoderBlock2D or AttnUpDecoderBlock2D for each level.</summary>
    public IReadOnlyList<string> UpBlockTypes { get; init; } = ["UpDecoderBlock2D"];

    /// <summary>Channels of each level, the finest first.</summary>
    public IReadOnlyList<int> BlockOutChannels { get; init; } = [64];

    /// <summary>Residual blocks per encoder level; the decoder has one more.</summary>
    public int LayersPerBlock { get; init; } = 1;

    /// <summary>Name of the activation.</summary>
    public string ActFn { get; init; } = "silu";

    /// <summary>Channels of the latents.</summary>
    public int LatentChannels { get; init; }

    /// <summary>Groups of the normalisation; a spatial norm always has 32.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>Side of the training images, in pixels; the network accepts any.</summary>
    public int SampleSize { get; init; } = 32;

    /// <summary>Factor of the latents for diffusion; published but unused by Kandinsky, whose latents are not scaled.</summary>
    public double ScalingFactor { get; init; } = 0.18215;

    /// <summary>True if the middle blocks have attention.</summary>
    public bool MidBlockAddAttention { get; init; } = true;

    /// <summary>True if the reference upcasts this network from float16; float32 and bfloat16 are unaffected.</summary>
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

    /// <summary>Encoder outputs per latent channel: 1, or 2 for mean and log variance.</summary>
    protected virtual int EncoderMoments => 1;

    private ResnetForm Resnets => new(NormNumGroups, Autoencoders.Encoder.Eps) { Activation = ActFn };
}
