using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>CLIP's tokenizer and text tower, as priors and decoders need them.</summary>
/// <param name="tokenizer">Text to ids.</param>
/// <param name="encoder">Ids to encodings, and to an embedding where it has a projection.</param>
/// <param name="features">Width of an embedding.</param>
/// <param name="fingerprint">That of the joint space, or null where the tower has no projection.</param>
internal sealed class TextStage(ClipTokenizer tokenizer, Component<ClipTextModel> encoder, int features, Lazy<string?> fingerprint)
    : IDisposable
{
    /// <summary>Reads the tokenizer and prepares the tower of a pipeline's folder.</summary>
    public static TextStage Of(PipelineFolder folder, string tokenizerName, string encoderName, bool keep)
    {
        var config = ConfigFile.Read<ClipTextConfig>(folder.Of(encoderName));
        return new TextStage(ClipTokenizer.Load(folder.Of(tokenizerName)),
            Encoder(folder, encoderName, keep), config.ProjectionDim, new Lazy<string?>(() => FingerprintOf(folder, encoderName)));
    }

    /// <summary>Prepares a text tower of a pipeline's folder.</summary>
    public static Component<ClipTextModel> Encoder(PipelineFolder folder, string name, bool keep)
    {
        // A component that is missing is named before anything runs.
        folder.Require(name);
        return new(() => folder.Load<ClipTextModel>(name), keep);
    }

    /// <summary>Width of a text embedding.</summary>
    public int Features => features;

    /// <summary>Fingerprint of the joint space, read on first use; null where the tower has none.</summary>
    public string? Fingerprint => fingerprint.Value;

    /// <summary>Fingerprint of the joint space (<see cref="PriorSpaces.FingerprintOf"/>); null without a projection.</summary>
    public static string? FingerprintOf(PipelineFolder folder, string encoderName)
    {
        if (folder.Components.GetValueOrDefault(encoderName) != "CLIPTextModelWithProjection") return null;
        using var scope = NewDisposeScope();
        using var weights = CheckpointFolder.OpenWeights(folder.Of(encoderName));
        return PriorSpaces.FingerprintOf(weights.Read("text_projection.weight"));
    }

    /// <summary>Encodings of texts alone, [texts, tokens, width], cut or padded to the tokenizer's length.</summary>
    /// <param name="texts">Texts.</param>
    /// <param name="note">Called with texts that were cut.</param>
    public Tensor Encodings(IReadOnlyList<string> texts, Action<RunNote>? note = null)
    {
        var ids = Ids(texts, out _, note);
        return encoder.Use(tower => tower.Encode(ids).LastHiddenState);
    }

    /// <summary>Embeddings, encodings and mask of texts, cut or padded to the tokenizer's length.</summary>
    /// <param name="texts">Texts.</param>
    /// <param name="trace">Gets the first text's tokens, and the embeddings and encodings, when given.</param>
    /// <param name="note">Called with texts that were cut.</param>
    public PriorConditions Encode(IReadOnlyList<string> texts, GenerationTrace? trace = null, Action<RunNote>? note = null)
    {
        var ids = Ids(texts, out var lengths, note);
        using var loan = encoder.Borrow();
        var output = loan.Value.Encode(ids);
        var mask = TokenTensors.Mask(lengths, ids.shape[1]);
        var embedding = loan.Value.Project(output.Pooled);
        if (trace is not null)
        {
            trace.AddTokens("tokens", tokenizer.Tokens(texts[0]));
            trace.Add("token ids", ids);
            trace.Add("text embedding", embedding);
            trace.Add("text encodings", output.LastHiddenState);
        }

        return new PriorConditions(embedding, output.LastHiddenState, mask);
    }

    /// <inheritdoc/>
    public void Dispose() => encoder.Dispose();

    private Tensor Ids(IReadOnlyList<string> texts, out int[] lengths, Action<RunNote>? note) =>
        TokenTensors.Ids(TextCuts.Encode(tokenizer, texts, tokenizer.MaxLength, out lengths, note));
}
