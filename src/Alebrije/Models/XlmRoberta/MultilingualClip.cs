using Alebrije.Nn;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Models.XlmRoberta;

/// <summary>
/// XLM-R with a projection into CLIP's space (Carlsson et al., 2022, Multilingual-CLIP), the text encoder of Kandinsky 2.1 (diffusers,
/// pipelines/kandinsky/text_encoder.py, MultilingualCLIP).
/// </summary>
internal sealed class MultilingualClip : nn.Module
{
    private readonly XlmRobertaEncoder transformer;
    private readonly LinearLayer LinearTransformation;

    public MultilingualClip(MultilingualClipConfig config) : base(nameof(MultilingualClip))
    {
        if (config.TransformerDimensions != config.HiddenSize)
            throw new ArgumentException($"transformerDimensions is {config.TransformerDimensions} "
                + $"and hidden_size {config.HiddenSize}: both must be the width of the encoder.");
        Config = config;
        transformer = new XlmRobertaEncoder(config);
        LinearTransformation = Layers.Linear(config.TransformerDimensions, config.NumDims);
        RegisterComponents();
    }

    /// <summary>Options to read published files: ids of positions and token types are not weights.</summary>
    public static StateDictOptions FileOptions { get; } = new() { Ignored = ["*.position_ids", "*.token_type_ids"] };

    /// <summary>Configuration of the network.</summary>
    public MultilingualClipConfig Config { get; }

    /// <summary>Encodes texts.</summary>
    /// <param name="ids">[batch, tokens] int64</param>
    /// <param name="mask">[batch, tokens] int64, 1 for tokens of the text; at least one per row.</param>
    /// <param name="type">Type of the computation; null: that of the weights.</param>
    /// <returns>The projected mean of the text's hidden states, [batch, embedding], and the hidden states of all tokens, padding included,
    /// [batch, tokens, width].</returns>
    public (Tensor Embedding, Tensor HiddenStates) Encode(Tensor ids, Tensor mask, ScalarType? type = null)
    {
        using var scope = NewDisposeScope();
        var states = type is { } asked ? transformer.Encode(ids, mask, asked) : transformer.call(ids, mask);
        var weights = mask.to(states.dtype).unsqueeze(2);                                    // [batch, tokens, 1]
        var mean = (states * weights).sum(1) / weights.sum(1);                               // [batch, width]
        return (LinearTransformation.call(mean).MoveToOuterDisposeScope(), states.MoveToOuterDisposeScope());
    }
}
