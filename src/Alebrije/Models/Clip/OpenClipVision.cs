using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>Vision transformer in OpenAI's names (openai/CLIP, model.py, VisionTransformer), with open_clip's options.</summary>
internal sealed class OpenClipVisionTransformer : nn.Module<Tensor, Tensor>
{
    private const string Tower = "the image tower";
    private readonly OpenClipVisionConfig config;
    private readonly ConvolutionLayer conv1;
    private readonly Parameter class_embedding, positional_embedding, proj;
    private readonly LayerNormLayer? ln_pre;
    private readonly OpenClipTransformer transformer;
    private readonly OpenClipAttentionalPooler? attn_pool;
    private readonly LayerNormLayer ln_post;

    public OpenClipVisionTransformer(OpenClipVisionConfig config, int features, bool quickGelu) : base(nameof(OpenClipVisionTransformer))
    {
        if (config.PoolType is not ("tok" or "avg")) throw new ArgumentException($"pool_type '{config.PoolType}' of the image tower is not built in: it must be tok or avg.");
        if (config.PatchSize < 1 || config.ImageSize < config.PatchSize) throw new ArgumentException($"Patches of {config.PatchSize} pixels do not fit pictures of {config.ImageSize}.");
        if (config.PosEmbedType is not ("learnable" or "sin_cos_2d")) throw new ArgumentException($"pos_embed_type '{config.PosEmbedType}' of the image tower is not built in: it must be learnable or sin_cos_2d.");
        this.config = config;
        var eps = OpenClipStack.EpsOf(config.NormKwargs, Tower);
        var (width, grid) = (config.Width, config.ImageSize / config.PatchSize);
        var deviation = Math.Pow(width, -0.5);
        conv1 = Layers.Conv2d(3, width, config.PatchSize, stride: config.PatchSize, bias: false);
        class_embedding = WeightInit.Normal(deviation, width);
        positional_embedding = WeightInit.Normal(deviation, (grid * grid) + 1, width);
        if (!config.NoLnPre) ln_pre = Layers.LayerNorm(width, eps);
        transformer = new OpenClipTransformer(new OpenClipStack(width, width / config.HeadWidth, config.Layers[0])
        {
            MlpRatio = config.MlpRatio, Activation = OpenClipStack.ActivationOf(quickGelu, config.ActKwargs, Tower), Eps = eps, LayerScale = config.LsInitValue,
        });
        if (config.AttentionalPool) attn_pool = new OpenClipAttentionalPooler(features, width, config.AttnPoolerHeads, config.AttnPoolerQueries);
        var pooled = attn_pool is null ? width : features;
        ln_post = Layers.LayerNorm(pooled, eps);
        proj = WeightInit.Normal(deviation, pooled, features);
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
        if (attn_pool is not null) x = attn_pool.call(x);                                    // [batch, queries, features]
        // Of one token alone the order makes no difference; the attentional pooler's is always this.
        var pooled = (config.FinalLnAfterPool && attn_pool is null) || config.PoolType == "tok" ? ln_post.call(Pool(x)) : Pool(ln_post.call(x));
        return pooled.mm(proj.As(pooled)).MoveToOuterDisposeScope();
    }

    /// <summary>The tower made ready for inference; null where it does not pool at the class token.</summary>
    public PackedVisionTower? Pack(ScalarType type) => config.PoolType != "tok" || attn_pool is not null ? null : new PackedVisionTower(transformer.Weights(), new ClipVisionEnds(
        conv1.Weight, class_embedding, positional_embedding, ln_pre is null ? null : (ln_pre.Pair.Scale, ln_pre.Pair.Shift, ln_pre.Eps),
        (ln_post.Pair.Scale, ln_post.Pair.Shift, ln_post.Eps), proj.t()), type);

    private Tensor Pool(Tensor x) => config.PoolType == "tok" ? x.select(1, 0) : x.narrow(1, 1, x.shape[1] - 1).mean([1]);
}

/// <summary>Learnt queries that attend to all tokens (open_clip, transformer.py, AttentionalPooler).</summary>
internal sealed class OpenClipAttentionalPooler : nn.Module<Tensor, Tensor>
{
    private readonly Parameter query;
    private readonly LayerNormLayer ln_q, ln_k;
    private readonly OpenClipCrossAttention attn;

    /// <param name="features">Features of a query.</param>
    /// <param name="width">Features of a token.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="queries">Queries.</param>
    public OpenClipAttentionalPooler(int features, int width, int heads, int queries) : base(nameof(OpenClipAttentionalPooler))
    {
        if (queries < 1 || heads < 1 || features % heads != 0) throw new ArgumentException($"An attentional pooler of {queries} queries (attn_pooler_queries) with {features} features cannot have {heads} heads (attn_pooler_heads).");
        query = WeightInit.Normal(1, queries, features);
        attn = new OpenClipCrossAttention(features, width, heads);
        (ln_q, ln_k) = (Layers.LayerNorm(features), Layers.LayerNorm(width));
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>[batch, queries, features]</returns>
    public override Tensor forward(Tensor x) => attn.Forward(ln_q.call(query.As(x)).unsqueeze(0).expand(x.shape[0], -1, -1), ln_k.call(x));
}

/// <summary>Multi-head attention of queries to a sequence (torch.nn.MultiheadAttention's names: one matrix for all where the widths are one).</summary>
internal sealed class OpenClipCrossAttention : nn.Module
{
    private readonly int heads, features;
    private readonly Parameter? in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight;
    private readonly Parameter in_proj_bias;
    private readonly LinearLayer out_proj;

    public OpenClipCrossAttention(int features, int width, int heads) : base(nameof(OpenClipCrossAttention))
    {
        (this.heads, this.features) = (heads, features);
        var deviation = Math.Pow(features, -0.5);
        if (features == width) in_proj_weight = WeightInit.Normal(deviation, 3 * features, features);
        else (q_proj_weight, k_proj_weight, v_proj_weight) = (WeightInit.Normal(deviation, features, features), WeightInit.Normal(deviation, features, width), WeightInit.Normal(deviation, features, width));
        in_proj_bias = WeightInit.Constant(0, 3 * features);
        out_proj = Layers.Linear(features, features);
        RegisterComponents();
    }

    /// <param name="queries">[batch, queries, features]</param>
    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>[batch, queries, features]</returns>
    public Tensor Forward(Tensor queries, Tensor x)
    {
        using var scope = NewDisposeScope();
        var q = Project(queries, q_proj_weight, 0).SplitHeads(heads);
        var (k, v) = (Project(x, k_proj_weight, 1).SplitHeads(heads), Project(x, v_proj_weight, 2).SplitHeads(heads));
        return out_proj.call(nn.functional.scaled_dot_product_attention(q, k, v).MergeHeads()).MoveToOuterDisposeScope();
    }

    private Tensor Project(Tensor x, Parameter? own, int part)
    {
        var weight = own?.As(x) ?? in_proj_weight!.As(x).narrow(0, part * features, features);
        return nn.functional.linear(x, weight, in_proj_bias.As(x).narrow(0, part * features, features));
    }
}
