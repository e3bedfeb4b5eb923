namespace Alebrije.Preprocessing.Imaging;

/// <summary>Which library's steps a picture takes on its way to the encoder. Same settings, other bytes: see systems of rounding and modes below.</summary>
public enum ImageConvention
{
    /// <summary>transformers: on white and RGB first, then resize and crop; the crop rounds down.</summary>
    Transformers,

    /// <summary>openai/CLIP and open_clip (torchvision on Pillow): resize and crop in the file's own mode, RGB last; the crop rounds half to even.</summary>
    Torchvision,
}

/// <summary>How a picture is brought to the encoder's proportions.</summary>
public enum ImageFit
{
    /// <summary>The shorter side gets the size, then the middle is cut out.</summary>
    Shortest,

    /// <summary>The longer side gets the size, then black is added around (open_clip's <c>longest</c>).</summary>
    Longest,

    /// <summary>Both sides get the size, proportions are lost (open_clip's <c>squash</c>; SigLIP).</summary>
    Squash,
}

/// <summary>Settings of a <see cref="ClipImageProcessor"/>; the defaults are CLIP's.</summary>
public sealed record ClipImageOptions
{
    /// <summary>Order of the steps and rounding.</summary>
    public ImageConvention Convention { get; init; } = ImageConvention.Transformers;

    /// <summary>How the proportions are reached.</summary>
    public ImageFit Fit { get; init; } = ImageFit.Shortest;

    /// <summary>Rows after resizing; with <see cref="ImageFit.Shortest"/> the shorter side, and equal to <see cref="ResizeWidth"/> unless cropped to another shape.</summary>
    public int ResizeHeight { get; init; } = 224;

    /// <summary>Columns after resizing.</summary>
    public int ResizeWidth { get; init; } = 224;

    /// <summary>Rows cut out of the middle.</summary>
    public int CropHeight { get; init; } = 224;

    /// <summary>Columns cut out of the middle.</summary>
    public int CropWidth { get; init; } = 224;

    /// <summary>How pixels are mixed.</summary>
    public ResizeFilter Filter { get; init; } = ResizeFilter.Bicubic;

    /// <summary>Resize at all.</summary>
    public bool DoResize { get; init; } = true;

    /// <summary>Cut out the middle.</summary>
    public bool DoCrop { get; init; } = true;

    /// <summary>Multiply bytes by <see cref="RescaleFactor"/>.</summary>
    public bool DoRescale { get; init; } = true;

    /// <summary>Subtract <see cref="Mean"/> and divide by <see cref="Deviation"/>.</summary>
    public bool DoNormalize { get; init; } = true;

    /// <summary>What a byte is multiplied by.</summary>
    public double RescaleFactor { get; init; } = 1.0 / 255.0;

    /// <summary>Mean of red, green and blue (openai/CLIP clip.py).</summary>
    public IReadOnlyList<double> Mean { get; init; } = [0.48145466, 0.4578275, 0.40821073];

    /// <summary>Standard deviation of red, green and blue (openai/CLIP clip.py).</summary>
    public IReadOnlyList<double> Deviation { get; init; } = [0.26862954, 0.26130258, 0.27577711];

    /// <summary>The same settings for another encoder size.</summary>
    public ClipImageOptions WithSize(int height, int width)
        => this with { ResizeHeight = height, ResizeWidth = width, CropHeight = height, CropWidth = width };

    /// <exception cref="ArgumentException">A size below 1, or mean and deviation that are not three numbers, or a deviation of 0.</exception>
    internal void Validate()
    {
        foreach (var size in new[] { ResizeHeight, ResizeWidth, CropHeight, CropWidth })
        {
            if (size is < 1 or > 16384)
                throw new ArgumentException($"A picture size of {size} is not possible: 1 to 16384 pixels are.");
        }
        if (Mean.Count != 3 || Deviation.Count != 3)
            throw new ArgumentException($"Mean and deviation need three numbers each (red, green, blue), not {Mean.Count} and {Deviation.Count}.");
        if (DoNormalize && Deviation.Any(d => !(d > 0)))
            throw new ArgumentException($"A deviation must be above 0: {string.Join(", ", Deviation)}.");
    }
}
