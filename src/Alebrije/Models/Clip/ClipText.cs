using Alebrije.Nn;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.Clip;

/// <summary>Output of the text tower for a batch.</summary>
/// <param name="LastHiddenState">[batch, tokens, width], after the final norm.</param>
/// <param name="Penultimate">[batch, tokens, width], the hidden state before the last block, without norm.</param>
/// <param name="Pooled">[batch, width], the last hidden state at the pooled token.</param>
internal sealed record ClipTextOutput(Tensor LastHiddenState, Tensor Penultimate, Tensor Pooled);

/// <summary>
/// Text tower of CLIP (Radford et al., 2021, §2.4), transformers' <c>CLIPTextTransformer</c> (modeling_clip.py), with open_clip's options.
/// </summary>
internal sealed class ClipTextTransformer : nn.Module
{
    private readonly ClipTextConfig config;
    private readonly ClipTextEmbeddings embeddings;
    private readonly ClipEncoder encoder;
    private readonly LayerNormLayer final_layer_norm;

    public ClipTextTransformer(ClipTextConfig config) : base(nameof(ClipTextTransformer))
    {
        this.config = config;
        embeddings = new ClipTextEmbeddings(config);
        encoder = new ClipEncoder(config.Blocks, config.NumHiddenLayers);
        final_layer_norm = Layers.LayerNorm(config.HiddenSize, config.LayerNormEps);
        RegisterComponents();
    }

    /// <param name="ids">[batch, tokens] int64; padded to the tower's length if it pools the last token or attends to later ones.</param>
    /// <param name="attentionMask">[batch, tokens] int64, 1 for visible tokens; null: all are visible.</param>
    /// <param name="dtype">Type of the computation; null: that of the weights.</param>
    public ClipTextOutput Encode(Tensor ids, Tensor? attentionMask = null, ScalarType? dtype = null)
    {
        var x = embeddings.call(ids);                                                        // [batch, tokens, width]
        if (dtype is { } type) x = x.to(type);
        var mask = attentionMask is null ? null : Mask(attentionMask, x.dtype);
        var (last, penultimate) = encoder.Encode(x, mask, causal: !config.SeesLaterTokens);
        var normed = final_layer_norm.call(last);
        return new ClipTextOutput(normed, penultimate, Pool(normed, ids));
    }

    /// <summary>Hidden state before the last blocks, without norm, as for Stable Diffusion's <c>clip_skip</c>.</summary>
    /// <param name="ids">[batch, tokens] int64</param>
    /// <param name="skip">Number of omitted blocks.</param>
    /// <returns>[batch, tokens, width]</returns>
    public Tensor Hidden(Tensor ids, int skip) => encoder.EncodeWithout(embeddings.call(ids), skip, causal: !config.SeesLaterTokens);

    /// <summary>Applies the final norm, for decoders conditioned on the normalised penultimate hidden state.</summary>
    public Tensor Norm(Tensor hidden) => final_layer_norm.call(hidden);

    /// <inheritdoc cref="ClipTextEmbeddings.Extend"/>
    public void Extend(Tensor rows) => embeddings.Extend(rows);

    /// <summary>Packs the tower for inference.</summary>
    /// <param name="projection">Projection into the joint space, or null.</param>
    /// <param name="type">Type of the matrix products.</param>
    public PackedTextTower Pack(LinearLayer? projection, ScalarType type) => new(
        new PackedBlocks(encoder.Weights(), type),
        new ClipTextEnds(embeddings, final_layer_norm, projection, EndOf, config.SeesLaterTokens));

    private Tensor Pool(Tensor x, Tensor ids) => config.Pooling switch
    {
        TextPooling.First => x.select(1, 0),
        TextPooling.Last => x.select(1, x.shape[1] - 1),
        // Tokens added to the vocabulary are ignored.
        TextPooling.LargestId => At(x, ids.masked_fill(ids.ge(config.VocabSize), 0).argmax(-1)),
        _ => At(x, ids.eq(config.EosTokenId).to(ScalarType.Int32).argmax(-1)),
    };

