using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.UNets;

/// <summary>
/// A level on the way down whose last residual block halves the picture, with or without attention (diffusers, models/unets/unet_2d_blocks.py,
/// ResnetDownsampleBlock2D and SimpleCrossAttnDownBlock2D).
/// </summary>
internal sealed class ResnetDownLevel : nn.Module<Tensor, UNetContext, Stack<Tensor>, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<AddedKvAttention>? attentions;
    private readonly ModuleList<ResnetBlock>? downsamplers;

    public ResnetDownLevel(UNetLevel level, ResnetForm form) : base(nameof(ResnetDownLevel))
    {
        resnets = new ModuleList<ResnetBlock>([.. level.Depths.Select((_, i) => new ResnetBlock(i == 0 ? level.Input : level.Output, level.Output, form))]);
        if (level.AddedKv is { } attention)
            attentions = new ModuleList<AddedKvAttention>([.. level.Depths.Select(_ => new AddedKvAttention(level.Output, attention))]);
        if (!level.Last) downsamplers = new ModuleList<ResnetBlock>(new ResnetBlock(level.Output, level.Output, form, Resample.Halve));
        RegisterComponents();
    }

    /// <param name="x">[batch, input, h, w]</param>
    /// <param name="context">Time and text.</param>
    /// <param name="skips">Takes what comes out of every part, for the way up.</param>
    /// <returns>[batch, output, h/2, w/2], or the same size from the last level.</returns>
    public override Tensor forward(Tensor x, UNetContext context, Stack<Tensor> skips)
    {
        using var scope = NewDisposeScope();
        for (var i = 0; i < resnets.Count; i++)
        {
            x = resnets[i].call(x, context.Time);
            if (attentions is not null) x = attentions[i].call(x, context);
            skips.Push(x.MoveToOuterDisposeScope());
        }

        if (downsamplers is null) return x;
        x = downsamplers[0].call(x, context.Time).MoveToOuterDisposeScope();
        skips.Push(x);
        return x;
    }
}

/// <summary>
/// The coarsest level of residual blocks around an attention, or around nothing (diffusers, models/unets/unet_2d_blocks.py,
/// UNetMidBlock2DSimpleCrossAttn; UNetMidBlock2D with add_attention false).
/// </summary>
internal sealed class ResnetMiddleLevel : nn.Module<Tensor, UNetContext, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<AddedKvAttention>? attentions;

    public ResnetMiddleLevel(UNetLevel level, ResnetForm form) : base(nameof(ResnetMiddleLevel))
    {
        resnets = new ModuleList<ResnetBlock>(new ResnetBlock(level.Input, level.Output, form), new ResnetBlock(level.Output, level.Output, form));
        if (level.AddedKv is { } attention) attentions = new ModuleList<AddedKvAttention>(new AddedKvAttention(level.Output, attention));
        RegisterComponents();
    }

    /// <param name="x">[batch, channels, h, w]</param>
    /// <param name="context">Time and text.</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x, UNetContext context)
    {
        using var scope = NewDisposeScope();
        x = resnets[0].call(x, context.Time);
        if (attentions is not null) x = attentions[0].call(x, context);
        return resnets[1].call(x, context.Time).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// A level on the way up whose last residual block doubles the picture, with or without attention (diffusers, models/unets/unet_2d_blocks.py,
/// ResnetUpsampleBlock2D and SimpleCrossAttnUpBlock2D).
/// </summary>
internal sealed class ResnetUpLevel : nn.Module<Tensor, UNetContext, Stack<Tensor>, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<AddedKvAttention>? attentions;
    private readonly ModuleList<ResnetBlock>? upsamplers;

    public ResnetUpLevel(UNetLevel level, ResnetForm form) : base(nameof(ResnetUpLevel))
    {
        resnets = new ModuleList<ResnetBlock>([.. level.Skips.Select((skip, i) => new ResnetBlock((i == 0 ? level.Input : level.Output) + skip, level.Output, form))]);
        if (level.AddedKv is { } attention)
            attentions = new ModuleList<AddedKvAttention>([.. level.Skips.Select(_ => new AddedKvAttention(level.Output, attention))]);
        if (!level.Last) upsamplers = new ModuleList<ResnetBlock>(new ResnetBlock(level.Output, level.Output, form, Resample.Double));
        RegisterComponents();
    }

    /// <param name="x">[batch, input, h, w]</param>
    /// <param name="context">Time and text.</param>
    /// <param name="skips">What the way down put by; this level takes its share.</param>
    /// <returns>[batch, output, 2h, 2w], or the same size from the last level.</returns>
    public override Tensor forward(Tensor x, UNetContext context, Stack<Tensor> skips)
    {
        using var scope = NewDisposeScope();
        for (var i = 0; i < resnets.Count; i++)
        {
            using var joined = cat([x, skips.Pop()], dim: 1);                // [batch, channels + skipped, h, w]
            x = resnets[i].call(joined, context.Time);
            if (attentions is not null) x = attentions[i].call(x, context);
        }

        if (upsamplers is not null) x = upsamplers[0].call(x, context.Time);
        return x.MoveToOuterDisposeScope();
    }
}
