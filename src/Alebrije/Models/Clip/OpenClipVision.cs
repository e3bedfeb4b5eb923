using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>Vision transformer in OpenAI's names (openai/CLIP, model.py, VisionTransformer), with open_clip's options.</summary>
internal sealed class OpenClipVisionTransformer : nn.Module<Tensor, Tensor>
{
    private readonly OpenClipVisionConfig config;
    private readonly ConvolutionLayer conv1;
    private readonly Parameter class_embedding, positional_embedding, proj;
    private readonly LayerNormLayer? ln_pre;
    private readonly OpenClipTransformer transformer;
    private readonly LayerNormLayer ln_post;

    public OpenClipVisionTransformer(OpenClipVisionConfig config, int features, bool quickGelu) : base(nameof(OpenClipVisionTransformer))
    {
        if (config.PoolType is not ("tok" or "avg")) throw new ArgumentException($"pool_type '{config.PoolType}' of the image tower is not built in: it must be tok or avg.");
        if (config.PatchSize < 1 || config.ImageSize < config.PatchSize) throw new ArgumentException($"Patches of {config.PatchSize} pixels do not fit pictures of {config.ImageSize}.");
        this.config = config;
        var (width, grid) = (config.Width, config.ImageSize / config.PatchSize);
        var deviation = Math.Pow(width, -0.5);
        conv1 = Layers.Conv2d(3, width, config.PatchSize, stride: config.PatchSize, bias: false);
        class_embedding = WeightInit.Normal(deviation, width);
        positional_embedding = WeightInit.Normal(deviation, (grid * grid) + 1, width);
        if (!config.NoLnPre) ln_pre = Layers.LayerNorm(width);
        transformer = new OpenClipTransformer(new OpenClipStack(width, width / config.HeadWidth, config.Layers[0])
        {
            MlpRatio = config.MlpRatio, Activation = OpenClipStack.ActivationOf(quickGelu, tanh: false), LayerScale = config.LsInitValue,
        });
        ln_post = Layers.LayerNorm(width);
        proj = WeightInit.Normal(deviation, width, features);
        RegisterComponents();
    }

    /// <param name="pixels">[batch, 3, size, size], normalised as the checkpoint says.</param>
    /// <returns>[batch, features], not normalised</returns>
    public override Tensor forward(Tensor pixels)
    {
        if (pixels.shape[2] != config.ImageSize || pixels.shape[3] != config.ImageSize)
            throw new ArgumentException($"The image tower takes pictures of {config.ImageSize} x {config.ImageSize} pixels, not {pixels.shape[3]} x {pixels.shape[2]}.");
        using var scope = NewDisposeScope();
        var patches = conv1.call(pixels).flatten(2).transpose(1, 2);                         // [batch, grid², width]
        var x = cat([class_embedding.As(patches).expand(patches.shape[0], 1, -1), patches], dim: 1) + positional_embedding.As(patches);
        if (ln_pre is not null) x = ln_pre.call(x);
        x = transformer.Encode(x, causal: false);
        // Of the class token alone the order makes no difference.
        var pooled = config.FinalLnAfterPool || config.PoolType == "tok" ? ln_post.call(Pool(x)) : Pool(ln_post.call(x));
        return pooled.mm(proj.As(pooled)).MoveToOuterDisposeScope();
    }

    /// <summary>The tower made ready for inference; null where it does not pool at the class token.</summary>
    public PackedVisionTower? Pack(ScalarType type) => config.PoolType != "tok" ? null : new PackedVisionTower(transformer.Weights(), new ClipVisionEnds(
        conv1.Weight, class_embedding, positional_embedding, ln_pre is null ? null : (ln_pre.Pair.Scale, ln_pre.Pair.Shift, ln_pre.Eps),
        (ln_post.Pair.Scale, ln_post.Pair.Shift, ln_post.Eps), proj.t()), type);

    private Tensor Pool(Tensor x) => config.PoolType == "tok" ? x.select(1, 0) : x.narrow(1, 1, x.shape[1] - 1).mean([1]);
}
