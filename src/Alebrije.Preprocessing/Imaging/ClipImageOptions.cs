namespace Alebrije.Preprocessing.Imaging;

/// <summary>Library whose order of steps and rounding are followed; the same settings give other bytes in each.</summary>
public enum ImageConvention
{
    /// <summary>transformers: on white and RGB first, then resize and crop; the crop rounds down.</summary>
    Transformers,

    /// <summary>openai/CLIP and open_clip (torchvision on Pillow): resize and crop in the file's mode, RGB last; half to even.</summary>
    Torchvision,
}

/// <summary>Method of fitting an image to the encoder's proportions.</summary>
public enum ImageFit
{
    /// <summary>Resizes the shorter side to the size, then crops the centre.</summary>
    Shortest,

    /// <summary>Resizes the longer side to the size, then pads with black (open_clip's <c>longest</c>).</summary>
    Longest,

    /// <summary>Resizes both sides to the size without keeping proportions (open_clip's <c>squash</c>; SigLIP).</summary>
    Squash,
}

/// <summary>Settings of a <see cref="ClipImageProcessor"/>; the defaults are CLIP's.</summary>
public sealed record ClipImageOptions
{
    /// <summary>Order of the steps and rounding.</summary>
    public ImageConvention Convention { get; init; } = ImageConvention.Transformers;

    /// <summary>Method of fitting the proportions.</summary>
    public ImageFit Fit { get; init; } = ImageFit.Shortest;

    /// <summary>
    /// Rows after resizing; with <see cref="ImageFit.Shortest"/> the shorter side, equal to <see cref="ResizeWidth"/> unless cropped to
    /// another shape.
    /// </summary>
    public int ResizeHeight { get; init; } = 224;

    /// <summary>Columns after resizing.</summary>
    public int ResizeWidth { get; init; } = 224;

    /// <summary>Rows of the centre crop.</summary>
    public int CropHeight { get; init; } = 224;

    /// <summary>Columns of the centre crop.</summary>
    public int CropWidth { get; init; } = 224;

    /// <summary>Resampling filter.</summary>
    public ResizeFilter Filter { get; init; } = ResizeFilter.Bicubic;

    /// <summary>True to resize.</summary>
    public bool DoResize { get; init; } = true;

    /// <summary>True to crop the centre.</summary>
    public bool DoCrop { get; init; } = true;

    /// <summary>True to multiply bytes by <see cref="RescaleFactor"/>.</summary>
    public bool DoRescale { get; init; } = true;

    /// <summary>True to subtract <see cref="Mean"/> and divide by the standard deviation.</summary>
    public bool DoNormalize { get; init; } = true;

    /// <summary>Factor from a byte to the encoder's range, before normalisation.</summary>
    public double RescaleFactor { get; init; } = 1.0 / 255.0;

    /// <summary>Mean of red, green and blue (openai/CLIP clip.py).</summary>
    public IReadOnlyList<double> Mean { get; init; } = [0.48145466, 0.4578275, 0.40821073];

    /// <summary>Standard deviation of red, green and blue (openai/CLIP clip.py).</summary>
    public IReadOnlyList<double> Deviation { get; init; } = [0.26862954, 0.26130258, 0.27577711];

    /// <summary>The same settings for another input size of the encoder.</summary>
    public ClipImageOptions WithSize(int height, int width)
        => this with { ResizeHeight = height, ResizeWidth = width, CropHeight = height, CropWidth = width };

    /// <exception cref="ArgumentException">A size below 1, or a mean or std that is not three numbers, or a std of 0.</exception>
    internal void Validate()
    {
        foreach (var size in new[] { ResizeHeight, ResizeWidth, CropHeight, CropWidth })
        {
            if (size is < 1 or > 16384)
                throw new ArgumentException($"The image size is {size}, but must be between 1 and 16384 pixels.");
        }

        ImageLimits.RequireSize(ResizeWidth, ResizeHeight);
        ImageLimits.RequireSize(CropWidth, CropHeight);
        if (Mean.Count != 3 || Deviation.Count != 3)
            throw new ArgumentException(
                $"Mean and standard deviation need three numbers each (red, green, blue), not {Mean.Count} and {Deviation.Count}.");
        if (DoNormalize && Deviation.Any(d => !(d > 0)))
            throw new ArgumentException($"A standard deviation must be above 0: {string.Join(", ", Deviation)}.");
    }
}
