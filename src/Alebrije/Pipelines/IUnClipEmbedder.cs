using Alebrije.Pipelines.Priors;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>An image embedding drawn for a text.</summary>
/// <param name="Image">[1, features] on CLIP's scale.</param>
/// <param name="Text">[1, features]: the text embedding.</param>
/// <param name="Negative">[1, features]: what the decoder is guided away from, or null where that is the decoder's own matter.</param>
/// <param name="TextSeconds">Seconds that the texts took, of all.</param>
internal sealed record DrawnEmbedding(Tensor Image, Tensor Text, Tensor? Negative, double TextSeconds);

/// <summary>The first half of unCLIP: texts and pictures to embeddings, and from a text's embedding to an image embedding.</summary>
internal interface IUnClipEmbedder : IDisposable
{
    /// <summary>Numbers of an embedding.</summary>
    int Features { get; }

    /// <summary>Its priors; none but <see cref="PriorKind.None"/> where it only looks at pictures.</summary>
    PriorSet Priors { get; }

    /// <summary>Takes a prior from a folder, alone or of a pipeline, in place of the one of its kind.</summary>
    /// <returns>What it is.</returns>
    /// <exception cref="Weights.CheckpointNotFoundException">There is none.</exception>
    /// <exception cref="Weights.WeightsException">It is of another embedding space, or damaged.</exception>
    PriorKind UsePrior(string folder);

    /// <summary>Whether it embeds pictures.</summary>
    bool HasPictures { get; }

    /// <summary>Draws an image embedding for the request's prompt.</summary>
    /// <param name="request">With every default filled in.</param>
    /// <param name="noise">Where random numbers come from.</param>
    /// <param name="report">Told steps done and of how many.</param>
    /// <param name="trace">Gets tokens, text embedding and trajectory when given.</param>
    /// <param name="cancellation">Looked at before every step.</param>
    DrawnEmbedding Draw(GenerationRequest request, Noise noise, Action<int, int>? report, GenerationTrace? trace, CancellationToken cancellation);

    /// <summary>Text embeddings, [texts, features], not normalised.</summary>
    Tensor EncodeTexts(IReadOnlyList<string> texts);

    /// <summary>Image embeddings, [pictures, features], not normalised.</summary>
    Tensor EncodeImages(IReadOnlyList<RgbImage> pictures);

    /// <summary>Image embeddings of pixels, differentiable.</summary>
    /// <param name="pixels">[batch, 3, h, w] in [-1, 1], of any size.</param>
    /// <returns>[batch, features]</returns>
    Tensor EncodePixels(Tensor pixels);

    /// <summary>[1, features]: what the decoder is guided away from where nothing else is said, or null where that is the decoder's own matter.</summary>
    Tensor? Negative();
}
