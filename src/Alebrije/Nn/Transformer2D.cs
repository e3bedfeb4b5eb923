using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>Form of a <see cref="Transformer2D"/>.</summary>
/// <param name="Heads">Sizes of its attention.</param>
/// <param name="ContextWidth">Width of the text encodings.</param>
internal sealed record TransformerForm(AttentionSizes Heads, int ContextWidth)
{
    /// <summary>Groups of the normalisation.</summary>
    public int Groups { get; init; } = 32;

    /// <summary>True if input and output projections are linear layers rather than 1×1 convolutions.</summary>
    public bool LinearProjection { get; init; }

    /// <summary>True if the first attention of a block, like the second, attends to the text.</summary>
    public bool OnlyContext { get; init; }
}

/// <summary>
/// Transformer over an image's positions with attention to the text (Rombach et al., 2022, §3.3; diffusers,
/// models/transformers/transformer_2d.py).
/// </summary>
internal sealed class Transformer2D : nn.Module<Tensor, Tensor?, Tensor>
{
    private const double Eps = 1e-6;

    private readonly bool linear;
    private readonly GroupNormLayer norm;
    private readonly nn.Module<Tensor, Tensor> proj_in, proj_out;
    private readonly ModuleList<TransformerBlock> transformer_blocks;

    public Transformer2D(int channels, int depth, TransformerForm form) : base(nameof(Transformer2D))
    {
        linear = form.LinearProjection;
        var inner = form.Heads.Inner;
        var context = form.Heads with { ContextWidth = form.ContextWidth };
        var block = new TransformerBlockForm(form.OnlyContext ? context : form.Heads, context) { Gated = true };
        norm = Layers.GroupNorm(form.Groups, channels, Eps);
        proj_in = linear ? Layers.Linear(channels, inner) : Layers.Conv2d(channels, inner, 1);
        transformer_blocks = new ModuleList<TransformerBlock>(
            [.. Enumerable.Range(0, depth).Select(_ => new TransformerBlock(inner, block))]);
        proj_out = linear ? Layers.Linear(inner, channels) : Layers.Conv2d(inner, channels, 1);
        RegisterComponents();
    }

    /// <param name="x">[batch, channels, h, w]</param>
    /// <param name="text">[batch, tokens, context width]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x, Tensor? text)
    {
        using var scope = NewDisposeScope();
        var (height, width) = (x.shape[2], x.shape[3]);
        var features = norm.call(x);
        var positions = linear ? proj_in.call(features.ToSequence()) : proj_in.call(features).ToSequence();   // [batch, h·w, inner]
        foreach (var block in transformer_blocks) positions = block.call(positions, text, null);
        var back = linear
            ? proj_out.call(positions).ToFeatureMap(height, width)
            : proj_out.call(positions.ToFeatureMap(height, width));                                           // [batch, channels, h, w]
        return (x + back).MoveToOuterDisposeScope();
    }
}
