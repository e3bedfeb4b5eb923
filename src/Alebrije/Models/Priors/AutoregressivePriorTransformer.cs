using System.Text.Json.Serialization;
using Alebrije.Nn;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Alebrije.Models.Priors;

/// <summary>
/// config.json of an <see cref="AutoregressivePriorTransformer"/>; the counts of codes and buckets default to the paper's.
/// </summary>
internal sealed record AutoregressivePriorConfig
{
    /// <summary>Name of the class in config.json.</summary>
    public const string ClassName = "AutoregressivePriorTransformer";

    /// <summary>Heads of the attention.</summary>
    public int NumAttentionHeads { get; init; } = 32;

    /// <summary>Width of one head.</summary>
    public int AttentionHeadDim { get; init; } = 64;

    /// <summary>Transformer blocks.</summary>
    public int NumLayers { get; init; } = 24;

    /// <summary>Width of image and text embeddings, and of the text encodings.</summary>
    public int EmbeddingDim { get; init; } = 1024;

    /// <summary>Text tokens.</summary>
    public int NumEmbeddings { get; init; } = 77;

    /// <summary>Codes of an embedding: the number of principal components.</summary>
    public int NumCodes { get; init; } = 319;

    /// <summary>Buckets of each coordinate.</summary>
    public int NumBuckets { get; init; } = 1024;

    /// <summary>Range of the buckets on either side of the mean, in standard deviations.</summary>
    public double BucketRange { get; init; } = 4;

    /// <summary>Buckets of the cosine between text and image, at least 2.</summary>
    public int NumCosines { get; init; } = 16;

    /// <summary>Default temperature of sampling.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Number of likeliest codes that each draw is restricted to; 0: all codes.</summary>
    public int TopK { get; init; }

    /// <summary>Default guidance scale of sampling; 1: no guidance.</summary>
    public double Guidance { get; init; } = 1;

    /// <summary>Fingerprint of the embedding space of the training, if stored.</summary>
    public string? EmbeddingSpace { get; init; }

    /// <summary>Inner width of a token.</summary>
    [JsonIgnore]
    public int Width => NumAttentionHeads * AttentionHeadDim;

    /// <summary>Tokens before the first code: text encodings, text embedding, cosine.</summary>
    [JsonIgnore]
    public int PrefixTokens => NumEmbeddings + 2;
}

/// <summary>
/// The autoregressive prior of unCLIP (Ramesh et al., 2022, §2.2): a causal transformer over text encodings, text embedding, a token for
/// the cosine of text and image, and the previous codes of the image embedding, that predicts the next code.
/// </summary>
internal sealed class AutoregressivePriorTransformer : nn.Module<PriorConditions, Tensor, Tensor, Tensor>
{
    private readonly LinearLayer encoder_hidden_states_proj, embedding_proj, to_logits;
    private readonly EmbeddingLayer cosine_embedding, code_embedding;
    private readonly Parameter positional_embedding;
    private readonly ModuleList<TransformerBlock> transformer_blocks;
    private readonly LayerNormLayer norm_out;
    private readonly EmbeddingQuantizer quantizer;

    public AutoregressivePriorTransformer(AutoregressivePriorConfig config) : base(nameof(AutoregressivePriorTransformer))
    {
        if (config.NumCodes < 1 || config.NumCodes > config.EmbeddingDim)
            throw new ArgumentException($"num_codes is {config.NumCodes}, "
                + $"but must be between 1 and embedding_dim, which is {config.EmbeddingDim}.");
        if (config.NumBuckets < 2 || config.NumCosines < 2)
            throw new ArgumentException("num_buckets and num_cosines have to be at least 2.");
        Config = config;
        var width = config.Width;
        var block = new TransformerBlockForm(new AttentionSizes(config.NumAttentionHeads, config.AttentionHeadDim) { Bias = true },
            Second: null);
        encoder_hidden_states_proj = Layers.Linear(config.EmbeddingDim, width);
        embedding_proj = Layers.Linear(config.EmbeddingDim, width);
        cosine_embedding = Layers.Embedding(config.NumCosines + 1, width);
        code_embedding = Layers.Embedding(config.NumBuckets, width);
        positional_embedding = WeightInit.Constant(0, 1, config.PrefixTokens + config.NumCodes - 1, width);
        transformer_blocks = new ModuleList<TransformerBlock>(
            [.. Enumerable.Range(0, config.NumLayers).Select(_ => new TransformerBlock(width, block))]);
        norm_out = Layers.LayerNorm(width);
        to_logits = Layers.Linear(width, config.NumBuckets);
        quantizer = new EmbeddingQuantizer(config);
        RegisterComponents();
    }

