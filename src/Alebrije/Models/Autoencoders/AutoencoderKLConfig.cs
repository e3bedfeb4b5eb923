namespace Alebrije.Models.Autoencoders;

/// <summary>config.json of an <see cref="AutoencoderKL"/> (diffusers, models/autoencoders/autoencoder_kl.py).</summary>
internal sealed record AutoencoderKLConfig : CoderConfig
{
    /// <summary>Creates a configuration with the reference constructor's defaults.</summary>
    public AutoencoderKLConfig() => (LatentChannels, ForceUpcast) = (4, true);

    /// <summary>Subtracted from latents before they are scaled, or null.</summary>
    public double? ShiftFactor { get; init; }

    /// <summary>Mean of each latent channel, or null.</summary>
    public IReadOnlyList<double>? LatentsMean { get; init; }

    /// <summary>Standard deviation of each latent channel, or null.</summary>
    public IReadOnlyList<double>? LatentsStd { get; init; }

    /// <summary>True if a 1×1 convolution follows the encoder.</summary>
    public bool UseQuantConv { get; init; } = true;

    /// <summary>True if a 1×1 convolution precedes the decoder.</summary>
    public bool UsePostQuantConv { get; init; } = true;

    /// <inheritdoc/>
    protected override int EncoderMoments => 2;
}
