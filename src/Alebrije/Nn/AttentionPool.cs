using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Nn;

/// <summary>
/// Attention pooling: the mean token attends to itself and all tokens (openai/CLIP, model.py, AttentionPool2d; diffusers,
/// models/embeddings.py, AttentionPooling).
/// </summary>
internal sealed class AttentionPool : nn.Module<Tensor, Tensor>
{
    private readonly AttentionSizes sizes;
    private readonly Parameter positional_embedding;
    private readonly LinearLayer q_proj, k_proj, v_proj;
    private readonly LinearLayer? c_proj;

    /// <param name="positions">Number of tokens with a position, the mean first: 1, or all and the mean.</param>
    /// <param name="width">Width of a token.</param>
    /// <param name="heads">Number of heads; they divide the width.</param>
    /// <param name="output">Width of a last layer; null: no such layer.</param>
    public AttentionPool(int positions, int width, int heads, int? output = null) : base(nameof(AttentionPool))
    {
        sizes = AttentionSizes.Split(width, heads);
        positional_embedding = WeightInit.Normal(Math.Pow(width, -0.5), positions, width);
        (k_proj, q_proj, v_proj) = (Layers.Linear(width, width), Layers.Linear(width, width), Layers.Linear(width, width));
        if (output is { } features) c_proj = Layers.Linear(width, features);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>[batch, output or width]</returns>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var (mean, positions) = (x.mean([1], keepdim: true), positional_embedding.As(x));
        var all = positions.shape[0] == 1 ? cat([mean + positions, x], dim: 1)
            : cat([mean, x], dim: 1) + positions;                                            // [batch, 1 + tokens, width]
        var pooled = Attention.Attend((q_proj.call(all.narrow(1, 0, 1)), k_proj.call(all), v_proj.call(all)), sizes).squeeze(1);
        return (c_proj?.call(pooled) ?? pooled).MoveToOuterDisposeScope();
    }
}
