using Alebrije.Models.XlmRoberta;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Kandinsky;

/// <summary>The multilingual texts of Kandinsky 2.1's decoder: XLM-R, its masked mean projected, and the states of every token.</summary>
/// <param name="tokenizer">Text to ids.</param>
/// <param name="encoder">Ids to states.</param>
internal sealed class KandinskyTexts(UnigramTokenizer tokenizer, Component<MultilingualClip> encoder) : IDisposable
{
    /// <summary>Tokens that a text is cut or padded to (pipeline_kandinsky.py, _encode_prompt).</summary>
    public const int Tokens = 77;

    /// <summary>Reads the tokenizer and prepares the encoder of a pipeline's folder.</summary>
    public static KandinskyTexts Of(PipelineFolder folder, bool keep)
    {
        return new KandinskyTexts(UnigramTokenizer.Load(folder.Of("tokenizer")),
            new Component<MultilingualClip>(() => folder.Load<MultilingualClip>("text_encoder"), keep));
    }

    /// <summary>Pooled texts, [texts, features], and their tokens' states, [texts, 77, width].</summary>
    /// <param name="texts">Texts.</param>
    /// <param name="note">Called with texts that were cut.</param>
    public (Tensor Pooled, Tensor Encodings) Encode(IReadOnlyList<string> texts, Action<RunNote>? note = null)
    {
        var rows = TextCuts.Encode(tokenizer, texts, Tokens, out var lengths, note);
        return encoder.Use(network => network.Encode(TokenTensors.Ids(rows), TokenTensors.Mask(lengths, Tokens).to(ScalarType.Int64)));
    }

    /// <inheritdoc/>
    public void Dispose() => encoder.Dispose();
}
