using Alebrije.Nn;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Autoencoders;

/// <summary>
/// Variational autoencoder between images and latents of an eighth of their side (Rombach et al., 2022, §3.1; Kingma and Welling, 2014), as
/// diffusers' models/autoencoders/autoencoder_kl.py.
/// </summary>
internal sealed class AutoencoderKL : nn.Module<Tensor, Tensor>
{
    /// <summary>Bounds of the logarithm of the variance.</summary>
    private const double LowestLogVariance = -30, HighestLogVariance = 20;

    private readonly Encoder encoder;
    private readonly Decoder decoder;
    private readonly ConvolutionLayer? quant_conv, post_quant_conv;

    public AutoencoderKL(AutoencoderKLConfig config) : base(nameof(AutoencoderKL))
    {
        Config = config;
        encoder = new Encoder(config.Encoder);
        decoder = new Decoder(config.Decoder);
        if (config.UseQuantConv) quant_conv = Layers.Conv2d(2 * config.LatentChannels, 2 * config.LatentChannels, 1);
        if (config.UsePostQuantConv) post_quant_conv = Layers.Conv2d(config.LatentChannels, config.LatentChannels, 1);
        RegisterComponents();
    }

    /// <summary>Configuration of the network.</summary>
    public AutoencoderKLConfig Config { get; }

    /// <summary>Distribution of the latents of images, a normal one.</summary>
    /// <param name="pixels">[batch, 3, h, w] in [-1, 1], sides divisible by <see cref="CoderConfig.Factor"/>.</param>
    /// <returns>Mean (also the mode) and log variance, in [-30, 20], both [batch, latent channels, h/8, w/8]; not scaled.</returns>
    public (Tensor Mean, Tensor LogVariance) Encode(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var moments = encoder.call(pixels);
        if (quant_conv is not null) moments = quant_conv.call(moments);
        var halves = moments.chunk(2, dim: 1);
        return (halves[0].MoveToOuterDisposeScope(), halves[1].clamp(LowestLogVariance, HighestLogVariance).MoveToOuterDisposeScope());
    }

    /// <summary>Draws latents: mean + e^(log variance / 2) · noise.</summary>
    /// <param name="mean">[batch, channels, h, w]</param>
    /// <param name="logVariance">As the mean.</param>
    /// <param name="noise">Standard normal, as the mean.</param>
    /// <returns>As the mean.</returns>
    public static Tensor Sample(Tensor mean, Tensor logVariance, Tensor noise)
    {
        using var scope = NewDisposeScope();
        return addcmul(mean, (0.5 * logVariance).exp(), noise, 1).MoveToOuterDisposeScope();
    }

    /// <summary>Decodes latents to images.</summary>
    /// <param name="latents">[batch, latent channels, h, w], not scaled.</param>
    /// <returns>[batch, 3, 8h, 8w], mostly in [-1, 1], not clamped.</returns>
    public Tensor Decode(Tensor latents)
    {
        using var scope = NewDisposeScope();
        return decoder.call(post_quant_conv is null ? latents : post_quant_conv.call(latents)).MoveToOuterDisposeScope();
    }

    /// <summary>Scales latents for diffusion, to a variance near 1.</summary>
    /// <param name="latents">[batch, latent channels, h, w], as <see cref="Encode"/> returns them.</param>
    /// <returns>As the input.</returns>
    public Tensor Scale(Tensor latents)
    {
        using var scope = NewDisposeScope();
        if (ChannelStatistics(latents) is var (mean, deviation))
            return ((latents - mean) / deviation * Config.ScalingFactor).MoveToOuterDisposeScope();
        return ((latents - (Config.ShiftFactor ?? 0)) * Config.ScalingFactor).MoveToOuterDisposeScope();
    }

    /// <summary>Undoes <see cref="Scale"/>.</summary>
    /// <param name="latents">[batch, latent channels, h, w], scaled for diffusion.</param>
    /// <returns>As the input.</returns>
    public Tensor Unscale(Tensor latents)
    {
        using var scope = NewDisposeScope();
        if (ChannelStatistics(latents) is var (mean, deviation))
            return (latents * deviation / Config.ScalingFactor + mean).MoveToOuterDisposeScope();
        return (latents / Config.ScalingFactor + (Config.ShiftFactor ?? 0)).MoveToOuterDisposeScope();
    }

    /// <summary>Encodes to the mode and decodes.</summary>
    /// <param name="pixels">[batch, 3, h, w] in [-1, 1]</param>
    /// <returns>As the input, not clamped.</returns>
    public override Tensor forward(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        return Decode(Encode(pixels).Mean).MoveToOuterDisposeScope();
    }

    private (Tensor Mean, Tensor Deviation)? ChannelStatistics(Tensor latents) =>
        Config is { LatentsMean: { } mean, LatentsStd: { } deviation } ? (PerChannel(mean, latents), PerChannel(deviation, latents)) : null;

    private static Tensor PerChannel(IReadOnlyList<double> values, Tensor like) =>
        tensor(values.ToArray(), dtype: like.dtype, device: like.device).reshape(1, -1, 1, 1);
}
