using Alebrije.Tensors;

namespace Alebrije.Pipelines;

/// <summary>Loading options of a pipeline.</summary>
public sealed record ImagePipelineOptions
{
    /// <summary>
    /// A prior from elsewhere: a prior's own folder, or a pipeline's, which to decoders that come without text encoder and prior brings
    /// these too. Null takes the pipeline's own.
    /// </summary>
    public string? PriorFolder { get; init; }

    /// <summary>
    /// Folders that a model is published with: the prior's pipeline of a Kandinsky decoder, the later stages of DeepFloyd IF in their
    /// order. Null searches next to the model's folder; for DeepFloyd IF an empty list takes the first stage alone.
    /// </summary>
    public IReadOnlyList<string>? CompanionFolders { get; init; }

    /// <summary>
    /// Folder of a CLIP, or of an unCLIP model, for models without an image encoder of their own: it scores images and guides them
    /// (<see cref="GenerationRequest.ClipGuidance"/>). Null: none.
    /// </summary>
    public string? JudgeFolder { get; init; }

    /// <summary>Number format of the large networks; noise, samplers and norms stay float32.</summary>
    public Precision Precision { get; init; } = Precision.Auto;

    /// <summary>Format of priors; null: bf16 only if <see cref="Precision"/> names it, because a prior's errors propagate.</summary>
    public Precision? PriorPrecision { get; init; }

    /// <summary>True loads a decoder alone, for image embeddings that are given.</summary>
    internal bool WithoutPrior { get; init; }

    /// <summary>
    /// True if networks stay in memory between two images; false reads each when needed and releases it; null keeps them where they take
    /// less than half of the memory that is free.
    /// </summary>
    public bool? KeepLoaded { get; init; }
}

/// <summary>Floating-point formats used by a generation.</summary>
/// <param name="Decoder">Format of the decoder's denoiser.</param>
/// <param name="Prior">Format of the prior.</param>
public sealed record PipelinePrecision(Precision Decoder, Precision Prior);
