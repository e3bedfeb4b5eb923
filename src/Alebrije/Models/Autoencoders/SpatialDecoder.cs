using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Autoencoders;

/// <summary>
/// Latents → image, with every normalisation conditioned on the latents (Zheng et al., 2022, MoVQ, §3.1; diffusers,
/// models/autoencoders/vae.py, Decoder with norm_type spatial).
/// </summary>
internal sealed class SpatialDecoder : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly Func<Tensor, Tensor> activation;
    private readonly ConvolutionLayer conv_in, conv_out;
    private readonly ModuleList<SpatialLevel> up_blocks;
    private readonly SpatialMiddleBlock mid_block;
    private readonly SpatialNorm conv_norm_out;

    public SpatialDecoder(CoderForm form) : base(nameof(SpatialDecoder))
    {
        var (widths, attending, condition) = (form.Widths, form.Attending("UpDecoderBlock2D"), form.Channels.Input);
        activation = Activation.Named(form.Resnets.Activation);
        conv_in = Layers.Conv2d(form.Channels.Input, widths[0], 3, padding: 1);
        mid_block = new SpatialMiddleBlock(widths[0], condition, form.Resnets.Activation, form.MiddleAttends);
        up_blocks = new ModuleList<SpatialLevel>([.. attending.Select((attends, i) => new SpatialLevel(form, i, attends))]);
        conv_norm_out = new SpatialNorm(widths[^1], condition);
        conv_out = Layers.Conv2d(widths[^1], form.Channels.Output, 3, padding: 1);
        RegisterComponents();
    }

    /// <param name="features">[batch, latent channels, h, w]</param>
    /// <param name="latents">The condition, [batch, latent channels, h, w].</param>
    /// <returns>[batch, 3, 8h, 8w]</returns>
    public override Tensor forward(Tensor features, Tensor latents)
    {
        using var scope = NewDisposeScope();
        var x = conv_in.call(features).Then(map => mid_block.call(map, latents));
        foreach (var level in up_blocks) x = x.Then(map => level.call(map, latents));
        return x.Then(map => conv_norm_out.call(map, latents)).Then(activation).Then(conv_out.call).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Group normalisation with scale and shift linear in the latent at each position: norm(x) · y(z) + b(z) (Zheng et al., 2022, eq. 4;
/// diffusers, models/attention_processor.py, SpatialNorm).
/// </summary>
internal sealed class SpatialNorm : nn.Module<Tensor, Tensor, Tensor>
{
    /// <summary>Fixed in the reference, independent of the config.</summary>
    private const int Groups = 32;

    private readonly GroupNormLayer norm_layer;
    private readonly ConvolutionLayer conv_y, conv_b;

    public SpatialNorm(long channels, long condition) : base(nameof(SpatialNorm))
    {
        norm_layer = Layers.GroupNorm(Groups, channels, Encoder.Eps);
        conv_y = Layers.Conv2d(condition, channels, 1);
        conv_b = Layers.Conv2d(condition, channels, 1);
        RegisterComponents();
    }

    /// <param name="x">[batch, channels, h', w']</param>
    /// <param name="latents">[batch, condition, h, w]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x, Tensor latents)
    {
        using var scope = NewDisposeScope();

        // Upsampling and a 1×1 convolution commute: at the latents' size there are up to 64 times fewer positions to convolve.
        var (scale, shift) = (Spread(conv_y.call(latents), x), Spread(conv_b.call(latents), x));
        return norm_layer.call(x).Then(map => addcmul(shift, map, scale, 1)).MoveToOuterDisposeScope();
    }

    private static Tensor Spread(Tensor small, Tensor like) =>
        small.shape[2] == like.shape[2] && small.shape[3] == like.shape[3]
        ? small : nn.functional.interpolate(small, [like.shape[2], like.shape[3]]);
}

/// <summary>Residual block of two convolutions with spatial norms (diffusers, models/resnet.py, ResnetBlockCondNorm2D).</summary>
internal sealed class SpatialResnetBlock : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly Func<Tensor, Tensor> activation;
    private readonly SpatialNorm norm1, norm2;
    private readonly ConvolutionLayer conv1, conv2;
    private readonly ConvolutionLayer? conv_shortcut;

    public SpatialResnetBlock((long Input, long Output) channels, long condition, string activation) : base(nameof(SpatialResnetBlock))
    {
        this.activation = Activation.Named(activation);
        norm1 = new SpatialNorm(channels.Input, condition);
        conv1 = Layers.Conv2d(channels.Input, channels.Output, 3, padding: 1);
        norm2 = new SpatialNorm(channels.Output, condition);
        conv2 = Layers.Conv2d(channels.Output, channels.Output, 3, padding: 1);
        if (channels.Input != channels.Output) conv_shortcut = Layers.Conv2d(channels.Input, channels.Output, 1);
        RegisterComponents();
    }

    /// <param name="x">[batch, input, h', w']</param>
    /// <param name="latents">[batch, condition, h, w]</param>
    /// <returns>[batch, output, h', w']</returns>
    public override Tensor forward(Tensor x, Tensor latents)
    {
        using var scope = NewDisposeScope();
        var change = norm1.call(x, latents).Then(activation).Then(conv1.call)
            .Then(map => norm2.call(map, latents)).Then(activation).Then(conv2.call);
        return ((conv_shortcut is null ? x : conv_shortcut.call(x)) + change).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Self-attention over an image's positions, spatially normalised first and added to its input (diffusers, models/attention_processor.py,
/// Attention with spatial_norm_dim).
/// </summary>
internal sealed class SpatialNormAttention : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly AttentionSizes sizes;
    private readonly SpatialNorm spatial_norm;
    private readonly LinearLayer to_q, to_k, to_v;
    private readonly ModuleList<LinearLayer> to_out;

    public SpatialNormAttention(long channels, long condition) : base(nameof(SpatialNormAttention))
    {
        sizes = new AttentionSizes(1, channels);
        spatial_norm = new SpatialNorm(channels, condition);
        to_q = Layers.Linear(channels, channels);
        to_k = Layers.Linear(channels, channels);
        to_v = Layers.Linear(channels, channels);
        to_out = new ModuleList<LinearLayer>(Layers.Linear(channels, channels));
        RegisterComponents();
    }

    /// <param name="x">[batch, channels, h', w']</param>
    /// <param name="latents">[batch, condition, h, w]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x, Tensor latents)
    {
        using var scope = NewDisposeScope();
        var positions = spatial_norm.call(x, latents).ToSequence();          // [batch, h'·w', channels]
        var attended = Attention.Attend((to_q.call(positions), to_k.call(positions), to_v.call(positions)), sizes);
        return (x + to_out[0].call(attended).ToFeatureMap(x.shape[2], x.shape[3])).MoveToOuterDisposeScope();
    }
}

/// <summary>One resolution: residual blocks, optionally with attention, and a doubling except at the last level.</summary>
internal sealed class SpatialLevel : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly ModuleList<SpatialResnetBlock> resnets;
    private readonly ModuleList<SpatialNormAttention>? attentions;
    private readonly ModuleList<Enlarge>? upsamplers;

    public SpatialLevel(CoderForm form, int level, bool attends) : base(nameof(SpatialLevel))
    {
        var ((input, output), condition) = (form.Level(level), form.Channels.Input);
        resnets = new ModuleList<SpatialResnetBlock>([.. Enumerable.Range(0, form.Layers)
            .Select(i => new SpatialResnetBlock((i == 0 ? input : output, output), condition, form.Resnets.Activation))]);
        if (attends) attentions = new ModuleList<SpatialNormAttention>(
            [.. Enumerable.Range(0, form.Layers).Select(_ => new SpatialNormAttention(output, condition))]);
        if (level < form.Widths.Count - 1) upsamplers = new ModuleList<Enlarge>(new Enlarge(output));
        RegisterComponents();
    }

    /// <param name="x">[batch, input, h', w']</param>
    /// <param name="latents">[batch, condition, h, w]</param>
    /// <returns>[batch, output, 2h', 2w'], or the same size from the last level.</returns>
    public override Tensor forward(Tensor x, Tensor latents)
    {
        using var scope = NewDisposeScope();
        for (var i = 0; i < resnets.Count; i++)
        {
            // The level's input belongs to its caller.
            x = i == 0 ? resnets[0].call(x, latents) : x.Then(map => resnets[i].call(map, latents));
            if (attentions is not null) x = x.Then(map => attentions[i].call(map, latents));
        }

        return (upsamplers is null ? x : x.Then(map => upsamplers[0].call(map, null))).MoveToOuterDisposeScope();
    }
}

/// <summary>The coarsest resolution: two residual blocks around an attention of one head.</summary>
internal sealed class SpatialMiddleBlock : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly ModuleList<SpatialResnetBlock> resnets;
    private readonly ModuleList<SpatialNormAttention>? attentions;

    public SpatialMiddleBlock(int channels, int condition, string activation, bool attends) : base(nameof(SpatialMiddleBlock))
    {
        resnets = new ModuleList<SpatialResnetBlock>(
            new SpatialResnetBlock((channels, channels), condition, activation),
            new SpatialResnetBlock((channels, channels), condition, activation));
        if (attends) attentions = new ModuleList<SpatialNormAttention>(new SpatialNormAttention(channels, condition));
        RegisterComponents();
    }

    /// <param name="x">[batch, channels, h, w]</param>
    /// <param name="latents">[batch, condition, h, w]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x, Tensor latents)
    {
        using var scope = NewDisposeScope();
        x = resnets[0].call(x, latents);
        if (attentions is not null) x = attentions[0].call(x, latents);
        return resnets[1].call(x, latents).MoveToOuterDisposeScope();
    }
}
