using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.UNets;

/// <summary>
/// Upsampler of unCLIP (Ramesh et al., 2022, §2.1; Karlo's super_res_first and super_res_last): residual blocks conditioned on time alone,
/// without attention, for images of any size; as diffusers' models/unets/unet_2d.py.
/// </summary>
internal sealed class UNet2DModel : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly ConvolutionLayer conv_in, conv_out;
    private readonly TimestepEmbedding time_embedding;
    private readonly ModuleList<DownLevel> down_blocks;
    private readonly MiddleLevel mid_block;
    private readonly ModuleList<UpLevel> up_blocks;
    private readonly GroupNormLayer conv_norm_out;

    public UNet2DModel(UNet2DConfig config) : base(nameof(UNet2DModel))
    {
        Config = config;
        config.Check();
        var (channels, form) = (config.BlockOutChannels, config.Form);
        var (finest, last) = (channels[0], channels.Length - 1);
        conv_in = Layers.Conv2d(config.InChannels, finest, 3, padding: 1);
        time_embedding = new TimestepEmbedding(finest, (config.TimeWidth, config.TimeWidth), "silu");
        int[] blocks = [.. Enumerable.Repeat(1, config.LayersPerBlock)];
        down_blocks = new([.. channels.Select((output, i) =>
            new DownLevel(
                new UNetLevel(channels[Math.Max(i - 1, 0)], output, blocks, null) { ResizesInBlocks = true, Last = i == last }, form))]);
        mid_block = new MiddleLevel(
            new UNetLevel(channels[last], channels[last], blocks, null), form with { OutputDivisor = config.MidBlockScaleFactor });
        up_blocks = new([.. Enumerable.Range(0, channels.Length).Select(up =>
        {
            var level = last - up;
            return new UpLevel(new UNetLevel(channels[Math.Min(level + 1, last)], channels[level], blocks, null)
            {
                ResizesInBlocks = true, Last = level == 0,
                Skips = [.. Enumerable.Repeat(channels[level], config.LayersPerBlock), channels[Math.Max(level - 1, 0)]],
            }, form);
        })]);
        conv_norm_out = Layers.GroupNorm(config.NormNumGroups, finest, config.NormEps);
        conv_out = Layers.Conv2d(finest, config.OutChannels, 3, padding: 1);
        RegisterComponents();
    }

    /// <summary>Configuration of the network.</summary>
    public UNet2DConfig Config { get; }

    /// <summary>Divisor of valid sides: every level except one halves them.</summary>
    public int Factor => 1 << (Config.BlockOutChannels.Length - 1);

    /// <param name="sample">[batch, in channels, h, w], sides multiples of <see cref="Factor"/>.</param>
    /// <param name="steps">One step or [batch] of them.</param>
    /// <returns>[batch, out channels, h, w]: noise or x0, by the network's training.</returns>
    public override Tensor forward(Tensor sample, Tensor steps)
    {
        if (sample.dim() != 4 || sample.shape[1] != Config.InChannels || sample.shape[2] % Factor != 0 || sample.shape[3] % Factor != 0)
            throw new ArgumentException(
                $"The sample is [{string.Join(", ", sample.shape)}], but the "
                    + $"network takes [batch, {Config.InChannels}, h, w] with sides that are multiples of {Factor}.");
        using var scope = NewDisposeScope();
        var code = Timesteps.Encode(Timesteps.ForBatch(steps, sample), Config.BlockOutChannels[0], Config.FlipSinToCos, Config.FreqShift);
        var context = new UNetContext(time_embedding.call(code.to(sample.dtype)), Text: null);

        var x = conv_in.call(Config.CenterInputSample ? (2 * sample) - 1 : sample);
        var skips = new Stack<Tensor>([x]);
        foreach (var level in down_blocks) x = level.call(x, context, skips);
        x = mid_block.call(x, context);
        foreach (var level in up_blocks) x = level.call(x, context, skips);
        return conv_out.call(nn.functional.silu(conv_norm_out.call(x))).MoveToOuterDisposeScope();
    }
}
