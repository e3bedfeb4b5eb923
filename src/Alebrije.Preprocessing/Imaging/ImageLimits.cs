namespace Alebrije.Preprocessing.Imaging;

/// <summary>Limits of image sizes, so that a header of a few bytes cannot make the program allocate gigabytes.</summary>
internal static class ImageLimits
{
    /// <summary>Largest number of pixels that Pillow opens without a warning of a decompression bomb.</summary>
    public const long MaximumPixels = 178_956_970;

    /// <summary>Largest size of an image file, in bytes.</summary>
    public const long MaximumFileBytes = 1L << 30;

    /// <exception cref="ArgumentException">A side below 1, or more pixels than <see cref="MaximumPixels"/>.</exception>
    public static void RequireSize(int width, int height)
    {
        if (width < 1 || height < 1)
            throw new ArgumentException($"An image of {width} x {height} has no pixels: both sides must be at least 1.");
        if ((long)width * height > MaximumPixels)
            throw new ArgumentException($"An image of {width} x {height} is too large: at most {MaximumPixels} pixels are allowed.");
    }

    /// <exception cref="ImageFormatException">The size in the header of <paramref name="name"/> is not allowed.</exception>
    public static void RequireDecodable(long width, long height, string name)
    {
        if (width < 1 || height < 1)
            throw new ImageFormatException($"{name} cannot be read: its header states {width} x {height}, which has no pixels.");
        if (width > MaximumPixels || height > MaximumPixels || width * height > MaximumPixels)
            throw new ImageFormatException(
                $"{name} is too large: its header states {width} x {height}, and at most {MaximumPixels} pixels are allowed.");
    }
}
