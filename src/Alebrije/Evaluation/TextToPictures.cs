using Alebrije.Datasets;
using Alebrije.Pipelines;
using Alebrije.Pipelines.Denoising;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Evaluation;

/// <summary>Source of the decoder's image embeddings.</summary>
/// <param name="text">The batch's texts.</param>
/// <param name="first">Index of the batch's first prompt.</param>
/// <param name="noise">Noise for a prior; the decoder's is separate.</param>
/// <returns>[batch, features] in CLIP's scale</returns>
internal delegate Tensor EmbeddingSource(PriorText text, int first, Noise noise);

/// <summary>Generates images of prompts in batches with a model's defaults; prompt i has the same noise for every source.</summary>
internal sealed class TextToPictures(ImagePipeline pipeline, ulong seed)
{
    private const int Batch = 8;

    /// <summary>Side of the images in pixels.</summary>
    public int Size => pipeline.Size;

    /// <summary>The model's priors in the order of <see cref="PriorNames.All"/>.</summary>
    public IEnumerable<PriorKind> Priors => PriorNames.All.Select(name => PriorNames.TryParse(name, out var kind) ? kind : default)
        .Where(Has);

    /// <summary>True if the model has a first guess, which <c>onlyGuess</c> draws.</summary>
    public bool HasGuess => pipeline.Decoder.Traits.HasGuess;

    /// <summary>True if the model has a prior of the kind.</summary>
    public bool Has(PriorKind kind) => pipeline.Embedder.Priors.Has(kind);

    /// <summary>A prior of the model with its default settings.</summary>
    public EmbeddingSource By(PriorKind kind) => (text, _, noise) =>
    {
        var request = pipeline.Complete(new GenerationRequest { Prompt = "-", Prior = kind });
        return pipeline.Embedder.Priors[kind].Draw(text,
            new PriorOptions(request.PriorSteps!.Value, request.PriorGuidance!.Value), noise)[0];
    };

    /// <summary>The true embeddings of images, one per prompt.</summary>
    public EmbeddingSource Of(IReadOnlyList<RgbImage> pictures) => (text, first, _) =>
        pipeline.Embedder.EncodeImages([.. pictures.Skip(first).Take((int)text.Conditions.TextEmbedding.shape[0])]);

    /// <summary>Generates one image per prompt.</summary>
    /// <param name="prompts">The prompts.</param>
    /// <param name="source">The image embeddings.</param>
    /// <param name="done">Called after each batch with the count done; may throw to stop.</param>
    /// <param name="onlyGuess">True returns the first guess without diffusion.</param>
    public RgbImage[] Draw(IReadOnlyList<string> prompts, EmbeddingSource source, Action<int>? done = null, bool onlyGuess = false)
    {
        var pictures = new List<RgbImage>(prompts.Count);
        foreach (var chunk in prompts.Chunk(Batch))
        {
            using (NewDisposeScope()) pictures.AddRange(DrawBatch(chunk, source, pictures.Count, onlyGuess));
            done?.Invoke(pictures.Count);
        }

        return [.. pictures];
    }

    private RgbImage[] DrawBatch(string[] prompts, EmbeddingSource source, int first, bool onlyGuess)
    {
        var requests = prompts.Select(prompt => pipeline.Complete(new GenerationRequest { Prompt = prompt, OnlyGuess = onlyGuess }))
            .ToArray();
        using var priorNoise = new Noise(NoiseSeed.Of(seed, first, NoiseSeed.Prior));
        using var noise = new Noise(NoiseSeed.Of(seed, first, NoiseSeed.Decoder));
        var given = new DrawConditions(prompts) { Image = source(pipeline.Embedder.Texts(prompts), first, priorNoise),
            NegativeImage = pipeline.Embedder.Negative() };
        return ImageTensors.ToImages(pipeline.Draw(requests, noise, given).Pixels);
    }
}

/// <summary>Seeds of noise, determined by the evaluation's seed, the first sample of a batch and the stage.</summary>
internal static class NoiseSeed
{
    public const ulong Prior = 1, Decoder = 2;

    public static long Of(ulong seed, int first, ulong stage) =>
        unchecked((long)SeededRandom.Mix(SeededRandom.Mix(seed + stage) ^ (ulong)first));
}
