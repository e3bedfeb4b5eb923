using System.Text.Json.Serialization;
using Alebrije.Nn;

namespace Alebrije.Models.Autoencoders;

/// <summary>
/// config.json of a <see cref="VQModel"/> (diffusers, models/autoencoders/vq_model.py). A key that is missing or null has the reference
/// constructor's default, as here.
/// </summary>
internal sealed record VQModelConfig
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

    /// <summary>Channels between the coders and the 1×1 convolutions beside the codebook.</summary>
    public int LatentChannels { get; init; } = 3;

    /// <summary>Side of the pictures it was trained on; the network takes any.</summary>
    public int SampleSize { get; init; } = 32;

    /// <summary>Codes of the codebook.</summary>
    public int NumVqEmbeddings { get; init; } = 256;

    /// <summary>Groups of the normalisation; the spatial norm always has 32.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>Features of a code, which are the channels of the latents; null: as many as <see cref="LatentChannels"/>.</summary>
    public int? VqEmbedDim { get; init; }

    /// <summary>Published with the network and used by no Kandinsky: its latents are not scaled.</summary>
    public double ScalingFactor { get; init; } = 0.18215;

    /// <summary>group, or spatial: the decoder's normalisation is conditioned on the latents.</summary>
    public string NormType { get; init; } = "group";

    /// <summary>Whether the middle blocks attend.</summary>
    public bool MidBlockAddAttention { get; init; } = true;

    /// <summary>Whether diffusion gives numbers of codes (<see cref="VQModel.Lookup"/>), not latents.</summary>
    public bool LookupFromCodebook { get; init; }

    /// <summary>Whether the reference leaves float16 for this network; float32 and bfloat16 need no care.</summary>
    public bool ForceUpcast { get; init; }

    /// <summary>Channels of the latents.</summary>
    [JsonIgnore]
    public int CodeWidth => VqEmbedDim ?? LatentChannels;

    /// <summary>Pixels per latent along a side.</summary>
    [JsonIgnore]
    public int Factor => 1 << (BlockOutChannels.Count - 1);

    /// <summary>Sizes of the encoder.</summary>
    [JsonIgnore]
    public CoderForm Encoder => new((InChannels, LatentChannels), BlockOutChannels, DownBlockTypes, LayersPerBlock, Resnets, MidBlockAddAttention);

    /// <summary>Sizes of the decoder.</summary>
    [JsonIgnore]
    public CoderForm Decoder => new((LatentChannels, OutChannels), [.. BlockOutChannels.Reverse()], UpBlockTypes, LayersPerBlock + 1, Resnets, MidBlockAddAttention);

    /// <summary>Whether the decoder's normalisation is conditioned on the latents.</summary>
    /// <exception cref="ArgumentException">The norm is not known, or the latents have other channels than the reference's condition.</exception>
    [JsonIgnore]
    public bool IsSpatial => NormType switch
    {
        "group" => false,
        "spatial" when CodeWidth == LatentChannels => true,
        "spatial" => throw new ArgumentException($"A spatial norm is conditioned on latents of {LatentChannels} channels, but vq_embed_dim is {CodeWidth}: both must be the same."),
        _ => throw new ArgumentException($"The norm_type \"{NormType}\" is not known: it must be group or spatial."),
    };

    private ResnetForm Resnets => new(NormNumGroups, Autoencoders.Encoder.Eps) { Activation = ActFn };
}
