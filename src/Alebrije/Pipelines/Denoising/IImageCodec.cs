using Alebrije.Models.Autoencoders;
using Alebrije.Models.UNets;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Denoising;

/// <summary>Images to the space of the denoiser's samples and back.</summary>
internal interface IImageCodec : IDisposable
{
    /// <summary>Pixels per position of a sample, along each side.</summary>
    int Factor { get; }

    /// <summary>Samples of images, at the scale of the denoiser.</summary>
    /// <param name="picture">[batch, 3, h, w] in [-1, 1]</param>
    /// <param name="noise">One draw for codecs that sample their posterior.</param>
    Tensor Encode(Tensor picture, Noise noise);

    /// <summary>Images of samples, differentiable.</summary>
    /// <returns>[batch, 3, h, w] near [-1, 1], not clamped.</returns>
    Tensor Decode(Tensor sample);

    /// <summary>Keeps its network in memory until disposed.</summary>
    IDisposable? Hold();
}

/// <summary>Operations of all codecs.</summary>
internal static class ImageCodecs
{
    /// <summary>Images of samples, [batch, 3, h, w] in [0, 1].</summary>
    public static Tensor Pixels(this IImageCodec codec, Tensor sample) => codec.Decode(sample).div(2).add(0.5).clamp(0, 1);
}

/// <summary>Samples that are the pixels themselves (Karlo, DeepFloyd IF).</summary>
/// <param name="side">Side that images are resized to first; null takes them as they are.</param>
internal sealed class PixelCodec(int? side = null) : IImageCodec
{
    /// <inheritdoc/>
    public int Factor => 1;

    /// <inheritdoc/>
    public Tensor Encode(Tensor picture, Noise noise) => side is { } size ? Bicubic.Resize(picture, size, size) : picture;

    /// <inheritdoc/>
    public Tensor Decode(Tensor sample) => sample;

    /// <inheritdoc/>
    public IDisposable? Hold() => null;

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}

/// <summary>Latents of a variational autoencoder (AutoencoderKL: Stable Diffusion, Stable unCLIP), scaled.</summary>
internal sealed class KlCodec : IImageCodec
{
    private readonly bool samples;

    /// <param name="folder">A pipeline with the component <c>vae</c>.</param>
    /// <param name="samples">True draws latents from the posterior, as Stable Diffusion's pipelines; false takes its mean.</param>
    /// <param name="keep">True keeps the network in memory between two calls.</param>
    public KlCodec(PipelineFolder folder, bool samples, bool keep)
    {
        this.samples = samples;
        Config = folder.Config<AutoencoderKLConfig>("vae");
        Network = new(() => folder.Load<AutoencoderKL>("vae"), keep);
    }

    /// <summary>Sizes of the network.</summary>
    public AutoencoderKLConfig Config { get; }

    /// <summary>The network.</summary>
    public Component<AutoencoderKL> Network { get; }

    /// <inheritdoc/>
    public int Factor => Config.Factor;

    /// <inheritdoc/>
    public Tensor Encode(Tensor picture, Noise noise) => Network.Use(network =>
    {
        var (mean, logVariance) = network.Encode(picture);
        return network.Scale(samples ? AutoencoderKL.Sample(mean, logVariance, noise.RandnLike(mean)) : mean);
    });

    /// <inheritdoc/>
    public Tensor Decode(Tensor sample) => Network.Use(network => network.Decode(network.Unscale(sample)));

    /// <inheritdoc/>
    public IDisposable? Hold() => Network.Borrow();

    /// <inheritdoc/>
    public void Dispose() => Network.Dispose();
}

/// <summary>Latents of MoVQ (Kandinsky).</summary>
internal sealed class MoVqCodec : IImageCodec
{
    private readonly Component<VQModel> network;

    /// <param name="folder">A pipeline with the component <c>movq</c>.</param>
    /// <param name="keep">True keeps the network in memory between two calls.</param>
    public MoVqCodec(PipelineFolder folder, bool keep)
    {
        var config = ConfigFile.Read<VQModelConfig>(folder.Of("movq"));
        network = new(() => folder.Load<VQModel>("movq"), keep);
        Factor = config.Factor;
    }

    /// <inheritdoc/>
    public int Factor { get; }

    /// <inheritdoc/>
    public Tensor Encode(Tensor picture, Noise noise) => network.Use(codec => codec.Encode(picture));

    /// <inheritdoc/>
    public Tensor Decode(Tensor sample) => network.Use(codec => codec.Decode(sample));

    /// <inheritdoc/>
    public IDisposable? Hold() => network.Borrow();

    /// <inheritdoc/>
    public void Dispose() => network.Dispose();
}
