using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Convolution of stride 2 (diffusers, models/downsampling.py, Downsample2D).</summary>
internal sealed class Downsample : nn.Module<Tensor, Tensor>
{
    private readonly bool padEnds;
    private readonly ConvolutionLayer conv;

    /// <param name="channels">Channels in and out.</param>
    /// <param name="padding">Zeros around the image; if 0, as in autoencoders, one row below and one column at the right.</param>
    public Downsample(long channels, long padding) : base(nameof(Downsample))
    {
        padEnds = padding == 0;
        conv = Layers.Conv2d(channels, channels, 3, stride: 2, padding: padding);
        RegisterComponents();
    }

    /// <param name="x">[batch, channels, h, w]</param>
    /// <returns>[batch, channels, h/2, w/2]</returns>
    public override Tensor forward(Tensor x)
    {
        if (!padEnds) return conv.call(x);
        using var padded = nn.functional.pad(x, (0, 1, 0, 1));
        return conv.call(padded);
    }
}

/// <summary>Nearest-neighbour upsampling and a convolution (diffusers, models/upsampling.py, Upsample2D).</summary>
internal sealed class Enlarge : nn.Module<Tensor, (long Height, long Width)?, Tensor>
{
    private readonly ConvolutionLayer conv;

    public Enlarge(long channels) : base(nameof(Enlarge))
    {
        conv = Layers.Conv2d(channels, channels, 3, padding: 1);
        RegisterComponents();
    }

    /// <param name="x">[batch, channels, h, w]</param>
    /// <param name="size">Height and width of the output, or null for twice the image's.</param>
    /// <returns>[batch, channels, h', w']</returns>
    public override Tensor forward(Tensor x, (long Height, long Width)? size)
    {
        var (height, width) = size ?? (2 * x.shape[2], 2 * x.shape[3]);
        using var enlarged = nn.functional.interpolate(x, [height, width]);
        return conv.call(enlarged);
    }
}
