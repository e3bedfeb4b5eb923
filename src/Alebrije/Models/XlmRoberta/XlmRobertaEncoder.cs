using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.XlmRoberta;

/// <summary>Multilingual text encoder (Conneau et al., 2020; transformers, modeling_xlm_roberta.py, XLMRobertaModel).</summary>
internal sealed class XlmRobertaEncoder : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly XlmRobertaEmbeddings embeddings;
    private readonly XlmRobertaStack encoder;

    /// <summary>Present in every file but unused: the reference pools its first token with it.</summary>
    private readonly XlmRobertaDense pooler;

    public XlmRobertaEncoder(MultilingualClipConfig config) : base(nameof(XlmRobertaEncoder))
    {
        embeddings = new XlmRobertaEmbeddings(config);
        encoder = new XlmRobertaStack(config);
        pooler = new XlmRobertaDense(config.HiddenSize, config.HiddenSize);
        RegisterComponents();
    }

    /// <param name="ids">[batch, tokens] int64</param>
    /// <param name="mask">[batch, tokens], 1 for visible tokens.</param>
    /// <returns>Hidden states [batch, tokens, width].</returns>
    public override Tensor forward(Tensor ids, Tensor mask)
    {
        using var scope = NewDisposeScope();
        return Encode(embeddings.call(ids), mask).MoveToOuterDisposeScope();
    }

    /// <param name="ids">[batch, tokens] int64</param>
    /// <param name="mask">[batch, tokens], 1 for visible tokens.</param>
    /// <param name="type">Type of the computation.</param>
    /// <returns>Hidden states [batch, tokens, width].</returns>
    public Tensor Encode(Tensor ids, Tensor mask, ScalarType type)
    {
        using var scope = NewDisposeScope();
        return Encode(embeddings.call(ids).to(type), mask).MoveToOuterDisposeScope();
    }

    private Tensor Encode(Tensor x, Tensor mask)
    {
        var hidden = mask.eq(0).unsqueeze(1).unsqueeze(1);                                   // [batch, 1, 1, tokens]
        return encoder.call(x, zeros(hidden.shape, x.dtype, x.device).masked_fill(hidden, finfo(x.dtype).min));
    }
}

/// <summary>Token, position and token type embeddings, normalised.</summary>
internal sealed class XlmRobertaEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly MultilingualClipConfig config;
    private readonly EmbeddingLayer word_embeddings, position_embeddings, token_type_embeddings;
    private readonly LayerNormLayer LayerNorm;

    public XlmRobertaEmbeddings(MultilingualClipConfig config) : base(nameof(XlmRobertaEmbeddings))
    {
        this.config = config;
        word_embeddings = Layers.Embedding(config.VocabSize, config.HiddenSize);
        position_embeddings = Layers.Embedding(config.MaxPositionEmbeddings, config.HiddenSize);
        token_type_embeddings = Layers.Embedding(config.TypeVocabSize, config.HiddenSize);
        LayerNorm = Layers.LayerNorm(config.HiddenSize, config.LayerNormEps);
        RegisterComponents();
    }

    /// <param name="ids">[batch, tokens] int64</param>
    /// <returns>[batch, tokens, width]</returns>
    public override Tensor forward(Tensor ids)
    {
        if (ids.shape[1] > config.MaxTokens)
            throw new ArgumentException(
                $"{ids.shape[1]} tokens are more than the {config.MaxTokens} that the text encoder has positions for.");
        using var scope = NewDisposeScope();
        var sum = word_embeddings.call(ids) + token_type_embeddings.Weight[0] + position_embeddings.call(Positions(ids));
        return LayerNorm.call(sum).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Positions of tokens count from the padding's id, and padding keeps it: a text has the same positions wherever its row is padded.
    /// </summary>
    private Tensor Positions(Tensor ids)
    {
        var isToken = ids.ne(config.PadTokenId).to(ScalarType.Int64);
        return isToken.cumsum(1) * isToken + config.PadTokenId;
    }
}

