using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Priors;

/// <summary>Conditions of a prior: the text.</summary>
/// <param name="TextEmbedding">[batch, projection features], pooled.</param>
/// <param name="TextEncodings">[batch, tokens, embedding features], or null for networks without text encodings.</param>
/// <param name="TextMask">[batch, tokens], true for real tokens; null attends to all, not causally.</param>
internal sealed record PriorConditions(Tensor TextEmbedding, Tensor? TextEncodings, Tensor? TextMask = null)
{
    /// <summary>Concatenates two batches, <paramref name="first"/> before this.</summary>
    public PriorConditions After(PriorConditions first) => new(
        cat([first.TextEmbedding, TextEmbedding]), TextEncodings is null ? null : cat([first.TextEncodings!, TextEncodings]),
        TextMask is null ? null : cat([first.TextMask!, TextMask]));
}

/// <summary>
/// Prior of unCLIP: a transformer over text, time and a noisy image embedding that predicts the clean embedding (Ramesh et al., 2022,
/// §2.2), as diffusers' models/transformers/prior_transformer.py.
/// </summary>
internal sealed class PriorTransformer : nn.Module<Tensor, Tensor?, PriorConditions, Tensor>
{
    private readonly TimestepEmbedding? time_embedding;
    private readonly LinearLayer proj_in, embedding_proj, proj_to_clip_embeddings;
    private readonly LayerNormLayer? embedding_proj_norm, norm_in;
    private readonly LinearLayer? encoder_hidden_states_proj;
    private readonly Parameter positional_embedding, clip_mean, clip_std;
    private readonly Parameter? prd_embedding;
    private readonly ModuleList<TransformerBlock> transformer_blocks;
    private readonly LayerNormLayer norm_out;

    public PriorTransformer(PriorTransformerConfig config) : base(nameof(PriorTransformer))
    {
        Config = config;
        var width = config.Width;
        var block = new TransformerBlockForm(
            new AttentionSizes(config.NumAttentionHeads, config.AttentionHeadDim) { Bias = true, Dropout = config.Dropout },
            Second: null) { Dropout = config.Dropout };
        if (config.KnowsTime) time_embedding = new TimestepEmbedding(width, (config.TimeEmbedDim ?? width, width), config.TimeEmbedActFn);
        proj_in = Layers.Linear(config.EmbeddingDim, width);
        if (Is(config.EmbeddingProjNormType, "layer", "embedding_proj_norm_type"))
            embedding_proj_norm = Layers.LayerNorm(config.EmbeddingProjDim ?? config.EmbeddingDim);
        embedding_proj = Layers.Linear(config.EmbeddingProjDim ?? config.EmbeddingDim, width);
        if (Is(config.EncoderHidProjType, "linear", "encoder_hid_proj_type"))
            encoder_hidden_states_proj = Layers.Linear(config.EmbeddingDim, width);
        positional_embedding = WeightInit.Constant(0, 1, config.Positions, width);
        if (Is(config.AddedEmbType, "prd", "added_emb_type")) prd_embedding = WeightInit.Constant(0, 1, 1, width);
        transformer_blocks = new ModuleList<TransformerBlock>(
            [.. Enumerable.Range(0, config.NumLayers).Select(_ => new TransformerBlock(width, block))]);
        if (Is(config.NormInType, "layer", "norm_in_type")) norm_in = Layers.LayerNorm(width);
        norm_out = Layers.LayerNorm(width);
        proj_to_clip_embeddings = Layers.Linear(width, config.OutputDim);
        clip_mean = WeightInit.Constant(0, 1, config.OutputDim);
        clip_std = WeightInit.Constant(0, 1, config.OutputDim);
        RegisterComponents();
    }

    /// <summary>Configuration of the network.</summary>
    public PriorTransformerConfig Config { get; }

    /// <summary>Mean of CLIP's image embeddings, [1, features]; stored with the weights, not trained.</summary>
    public Parameter ClipMean => clip_mean;

    /// <summary>Standard deviation of CLIP's image embeddings, [1, features]; stored with the weights, not trained.</summary>
    public Parameter ClipStd => clip_std;

