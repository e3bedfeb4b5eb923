using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Alebrije.Models.Flamingo;

/// <summary>
/// Any number of patches to a fixed number of tokens, by learned queries that attend to the patches and to themselves (Alayrac et al.,
/// 2022, §2.1; open_flamingo, src/helpers.py, PerceiverResampler).
/// </summary>
internal sealed class PerceiverResampler : nn.Module
{
    private readonly Parameter latents;
    private readonly ModuleList<PerceiverLayer> layers;
    private readonly LayerNormLayer norm;

    /// <param name="config">Layers, latents and heads.</param>
    /// <param name="width">Width of a patch and of a resampled token.</param>
    public PerceiverResampler(FlamingoConfig config, long width) : base(nameof(PerceiverResampler))
    {
        latents = WeightInit.Normal(1, config.Latents, width);
        layers = new ModuleList<PerceiverLayer>(
            [.. Enumerable.Range(0, config.ResamplerLayers).Select(_ => new PerceiverLayer(config, width))]);
        norm = Layers.LayerNorm(width);
        RegisterComponents();
    }

    /// <param name="patches">[batch, images, patches, width]</param>
    /// <param name="seen">
    /// Called with the attention of the last layer, [batch · images, heads, latents, patches + latents]; null: not computed.
    /// </param>
    /// <returns>[batch, images, latents, width]</returns>
    public Tensor Resample(Tensor patches, Action<Tensor>? seen = null)
    {
        using var scope = NewDisposeScope();
        var (batch, images) = (patches.shape[0], patches.shape[1]);
        var media = patches.flatten(0, 1);                                                   // [batch · images, patches, width]
        var x = latents.As(media).unsqueeze(0).expand(media.shape[0], -1, -1);
        for (var i = 0; i < layers.Count; i++) x = layers[i].Run(media, x, i == layers.Count - 1 ? seen : null);
        x = norm.call(x);
        return x.reshape(batch, images, x.shape[1], x.shape[2]).MoveToOuterDisposeScope();
    }
}

/// <summary>Attention and a feed-forward network, each added to the latents; registered by their indices.</summary>
internal sealed class PerceiverLayer : nn.Module
{
    [ComponentName(Name = "0")] private readonly PerceiverAttention attention;
    [ComponentName(Name = "1")] private readonly FlamingoFeedForward feedForward;

    public PerceiverLayer(FlamingoConfig config, long width) : base(nameof(PerceiverLayer))
    {
        attention = new PerceiverAttention(new AttentionSizes(config.Heads, config.HeadWidth), width);
        feedForward = new FlamingoFeedForward(width, config.FfMult);
        RegisterComponents();
    }

    /// <param name="media">[images, patches, width]</param>
    /// <param name="latents">[images, latents, width]</param>
    /// <param name="seen">Called with the attention, or null.</param>
    /// <returns>As the latents.</returns>
    public Tensor Run(Tensor media, Tensor latents, Action<Tensor>? seen)
    {
        using var scope = NewDisposeScope();
        var x = latents + attention.Run(media, latents, seen);
        return (x + feedForward.call(x)).MoveToOuterDisposeScope();
    }
}

/// <summary>Attention of latents to patches and latents together, both normalised by norms of their own.</summary>
internal sealed class PerceiverAttention : nn.Module
{
    private readonly AttentionSizes sizes;
    private readonly LayerNormLayer norm_media, norm_latents;
    private readonly LinearLayer to_q, to_kv, to_out;

    public PerceiverAttention(AttentionSizes sizes, long width) : base(nameof(PerceiverAttention))
    {
        this.sizes = sizes;
        (norm_media, norm_latents) = (Layers.LayerNorm(width), Layers.LayerNorm(width));
        to_q = Layers.Linear(width, sizes.Inner, bias: false);
        to_kv = Layers.Linear(width, 2 * sizes.Inner, bias: false);
        to_out = Layers.Linear(sizes.Inner, width, bias: false);
        RegisterComponents();
    }

    /// <inheritdoc cref="PerceiverLayer.Run"/>
    public Tensor Run(Tensor media, Tensor latents, Action<Tensor>? seen)
    {
        using var scope = NewDisposeScope();
        latents = norm_latents.call(latents);
        var q = to_q.call(latents);
        var kv = to_kv.call(cat([norm_media.call(media), latents], dim: 1)).chunk(2, dim: -1);
        seen?.Invoke(Attention.Weights(q.SplitHeads(sizes.Heads), kv[0].SplitHeads(sizes.Heads)));
        return to_out.call(Attention.Attend((q, kv[0], kv[1]), sizes)).MoveToOuterDisposeScope();
    }
}

/// <summary>Norm, widening, exact GELU and narrowing, without biases but the norm's; registered by the reference's indices.</summary>
internal sealed class FlamingoFeedForward : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "0")] private readonly LayerNormLayer norm;
    [ComponentName(Name = "1")] private readonly LinearLayer widen;
    [ComponentName(Name = "3")] private readonly LinearLayer narrow;

    public FlamingoFeedForward(long width, long expansion) : base(nameof(FlamingoFeedForward))
    {
        norm = Layers.LayerNorm(width);
        widen = Layers.Linear(width, expansion * width, bias: false);
        narrow = Layers.Linear(expansion * width, width, bias: false);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor x) => narrow.call(nn.functional.gelu(widen.call(norm.call(x))));
}
