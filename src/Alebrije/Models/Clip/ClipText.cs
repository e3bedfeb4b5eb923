using Alebrije.Nn;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>What the text tower gives for a batch.</summary>
/// <param name="LastHiddenState">[batch, tokens, width], after the final norm.</param>
/// <param name="Penultimate">[batch, tokens, width], the hidden state before the last block, without norm.</param>
/// <param name="Pooled">[batch, width], the last hidden state at the end token.</param>
internal sealed record ClipTextOutput(Tensor LastHiddenState, Tensor Penultimate, Tensor Pooled);

/// <summary>Text tower of CLIP (Radford et al., 2021, §2.4), transformers' <c>CLIPTextTransformer</c> (modeling_clip.py).</summary>
internal sealed class ClipTextTransformer : nn.Module
{
    private readonly ClipTextEmbeddings embeddings;
    private readonly ClipEncoder encoder;
    private readonly LayerNormLayer final_layer_norm;
    private readonly int endToken, vocabulary;

    public ClipTextTransformer(ClipTextConfig config) : base(nameof(ClipTextTransformer))
    {
        embeddings = new ClipTextEmbeddings(config);
        encoder = new ClipEncoder(config.HiddenSize, config.IntermediateSize, config.NumAttentionHeads, config.NumHiddenLayers,
            new ClipBlockOptions(config.HiddenAct, config.LayerNormEps));
        final_layer_norm = Layers.LayerNorm(config.HiddenSize, config.LayerNormEps);
        (endToken, vocabulary) = (config.EosTokenId, config.VocabSize);
        RegisterComponents();
    }

    /// <param name="ids">[batch, tokens] int64</param>
    /// <param name="attentionMask">[batch, tokens] int64, 1 for tokens that may be seen; null sees all.</param>
    /// <param name="dtype">Type of the computation; null is that of the weights.</param>
    public ClipTextOutput Encode(Tensor ids, Tensor? attentionMask = null, ScalarType? dtype = null)
    {
        var x = embeddings.call(ids);                                                        // [batch, tokens, width]
        if (dtype is { } type) x = x.to(type);
        var mask = attentionMask is null ? null : CausalMask(attentionMask, x.dtype);
        var (last, penultimate) = encoder.Encode(x, mask, causal: true);
        var normed = final_layer_norm.call(last);
        var rows = arange(ids.shape[0], device: ids.device);
        return new ClipTextOutput(normed, penultimate, normed.index(TensorIndex.Tensor(rows), TensorIndex.Tensor(EndPositions(ids))));
    }

    /// <summary>The hidden state before the last blocks, without norm: what Stable Diffusion's <c>clip_skip</c> reads.</summary>
    /// <param name="ids">[batch, tokens] int64</param>
    /// <param name="skip">How many blocks are left out.</param>
    /// <returns>[batch, tokens, width]</returns>
    public Tensor Hidden(Tensor ids, int skip) => encoder.EncodeWithout(embeddings.call(ids), skip, causal: true);

    /// <summary>The final norm, for decoders that read the penultimate hidden state normed.</summary>
    public Tensor Norm(Tensor hidden) => final_layer_norm.call(hidden);

    /// <inheritdoc cref="ClipTextEmbeddings.Extend"/>
    public void Extend(Tensor rows) => embeddings.Extend(rows);

    /// <summary>Position of the pooled token: the first end token, or in old configs (id 2) the largest id that was not added.</summary>
    private Tensor EndPositions(Tensor ids) => endToken == 2
        ? ids.masked_fill(ids.ge(vocabulary), 0).argmax(-1)
        : ids.eq(endToken).to(ScalarType.Int32).argmax(-1);                                  // [batch]

    /// <inheritdoc cref="EndPositions"/>
    private int EndOf(int[] ids)
    {
        var end = endToken == 2 ? Array.IndexOf(ids, ids.Max()) : Array.IndexOf(ids, endToken);
        return Math.Max(end, 0);
    }

    /// <summary>The tower made ready for inference.</summary>
    /// <param name="projection">Into the joint space.</param>
    /// <param name="type">Type of the products.</param>
    public PackedTextTower Pack(LinearLayer projection, ScalarType type) => new(encoder.Weights(), new ClipTextEnds(
        embeddings.Tokens, embeddings.Positions, (final_layer_norm.Pair.Scale, final_layer_norm.Pair.Shift, final_layer_norm.Eps), (projection.Weight, projection.Bias), EndOf), type);

