using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using Alebrije.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>The first half of Karlo and Kandinsky: CLIP's towers and a diffusion prior, each where the folder has it.</summary>
/// <param name="name">What the folder is called.</param>
/// <param name="texts">The text tower.</param>
/// <param name="prior">The prior, or null where the folder only varies pictures.</param>
/// <param name="images">The image tower, or null.</param>
internal sealed class ClipEmbedder(string name, TextStage texts, PriorStage? prior, ImageStage? images) : IUnClipEmbedder
{
    /// <summary>Whether the decoder is guided away from a picture of one colour, as Kandinsky's is.</summary>
    public bool GuidesAwayFromMeanColour { get; init; }

    /// <inheritdoc/>
    public int Features => texts.Features;

    /// <inheritdoc/>
    public bool HasPrior => prior is not null;

    /// <inheritdoc/>
    public bool HasPictures => images is not null;

    /// <inheritdoc/>
    public DrawnEmbedding Draw(GenerationRequest request, Noise noise, Action<int, int>? report, GenerationTrace? trace, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var asks = GuidesAwayFromMeanColour && request.Negative.Length > 0;
        string[] prompts = asks ? [request.Prompt, request.Negative] : [request.Prompt];
        var conditions = texts.Encode(prompts, trace);
        var text = conditions.TextEmbedding.narrow(0, 0, 1);
        if (request.Prior == PriorKind.None)
            return Moved(text, text, asks ? conditions.TextEmbedding.narrow(0, 1, 1) : Negative());

        if (prior is null) throw new InvalidOperationException($"{name} has no prior: it varies pictures, but draws none from text. Name a folder with a prior (--prior-model).");
        var run = new PriorRun(request.PriorSteps!.Value, request.PriorGuidance!.Value) { Report = report, Trace = trace, Cancellation = cancellation };
        // With a negative text, the reference guides prompt and negative away from it alike (pipeline_kandinsky2_2_prior.py).
        var empty = run.Guidance > 1 ? texts.Encode(asks ? [request.Negative, request.Negative] : [""]) : null;
        Tensor? best = null;
        var closest = double.NegativeInfinity;
        for (var i = 0; i < request.PriorCandidates; i++)
        {
            var drawn = prior.Sample(conditions, empty, noise, run);
            var cosine = Models.Clip.ClipNetwork.Cosine(drawn.narrow(0, 0, 1), text);
            if (cosine > closest) (best, closest) = (drawn, cosine);
        }

        return Moved(best!.narrow(0, 0, 1), text, asks ? best.narrow(0, 1, 1) : Negative());
    }

    /// <inheritdoc/>
    public Tensor EncodeTexts(IReadOnlyList<string> prompts) => texts.Encode(prompts).TextEmbedding;

    /// <inheritdoc/>
    public Tensor EncodeImages(IReadOnlyList<RgbImage> pictures) => Images.Encode(pictures);

    /// <inheritdoc/>
    public Tensor EncodePixels(Tensor pixels) => Images.EncodeRange(pixels);

    /// <inheritdoc/>
    public Tensor? Negative() => GuidesAwayFromMeanColour ? Images.EncodeMeanColour() : null;

    /// <inheritdoc/>
    public void Dispose()
    {
        texts.Dispose();
        prior?.Dispose();
        images?.Dispose();
    }

    private ImageStage Images => images ?? throw new InvalidOperationException(
        $"{name} has no image encoder, so it cannot look at pictures; name a folder that has one, such as karlo-variations for Karlo.");

    private static DrawnEmbedding Moved(Tensor image, Tensor text, Tensor? negative) =>
        new(image.clone().MoveToOuterDisposeScope(), text.clone().MoveToOuterDisposeScope(), negative?.clone().MoveToOuterDisposeScope());
}
