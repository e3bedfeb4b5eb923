using Alebrije.Models.Priors;
using Alebrije.Tensors;
using Alebrije.Weights;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Priors;

/// <summary>Texts as priors are given them.</summary>
/// <param name="Conditions">The prompts' embeddings, encodings and mask.</param>
/// <param name="Empty">The empty text, one row, for guidance: always the same object, so that what was computed of it can be kept.</param>
internal sealed record PriorText(PriorConditions Conditions, Func<PriorConditions> Empty)
{
    /// <summary>Rows of the batch.</summary>
    public long Batch => Conditions.TextEmbedding.shape[0];

    /// <summary>The empty text, then the prompts, each as often: the batch of a guided run.</summary>
    public PriorConditions Guided()
    {
        var empty = Empty();
        return new PriorConditions(
            Join(empty.TextEmbedding, Conditions.TextEmbedding)!, Join(empty.TextEncodings, Conditions.TextEncodings),
            Join(empty.TextMask, Conditions.TextMask));

        Tensor? Join(Tensor? first, Tensor? second) => first is null
            || second is null ? null : cat([first.expand([Batch, .. first.shape[1..]]), second]);
    }
}

/// <summary>Sampling options of a prior.</summary>
/// <param name="Steps">Steps of a diffusion.</param>
/// <param name="Guidance">Guidance scale; 1 means none.</param>
internal sealed record PriorOptions(int Steps, double Guidance)
{
    /// <summary>Number of embeddings of each text; a deterministic prior always gives one.</summary>
    public int Candidates { get; init; } = 1;

    /// <summary>[1 or batch, features]: embedding to start from, noised by <see cref="Strength"/>; null starts from noise.</summary>
    public Tensor? Start { get; init; }

    /// <summary>From 0 (the start itself) to 1 (noise alone): the share of the steps that are taken from a start.</summary>
    public double Strength { get; init; } = 1;

    /// <summary>Called after each step with steps done and total.</summary>
    public Action<int, int>? Report { get; init; }

    /// <summary>Called after each step of a diffusion with the normalised sample, [batch, features].</summary>
    public Action<Tensor>? After { get; init; }

    /// <summary>Receives the trajectory where there is one.</summary>
    public GenerationTrace? Trace { get; init; }

    /// <summary>Checked before each step.</summary>
    public CancellationToken Cancellation { get; init; }
}

/// <summary>A way from text to image embedding.</summary>
internal interface IPrior : IDisposable
{
    /// <summary>The kind of prior.</summary>
    PriorKind Kind { get; }

    /// <summary>Its input and output spaces.</summary>
    PriorSpaces Spaces { get; }

    /// <summary>Guidance scale that it was made for; null leaves it to the pipeline.</summary>
    double? Guidance => null;

    /// <summary>Image embeddings of texts.</summary>
    /// <param name="text">The texts.</param>
    /// <param name="how">Steps, guidance, candidates.</param>
    /// <param name="noise">Source of random numbers.</param>
    /// <returns>Candidates, each [batch, features] on CLIP's scale.</returns>
    IReadOnlyList<Tensor> Draw(PriorText text, PriorOptions how, Noise noise);
}

/// <summary>Embeddings that a prior takes and gives.</summary>
/// <param name="TextFeatures">Width of the text embedding; 0 accepts any.</param>
/// <param name="ImageFeatures">Width of the image embedding; 0 accepts any.</param>
/// <param name="Fingerprint">That of the joint space, or null where it was not kept, which fits any.</param>
internal sealed record PriorSpaces(int TextFeatures, int ImageFeatures, string? Fingerprint = null)
{
    /// <summary>Refuses a prior whose embeddings are not those of a model.</summary>
    /// <param name="prior">The prior's spaces.</param>
    /// <param name="name">Name of the prior.</param>
    /// <param name="model">Name of the model.</param>
    /// <exception cref="WeightsException">They differ in size, or are known to be two spaces; one sentence.</exception>
    public void Require(PriorSpaces prior, string name, string model)
    {
        if (Differ(prior.TextFeatures, TextFeatures) || Differ(prior.ImageFeatures, ImageFeatures))
            throw new WeightsException(
                $"The prior {name} leads from text embeddings of {prior.TextFeatures} "
                    + $"numbers to image embeddings of {prior.ImageFeatures}, but "
                        + $"{model} has {TextFeatures} and {ImageFeatures}; use a prior that was trained on the CLIP of {model}.");
        if (prior.Fingerprint is { } theirs && Fingerprint is { } ours && theirs != ours)
            throw new WeightsException(
                $"The prior {name} was trained in another embedding space ({theirs}) than that of "
                    + $"{model} ({ours}), though both have {ImageFeatures} numbers; use a prior that was trained on the CLIP of {model}.");
    }

    /// <summary>
    /// Fingerprint of a joint space: of the matrix that projects texts into it, rounded to bfloat16, so that it is the same for a model in
    /// full and in half precision. 16 hexadecimal digits.
    /// </summary>
    /// <param name="projection">[features, width], the text tower's last layer.</param>
    public static string FingerprintOf(Tensor projection)
    {
        using var scope = NewDisposeScope();
        var rounded = projection.detach().cpu().to(ScalarType.BFloat16).contiguous();
        return Pipelines.Fingerprint.Of(rounded.bytes);
    }

    private static bool Differ(int a, int b) => a != 0 && b != 0 && a != b;
}