    /// <summary>Configuration of the network.</summary>
    public AutoregressivePriorConfig Config { get; }

    /// <summary>Conversion between embeddings and codes.</summary>
    public EmbeddingQuantizer Quantizer => quantizer;

    /// <summary>Index of the unknown cosine, which conditions an empty text.</summary>
    public long UnknownCosine => Config.NumCosines;

    /// <param name="conditions">The texts, with their mask.</param>
    /// <param name="cosines">[batch] int64 in [0, cosines], the last being <see cref="UnknownCosine"/>.</param>
    /// <param name="codes">[batch, codes] int64 in [0, buckets); the last one is ignored.</param>
    /// <returns>[batch, codes, buckets]: logits of each code given those before it.</returns>
    public override Tensor forward(PriorConditions conditions, Tensor cosines, Tensor codes)
    {
        using var scope = NewDisposeScope();
        var (x, padding) = Prefix(conditions, cosines);                                           // [batch, seen + 2, width]
        var count = codes.shape[1];
        // [batch, seen + 1 + codes, width]
        if (count > 1) x = cat([x, CodeTokens(codes.narrow(1, 0, count - 1), first: 0).to(x.dtype)], dim: 1);
        var bias = nn.functional.pad(padding, (0, count - 1)) + AttentionMask.Causal(x.shape[1], x);
        foreach (var block in transformer_blocks) x = block.call(x, null, bias);
        return Logits(x.narrow(1, x.shape[1] - count, count)).MoveToOuterDisposeScope();
    }

    /// <summary>Tokens before the first code, without the trailing padding common to all rows.</summary>
    /// <returns>[batch, seen + 2, width] with positions, and the padding's term of the scores, [batch, 1, 1, seen + 2].</returns>
    internal (Tensor Tokens, Tensor Padding) Prefix(PriorConditions conditions, Tensor cosines)
    {
        var (encodings, mask) = (conditions.TextEncodings, conditions.TextMask);
        if (encodings is null || mask is null)
            throw new ArgumentException("The autoregressive prior needs text encodings and their mask, but they were not given.");
        if (mask.shape[1] != Config.NumEmbeddings || encodings.shape[1] != Config.NumEmbeddings)
            throw new ArgumentException($"The text has {encodings.shape[1]} "
                + $"tokens, but the prior takes {Config.NumEmbeddings}: cut or pad the text to that length.");
        var seen = mask.any(0, keepdim: false).nonzero().max().item<long>() + 1;
        var x = cat(
            [
                encoder_hidden_states_proj.call(encodings.narrow(1, 0, seen)), embedding_proj.call(conditions.TextEmbedding).unsqueeze(1),
                cosine_embedding.call(cosines).unsqueeze(1).to(encodings.dtype),
            ], dim: 1);
        var positions = positional_embedding.As(x);
        x = x + cat([positions.narrow(1, 0, seen), positions.narrow(1, Config.NumEmbeddings, 2)], dim: 1);
        var padded = (1 - mask.narrow(1, 0, seen).to(x.dtype)) * AttentionMask.Masked;
        return (x, nn.functional.pad(padded, (0, 2)).unsqueeze(1).unsqueeze(1));
    }

    /// <summary>Embeds codes as tokens.</summary>
    /// <param name="codes">[batch, n] int64</param>
    /// <param name="first">Position of the first of them among all codes.</param>
    /// <returns>[batch, n, width] with positions</returns>
    internal Tensor CodeTokens(Tensor codes, long first)
    {
        var positions = positional_embedding.narrow(1, Config.PrefixTokens + first, codes.shape[1]);
        return code_embedding.call(codes) + positions;
    }

    /// <param name="x">[batch, n, width] from the last block.</param>
    /// <returns>[batch, n, buckets]</returns>
    internal Tensor Logits(Tensor x) => to_logits.call(norm_out.call(x));

    /// <summary>The blocks, first to last.</summary>
    internal IEnumerable<TransformerBlock> Blocks => transformer_blocks;
}
