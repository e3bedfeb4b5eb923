using Alebrije.Models.Priors;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Kandinsky;

/// <summary>
/// First half of Kandinsky 2.1 and 2.2: image embeddings of texts, of pictures and of mixtures, each with the embedding that the decoder is guided away
/// from (diffusers, pipelines/kandinsky/pipeline_kandinsky_prior.py, kandinsky2_2/pipeline_kandinsky2_2_prior.py and its emb2emb variant).
/// </summary>
internal sealed class KandinskyPrior(TextStage texts, PriorStage prior, ImageStage images) : IDisposable
{
    /// <summary>Prepares a KandinskyPriorPipeline or KandinskyV22PriorPipeline.</summary>
    public static KandinskyPrior Of(PipelineFolder folder, bool keep) => new(
        TextStage.Of(folder, "tokenizer", "text_encoder", keep), PriorStage.Of(folder, "prior", "scheduler", keep),
        ImageStage.Of(folder, "image_processor", "image_encoder", keep));

    /// <summary>Draws image embeddings of texts.</summary>
    /// <param name="prompts">What to draw.</param>
    /// <param name="negatives">As many texts whose embeddings are drawn too, to be guided away from; null takes the embedding of a picture of one colour.</param>
    /// <param name="run">Steps, guidance, and a picture's embedding to start from.</param>
    /// <param name="noise">Draws for all texts at once, the prompts first.</param>
    /// <returns>Embeddings of the prompts, and what to guide away from: [prompts, features] each.</returns>
    public (Tensor Image, Tensor Negative) Draw(IReadOnlyList<string> prompts, IReadOnlyList<string>? negatives, PriorRun run, Noise noise)
    {
        using var scope = NewDisposeScope();
        var conditions = texts.Encode(negatives is null ? prompts : [.. prompts, .. negatives], run.Trace);
        // The negatives are also what their own embeddings, and the prompts', are guided away from.
        var unguided = run.Guidance <= 1 ? null : texts.Encode(negatives is null ? [""] : [.. negatives, .. negatives]);
        var drawn = prior.Sample(conditions, unguided, noise, run);
        var (image, negative) = negatives is null
            ? (drawn, images.EncodeMeanColour().expand(prompts.Count, -1).clone())
            : (drawn.narrow(0, 0, prompts.Count), drawn.narrow(0, prompts.Count, negatives.Count));
        return (image.MoveToOuterDisposeScope(), negative.MoveToOuterDisposeScope());
    }

    /// <summary>Weighted sum of embeddings of texts and pictures; not along the sphere, as in the reference.</summary>
    /// <param name="parts">Texts and pictures with their weights.</param>
    /// <param name="negative">Text to guide away from in the decoder; empty takes the embedding of a picture of one colour.</param>
    /// <param name="negativePrior">Text that is drawn beside every text of the mixture, or null.</param>
    /// <param name="run">Steps and guidance of every text's prior.</param>
    /// <param name="noise">Draws for one text after the other, the negative one last.</param>
    public (Tensor Image, Tensor Negative) Mix(
        IReadOnlyList<(string? Text, RgbImage? Picture, double Weight)> parts, string negative, string? negativePrior, PriorRun run, Noise noise)
    {
        using var scope = NewDisposeScope();
        string[]? beside = negativePrior is null ? null : [negativePrior];
        var sum = zeros(1, prior.Features);
        foreach (var (text, picture, weight) in parts)
            sum = sum + (weight * (picture is null ? Draw([text!], beside, run, noise).Image : images.Encode([picture])));
        var away = Draw([negative], beside, run, noise);
        return (sum.MoveToOuterDisposeScope(), (negative.Length == 0 ? away.Negative : away.Image).MoveToOuterDisposeScope());
    }

    /// <summary>Texts' embeddings, encodings and mask.</summary>
    public PriorConditions EncodeTexts(IReadOnlyList<string> prompts) => texts.Encode(prompts);

    /// <summary>Image embeddings of pictures, [pictures, features].</summary>
    public Tensor EncodeImages(IReadOnlyList<RgbImage> pictures) => images.Encode(pictures);

    /// <inheritdoc/>
    public void Dispose()
    {
        texts.Dispose();
        prior.Dispose();
        images.Dispose();
    }
}
