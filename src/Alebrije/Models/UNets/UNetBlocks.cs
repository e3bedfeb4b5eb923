using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.UNets;

/// <summary>Conditions common to all levels of a network.</summary>
/// <param name="Time">[batch, time width]</param>
/// <param name="Text">[batch, tokens, context width], or null.</param>
/// <param name="TextBias">[batch, 1, 1, tokens]: the padding's term of the text's scores, or null.</param>
internal sealed record UNetContext(Tensor Time, Tensor? Text, Tensor? TextBias = null)
{
    /// <summary>Attention of an image to the text, of either kind from <see cref="UNetLevel.Attentions"/>.</summary>
    public Tensor Attend(nn.Module attention, Tensor x) =>
        attention is Transformer2D transformer ? transformer.call(x, Text) : ((AddedKvAttention)attention).call(x, this);
}

/// <summary>
/// A level of the down path, ending in a convolution or residual block that halves the image (diffusers, models/unets/unet_2d_blocks.py:
/// DownBlock2D, CrossAttnDownBlock2D, ResnetDownsampleBlock2D and SimpleCrossAttnDownBlock2D).
/// </summary>
internal sealed class DownLevel : nn.Module<Tensor, UNetContext, Stack<Tensor>, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<nn.Module>? attentions;
    private readonly ModuleList<nn.Module>? downsamplers;

    public DownLevel(UNetLevel level, ResnetForm form, int padding = 1) : base(nameof(DownLevel))
    {
        resnets = new ModuleList<ResnetBlock>(
            [.. level.Depths.Select((_, i) => new ResnetBlock(i == 0 ? level.Input : level.Output, level.Output, form))]);
        attentions = level.Attentions(level.Depths.Length);
        if (!level.Last)
            downsamplers = new ModuleList<nn.Module>(
                level.ResizesInBlocks ?
                    new ResnetBlock(level.Output, level.Output, form, Resample.Halve) : new Downsample(level.Output, padding));
        RegisterComponents();
    }

    /// <param name="x">[batch, input, h, w]</param>
    /// <param name="context">Time and text.</param>
    /// <param name="skips">Receives every part's output as a skip connection.</param>
    /// <returns>[batch, output, h/2, w/2], or the same size from the last level.</returns>
    public override Tensor forward(Tensor x, UNetContext context, Stack<Tensor> skips)
    {
        using var scope = NewDisposeScope();
        for (var i = 0; i < resnets.Count; i++)
        {
            x = resnets[i].call(x, context.Time);
            if (attentions is not null) x = context.Attend(attentions[i], x);
            skips.Push(x.MoveToOuterDisposeScope());
        }

        if (downsamplers is null) return x;
        x = (downsamplers[0] is ResnetBlock block ?
            block.call(x, context.Time) : ((Downsample)downsamplers[0]).call(x)).MoveToOuterDisposeScope();
        skips.Push(x);
        return x;
    }
}

/// <summary>
/// The coarsest level: residual blocks with or without an attention between them (diffusers, models/unets/unet_2d_blocks.py:
/// UNetMidBlock2DCrossAttn, UNetMidBlock2DSimpleCrossAttn; UNetMidBlock2D with add_attention false).
/// </summary>
internal sealed class MiddleLevel : nn.Module<Tensor, UNetContext, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<nn.Module>? attentions;

    public MiddleLevel(UNetLevel level, ResnetForm form) : base(nameof(MiddleLevel))
    {
        resnets = new ModuleList<ResnetBlock>(new ResnetBlock(level.Input, level.Output, form),
            new ResnetBlock(level.Output, level.Output, form));
        attentions = level.Attentions(1);
        RegisterComponents();
    }

    /// <param name="x">[batch, channels, h, w]</param>
    /// <param name="context">Time and text.</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x, UNetContext context)
    {
        using var scope = NewDisposeScope();
        x = resnets[0].call(x, context.Time);
        if (attentions is not null) x = context.Attend(attentions[0], x);
        return resnets[1].call(x, context.Time).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// A level of the up path, ending in a convolution or residual block that doubles the image (diffusers, models/unets/unet_2d_blocks.py:
/// UpBlock2D, CrossAttnUpBlock2D, ResnetUpsampleBlock2D and SimpleCrossAttnUpBlock2D).
/// </summary>
internal sealed class UpLevel : nn.Module<Tensor, UNetContext, Stack<Tensor>, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<nn.Module>? attentions;
    private readonly ModuleList<nn.Module>? upsamplers;

    public UpLevel(UNetLevel level, ResnetForm form) : base(nameof(UpLevel))
    {
        resnets = new ModuleList<ResnetBlock>(
            [.. level.Skips.Select((skip, i) => new ResnetBlock((i == 0 ? level.Input : level.Output) + skip, level.Output, form))]);
        attentions = level.Attentions(level.Depths.Length);
        if (!level.Last)
            upsamplers = new ModuleList<nn.Module>(
                level.ResizesInBlocks ? new ResnetBlock(level.Output, level.Output, form, Resample.Double) : new Enlarge(level.Output));
        RegisterComponents();
    }

    /// <param name="x">[batch, input, h, w]</param>
    /// <param name="context">Time and text.</param>
    /// <param name="skips">Skip connections of the down path; this level pops its own.</param>
    /// <returns>[batch, output, 2h, 2w], or the next skip's sides after a convolution, or the same size from the last level.</returns>
    public override Tensor forward(Tensor x, UNetContext context, Stack<Tensor> skips)
    {
        using var scope = NewDisposeScope();
        for (var i = 0; i < resnets.Count; i++)
        {
            using var joined = cat([x, skips.Pop()], dim: 1);                // [batch, channels + skipped, h, w]
            x = resnets[i].call(joined, context.Time);
            if (attentions is not null) x = context.Attend(attentions[i], x);
        }

        // Restores sides that halving rounded: those of the next skip connection.
        if (upsamplers is not null)
            x = upsamplers[0] is ResnetBlock block ? block.call(x, context.Time)
                : ((Enlarge)upsamplers[0]).call(x, (skips.Peek().shape[2], skips.Peek().shape[3]));
        return x.MoveToOuterDisposeScope();
    }
}
