using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Autoencoders;

/// <summary>Picture → features of the latents (diffusers, models/autoencoders/vae.py, Encoder).</summary>
internal sealed class Encoder : nn.Module<Tensor, Tensor>
{
    /// <summary>Added to the variance wherever an autoencoder normalises.</summary>
    internal const double Eps = 1e-6;

    private readonly Func<Tensor, Tensor> activation;
    private readonly ConvolutionLayer conv_in, conv_out;
    private readonly ModuleList<EncoderLevel> down_blocks;
    private readonly MiddleBlock mid_block;
    private readonly GroupNormLayer conv_norm_out;

    public Encoder(AutoencoderKLConfig config, int outputs) : base(nameof(Encoder))
    {
        var widths = config.BlockOutChannels;
        if (config.DownBlockTypes.Count != widths.Count)
            throw new ArgumentException($"The config names {config.DownBlockTypes.Count} down_block_types and {widths.Count} block_out_channels: there must be as many.");
        var form = new ResnetForm(config.NormNumGroups, Eps) { Activation = config.ActFn };
        activation = Activation.Named(config.ActFn);
        conv_in = Layers.Conv2d(config.InChannels, widths[0], 3, padding: 1);
        down_blocks = new ModuleList<EncoderLevel>([.. widths.Select((width, i) => new EncoderLevel(
            (i == 0 ? widths[0] : widths[i - 1], width), config.LayersPerBlock, form, Attends(config.DownBlockTypes[i], "DownEncoderBlock2D"),
            last: i == widths.Count - 1))]);
        mid_block = new MiddleBlock(widths[^1], form, config.MidBlockAddAttention);
        conv_norm_out = Layers.GroupNorm(config.NormNumGroups, widths[^1], Eps);
        conv_out = Layers.Conv2d(widths[^1], outputs, 3, padding: 1);
        RegisterComponents();
    }

    /// <param name="pixels">[batch, 3, h, w] in [-1, 1]</param>
    /// <returns>[batch, outputs, h/8, w/8]</returns>
    public override Tensor forward(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var x = conv_in.call(pixels);
        foreach (var level in down_blocks) x = level.call(x);
        x = mid_block.call(x);
        return conv_out.call(activation(conv_norm_out.call(x))).MoveToOuterDisposeScope();
    }

    /// <summary>Whether a block type is the attending form of <paramref name="plain"/>.</summary>
    internal static bool Attends(string type, string plain) =>
        type == plain ? false
        : type == "Attn" + plain ? true
        : throw new ArgumentException($"The block type \"{type}\" is not known to this autoencoder: it must be {plain} or Attn{plain}.");
}

/// <summary>Latents → picture (diffusers, models/autoencoders/vae.py, Decoder).</summary>
internal sealed class Decoder : nn.Module<Tensor, Tensor>
{
    private readonly Func<Tensor, Tensor> activation;
    private readonly ConvolutionLayer conv_in, conv_out;
    private readonly ModuleList<DecoderLevel> up_blocks;
    private readonly MiddleBlock mid_block;
    private readonly GroupNormLayer conv_norm_out;

    public Decoder(AutoencoderKLConfig config) : base(nameof(Decoder))
    {
        int[] widths = [.. config.BlockOutChannels.Reverse()];
        if (config.UpBlockTypes.Count != widths.Length)
            throw new ArgumentException($"The config names {config.UpBlockTypes.Count} up_block_types and {widths.Length} block_out_channels: there must be as many.");
        var form = new ResnetForm(config.NormNumGroups, Encoder.Eps) { Activation = config.ActFn };
        activation = Activation.Named(config.ActFn);
        conv_in = Layers.Conv2d(config.LatentChannels, widths[0], 3, padding: 1);
        mid_block = new MiddleBlock(widths[0], form, config.MidBlockAddAttention);
        up_blocks = new ModuleList<DecoderLevel>([.. widths.Select((width, i) => new DecoderLevel(
            (i == 0 ? widths[0] : widths[i - 1], width), config.LayersPerBlock + 1, form, Encoder.Attends(config.UpBlockTypes[i], "UpDecoderBlock2D"),
            last: i == widths.Length - 1))]);
        conv_norm_out = Layers.GroupNorm(config.NormNumGroups, widths[^1], Encoder.Eps);
        conv_out = Layers.Conv2d(widths[^1], config.OutChannels, 3, padding: 1);
        RegisterComponents();
    }