/// <summary>The blocks, one after the other.</summary>
internal sealed class XlmRobertaStack : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly ModuleList<XlmRobertaLayer> layer;

    public XlmRobertaStack(MultilingualClipConfig config) : base(nameof(XlmRobertaStack))
    {
        layer = new ModuleList<XlmRobertaLayer>([.. Enumerable.Range(0, config.NumHiddenLayers).Select(_ => new XlmRobertaLayer(config))]);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="bias">Added to the scores, [batch, 1, 1, tokens].</param>
    /// <returns>As the first.</returns>
    public override Tensor forward(Tensor x, Tensor bias)
    {
        foreach (var block in layer) x = block.call(x, bias);
        return x;
    }
}

/// <summary>Post-norm block: <c>x = norm(x + attention(x)); x = norm(x + mlp(x))</c> (Devlin et al., 2019, §3).</summary>
internal sealed class XlmRobertaLayer : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly Func<Tensor, Tensor> activation;
    private readonly XlmRobertaAttention attention;
    private readonly XlmRobertaDense intermediate;
    private readonly XlmRobertaOutput output;

    public XlmRobertaLayer(MultilingualClipConfig config) : base(nameof(XlmRobertaLayer))
    {
        activation = Activation.Named(config.HiddenAct);
        attention = new XlmRobertaAttention(config);
        intermediate = new XlmRobertaDense(config.HiddenSize, config.IntermediateSize);
        output = new XlmRobertaOutput(config.IntermediateSize, config);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="bias">Added to the scores, [batch, 1, 1, tokens].</param>
    /// <returns>As the first.</returns>
    public override Tensor forward(Tensor x, Tensor bias)
    {
        using var scope = NewDisposeScope();
        x = attention.call(x, bias);
        return output.call(activation(intermediate.call(x)), x).MoveToOuterDisposeScope();
    }
}

/// <summary>Attention, added to its input and normalised.</summary>
internal sealed class XlmRobertaAttention : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly AttentionSizes sizes;
    private readonly XlmRobertaProjections self;
    private readonly XlmRobertaOutput output;

    public XlmRobertaAttention(MultilingualClipConfig config) : base(nameof(XlmRobertaAttention))
    {
        sizes = AttentionSizes.Split(config.HiddenSize, config.NumAttentionHeads);
        self = new XlmRobertaProjections(config.HiddenSize);
        output = new XlmRobertaOutput(config.HiddenSize, config);
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <param name="bias">Added to the scores, [batch, 1, 1, tokens].</param>
    /// <returns>As the first.</returns>
    public override Tensor forward(Tensor x, Tensor bias) => output.call(Attention.Attend(self.Project(x), sizes, bias), x);
}

/// <summary>Queries, keys and values.</summary>
internal sealed class XlmRobertaProjections : nn.Module
{
    private readonly LinearLayer query, key, value;

    public XlmRobertaProjections(int width) : base(nameof(XlmRobertaProjections))
    {
        (query, key, value) = (Layers.Linear(width, width), Layers.Linear(width, width), Layers.Linear(width, width));
        RegisterComponents();
    }

    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>[batch, tokens, width] each</returns>
    public (Tensor Q, Tensor K, Tensor V) Project(Tensor x) => (query.call(x), key.call(x), value.call(x));
}

/// <summary>A linear layer registered as dense.</summary>
internal sealed class XlmRobertaDense : nn.Module<Tensor, Tensor>
{
    private readonly LinearLayer dense;

    public XlmRobertaDense(int input, int output) : base(nameof(XlmRobertaDense))
    {
        dense = Layers.Linear(input, output);
        RegisterComponents();
    }

    /// <param name="x">[..., input]</param>
    /// <returns>[..., output]</returns>
    public override Tensor forward(Tensor x) => dense.call(x);
}

/// <summary>A linear layer, added to the block's input and normalised.</summary>
internal sealed class XlmRobertaOutput : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly LinearLayer dense;
    private readonly LayerNormLayer LayerNorm;

    public XlmRobertaOutput(int input, MultilingualClipConfig config) : base(nameof(XlmRobertaOutput))
    {
        dense = Layers.Linear(input, config.HiddenSize);
        LayerNorm = Layers.LayerNorm(config.HiddenSize, config.LayerNormEps);
        RegisterComponents();
    }

    /// <param name="change">[batch, tokens, input]</param>
    /// <param name="x">[batch, tokens, width]</param>
    /// <returns>[batch, tokens, width]</returns>
    public override Tensor forward(Tensor change, Tensor x) => LayerNorm.call(x + dense.call(change));
}
