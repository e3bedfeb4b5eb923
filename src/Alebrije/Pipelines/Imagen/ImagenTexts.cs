using Alebrije.Models.T5;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Preprocessing.Tokenizers.Cleaning;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Imagen;

/// <summary>T5, as DeepFloyd IF reads texts with it: cleaned, cut or padded to 77 tokens (diffusers, pipelines/deepfloyd_if/pipeline_if.py, encode_prompt).</summary>
internal sealed class ImagenTexts : IDisposable
{
    public const int Tokens = 77;

    private readonly UnigramTokenizer tokenizer;
    private readonly Component<T5Encoder> encoder;

    /// <param name="folder">A pipeline with <c>tokenizer</c> and <c>text_encoder</c>.</param>
    /// <param name="keep">Whether the encoder, the largest network of all, stays in memory between two calls.</param>
    /// <param name="type">Type that its weights have in memory.</param>
    public ImagenTexts(PipelineFolder folder, bool keep, ScalarType type)
    {
        tokenizer = UnigramTokenizer.Load(folder.Of("tokenizer"));
        encoder = new(() => folder.Load<T5Encoder>("text_encoder", type), keep);
    }

    /// <summary>Encodings of texts.</summary>
    /// <param name="texts">One for each picture.</param>
    /// <param name="clean">Whether captions are cleaned, as those were that it was trained on; otherwise they become lower case.</param>
    /// <param name="note">Told of texts that were cut.</param>
    /// <returns>[texts, 77, width] float32</returns>
    public Tensor Encode(IReadOnlyList<string> texts, bool clean, Action<RunNote>? note = null)
    {
        string[] prepared = [.. texts.Select(text => clean ? CaptionCleaning.Clean(text) : PlainText.Strip(PlainText.Lower(text, finalSigma: true)))];
        var rows = TextCuts.Encode(tokenizer, prepared, Tokens, out var lengths, note);
        return encoder.Use(network => network.Encode(TokenTensors.Ids(rows), TokenTensors.Mask(lengths, Tokens)).to(ScalarType.Float32));
    }

    /// <inheritdoc/>
    public void Dispose() => encoder.Dispose();
}