    /// <param name="latents">[batch, latent channels, h, w]</param>
    /// <returns>[batch, 3, 8h, 8w]</returns>
    public override Tensor forward(Tensor latents)
    {
        using var scope = NewDisposeScope();
        var x = mid_block.call(conv_in.call(latents));
        foreach (var level in up_blocks) x = level.call(x);
        return conv_out.call(activation(conv_norm_out.call(x))).MoveToOuterDisposeScope();
    }
}

/// <summary>One resolution of the encoder: residual blocks, each perhaps followed by attention, and a halving unless it is the last.</summary>
internal sealed class EncoderLevel : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<SpatialAttention>? attentions;
    private readonly ModuleList<Downsample>? downsamplers;

    public EncoderLevel((int Input, int Output) channels, int layers, ResnetForm form, bool attends, bool last) : base(nameof(EncoderLevel))
    {
        resnets = Level.Resnets(channels, layers, form);
        if (attends) attentions = Level.Attentions(channels.Output, layers, form);
        if (!last) downsamplers = new ModuleList<Downsample>(new Downsample(channels.Output, padding: 0));
        RegisterComponents();
    }

    /// <param name="x">[batch, input, h, w]</param>
    /// <returns>[batch, output, h/2, w/2], or the same size from the last level.</returns>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        x = Level.Run(x, resnets, attentions);
        return (downsamplers is null ? x : downsamplers[0].call(x)).MoveToOuterDisposeScope();
    }
}

/// <summary>One resolution of the decoder: residual blocks, each perhaps followed by attention, and a doubling unless it is the last.</summary>
internal sealed class DecoderLevel : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<SpatialAttention>? attentions;
    private readonly ModuleList<Enlarge>? upsamplers;

    public DecoderLevel((int Input, int Output) channels, int layers, ResnetForm form, bool attends, bool last) : base(nameof(DecoderLevel))
    {
        resnets = Level.Resnets(channels, layers, form);
        if (attends) attentions = Level.Attentions(channels.Output, layers, form);
        if (!last) upsamplers = new ModuleList<Enlarge>(new Enlarge(channels.Output));
        RegisterComponents();
    }

    /// <param name="x">[batch, input, h, w]</param>
    /// <returns>[batch, output, 2h, 2w], or the same size from the last level.</returns>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        x = Level.Run(x, resnets, attentions);
        return (upsamplers is null ? x : upsamplers[0].call(x, null)).MoveToOuterDisposeScope();
    }
}

/// <summary>The coarsest resolution: two residual blocks around an attention of one head.</summary>
internal sealed class MiddleBlock : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<SpatialAttention>? attentions;

    public MiddleBlock(int channels, ResnetForm form, bool attends) : base(nameof(MiddleBlock))
    {
        resnets = Level.Resnets((channels, channels), 2, form);
        if (attends) attentions = Level.Attentions(channels, 1, form);
        RegisterComponents();
    }

    /// <param name="x">[batch, channels, h, w]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        x = resnets[0].call(x, null);
        if (attentions is not null) x = attentions[0].call(x);
        return resnets[1].call(x, null).MoveToOuterDisposeScope();
    }
}

/// <summary>What levels of both directions share.</summary>
internal static class Level
{
    public static ModuleList<ResnetBlock> Resnets((int Input, int Output) channels, int count, ResnetForm form) =>
        new([.. Enumerable.Range(0, count).Select(i => new ResnetBlock(i == 0 ? channels.Input : channels.Output, channels.Output, form))]);

    /// <summary>One head, as wide as the level: the reference sets its head size to the channels.</summary>
    public static ModuleList<SpatialAttention> Attentions(int channels, int count, ResnetForm form) =>
        new([.. Enumerable.Range(0, count).Select(_ => new SpatialAttention(channels, new AttentionSizes(1, channels), form.Groups, form.Eps))]);

    public static Tensor Run(Tensor x, ModuleList<ResnetBlock> resnets, ModuleList<SpatialAttention>? attentions)
    {
        for (var i = 0; i < resnets.Count; i++)
        {
            x = resnets[i].call(x, null);
            if (attentions is not null) x = attentions[i].call(x);
        }

        return x;
    }
}
