using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Alebrije.Pipelines.Kandinsky;

/// <summary>
/// First half of Kandinsky 2.1 and 2.2: image embeddings of texts, of pictures and of mixtures, each with the embedding that the decoder is guided away
/// from (diffusers, pipelines/kandinsky/pipeline_kandinsky_prior.py, kandinsky2_2/pipeline_kandinsky2_2_prior.py and its emb2emb variant).
/// </summary>
/// <param name="texts">The text tower.</param>
/// <param name="prior">The diffusion prior.</param>
/// <param name="images">The image tower.</param>
internal sealed class KandinskyPrior(TextStage texts, DiffusionPrior prior, ImageStage images) : IDisposable
{
    /// <summary>Draws image embeddings of texts.</summary>
    /// <param name="prompts">What to draw.</param>
    /// <param name="negatives">As many texts whose embeddings are drawn too, to be guided away from; null takes the embedding of a picture of one colour.</param>
    /// <param name="how">Steps, guidance, and a picture's embedding to start from.</param>
    /// <param name="noise">Draws for all texts at once, the prompts first.</param>
    /// <param name="after">Gets the sample after every step.</param>
    /// <returns>Embeddings of the prompts, and what to guide away from: [prompts, features] each.</returns>
    public (Tensor Image, Tensor Negative) Draw(IReadOnlyList<string> prompts, IReadOnlyList<string>? negatives, PriorDraw how, Noise noise, ICollection<Tensor> after)
    {
        // The negatives are also what their own embeddings, and the prompts', are guided away from.
        var conditions = texts.Encode(negatives is null ? prompts : [.. prompts, .. negatives], how.Trace);
        var (drawn, steps) = prior.Sample(new PriorText(conditions, () => texts.Encode(negatives is null ? [""] : [.. negatives, .. negatives])), how, noise);
        foreach (var step in steps) after.Add(step);
        return negatives is null
            ? (drawn, images.EncodeMeanColour().expand(prompts.Count, -1))
            : (drawn.narrow(0, 0, prompts.Count), drawn.narrow(0, prompts.Count, negatives.Count));
    }

    /// <summary>Weighted sum of embeddings of texts and pictures; not along the sphere, as in the reference.</summary>
    /// <param name="parts">Texts and pictures with their weights.</param>
    /// <param name="negatives">Text to guide away from in the decoder (empty takes the embedding of a picture of one colour), and text that is drawn beside every text of the mixture, or null.</param>
    /// <param name="how">Steps and guidance of every text's prior.</param>
    /// <param name="noise">Draws for one text after the other, the negative one last.</param>
    /// <param name="after">Gets the sample after every step.</param>
    public (Tensor Image, Tensor Negative) Mix(
        IReadOnlyList<(string? Text, RgbImage? Picture, double Weight)> parts, (string Decoder, string? Prior) negatives, PriorDraw how, Noise noise, ICollection<Tensor> after)
    {
        string[]? beside = negatives.Prior is null ? null : [negatives.Prior];
        var sum = zeros(1, prior.Spaces.ImageFeatures);
        foreach (var (text, picture, weight) in parts)
            sum = sum + (weight * (picture is null ? Draw([text!], beside, how, noise, after).Image : images.Encode([picture])));
        var away = Draw([negatives.Decoder], beside, how, noise, after);
        return (sum, negatives.Decoder.Length == 0 ? away.Negative : away.Image);
    }

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
