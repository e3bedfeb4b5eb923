using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>
/// CLIP in OpenAI's names (openai/CLIP, model.py, CLIP) and open_clip's (model.py, CLIP and CustomTextCLIP): vision transformer, ModifiedResNet or
/// SigLIP's tower, and a text tower that stands at the top or under <c>text</c>.
/// </summary>
internal sealed class OpenClipNetwork : nn.Module
{
    private readonly nn.Module<Tensor, Tensor> visual;
    private readonly OpenClipText texts;
    private readonly Parameter logit_scale;
    private readonly Parameter? logit_bias;

    public OpenClipNetwork(OpenClipConfig config) : base(nameof(OpenClipNetwork))
    {
        Config = config;
        visual = config.SigLip is { } tower ? new SigLipVision(tower, config.EmbedDim)
            : config.VisionCfg.IsResNet ? new ModifiedResNet(config.VisionCfg, config.EmbedDim)
            : new OpenClipVisionTransformer(config.VisionCfg, config.EmbedDim, config.QuickGelu);
        texts = new OpenClipText(config.TextCfg, config.EmbedDim, config.QuickGelu);
        long[] shape = config.NonscalarLogitScale ? [1] : [];
        logit_scale = WeightInit.Constant(Math.Log(1 / 0.07), shape);
        register_module("visual", visual);
        if (config.CustomText) register_module("text", texts);
        else texts.RegisterIn(this);
        register_parameter("logit_scale", logit_scale);
        if (config.InitLogitBias is { } bias) register_parameter("logit_bias", logit_bias = WeightInit.Constant(bias, shape));
    }

    public OpenClipConfig Config { get; }

    /// <summary>Logarithm of the scale of the logits, a scalar.</summary>
    public Parameter LogitScale => logit_scale;

    /// <summary>What is added to the logits (Zhai et al., 2023), or null.</summary>
    public Parameter? LogitBias => logit_bias;

    /// <summary>Side of the pictures that the image tower takes.</summary>
    public int ImageSize => Config.SideOfPictures;

    /// <param name="pixels">[batch, 3, size, size], normalised</param>
    /// <param name="dtype">Type of the computation; null is that of the pixels.</param>
    /// <returns>[batch, features], not normalised</returns>
    public Tensor EncodeImage(Tensor pixels, ScalarType? dtype = null) => visual.call(dtype is { } type ? pixels.to(type) : pixels);

    /// <param name="ids">[batch, tokens] int64, padded to the tower's length where it pools at the last place.</param>
    /// <param name="dtype">Type of the computation; null is that of the weights.</param>
    /// <returns>[batch, features], not normalised</returns>
    public Tensor EncodeText(Tensor ids, ScalarType? dtype = null) => texts.Encode(ids, dtype);

    /// <inheritdoc cref="OpenClipText.Pack"/>
    public PackedTextTower? PackText(ScalarType type) => texts.Pack(type);

    /// <summary>The image tower made ready for inference; null where it is no transformer that is read at a class token.</summary>
    public PackedVisionTower? PackVision(ScalarType type) => (visual as OpenClipVisionTransformer)?.Pack(type);

    /// <returns>[pictures, texts]: scaled cosines, and the bias where there is one.</returns>
    public Tensor Logits(Tensor pixels, Tensor ids)
    {
        var logits = ClipNetwork.Unit(EncodeImage(pixels)).mm(ClipNetwork.Unit(EncodeText(ids)).t()) * logit_scale.exp();
        return logit_bias is null ? logits : logits + logit_bias;
    }
}

/// <summary>Text tower in OpenAI's names (openai/CLIP, model.py, encode_text; open_clip, transformer.py, TextTransformer).</summary>
internal sealed class OpenClipText : nn.Module
{
    private readonly OpenClipTextConfig config;
    private readonly EmbeddingLayer token_embedding;
    private readonly Parameter positional_embedding;
    private readonly OpenClipTransformer transformer;
    private readonly LayerNormLayer ln_final;

    // A layer or a matrix under one name, so neither may stand in a field of its own.
    private readonly Action<nn.Module> registerProjection;
    private readonly Func<Tensor, Tensor> project;
    private readonly Func<(Tensor Weight, Tensor? Bias)> projection;

