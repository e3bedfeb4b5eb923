using System.Text.Json.Serialization;

namespace Alebrije.Models.Autoencoders;

/// <summary>
/// config.json of a <see cref="VQModel"/> (diffusers, models/autoencoders/vq_model.py). The latent channels are those between the coders
/// and the 1×1 convolutions around the codebook.
/// </summary>
internal sealed record VQModelConfig : CoderConfig
{
    /// <summary>Creates a configuration with the reference constructor's defaults.</summary>
    public VQModelConfig() => LatentChannels = 3;

    /// <summary>Number of codes in the codebook.</summary>
    public int NumVqEmbeddings { get; init; } = 256;

    /// <summary>Width of a code, the channels of the latents for diffusion; null: <see cref="CoderConfig.LatentChannels"/>.</summary>
    public int? VqEmbedDim { get; init; }

    /// <summary>Normalisation of the decoder: group, or spatial (conditioned on the latents).</summary>
    public string NormType { get; init; } = "group";

    /// <summary>Channels of the latents for diffusion.</summary>
    [JsonIgnore]
    public int CodeWidth => VqEmbedDim ?? LatentChannels;

    /// <summary>True if the decoder's normalisation is conditioned on the latents.</summary>
    /// <exception cref="ArgumentException">The norm is unknown, or the channels of the latents differ from those of the reference's
    /// condition.</exception>
    [JsonIgnore]
    public bool IsSpatial => NormType switch
    {
        "group" => false,
        "spatial" when CodeWidth == LatentChannels => true,
        "spatial" => throw new ArgumentException(
            $"A spatial norm is conditioned on latents of {LatentChannels} channels, "
            + $"but vq_embed_dim is {CodeWidth}: both must be the same."),
        _ => throw new ArgumentException($"The norm_type \"{NormType}\" is not supported: it must be group or spatial."),
    };
}
