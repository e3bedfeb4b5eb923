namespace Alebrije.Preprocessing.Imaging;

/// <summary>
/// Prepares an image for a CLIP image encoder (Radford et al., 2021; references: openai/CLIP clip.py <c>_transform</c>,
/// open_clip transform.py <c>image_transform_v2</c>, transformers <c>CLIPImageProcessor</c>). Safe to use from several threads.
/// </summary>
public sealed class ClipImageProcessor
{
    private readonly ClipImageOptions options;

    /// <param name="options">Settings.</param>
    /// <exception cref="ArgumentException">Invalid settings.</exception>
    public ClipImageProcessor(ClipImageOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        this.options = options;
    }

    /// <summary>Settings of this processor.</summary>
    public ClipImageOptions Options => options;

    /// <summary>
    /// Reads the settings of a checkpoint: <c>processor_config.json</c> with an <c>image_processor</c> (transformers 5 and later), else
    /// <c>preprocessor_config.json</c> (transformers, diffusers), else <c>open_clip_config.json</c> (open_clip). Missing and null
    /// settings take the library's defaults.
    /// </summary>
    /// <param name="folder">The checkpoint's folder, or one of these files.</param>
    /// <exception cref="FileNotFoundException">None of these files is there.</exception>
    /// <exception cref="InvalidDataException">A file that is not JSON, or unsupported settings.</exception>
    public static ClipImageProcessor Load(string folder) => new(PreprocessorConfig.Read(folder));

    /// <summary>The preprocessing of openai/CLIP's <c>clip.load</c>: bicubic in the file's own mode, crop, RGB.</summary>
    public static ClipImageProcessor OpenAi(int size = 224)
        => new(new ClipImageOptions { Convention = ImageConvention.Torchvision }.WithSize(size, size));

    /// <summary>The inference preprocessing of open_clip.</summary>
    public static ClipImageProcessor OpenClip(int size = 224, ImageFit fit = ImageFit.Shortest)
        => new(new ClipImageOptions { Convention = ImageConvention.Torchvision, Fit = fit }.WithSize(size, size));

    /// <summary>The preprocessing of transformers' <c>CLIPImageProcessor</c>.</summary>
    public static ClipImageProcessor Transformers(int size = 224) => new(new ClipImageOptions().WithSize(size, size));

    /// <summary>Prepares an image file.</summary>
    /// <returns>[3, h, w], normalised.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ImageFormatException">The file is not an image, or it is damaged, cut short or too large.</exception>
    public float[] Prepare(string path) => Prepare(PillowImage.Load(path));

    /// <summary>Prepares an RGB image; the mode of its file has no effect.</summary>
    /// <returns>[3, h, w], normalised; h and w are those of <see cref="OutputSize"/>.</returns>
    public float[] Prepare(RgbImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return Prepare(image.ToPillow());
    }

    /// <summary>Prepares an image of any mode.</summary>
    /// <returns>[3, h, w], normalised; h and w are those of <see cref="OutputSize"/>.</returns>
    public float[] Prepare(PillowImage image) => Normalize(PrepareBytes(image));

    /// <summary>Resizes, crops and converts to RGB, without rescaling or normalisation.</summary>
    public RgbImage PrepareBytes(PillowImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return options.Convention == ImageConvention.Transformers ? Shape(OnWhite(image)).ToRgb() : Shape(image).ToRgb();
    }

    private static PillowImage OnWhite(PillowImage image) => image.Mode == PixelMode.Rgb
        ? new(PixelMode.Rgb, image.Width, image.Height, image.Pixels) : image.ToRgbOnWhite().ToPillow();

    /// <summary>Size of the result for an image of the given size.</summary>
    public (int Height, int Width) OutputSize(int height, int width)
    {
        if (options.Fit == ImageFit.Longest || options.DoCrop)
            return (options.CropHeight, options.CropWidth);
        return options.DoResize ? ResizedSize(height, width) : (height, width);
    }

    private PillowImage Shape(PillowImage image)
    {
        if (options.DoResize)
        {
            var (height, width) = ResizedSize(image.Height, image.Width);
            image = image.Resize(width, height, options.Filter);
        }
        return options.Fit == ImageFit.Longest || (options.DoCrop && options.Fit == ImageFit.Shortest)
            || NeedsCrop(image) ? CropMiddle(image) : image;
    }

    /// <summary>Squashed images have their size already, unless the crop size is another.</summary>
    private bool NeedsCrop(PillowImage image)
        => options.DoCrop && (image.Height != options.CropHeight || image.Width != options.CropWidth);

    private (int Height, int Width) ResizedSize(int height, int width)
    {
        var (targetHeight, targetWidth) = (options.ResizeHeight, options.ResizeWidth);
        if (options.Fit == ImageFit.Squash)
            return (targetHeight, targetWidth);
        if (options.Fit == ImageFit.Shortest && targetHeight == targetWidth)
        {
            // The long side is truncated, not rounded, in torchvision as in transformers.
            return width <= height
                ? ((int)((double)((long)targetWidth * height) / width), targetWidth)
                : (targetHeight, (int)((double)((long)targetHeight * width) / height));
        }
        // open_clip's ResizeKeepRatio: the longer (or for oblong crops the shorter) side fits, both rounded half to even.
        double ratioHeight = (double)height / targetHeight, ratioWidth = (double)width / targetWidth;
        var ratio = options.Fit == ImageFit.Longest ? Math.Max(ratioHeight, ratioWidth) : Math.Min(ratioHeight, ratioWidth);
        return (Math.Max(1, (int)Math.Round(height / ratio)), Math.Max(1, (int)Math.Round(width / ratio)));
    }

    private PillowImage CropMiddle(PillowImage image)
        => image.Crop(Start(image.Width, options.CropWidth), Start(image.Height, options.CropHeight),
            options.CropWidth, options.CropHeight);

    /// <summary>First row or column of the centre crop; negative if black is added before it.</summary>
    private int Start(int size, int crop)
    {
        if (size < crop)
            return -((crop - size) / 2);
        return options.Convention == ImageConvention.Transformers ? (size - crop) / 2 : (int)Math.Round((size - crop) / 2.0);
    }

    /// <summary>Rescales and normalises an image of <see cref="PrepareBytes"/>.</summary>
    internal float[] Normalize(RgbImage image)
    {
        var plane = image.Width * image.Height;
        var planes = new float[plane * 3];
        for (var c = 0; c < 3; c++)
        {
            var (mean, deviation, table) = ((float)options.Mean[c], (float)options.Deviation[c], new float[256]);
            for (var b = 0; b < 256; b++)
            {
                var value = options.DoRescale ? Rescale(b) : b;
                table[b] = options.DoNormalize ? (value - mean) / deviation : value;
            }
            for (var i = 0; i < plane; i++)
                planes[c * plane + i] = table[image.Pixels[i * 3 + c]];
        }
        return planes;
    }

    private float Rescale(int value)
        => options.RescaleFactor == 1.0 / 255.0 ? value / 255f : (float)(value * options.RescaleFactor);
}
