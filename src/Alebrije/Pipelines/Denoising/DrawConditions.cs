using static TorchSharp.torch;

namespace Alebrije.Pipelines.Denoising;

/// <summary>Conditions of a batch of images. Which of them a decoder uses depends on its family (<see cref="DrawingTraits"/>).</summary>
/// <param name="Prompts">Texts, one for each image; empty texts for variations.</param>
internal sealed record DrawConditions(IReadOnlyList<string> Prompts)
{
    /// <summary>
    /// Texts of the unguided half, one for each image; null where none was given, which SDXL distinguishes from empty ones.
    /// </summary>
    public IReadOnlyList<string>? Negatives { get; init; }

    /// <summary>SDXL: texts of the second encoder; null takes <see cref="Prompts"/>.</summary>
    public IReadOnlyList<string>? SecondPrompts { get; init; }

    /// <summary>Second texts, one each, and the path between both encodings, [rows, width]; null: <see cref="Prompts"/> only.</summary>
    public (IReadOnlyList<string> Prompts, Func<Tensor, Tensor, Tensor> Path)? Towards { get; init; }

    /// <summary>Stable Diffusion: last blocks of the text encoder that are skipped (clip_skip).</summary>
    public int ClipSkip { get; init; }

    /// <summary>Stable Diffusion: LoRA and textual inversions.</summary>
    public AdapterInputs Adapters { get; init; } = AdapterInputs.None;

    /// <summary>Stable Diffusion: true reads texts of any length in pieces; false cuts them.</summary>
    public bool ReadsWhole { get; init; }

    /// <summary>DeepFloyd IF: true cleans texts like the captions of its training data.</summary>
    public bool CleansCaptions { get; init; } = true;

    /// <summary>[batch, features] on CLIP's scale: image embeddings, for families that take them.</summary>
    public Tensor? Image { get; init; }

    /// <summary>[1 or batch, features]: image embeddings of the unguided half; null takes the decoder's own.</summary>
    public Tensor? NegativeImage { get; init; }

    /// <summary>True replaces the image embedding by the decoder's null condition, as embedding dropout did in training.</summary>
    public bool WithoutEmbedding { get; init; }

    /// <summary>
    /// Initial image, [batch or 1, 3, h, w] in [-1, 1] at the size that is drawn, with <see cref="DrawOptions.Strength"/>.
    /// </summary>
    public Tensor? Picture { get; init; }

    /// <summary>Small image, [batch or 1, 3, h, w] in [-1, 1], for families that enlarge one.</summary>
    public Tensor? Small { get; init; }

    /// <summary>Mask of <see cref="Picture"/>, [1, 1, h, w]: 1 to repaint, 0 to keep; null repaints all of it.</summary>
    public Tensor? Repaint { get; init; }

    /// <summary>Depth map, [batch or 1, 3, h, w] in [0, 1], bright where things are near.</summary>
    public Tensor? Hint { get; init; }

    /// <summary>SDXL: height and width of the original image in pixels (size conditioning); null takes those that are drawn.</summary>
    public (int Height, int Width)? OriginalSize { get; init; }

    /// <summary>SDXL: top and left of the crop in pixels (crop conditioning).</summary>
    public (int Top, int Left) Crop { get; init; }

    /// <summary>SDXL: height and width of the crop in pixels; null takes those that are drawn.</summary>
    public (int Height, int Width)? TargetSize { get; init; }

    /// <summary>Images of the batch.</summary>
    public long Count => Prompts.Count;

    /// <summary>Texts of the unguided half, the empty text where none was given.</summary>
    public IReadOnlyList<string> NegativesOrEmpty => Negatives ?? [.. Prompts.Select(_ => "")];

    /// <summary>Conditions of image embeddings alone, with the empty text.</summary>
    /// <param name="image">[batch, features]</param>
    public static DrawConditions Of(Tensor image) => new([.. Enumerable.Repeat("", checked((int)image.shape[0]))]) { Image = image };
}