    private static Tensor At(Tensor x, Tensor positions) =>
        x.index(TensorIndex.Tensor(arange(x.shape[0], device: x.device)), TensorIndex.Tensor(positions));

    /// <summary>Position in a row that <see cref="Pool"/> takes.</summary>
    private int EndOf(int[] ids) => Math.Max(0, config.Pooling switch
    {
        TextPooling.First => 0,
        TextPooling.Last => ids.Length - 1,
        TextPooling.LargestId => Array.IndexOf(ids, ids.Max()),
        _ => Array.IndexOf(ids, config.EosTokenId),
    });

    private Tensor Mask(Tensor attentionMask, ScalarType dtype)
    {
        var tokens = attentionMask.shape[1];
        var visible = attentionMask.to_type(ScalarType.Bool)[.., TensorIndex.None, TensorIndex.None, ..];
        if (!config.SeesLaterTokens) visible = visible.logical_and(ones(tokens, tokens, ScalarType.Bool, attentionMask.device).tril());
        var none = zeros(visible.shape, dtype, visible.device);                              // [batch, 1, tokens or 1, tokens]
        return none.masked_fill(visible.logical_not(), finfo(dtype).min);
    }
}

/// <summary>Token and position embeddings; position ids are never read from a file.</summary>
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

    /// <summary>Adds tokens, with ids after the last.</summary>
    /// <param name="rows">[tokens, width] embeddings.</param>
    public void Extend(Tensor rows) => token_embedding.Extend(rows);

    /// <summary>[tokens, width]</summary>
    public Tensor Positions => position_embedding.Weight;

    /// <param name="ids">[batch, tokens] int64</param>
    /// <returns>[batch, tokens, width]</returns>
    public override Tensor forward(Tensor ids)
    {
        var tokens = ids.shape[1];
        if (tokens > maximum) throw new ArgumentException(
            $"{tokens} tokens are more than the {maximum} that the text tower has positions for.");
        return token_embedding.call(ids) + position_embedding.Weight[..(int)tokens];
    }
}

/// <summary>
/// A text tower and its projection into the joint space: transformers' <c>CLIPTextModelWithProjection</c>, <c>CLIPTextModel</c> without a
/// projection, and the text half of <see cref="ClipNetwork"/>.
/// </summary>
internal sealed class ClipTextModel : nn.Module
{
    private readonly ClipTextTransformer text_model;
    private readonly LinearLayer? text_projection;

    public ClipTextModel(ClipTextConfig config, bool projects) : base(nameof(ClipTextModel))
    {
        var (width, features) = (config.HiddenSize, config.ProjectionDim);
        if (projects && config.Projection == TextProjection.None && width != features)
            throw new ArgumentException(
                $"The text tower has no projection (proj_type none): embed_dim must be its width {width}, not {features}.");
        Config = config;
        text_model = new ClipTextTransformer(config);
        if (projects && config.Projection != TextProjection.None)
            text_projection = Layers.Linear(width, features, bias: config.Projection == TextProjection.WithBias);
        RegisterComponents();
    }

    public ClipTextConfig Config { get; }

    /// <summary>The projection into the joint space.</summary>
    /// <exception cref="InvalidOperationException">This tower has none.</exception>
    public LinearLayer Projection => text_projection
        ?? throw new InvalidOperationException("This text encoder (CLIPTextModel) has no projection; CLIPTextModelWithProjection has one.");

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
    public Tensor Project(Tensor pooled) => Config.Projection == TextProjection.None ? pooled : Projection.call(pooled);

    /// <param name="ids">[batch, tokens] int64</param>
    /// <param name="dtype">Type of the computation; null: that of the weights.</param>
    /// <returns>Text embedding [batch, projection], not normalised.</returns>
    public Tensor Embed(Tensor ids, ScalarType? dtype = null)
    {
        using var scope = NewDisposeScope();
        return Project(Encode(ids, dtype: dtype).Pooled).MoveToOuterDisposeScope();
    }

    /// <inheritdoc cref="ClipTextTransformer.Pack"/>
    public PackedTextTower Pack(ScalarType type) => text_model.Pack(Config.Projection == TextProjection.None ? null : Projection, type);
}