    /// <param name="noisy">[batch, embedding features] or [batch, embeddings, embedding features], normalised.</param>
    /// <param name="steps">One step or [batch] of them; null for networks without time embedding.</param>
    /// <param name="conditions">The text.</param>
    /// <returns>[batch, output features], normalised; [batch, tokens, output features] without a learned last token.</returns>
    public override Tensor forward(Tensor noisy, Tensor? steps, PriorConditions conditions)
    {
        using var scope = NewDisposeScope();
        var (text, step) = (TextTokens(conditions), StepTokens(noisy, steps));
        var before = text.shape[1] + (time_embedding is null ? 0 : 1);
        var x = cat([text, step], dim: 1);                                                        // [batch, tokens, width]
        x = x + Positions(x, before);
        if (norm_in is not null) x = norm_in.call(x);
        var bias = conditions.TextMask is { } mask ? Bias(mask, x) : null;
        foreach (var block in transformer_blocks) x = block.call(x, null, bias);
        return Leave(prd_embedding is null ? x.narrow(1, before, x.shape[1] - before) : x).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Runs <see cref="forward"/> at several noise levels of each text, for training: no text token attends to a later one, so the text
    /// precedes all levels once, and the tokens of a level attend to the text and to each other. Exact, and 16 levels cost little more than
    /// two.
    /// </summary>
    /// <param name="noisy">[batch, levels, embedding features], normalised.</param>
    /// <param name="steps">[batch, levels]</param>
    /// <param name="conditions">The text, with its mask: without one tokens attend to later ones.</param>
    /// <returns>[batch, levels, output features], normalised.</returns>
    internal Tensor AtLevels(Tensor noisy, Tensor steps, PriorConditions conditions)
    {
        if (prd_embedding is null || conditions.TextMask is not { } mask)
            throw new ArgumentException("Several noise levels at once need "
                + "a causal prior with a learned last token: its config has added_emb_type, and the text a mask.");
        using var scope = NewDisposeScope();
        var (batch, levels, text) = (noisy.shape[0], noisy.shape[1], TextTokens(conditions));
        var own = StepTokens(noisy.flatten(0, 1), steps.flatten());                               // [batch * levels, own tokens, width]
        var (before, each, width) = (text.shape[1], own.shape[1], own.shape[2]);
        CheckMask(mask, before + each);
        var places = cat([arange(before), arange(before, before + each).repeat(levels)]);
        var x = Enter(cat([text, own.view(batch, levels * each, width)], dim: 1), places);

        // A token attends to its own position and earlier ones, of the text or of its own level.
        var level = cat([full(before, -1, ScalarType.Int64), arange(levels).repeat_interleave(each)]);
        var sees = places.unsqueeze(0).le(places.unsqueeze(1))
            .logical_and(level.unsqueeze(0).eq(-1).logical_or(level.unsqueeze(0).eq(level.unsqueeze(1))));
        var padding = nn.functional.pad((1 - mask.to(x.dtype)) * AttentionMask.Masked, (0, x.shape[1] - mask.shape[1]));
        var bias = padding.unsqueeze(1).unsqueeze(1) + (1 - sees.to(x.dtype)) * AttentionMask.Masked;      // [batch, 1, tokens, tokens]
        foreach (var block in transformer_blocks) x = block.call(x, null, bias);
        return Leave(x.narrow(1, before, levels * each).reshape(batch * levels, each, width))
            .view(batch, levels, -1).MoveToOuterDisposeScope();
    }

    /// <summary>Undoes the normalisation of embeddings during sampling.</summary>
    /// <param name="embeddings">[batch, output features]</param>
    /// <returns>As the input, on CLIP's scale.</returns>
    public Tensor PostProcessLatents(Tensor embeddings)
    {
        using var scope = NewDisposeScope();
        return (embeddings * clip_std + clip_mean).MoveToOuterDisposeScope();
    }

    /// <summary>Text encodings and text embedding: the tokens that do not depend on the step.</summary>
    /// <returns>[batch, tokens, width], without positions</returns>
    internal Tensor TextTokens(PriorConditions conditions)
    {
        var tokens = new List<Tensor>();
        if (encoder_hidden_states_proj is not null)
            tokens.Add(encoder_hidden_states_proj.call(conditions.TextEncodings
                ?? throw new ArgumentException(
                    "This prior is conditioned on text encodings, but none were given: pass the text encoder's states of every token.")));
        else if (conditions.TextEncodings is { } encodings)
            tokens.Add(encodings);

        var text = conditions.TextEmbedding;
        if (embedding_proj_norm is not null) text = embedding_proj_norm.call(text);
        tokens.Add(embedding_proj.call(text).unsqueeze(1));
        return cat(tokens, dim: 1);
    }

    /// <summary>Time, noisy embedding and learned token, if the network has them.</summary>
    /// <param name="noisy">[batch, embedding features] or [batch, embeddings, embedding features], normalised.</param>
    /// <param name="steps">One step or [batch] of them; null for networks without time embedding.</param>
    /// <returns>[batch, tokens, width], without positions</returns>
    internal Tensor StepTokens(Tensor noisy, Tensor? steps)
    {
        var tokens = new List<Tensor>();
        if (time_embedding is not null)
        {
            if (steps is null) throw new ArgumentException("This prior is conditioned on time, but no timestep was given.");
            var code = Timesteps.Encode(Timesteps.ForBatch(steps, noisy), Config.Width, cosineFirst: true, shift: 0);
            tokens.Add(time_embedding.call(code.to(noisy.dtype)).unsqueeze(1));
        }

        var embedding = proj_in.call(noisy);
        tokens.Add(noisy.dim() == 2 ? embedding.unsqueeze(1) : embedding);
        if (prd_embedding is not null) tokens.Add(prd_embedding.As(noisy).expand(noisy.shape[0], -1, -1));
        return cat(tokens, dim: 1);
    }

    /// <summary>The blocks, first to last.</summary>
    internal IEnumerable<TransformerBlock> Blocks => transformer_blocks;

    /// <summary>Number of output tokens of the last block: the learned token, or the positions of the noisy embedding.</summary>
    internal long TokensRead(Tensor noisy) => prd_embedding is null && noisy.dim() == 3 ? noisy.shape[1] : 1;

    /// <summary>Prepares tokens for the first block: adds positions, and normalises if the network does.</summary>
    /// <param name="tokens">[batch, tokens, width]</param>
    /// <param name="places">Positions in the whole sequence, [tokens] int64.</param>
    internal Tensor Enter(Tensor tokens, Tensor places)
    {
        var x = tokens + positional_embedding.As(tokens).index_select(1, places);
        return norm_in is null ? x : norm_in.call(x);
    }

    /// <summary>Predicts the embedding from the output tokens.</summary>
    /// <param name="x">[batch, read, width], from the last block.</param>
    /// <returns>[batch, output features], normalised; [batch, read, output features] without a learned last token.</returns>
    internal Tensor Leave(Tensor x) => proj_to_clip_embeddings.call(norm_out.call(prd_embedding is null ? x : x.select(1, -1)));

    /// <summary>Learned positions; a table for the noisy embedding alone is padded with zeros, as in the reference.</summary>
    private Tensor Positions(Tensor x, long before)
    {
        var learned = positional_embedding.As(x);
        if (learned.shape[1] == x.shape[1]) return learned;
        var after = prd_embedding is null ? 0 : 1;
        return learned.shape[1] + before + after == x.shape[1]
            ? nn.functional.pad(learned, (0, 0, before, after))
            : throw new ArgumentException($"The prior has {learned.shape[1]} "
                + $"positions, but {x.shape[1]} tokens came in: cut or pad the text to {Config.NumEmbeddings} tokens.");
    }

    /// <summary>[batch, 1, tokens, tokens]: terms of padding and causality in the scores.</summary>
    private Tensor Bias(Tensor mask, Tensor x)
    {
        var tokens = Config.Positions;
        CheckMask(mask, x.shape[1]);
        var causal = AttentionMask.Causal(tokens, x);
        var padding = nn.functional.pad((1 - mask.to(x.dtype)) * AttentionMask.Masked, (0, Config.AdditionalEmbeddings)); // [batch, tokens]
        return padding.unsqueeze(1).unsqueeze(1) + causal;
    }

    /// <exception cref="ArgumentException">The length of the mask differs from that of the network's text.</exception>
    internal void CheckMask(Tensor mask, long tokens)
    {
        if (mask.shape[1] + Config.AdditionalEmbeddings != Config.Positions || tokens != Config.Positions)
            throw new ArgumentException($"The text mask has {mask.shape[1]} "
                + $"tokens, but the prior takes {Config.NumEmbeddings}: cut or pad the text to that length.");
    }

    private static bool Is(string? value, string known, string key) =>
        value is null ? false
        : value == known ? true
        : throw new ArgumentException($"{key} \"{value}\" is not supported: it must be \"{known}\" or null.");
}
