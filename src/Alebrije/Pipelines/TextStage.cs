using Alebrije.Models.Clip;
using Alebrije.Models.Priors;
using Alebrije.Preprocessing.Tokenizers;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>CLIP's tokenizer and text tower, as a prior and Karlo's decoder need them.</summary>
/// <param name="tokenizer">Text to ids.</param>
/// <param name="encoder">Ids to encodings and embedding; it has a projection.</param>
/// <param name="features">Numbers of an embedding.</param>
internal sealed class TextStage(ClipTokenizer tokenizer, Component<ClipTextModel> encoder, int features) : IDisposable
{
    private static readonly StateDictOptions PositionIds = new() { Ignored = ["*.position_ids"] };

    /// <summary>Reads the tokenizer and prepares the tower of a pipeline's folder.</summary>
    public static TextStage Of(PipelineFolder folder, string tokenizerName, string encoderName, bool keep)
    {
        var config = ConfigFile.Read<ClipTextConfig>(folder.Of(encoderName));
        var projects = folder.Components[encoderName] == "CLIPTextModelWithProjection";
        return new TextStage(ClipTokenizer.Load(folder.Of(tokenizerName)),
            new Component<ClipTextModel>(() => folder.Load(encoderName, () => new ClipTextModel(config, projects), PositionIds), keep), config.ProjectionDim);
    }

    /// <summary>Numbers of a text embedding.</summary>
    public int Features => features;

    /// <summary>Embeddings, encodings and mask of texts, cut or padded to the tokenizer's length.</summary>
    public PriorConditions Encode(IReadOnlyList<string> texts, GenerationTrace? trace = null)
    {
        var rows = tokenizer.EncodeBatch(texts, tokenizer.MaxLength, out var lengths);
        var ids = tensor(rows.SelectMany(row => row.Select(id => (long)id)).ToArray(), [rows.Length, rows[0].Length]);
        using var loan = encoder.Borrow();
        var output = loan.Value.Encode(ids);
        var mask = arange(ids.shape[1]).unsqueeze(0).lt(tensor(lengths.Select(n => (long)n).ToArray()).unsqueeze(1));
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
}