    public OpenClipText(OpenClipTextConfig config, int features, bool quickGelu) : base(nameof(OpenClipText))
    {
        if (config.PoolType is not ("argmax" or "eos" or "last" or "first"))
            throw new ArgumentException($"pool_type '{config.PoolType}' of the text tower is not built in: it must be argmax, eos, last or first.");
        const string tower = "the text tower";
        this.config = config;
        var eps = OpenClipStack.EpsOf(config.NormKwargs, tower);
        token_embedding = Layers.Embedding(config.VocabSize, config.Width);
        positional_embedding = WeightInit.Normal(0.01, config.ContextLength, config.Width);
        transformer = new OpenClipTransformer(new OpenClipStack(config.Width, config.Heads, config.Layers)
        {
            MlpRatio = config.MlpRatio, Eps = eps, LayerScale = config.LsInitValue, Activation = OpenClipStack.ActivationOf(quickGelu, config.ActKwargs, tower),
        });
        ln_final = Layers.LayerNorm(config.Width, eps);
        if (config.ProjType == "none")
        {
            if (config.Width != features) throw new ArgumentException($"The text tower has no projection (proj_type none): embed_dim must be its width {config.Width}, not {features}.");
            (registerProjection, project) = (_ => { }, x => x.alias());
            projection = () => (eye(features), null);
        }
        else if (config.ProjBias)
        {
            var layer = Layers.Linear(config.Width, features);
            (registerProjection, project) = (module => module.register_module("text_projection", layer), layer.call);
            projection = () => layer.Pair;
        }
        else
        {
            var matrix = WeightInit.Normal(Math.Pow(config.Width, -0.5), config.Width, features);
            (registerProjection, project) = (module => module.register_parameter("text_projection", matrix), x => x.mm(matrix.As(x)));
            projection = () => (matrix.t(), null);
        }

        RegisterIn(this);
    }

    /// <summary>Gives the tower's parts to a module under their published names.</summary>
    public void RegisterIn(nn.Module module)
    {
        module.register_module("token_embedding", token_embedding);
        module.register_parameter("positional_embedding", positional_embedding);
        module.register_module("transformer", transformer);
        module.register_module("ln_final", ln_final);
        registerProjection(module);
    }

    /// <inheritdoc cref="OpenClipNetwork.EncodeText"/>
    public Tensor Encode(Tensor ids, ScalarType? dtype)
    {
        var tokens = ids.shape[1];
        if (tokens > config.ContextLength) throw new ArgumentException($"{tokens} tokens are more than the {config.ContextLength} that the text tower has positions for.");
        using var scope = NewDisposeScope();
        var x = token_embedding.call(ids) + positional_embedding.narrow(0, 0, tokens);       // [batch, tokens, width]
        if (dtype is { } type) x = x.to(type);
        x = ln_final.call(transformer.Encode(x, causal: !config.NoCausalMask));
        return project(Pool(x, ids)).MoveToOuterDisposeScope();
    }

    /// <summary>The tower made ready for inference; null where a token sees those after it.</summary>
    public PackedTextTower? Pack(ScalarType type) => config.NoCausalMask ? null : new PackedTextTower(transformer.Weights(), new ClipTextEnds(
        token_embedding.Weight, positional_embedding, (ln_final.Pair.Scale, ln_final.Pair.Shift, ln_final.Eps), projection(), EndOf), type);

    private int EndOf(int[] ids) => Math.Max(0, config.PoolType switch
    {
        "first" => 0,
        "last" => ids.Length - 1,
        "eos" => Array.IndexOf(ids, config.EosId),
        _ => Array.IndexOf(ids, ids.Max()),
    });

    private Tensor Pool(Tensor x, Tensor ids) => config.PoolType switch
    {
        "first" => x.select(1, 0),
        "last" => x.select(1, x.shape[1] - 1),
        "eos" => At(x, ids.eq(config.EosId).to(ScalarType.Int32).argmax(-1)),
        _ => At(x, ids.argmax(-1)),
    };

    private static Tensor At(Tensor x, Tensor places) => x.index(TensorIndex.Tensor(arange(x.shape[0], device: x.device)), TensorIndex.Tensor(places));
}