    private static Tensor CausalMask(Tensor attentionMask, ScalarType dtype)
    {
        var tokens = attentionMask.shape[1];
        var visible = attentionMask.to_type(ScalarType.Bool)[.., TensorIndex.None, TensorIndex.None, ..]
            .logical_and(ones(tokens, tokens, ScalarType.Bool, attentionMask.device).tril());
        return zeros(visible.shape, dtype, visible.device).masked_fill(visible.logical_not(), finfo(dtype).min); // [batch, 1, tokens, tokens]
    }
}

/// <summary>Token and position embeddings; the ids of the positions are never read from a file.</summary>
internal sealed class ClipTextEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly EmbeddingLayer token_embedding, position_embedding;
    private readonly int maximum;

    public ClipTextEmbeddings(ClipTextConfig config) : base(nameof(ClipTextEmbeddings))
    {
        maximum = config.MaxPositionEmbeddings;
        token_embedding = Layers.Embedding(config.VocabSize, config.HiddenSize);
        position_embedding = Layers.Embedding(maximum, config.HiddenSize);
        RegisterComponents();
    }

    /// <summary>[vocabulary, width]</summary>
    public Tensor Tokens => token_embedding.Weight;

    /// <summary>Adds tokens, with the ids behind the last.</summary>
    /// <param name="rows">[tokens, width]: their embeddings.</param>
    public void Extend(Tensor rows) => token_embedding.Extend(rows);

    /// <summary>[tokens, width]</summary>
    public Tensor Positions => position_embedding.Weight;

    /// <param name="ids">[batch, tokens] int64</param>
    /// <returns>[batch, tokens, width]</returns>
    public override Tensor forward(Tensor ids)
    {
        var tokens = ids.shape[1];
        if (tokens > maximum) throw new ArgumentException($"{tokens} tokens are more than the {maximum} that the text tower has positions for.");
        return token_embedding.call(ids) + position_embedding.Weight[..(int)tokens];
    }
}

/// <summary>transformers' <c>CLIPTextModel</c>, and <c>CLIPTextModelWithProjection</c> when it projects: a text tower in a folder of its own.</summary>
internal sealed class ClipTextModel : nn.Module
{
    private readonly ClipTextTransformer text_model;
    private readonly LinearLayer? text_projection;

    public ClipTextModel(ClipTextConfig config, bool projects) : base(nameof(ClipTextModel))
    {
        Config = config;
        text_model = new ClipTextTransformer(config);
        text_projection = projects ? Layers.Linear(config.HiddenSize, config.ProjectionDim, bias: false) : null;
        RegisterComponents();
    }

    public ClipTextConfig Config { get; }

    /// <inheritdoc cref="ClipTextTransformer.Encode"/>
    public ClipTextOutput Encode(Tensor ids, Tensor? attentionMask = null, ScalarType? dtype = null) =>
        text_model.Encode(ids, attentionMask, dtype);

    /// <inheritdoc cref="ClipTextTransformer.Hidden"/>
    public Tensor Hidden(Tensor ids, int skip) => text_model.Hidden(ids, skip);

    /// <inheritdoc cref="ClipTextTransformer.Norm"/>
    public Tensor Norm(Tensor hidden) => text_model.Norm(hidden);

    /// <inheritdoc cref="ClipTextEmbeddings.Extend"/>
    public void Extend(Tensor rows) => text_model.Extend(rows);

    /// <param name="pooled">[batch, width]</param>
    /// <returns>Text embedding [batch, projection], not normalised.</returns>
    public Tensor Project(Tensor pooled) => Projection.call(pooled);

    /// <inheritdoc cref="ClipTextTransformer.Pack"/>
    public PackedTextTower Pack(ScalarType type) => text_model.Pack(Projection, type);

    /// <summary>The layer that leads into the joint space.</summary>
    /// <exception cref="InvalidOperationException">This tower has none.</exception>
    public LinearLayer Projection => text_projection
        ?? throw new InvalidOperationException("This text encoder (CLIPTextModel) has no projection; CLIPTextModelWithProjection has one.");
}
