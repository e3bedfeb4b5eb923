using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Autoencoders;

/// <summary>Sizes of an encoder or decoder, in the order of its levels.</summary>
/// <param name="Channels">Channels of the input and of the output.</param>
/// <param name="Widths">Channels of each level.</param>
/// <param name="BlockTypes">The block type of each level.</param>
/// <param name="Layers">Residual blocks of a level.</param>
/// <param name="Resnets">Form of the residual blocks.</param>
/// <param name="MiddleAttends">True if the middle block has attention.</param>
internal sealed record CoderForm(
    (int Input, int Output) Channels, IReadOnlyList<int> Widths,
    IReadOnlyList<string> BlockTypes, int Layers, ResnetForm Resnets, bool MiddleAttends)
{
    /// <summary>Input and output channels of level <paramref name="i"/>.</summary>
    public (int Input, int Output) Level(int i) => (Widths[Math.Max(i - 1, 0)], Widths[i]);

    /// <summary>For each level, true if it has attention.</summary>
    /// <param name="plain">The block type without attention; the one with attention has the prefix Attn.</param>
    /// <exception cref="ArgumentException">The number of types differs from that of widths, or a type is unknown.</exception>
    public bool[] Attending(string plain)
    {
        if (BlockTypes.Count != Widths.Count)
            throw new ArgumentException($"The config names {BlockTypes.Count} "
                + $"block types ({string.Join(", ", BlockTypes)}) and {Widths.Count} block_out_channels: there must be as many.");
        return [.. BlockTypes.Select(type => type == plain ? false
            : type == "Attn" + plain ? true
            : throw new ArgumentException(
                $"The block type \"{type}\" is not supported by this autoencoder: it must be {plain} or Attn{plain}."))];
    }
}

/// <summary>Image → features of the latents (diffusers, models/autoencoders/vae.py, Encoder).</summary>
internal sealed class Encoder : nn.Module<Tensor, Tensor>
{
    /// <summary>Epsilon of the variance in every normalisation of an autoencoder.</summary>
    internal const double Eps = 1e-6;

    private readonly Func<Tensor, Tensor> activation;
    private readonly ConvolutionLayer conv_in, conv_out;
    private readonly ModuleList<EncoderLevel> down_blocks;
    private readonly MiddleBlock mid_block;
    private readonly GroupNormLayer conv_norm_out;

    public Encoder(CoderForm form) : base(nameof(Encoder))
    {
        var (widths, attending) = (form.Widths, form.Attending("DownEncoderBlock2D"));
        activation = Activation.Named(form.Resnets.Activation);
        conv_in = Layers.Conv2d(form.Channels.Input, widths[0], 3, padding: 1);
        down_blocks = new ModuleList<EncoderLevel>([.. attending.Select((attends, i) =>
            new EncoderLevel(form.Level(i), form.Layers, form.Resnets, attends, last: i == widths.Count - 1))]);
        mid_block = new MiddleBlock(widths[^1], form.Resnets, form.MiddleAttends);
        conv_norm_out = Layers.GroupNorm(form.Resnets.Groups, widths[^1], Eps);
        conv_out = Layers.Conv2d(widths[^1], form.Channels.Output, 3, padding: 1);
        RegisterComponents();
    }

    /// <param name="pixels">[batch, 3, h, w] in [-1, 1]</param>
    /// <returns>[batch, outputs, h/8, w/8]</returns>
    public override Tensor forward(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        var x = conv_in.call(pixels);
        foreach (var level in down_blocks) x = x.Then(level.call);
        return x.Then(mid_block.call).Then(conv_norm_out.call).Then(activation).Then(conv_out.call).MoveToOuterDisposeScope();
    }
}

/// <summary>Latents → image (diffusers, models/autoencoders/vae.py, Decoder).</summary>
internal sealed class Decoder : nn.Module<Tensor, Tensor>
{
    private readonly Func<Tensor, Tensor> activation;
    private readonly ConvolutionLayer conv_in, conv_out;
    private readonly ModuleList<DecoderLevel> up_blocks;
    private readonly MiddleBlock mid_block;
    private readonly GroupNormLayer conv_norm_out;

    public Decoder(CoderForm form) : base(nameof(Decoder))
    {
        var (widths, attending) = (form.Widths, form.Attending("UpDecoderBlock2D"));
        activation = Activation.Named(form.Resnets.Activation);
        conv_in = Layers.Conv2d(form.Channels.Input, widths[0], 3, padding: 1);
        mid_block = new MiddleBlock(widths[0], form.Resnets, form.MiddleAttends);
        up_blocks = new ModuleList<DecoderLevel>([.. attending.Select((attends, i) =>
            new DecoderLevel(form.Level(i), form.Layers, form.Resnets, attends, last: i == widths.Count - 1))]);
        conv_norm_out = Layers.GroupNorm(form.Resnets.Groups, widths[^1], Encoder.Eps);
        conv_out = Layers.Conv2d(widths[^1], form.Channels.Output, 3, padding: 1);
        RegisterComponents();
    }

    /// <param name="latents">[batch, latent channels, h, w]</param>
    /// <returns>[batch, 3, 8h, 8w]</returns>
    public override Tensor forward(Tensor latents)
    {
        using var scope = NewDisposeScope();
        var x = conv_in.call(latents).Then(mid_block.call);
        foreach (var level in up_blocks) x = x.Then(level.call);
        return x.Then(conv_norm_out.call).Then(activation).Then(conv_out.call).MoveToOuterDisposeScope();
    }
}

/// <summary>One resolution of the encoder: residual blocks, optionally with attention, and a halving except at the last level.</summary>
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
        return (downsamplers is null ? x : x.Then(downsamplers[0].call)).MoveToOuterDisposeScope();
    }
}

/// <summary>One resolution of the decoder: residual blocks, optionally with attention, and a doubling except at the last level.</summary>
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
        return (upsamplers is null ? x : x.Then(map => upsamplers[0].call(map, null))).MoveToOuterDisposeScope();
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
        if (attentions is not null) x = x.Then(attentions[0].call);
        return x.Then(map => resnets[1].call(map, null)).MoveToOuterDisposeScope();
    }
}

/// <summary>Helpers of the levels of encoder and decoder.</summary>
internal static class Level
{
    public static ModuleList<ResnetBlock> Resnets((int Input, int Output) channels, int count, ResnetForm form) =>
        new([.. Enumerable.Range(0, count).Select(i => new ResnetBlock(i == 0 ? channels.Input : channels.Output, channels.Output, form))]);

    /// <summary>Attention of one head as wide as the level: the reference sets its head size to the channels.</summary>
    public static ModuleList<SpatialAttention> Attentions(int channels, int count, ResnetForm form) =>
        new([.. Enumerable.Range(0, count)
            .Select(_ => new SpatialAttention(channels, new AttentionSizes(1, channels), form.Groups, form.Eps))]);

    public static Tensor Run(Tensor x, ModuleList<ResnetBlock> resnets, ModuleList<SpatialAttention>? attentions)
    {
        for (var i = 0; i < resnets.Count; i++)
        {
            // The level's input belongs to its caller.
            x = i == 0 ? resnets[0].call(x, null) : x.Then(map => resnets[i].call(map, null));
            if (attentions is not null) x = x.Then(attentions[i].call);
        }

        return x;
    }
}
