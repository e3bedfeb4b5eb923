using static TorchSharp.torch;

namespace Alebrije.Pipelines.Denoising;

/// <summary>Callbacks of a run.</summary>
internal sealed record DrawListeners
{
    /// <summary>Called after each step.</summary>
    public Action<GenerationProgress>? Progress { get; init; }

    /// <summary>
    /// Called after each step with stage (<c>prior</c>, <c>decoder</c>, <c>upsampler</c>) and sample; the sample is valid during the call
    /// only.
    /// </summary>
    public Action<string, Tensor>? After { get; init; }

    /// <summary>Receives every stage; null: none.</summary>
    public GenerationTrace? Trace { get; init; }

    /// <summary>Called with sentences for the user, each once.</summary>
    public Action<RunNote>? Note { get; init; }

    /// <summary>Checked before each step.</summary>
    public CancellationToken Cancellation { get; init; }
}

/// <summary>Images of a run.</summary>
/// <param name="Pixels">[batch, 3, h, w] in [0, 1]</param>
/// <param name="Embedding">[batch, features]: image embeddings that conditioned the decoder; null for models without.</param>
/// <param name="Text">[batch, features]: text embeddings of the prompts; null where the run computed none.</param>
/// <param name="Seconds">Seconds per stage, of the whole batch.</param>
internal sealed record DrawnImages(Tensor Pixels, Tensor? Embedding, Tensor? Text, Dictionary<string, double> Seconds);
