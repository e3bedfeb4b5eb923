using Alebrije.Models.T5;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Preprocessing.Tokenizers.Cleaning;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Imagen;

/// <summary>
/// T5 encodings of texts for DeepFloyd IF: cleaned, cut or padded to 77 tokens (diffusers, pipelines/deepfloyd_if/pipeline_if.py,
/// encode_prompt). The encodings of the last texts are kept, so that all stages and all images of a prompt load the encoder once.
/// </summary>
internal sealed class ImagenTexts : IDisposable
{
    /// <summary>Tokens of a row.</summary>
    public const int Tokens = 77;

    private readonly UnigramTokenizer tokenizer;
    private readonly Component<T5Encoder> encoder;
    private (string[] Texts, Tensor Encodings)? last;

    /// <param name="folder">A pipeline with <c>tokenizer</c> and <c>text_encoder</c>.</param>
    /// <param name="keep">True if the encoder, the largest network of all, stays in memory between two calls.</param>
    /// <param name="type">Type that its weights have in memory.</param>
    public ImagenTexts(PipelineFolder folder, bool keep, ScalarType type)
    {
        tokenizer = UnigramTokenizer.Load(folder.Of("tokenizer"));
        encoder = new(() => folder.Load<T5Encoder>("text_encoder", type), keep);
    }

    /// <summary>Encodings of texts.</summary>
    /// <param name="texts">One for each image.</param>
    /// <param name="clean">True if captions are cleaned, as in training; otherwise they become lower case.</param>
    /// <param name="note">Called with texts that were cut.</param>
    /// <returns>[texts, 77, width] float32</returns>
    public Tensor Encode(IReadOnlyList<string> texts, bool clean, Action<RunNote>? note = null)
    {
        string[] prepared = [.. texts.Select(text => Prepare(text, clean))];
        var rows = TextCuts.Encode(tokenizer, prepared, Tokens, out var lengths, note);
        if (last is { } kept && kept.Texts.SequenceEqual(prepared)) return kept.Encodings.alias();
        last?.Encodings.Dispose();
        var encodings = encoder.Use(network => network.Encode(TokenTensors.Ids(rows), TokenTensors.Mask(lengths, Tokens))
            .to(ScalarType.Float32));
        last = (prepared, encodings.alias().DetachFromDisposeScope());
        return encodings;
    }

    /// <summary>A text as the tokenizer gets it: cleaned, or only stripped and in lower case.</summary>
    public static string Prepare(string text, bool clean) => clean ? CaptionCleaning.Clean(text)
        : PlainText.Strip(PlainText.Lower(text, finalSigma: true));

    /// <inheritdoc/>
    public void Dispose()
    {
        last?.Encodings.Dispose();
        encoder.Dispose();
    }
}
