using System.Diagnostics;
using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.StableUnClip;

/// <summary>The first half of Stable unCLIP, by its stages.</summary>
internal sealed class StableUnClipEmbedder(StableUnClipParts parts, StableUnClipStages stages) : IUnClipEmbedder
{
    /// <inheritdoc/>
    public int Features => (int)parts.Normalizer.Mean.shape[1];

    /// <inheritdoc/>
    public PriorSet Priors => parts.Priors;

    /// <inheritdoc/>
    public PriorKind UsePrior(string folder) => parts.UsePrior(folder);

    /// <inheritdoc/>
    public bool HasPictures => parts.ImageEncoder is not null;

    /// <inheritdoc/>
    public DrawnEmbedding Draw(GenerationRequest request, Noise noise, Action<int, int>? report, GenerationTrace? trace, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        var text = stages.EncodeForPrior([request.Prompt], trace);
        var seconds = clock.Elapsed.TotalSeconds;
        var image = stages.DrawPrior(text, request, noise, report, trace, cancellation);     // [1, features]
        return new DrawnEmbedding(image, text.Conditions.TextEmbedding, null, seconds);
    }

    /// <inheritdoc/>
    public Tensor EncodeTexts(IReadOnlyList<string> texts) => stages.EncodeForPrior(texts).Conditions.TextEmbedding;

    /// <inheritdoc/>
    public Tensor EncodeImages(IReadOnlyList<RgbImage> pictures) => stages.EncodeImages(pictures);

    /// <inheritdoc/>
    public Tensor EncodePixels(Tensor pixels)
    {
        var (encoder, processor) = (parts.ImageEncoder, parts.ImageProcessor);
        if (encoder is null || processor is null) throw new InvalidOperationException($"{parts.Folder.Path} has no image encoder.");
        return encoder.Project(encoder.Encode(ImageStage.Prepare(pixels, processor.Options, encoder.Config.ImageSize)).Pooled);
    }

    /// <inheritdoc/>
    public Tensor? Negative() => null;

    /// <inheritdoc/>
    public void Dispose()
    {
        // The decoder disposes of the parts that both share.
    }
}
