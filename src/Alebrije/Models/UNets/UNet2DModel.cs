using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.UNets;

/// <summary>
/// Upsampler of unCLIP (Ramesh et al., 2022, §2.1; Karlo's super_res_first and super_res_last): residual blocks conditioned on time alone, without
/// attention, so that it takes pictures of any size; as diffusers' models/unets/unet_2d.py.
/// </summary>
internal sealed class UNet2DModel : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly ConvolutionLayer conv_in, conv_out;
    private readonly TimestepEmbedding time_embedding;
    private readonly ModuleList<ResidualDownLevel> down_blocks;
    private readonly ResidualMiddle mid_block;
    private readonly ModuleList<ResidualUpLevel> up_blocks;
    private readonly GroupNormLayer conv_norm_out;

    public UNet2DModel(UNet2DConfig config) : base(nameof(UNet2DModel))
    {
        Config = config;
        config.Check();
        var (channels, form) = (config.BlockOutChannels, config.Form);
        var (finest, last) = (channels[0], channels.Length - 1);
        conv_in = Layers.Conv2d(config.InChannels, finest, 3, padding: 1);
        time_embedding = new TimestepEmbedding(finest, (config.TimeWidth, config.TimeWidth), "silu");
        down_blocks = new ModuleList<ResidualDownLevel>(
            [.. channels.Select((output, i) => new ResidualDownLevel(channels[Math.Max(i - 1, 0)], output, config.LayersPerBlock, form, halves: i < last))]);
        mid_block = new ResidualMiddle(channels[last], form with { OutputDivisor = config.MidBlockScaleFactor });
        up_blocks = new ModuleList<ResidualUpLevel>([.. Enumerable.Range(0, channels.Length).Select(up =>
        {
            var level = last - up;
            int[] skips = [.. Enumerable.Repeat(channels[level], config.LayersPerBlock), channels[Math.Max(level - 1, 0)]];
            return new ResidualUpLevel(channels[Math.Min(level + 1, last)], channels[level], skips, form, doubles: level > 0);
        })]);
        conv_norm_out = Layers.GroupNorm(config.NormNumGroups, finest, config.NormEps);
        conv_out = Layers.Conv2d(finest, config.OutChannels, 3, padding: 1);
        RegisterComponents();
    }

    /// <summary>The config it was built from.</summary>
    public UNet2DConfig Config { get; }

    /// <summary>Sides have to be multiples of this: every level but one halves them.</summary>
    public int Factor => 1 << (Config.BlockOutChannels.Length - 1);

    /// <param name="sample">[batch, in channels, h, w], sides multiples of <see cref="Factor"/>.</param>
    /// <param name="steps">One step or [batch] of them.</param>
    /// <returns>[batch, out channels, h, w]: noise or picture, as it was trained.</returns>
    public override Tensor forward(Tensor sample, Tensor steps)
    {
        if (sample.dim() != 4 || sample.shape[1] != Config.InChannels || sample.shape[2] % Factor != 0 || sample.shape[3] % Factor != 0)
            throw new ArgumentException(
                $"The sample is [{string.Join(", ", sample.shape)}], but the network takes [batch, {Config.InChannels}, h, w] with sides that are multiples of {Factor}.");
        using var scope = NewDisposeScope();
        var code = Timesteps.Encode(Timesteps.ForBatch(steps, sample), Config.BlockOutChannels[0], Config.FlipSinToCos, Config.FreqShift);
        var time = time_embedding.call(code.to(sample.dtype));                   // [batch, time width]

        var x = conv_in.call(Config.CenterInputSample ? (2 * sample) - 1 : sample);
        var skips = new Stack<Tensor>([x]);
        foreach (var level in down_blocks) x = level.call(x, time, skips);
        x = mid_block.call(x, time);
        foreach (var level in up_blocks) x = level.call(x, time, skips);
        return conv_out.call(nn.functional.silu(conv_norm_out.call(x))).MoveToOuterDisposeScope();
    }
}

/// <summary>A level on the way down, halved by a residual block (diffusers, models/unets/unet_2d_blocks.py, ResnetDownsampleBlock2D).</summary>
internal sealed class ResidualDownLevel : nn.Module<Tensor, Tensor, Stack<Tensor>, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<ResnetBlock>? downsamplers;

    public ResidualDownLevel(int input, int output, int blocks, ResnetForm form, bool halves) : base(nameof(ResidualDownLevel))
    {
        resnets = new ModuleList<ResnetBlock>([.. Enumerable.Range(0, blocks).Select(i => new ResnetBlock(i == 0 ? input : output, output, form))]);
        if (halves) downsamplers = new ModuleList<ResnetBlock>(new ResnetBlock(output, output, form, Resample.Halve));
        RegisterComponents();
    }

    /// <param name="x">[batch, input, h, w]</param>
    /// <param name="time">[batch, time width]</param>
    /// <param name="skips">Takes what comes out of every part, for the way up.</param>
    /// <returns>[batch, output, h/2, w/2], or the same size from the last level.</returns>
    public override Tensor forward(Tensor x, Tensor time, Stack<Tensor> skips)
    {
        using var scope = NewDisposeScope();
        foreach (var block in downsamplers is null ? resnets : resnets.Concat(downsamplers))
        {
            x = block.call(x, time).MoveToOuterDisposeScope();
            skips.Push(x);
        }

        return x;
    }
}

/// <summary>The coarsest level (diffusers, models/unets/unet_2d_blocks.py, UNetMidBlock2D without attention).</summary>
internal sealed class ResidualMiddle : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;

    public ResidualMiddle(int channels, ResnetForm form) : base(nameof(ResidualMiddle))
    {
        resnets = new ModuleList<ResnetBlock>(new ResnetBlock(channels, channels, form), new ResnetBlock(channels, channels, form));
        RegisterComponents();
    }

    /// <param name="x">[batch, channels, h, w]</param>
    /// <param name="time">[batch, time width]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x, Tensor time)
    {
        using var scope = NewDisposeScope();
        return resnets[1].call(resnets[0].call(x, time), time).MoveToOuterDisposeScope();
    }
}

/// <summary>A level on the way up, doubled by a residual block (diffusers, models/unets/unet_2d_blocks.py, ResnetUpsampleBlock2D).</summary>
internal sealed class ResidualUpLevel : nn.Module<Tensor, Tensor, Stack<Tensor>, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<ResnetBlock>? upsamplers;

    public ResidualUpLevel(int input, int output, int[] skips, ResnetForm form, bool doubles) : base(nameof(ResidualUpLevel))
    {
        resnets = new ModuleList<ResnetBlock>([.. skips.Select((skip, i) => new ResnetBlock((i == 0 ? input : output) + skip, output, form))]);
        if (doubles) upsamplers = new ModuleList<ResnetBlock>(new ResnetBlock(output, output, form, Resample.Double));
        RegisterComponents();
    }

    /// <param name="x">[batch, input, h, w]</param>
    /// <param name="time">[batch, time width]</param>
    /// <param name="skips">What the way down put by; this level takes its share.</param>
    /// <returns>[batch, output, 2 h, 2 w], or the same size from the last level.</returns>
    public override Tensor forward(Tensor x, Tensor time, Stack<Tensor> skips)
    {
        using var scope = NewDisposeScope();
        foreach (var block in resnets)
        {
            using var joined = cat([x, skips.Pop()], dim: 1);                    // [batch, channels + skipped, h, w]
            x = block.call(joined, time);
        }

        if (upsamplers is not null) x = upsamplers[0].call(x, time);
        return x.MoveToOuterDisposeScope();
    }
}
