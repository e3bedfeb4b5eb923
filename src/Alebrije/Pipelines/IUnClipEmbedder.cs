using Alebrije.Pipelines.Experiments;
using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;
using static TorchSharp.torch;

namespace Alebrije.Pipelines;

/// <summary>An image embedding drawn for a text.</summary>
/// <param name="Image">[1, features] on CLIP's scale.</param>
/// <param name="Text">[1, features]: the text embedding.</param>
/// <param name="Negative">[1, features]: what the decoder is guided away from, or null where that is the decoder's own matter.</param>
internal sealed record DrawnEmbedding(Tensor Image, Tensor Text, Tensor? Negative);

/// <summary>The first half of unCLIP: texts and pictures to embeddings, and from a text's embedding to an image embedding.</summary>
internal interface IUnClipEmbedder : IDisposable
{
    /// <summary>Numbers of an embedding.</summary>
    int Features { get; }

    /// <summary>Whether it embeds texts and has a prior.</summary>
    bool HasPrior { get; }

    /// <summary>Whether it embeds pictures.</summary>
    bool HasPictures { get; }

    /// <summary>Draws an image embedding for the request's prompt.</summary>
    /// <param name="request">With every default filled in.</param>
    /// <param name="noise">Where random numbers come from.</param>
    /// <param name="report">Told steps done and of how many.</param>
    /// <param name="trace">Gets tokens, text embedding and trajectory when given.</param>
    /// <param name="cancellation">Looked at before every step.</param>
    DrawnEmbedding Draw(GenerationRequest request, Noise noise, Action<int, int>? report, GenerationTrace? trace, CancellationToken cancellation);

    /// <summary>Guidance scale that a prior was made for; null leaves it to the model.</summary>
    /// <exception cref="InvalidOperationException">There is no such prior; the message says which there are.</exception>
    double? PriorGuidance(PriorKind kind);

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

    /// <summary>Directions in which image embeddings differ, where the model brings them: those of its autoregressive prior.</summary>
    EmbeddingBasis? Basis();
}
