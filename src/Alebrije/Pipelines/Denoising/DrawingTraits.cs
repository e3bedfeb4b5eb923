namespace Alebrije.Pipelines.Denoising;

/// <summary>Abilities and sizes of a decoder, from its folder's configurations.</summary>
internal sealed record DrawingTraits
{
    /// <summary>Width of the image embedding that conditions it; 0 for decoders that draw from text alone.</summary>
    public int Features { get; init; }

    /// <summary>Side in pixels of the images that it was trained to draw.</summary>
    public required int Size { get; init; }

    /// <summary>Sides of images are multiples of this.</summary>
    public required int SizeStep { get; init; }

    /// <summary>True if it draws other sizes than <see cref="Size"/>.</summary>
    public bool HasFreeSize { get; init; }

    /// <summary>True if a first guess is part of it.</summary>
    public bool HasGuess { get; init; }

    /// <summary>True if a depth map conditions it.</summary>
    public bool NeedsDepth { get; init; }

    /// <summary>Factor by which it enlarges the sides of an image that is given; 1 if it enlarges none.</summary>
    public int Enlargement { get; init; } = 1;

    /// <summary>True if it enlarges an image that is given.</summary>
    public bool Enlarges => Enlargement > 1;

    /// <summary>True if an initial image, whole or masked, conditions it; false for Stable Diffusion's upscaler.</summary>
    public bool TakesInitial { get; init; } = true;

    /// <summary>
    /// True if the unmasked region of an initial image enters the denoiser without noise (DeepFloyd IF); otherwise it is noised to each
    /// step's level.
    /// </summary>
    public bool KeepsClean { get; init; }

    /// <summary>True if its denoiser is conditioned on a masked image: it repaints parts of images and nothing else.</summary>
    public bool IsInpainting { get; init; }

    /// <summary>True if it takes LoRA, textual inversions and long prompts.</summary>
    public bool TakesAdapters { get; init; }

    /// <summary>True if every image passes the upsampler of the folder; otherwise only those requested at its size.</summary>
    public bool AlwaysUpsamples { get; init; }

    /// <summary>Values of the options that a request leaves open.</summary>
    public required GenerationDefaults Defaults { get; init; }
}
