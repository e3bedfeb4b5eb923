using System.Text.Json.Serialization;
using Alebrije.Nn;

namespace Alebrije.Models.Autoencoders;

/// <summary>
/// config.json of an <see cref="AutoencoderKL"/> (diffusers, models/autoencoders/autoencoder_kl.py). A key that is missing or null has the
/// reference constructor's default, as here.
/// </summary>
internal sealed record AutoencoderKLConfig
{
    /// <summary>Channels of the picture that is encoded.</summary>
    public int InChannels { get; init; } = 3;

    /// <summary>Channels of the picture that is decoded.</summary>
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
    public int LatentChannels { get; init; } = 4;

    /// <summary>Groups of the normalisation.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>Side of the pictures it was trained on; the network takes any.</summary>
    public int SampleSize { get; init; } = 32;

    /// <summary>Latents are multiplied by this for diffusion.</summary>
    public double ScalingFactor { get; init; } = 0.18215;

    /// <summary>Taken off latents before they are scaled, or null.</summary>
    public double? ShiftFactor { get; init; }

    /// <summary>Mean of every latent channel, or null.</summary>
    public IReadOnlyList<double>? LatentsMean { get; init; }

    /// <summary>Deviation of every latent channel, or null.</summary>
    public IReadOnlyList<double>? LatentsStd { get; init; }

    /// <summary>Whether the reference leaves float16 for this network; float32 and bfloat16 need no care.</summary>
    public bool ForceUpcast { get; init; } = true;

    /// <summary>Whether a 1×1 convolution follows the encoder.</summary>
    public bool UseQuantConv { get; init; } = true;

    /// <summary>Whether a 1×1 convolution precedes the decoder.</summary>
    public bool UsePostQuantConv { get; init; } = true;

    /// <summary>Whether the middle blocks attend.</summary>
    public bool MidBlockAddAttention { get; init; } = true;

    /// <summary>Pixels per latent along a side.</summary>
    [JsonIgnore]
    public int Factor => 1 << (BlockOutChannels.Count - 1);

    /// <summary>Sizes of the encoder, which gives a mean and a logarithm of the variance.</summary>
    [JsonIgnore]
    public CoderForm Encoder => new((InChannels, 2 * LatentChannels), BlockOutChannels, DownBlockTypes, LayersPerBlock, Resnets, MidBlockAddAttention);

    /// <summary>Sizes of the decoder.</summary>
    [JsonIgnore]
    public CoderForm Decoder => new((LatentChannels, OutChannels), [.. BlockOutChannels.Reverse()], UpBlockTypes, LayersPerBlock + 1, Resnets, MidBlockAddAttention);

    private ResnetForm Resnets => new(NormNumGroups, Autoencoders.Encoder.Eps) { Activation = ActFn };
}
