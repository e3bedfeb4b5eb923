using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.UNets;

/// <summary>What every level of a network is conditioned on.</summary>
/// <param name="Time">[batch, time width]</param>
/// <param name="Text">[batch, tokens, context width], or null.</param>
/// <param name="TextBias">[batch, 1, 1, tokens]: what padding adds to the scores of the text, or null.</param>
internal sealed record UNetContext(Tensor Time, Tensor? Text, Tensor? TextBias = null);

/// <summary>A level on the way down (diffusers, models/unets/unet_2d_blocks.py, DownBlock2D and CrossAttnDownBlock2D).</summary>
internal sealed class DownLevel : nn.Module<Tensor, UNetContext, Stack<Tensor>, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<Transformer2D>? attentions;
    private readonly ModuleList<Downsample>? downsamplers;

    public DownLevel(UNetLevel level, ResnetForm form, int padding) : base(nameof(DownLevel))
    {
        resnets = new ModuleList<ResnetBlock>([.. level.Depths.Select((_, i) => new ResnetBlock(i == 0 ? level.Input : level.Output, level.Output, form))]);
        if (level.Attention is { } attention)
            attentions = new ModuleList<Transformer2D>([.. level.Depths.Select(depth => new Transformer2D(level.Output, depth, attention))]);
        if (!level.Last) downsamplers = new ModuleList<Downsample>(new Downsample(level.Output, padding));
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
            if (attentions is not null) x = attentions[i].call(x, context.Text);
            skips.Push(x.MoveToOuterDisposeScope());
        }

        if (downsamplers is null) return x;
        x = downsamplers[0].call(x).MoveToOuterDisposeScope();
        skips.Push(x);
        return x;
    }
}

/// <summary>The coarsest level (diffusers, models/unets/unet_2d_blocks.py, UNetMidBlock2DCrossAttn).</summary>
internal sealed class MiddleLevel : nn.Module<Tensor, UNetContext, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<Transformer2D> attentions;

    public MiddleLevel(UNetLevel level, ResnetForm form) : base(nameof(MiddleLevel))
    {
        resnets = new ModuleList<ResnetBlock>(new ResnetBlock(level.Input, level.Output, form), new ResnetBlock(level.Output, level.Output, form));
        attentions = new ModuleList<Transformer2D>(new Transformer2D(level.Output, level.Depths[0], level.Attention!));
        RegisterComponents();
    }

    /// <param name="x">[batch, channels, h, w]</param>
    /// <param name="context">Time and text.</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x, UNetContext context)
    {
        using var scope = NewDisposeScope();
        x = attentions[0].call(resnets[0].call(x, context.Time), context.Text);
        return resnets[1].call(x, context.Time).MoveToOuterDisposeScope();
    }
}

/// <summary>A level on the way up (diffusers, models/unets/unet_2d_blocks.py, UpBlock2D and CrossAttnUpBlock2D).</summary>
internal sealed class UpLevel : nn.Module<Tensor, UNetContext, Stack<Tensor>, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<Transformer2D>? attentions;
    private readonly ModuleList<Enlarge>? upsamplers;

    public UpLevel(UNetLevel level, ResnetForm form) : base(nameof(UpLevel))
    {
        resnets = new ModuleList<ResnetBlock>([.. level.Skips.Select((skip, i) => new ResnetBlock((i == 0 ? level.Input : level.Output) + skip, level.Output, form))]);
        if (level.Attention is { } attention)
            attentions = new ModuleList<Transformer2D>([.. level.Depths.Select(depth => new Transformer2D(level.Output, depth, attention))]);
        if (!level.Last) upsamplers = new ModuleList<Enlarge>(new Enlarge(level.Output));
        RegisterComponents();
    }

    /// <param name="x">[batch, input, h, w]</param>
    /// <param name="context">Time and text.</param>
    /// <param name="skips">What the way down put by; this level takes its share.</param>
    /// <returns>[batch, output, h', w'] of the next skip's size, or the same size from the last level.</returns>
    public override Tensor forward(Tensor x, UNetContext context, Stack<Tensor> skips)
    {
        using var scope = NewDisposeScope();
        for (var i = 0; i < resnets.Count; i++)
        {
            using var joined = cat([x, skips.Pop()], dim: 1);                // [batch, channels + skipped, h, w]
            x = resnets[i].call(joined, context.Time);
            if (attentions is not null) x = attentions[i].call(x, context.Text);
        }

        // Sides that halving rounded come back to what they were: the next skip has them.
        if (upsamplers is not null) x = upsamplers[0].call(x, (skips.Peek().shape[2], skips.Peek().shape[3]));
        return x.MoveToOuterDisposeScope();
    }
}
