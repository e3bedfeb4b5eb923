using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Flamingo;

/// <summary>Images that a batch of texts attends to.</summary>
/// <param name="Media">[batch, images, latents, width], or null: no text has an image.</param>
/// <param name="Bias">
/// [batch, 1, tokens, images · latents]: 0 for the latents of the last image before a token, the lowest number for all others.
/// </param>
/// <param name="HasImage">[batch, tokens, 1]: 1 after the first image, 0 before it.</param>
internal sealed record MediaContext(Tensor? Media, Tensor Bias, Tensor HasImage);

/// <summary>
/// Cross-attention to images and a feed-forward network, each multiplied by the tanh of a gate that begins at zero (Alayrac et al., 2022,
/// fig. 4; open_flamingo, src/helpers.py, GatedCrossAttentionBlock).
/// </summary>
internal sealed class GatedCrossAttention : nn.Module
{
    private readonly MaskedCrossAttention attn;
    private readonly FlamingoFeedForward ff;
    private readonly Parameter attn_gate, ff_gate;

    /// <param name="config">Heads and the expansion.</param>
    /// <param name="width">Width of a text token.</param>
    /// <param name="mediaWidth">Width of a resampled token.</param>
    public GatedCrossAttention(FlamingoConfig config, long width, long mediaWidth) : base(nameof(GatedCrossAttention))
    {
        var sizes = new AttentionSizes(config.Heads, config.HeadWidth) { ContextWidth = mediaWidth };
        attn = new MaskedCrossAttention(sizes, width);
        ff = new FlamingoFeedForward(width, config.FfMult);
        (attn_gate, ff_gate) = (WeightInit.Constant(0, 1), WeightInit.Constant(0, 1));
        RegisterComponents();
    }

    /// <summary>The factors of attention and feed-forward network: the tanh of both gates.</summary>
    public (double Attention, double FeedForward) Gates()
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        return (Value(attn_gate), Value(ff_gate));

        static double Value(Tensor gate) => Math.Tanh(gate.detach().to(ScalarType.Float32).item<float>());
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="context">The images.</param>
    /// <param name="cache">Keys and values of the images, projected once; or null.</param>
    /// <param name="seen">Called with the attention, [batch, heads, tokens, images · latents]; null: not computed.</param>
    /// <returns>As the input.</returns>
    public Tensor Run(Tensor x, MediaContext context, MediaCache? cache = null, Action<Tensor>? seen = null)
    {
        using var scope = NewDisposeScope();

        // Text without an image skips the attention, which is zero, and not the feed-forward network.
        if (context.Media is not null) x = x + (attn.Run(x, context, cache, seen) * attn_gate.As(x).tanh());
        return (x + (ff.call(x) * ff_gate.As(x).tanh())).MoveToOuterDisposeScope();
    }
}

/// <summary>Attention of each text token to the last image before it (Alayrac et al., 2022, §2.3); zero before the first image.</summary>
internal sealed class MaskedCrossAttention : nn.Module
{
    private readonly AttentionSizes sizes;
    private readonly LayerNormLayer norm;
    private readonly LinearLayer to_q, to_kv, to_out;

    public MaskedCrossAttention(AttentionSizes sizes, long width) : base(nameof(MaskedCrossAttention))
    {
        this.sizes = sizes;
        norm = Layers.LayerNorm(width);
        to_q = Layers.Linear(width, sizes.Inner, bias: false);
        to_kv = Layers.Linear(sizes.ContextWidth ?? width, 2 * sizes.Inner, bias: false);
        to_out = Layers.Linear(sizes.Inner, width, bias: false);
        RegisterComponents();
    }

    /// <inheritdoc cref="GatedCrossAttention.Run"/>
    public Tensor Run(Tensor x, MediaContext context, MediaCache? cache, Action<Tensor>? seen)
    {
        using var scope = NewDisposeScope();
        var q = to_q.call(norm.call(x)).SplitHeads(sizes.Heads);
        var (k, v) = cache is null ? Project(context.Media!) : cache.GetOrAdd(this, () => Project(context.Media!));
        seen?.Invoke(Attention.Weights(q, k, context.Bias) * context.HasImage.unsqueeze(1));
        var attended = Attention.AttendHeads((q, k, v), context.Bias) * context.HasImage;
        return to_out.call(attended).MoveToOuterDisposeScope();
    }

    /// <returns>Keys and values, [batch, heads, images · latents, head width].</returns>
    private (Tensor K, Tensor V) Project(Tensor media)
    {
        var kv = to_kv.call(media.flatten(1, 2)).chunk(2, dim: -1);
        return (kv[0].SplitHeads(sizes.Heads), kv[1].SplitHeads(sizes.Heads));
    }
}
