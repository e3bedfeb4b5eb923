using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>Sizes of CLIP's residual network.</summary>
/// <param name="Layers">Blocks of each of the four levels.</param>
/// <param name="Width">Channels after the stem; even.</param>
/// <param name="HeadWidth">Width of one head of the attention pooling.</param>
/// <param name="ImageSize">Side of the images, in pixels.</param>
internal sealed record ModifiedResNetConfig(IReadOnlyList<int> Layers, int Width, int HeadWidth, int ImageSize);

/// <summary>
/// CLIP's residual network (Radford et al., 2021, §2.4; openai/CLIP, model.py, ModifiedResNet): a stem of three convolutions, average
/// pooling before strides, and attention pooling at the end.
/// </summary>
internal sealed class ModifiedResNet : nn.Module<Tensor, Tensor>, IClipVisionTower
{
    private readonly int size;
    private readonly ConvolutionLayer conv1, conv2, conv3;
    private readonly BatchNormLayer bn1, bn2, bn3;
    private readonly ModuleList<ResNetBottleneck> layer1, layer2, layer3, layer4;
    private readonly AttentionPool attnpool;
    private int width;

    public ModifiedResNet(ModifiedResNetConfig config, int features) : base(nameof(ModifiedResNet))
    {
        if (config.Layers.Count != 4 || config.Width % 2 != 0)
            throw new ArgumentException(
                $"A ModifiedResNet has four levels and an even width, not [{string.Join(", ", config.Layers)}] and {config.Width}.");
        size = config.ImageSize;
        (conv1, bn1) = (Layers.Conv2d(3, config.Width / 2, 3, stride: 2, padding: 1, bias: false), Layers.BatchNorm(config.Width / 2));
        (conv2, bn2) = (Layers.Conv2d(config.Width / 2, config.Width / 2, 3, padding: 1, bias: false), Layers.BatchNorm(config.Width / 2));
        (conv3, bn3) = (Layers.Conv2d(config.Width / 2, config.Width, 3, padding: 1, bias: false), Layers.BatchNorm(config.Width));
        width = config.Width;
        layer1 = Level(config.Width, config.Layers[0], stride: 1);
        layer2 = Level(2 * config.Width, config.Layers[1], stride: 2);
        layer3 = Level(4 * config.Width, config.Layers[2], stride: 2);
        layer4 = Level(8 * config.Width, config.Layers[3], stride: 2);
        var (side, last) = (config.ImageSize / 32, 32 * config.Width);
        attnpool = new AttentionPool((side * side) + 1, last, last / config.HeadWidth, features);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public Tensor Features(Tensor pixels) => call(pixels);

    /// <inheritdoc/>
    public PackedVisionTower? Pack(LinearLayer? projection, ScalarType type) => null;

    /// <param name="pixels">[batch, 3, size, size], normalised as in the checkpoint's config.</param>
    /// <returns>[batch, features], not normalised</returns>
    public override Tensor forward(Tensor pixels)
    {
        ClipVisionEmbeddings.CheckSize(pixels, size);
        using var scope = NewDisposeScope();
        var x = nn.functional.relu(bn1.call(conv1.call(pixels)));
        x = nn.functional.relu(bn2.call(conv2.call(x)));
        x = nn.functional.avg_pool2d(nn.functional.relu(bn3.call(conv3.call(x))), 2, 2);
        foreach (var level in (ReadOnlySpan<ModuleList<ResNetBottleneck>>)[layer1, layer2, layer3, layer4])
            foreach (var block in level) x = block.call(x);
        return attnpool.call(x.ToSequence()).MoveToOuterDisposeScope();
    }

    private ModuleList<ResNetBottleneck> Level(int planes, int count, int stride)
    {
        var blocks = new ModuleList<ResNetBottleneck>();
        for (var i = 0; i < count; i++)
        {
            blocks.Add(new ResNetBottleneck(width, planes, i == 0 ? stride : 1));
            width = 4 * planes;
        }

        return blocks;
    }
}

/// <summary>
/// Residual block of three convolutions, with average pooling before the last for a stride (openai/CLIP, model.py, Bottleneck).
/// </summary>
internal sealed class ResNetBottleneck : nn.Module<Tensor, Tensor>
{
    private readonly int stride;
    private readonly ConvolutionLayer conv1, conv2, conv3;
    private readonly BatchNormLayer bn1, bn2, bn3;
    private readonly ModuleList<nn.Module<Tensor, Tensor>>? downsample;

    public ResNetBottleneck(int input, int planes, int stride) : base(nameof(ResNetBottleneck))
    {
        this.stride = stride;
        (conv1, bn1) = (Layers.Conv2d(input, planes, 1, bias: false), Layers.BatchNorm(planes));
        (conv2, bn2) = (Layers.Conv2d(planes, planes, 3, padding: 1, bias: false), Layers.BatchNorm(planes));
        (conv3, bn3) = (Layers.Conv2d(planes, 4 * planes, 1, bias: false), Layers.BatchNorm(4 * planes));
        if (stride > 1 || input != 4 * planes)
            downsample = [Layers.Conv2d(input, 4 * planes, 1, bias: false), Layers.BatchNorm(4 * planes)];
        RegisterComponents();
    }

    /// <param name="x">[batch, input, h, w]</param>
    /// <returns>[batch, 4 planes, h / stride, w / stride]</returns>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var change = nn.functional.relu(bn1.call(conv1.call(x)));
        change = Smaller(nn.functional.relu(bn2.call(conv2.call(change))));
        change = bn3.call(conv3.call(change));
        var kept = downsample is null ? x : downsample[1].call(downsample[0].call(Smaller(x)));
        return nn.functional.relu(change + kept).MoveToOuterDisposeScope();
    }

    private Tensor Smaller(Tensor x) => stride > 1 ? nn.functional.avg_pool2d(x, stride, stride) : x;
}
