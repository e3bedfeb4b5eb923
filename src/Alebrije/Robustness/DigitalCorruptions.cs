using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;
using SkiaSharp;

namespace Alebrije.Robustness;

/// <summary>Brightness, contrast, elastic transform, pixelation and JPEG compression (ImageNet-C).</summary>
internal static class DigitalCorruptions
{
    private static readonly float[] Lights = [0.1f, 0.2f, 0.3f, 0.4f, 0.5f];
    private static readonly float[] Contrasts = [0.4f, 0.3f, 0.2f, 0.1f, 0.05f];
    private static readonly int[] Qualities = [25, 18, 15, 10, 7];
    private static readonly float[] Sides = [0.6f, 0.5f, 0.4f, 0.3f, 0.25f];

    // Standard deviation of the displacement, and size of the skew before it, as shares of the side. ImageNet-C's first two are wide
    // smooth warps that shift more than its third, so severity would not rise; these are its local warp, smoothed by a hundredth of the
    // side, and its skew, from weak to its strongest.
    private static readonly float[] Pushes = [0.0015f, 0.0025f, 0.0036f, 0.0051f, 0.0088f];
    private static readonly float[] Skews = [0.004f, 0.008f, 0.012f, 0.016f, 0.02f];
    private const float Smoothness = 0.01f;

    /// <summary>Adds to the value of each colour (HSV); hue and saturation stay.</summary>
    public static FloatPicture Brightness(FloatPicture picture, int level)
    {
        for (var i = 0; i < picture.Values.Length; i += 3)
        {
            var pixel = picture.Values.AsSpan(i, 3);
            var value = Math.Max(pixel[0], Math.Max(pixel[1], pixel[2]));
            var brighter = Math.Min(1, value + Lights[level]);
            for (var c = 0; c < 3; c++) pixel[c] = value > 0 ? pixel[c] * brighter / value : brighter;
        }

        return picture;
    }

    /// <summary>Draws each channel towards its mean.</summary>
    public static FloatPicture Contrast(FloatPicture picture, int level)
    {
        for (var c = 0; c < 3; c++)
        {
            var mean = 0.0;
            for (var i = c; i < picture.Values.Length; i += 3) mean += picture.Values[i];
            mean /= picture.Width * picture.Height;
            for (var i = c; i < picture.Values.Length; i += 3)
                picture.Values[i] = (float)(((picture.Values[i] - mean) * Contrasts[level]) + mean);
        }

        return picture;
    }

    /// <summary>A small random skew, then local displacements (Simard, Steinkraus and Platt, 2003).</summary>
    public static FloatPicture Elastic(FloatPicture picture, int level, ref SeededRandom random)
    {
        var (width, height, side) = (picture.Width, picture.Height, Math.Min(picture.Width, picture.Height));
        var (push, smooth, skew) = (Pushes[level] * side, Math.Max(0.5f, Smoothness * side), Skews[level] * side);
        var (across, down) = (Field(width, height, smooth, ref random), Field(width, height, smooth, ref random));
        Span<float> corners = stackalloc float[6];
        foreach (ref var corner in corners) corner = (float)random.Between(-skew, skew) / Math.Max(1, side);
        var moved = new FloatPicture(width, height);
        var at = 0;
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
            {
                var (u, v) = (x - (width / 2f), y - (height / 2f));
                var fromX = x + (corners[0] * u) + (corners[1] * v) + (corners[2] * side) + (push * across[(y * width) + x]);
                var fromY = y + (corners[3] * u) + (corners[4] * v) + (corners[5] * side) + (push * down[(y * width) + x]);
                for (var c = 0; c < 3; c++) moved.Values[at++] = picture.At(fromX, fromY, c);
            }
        return moved;
    }

    /// <summary>Pillow's box filter down and up again.</summary>
    public static RgbImage Pixelate(RgbImage image, int level)
    {
        var (width, height) = (Math.Max(1, (int)(image.Width * Sides[level])), Math.Max(1, (int)(image.Height * Sides[level])));
        return image.Resize(width, height, ResizeFilter.Box).Resize(image.Width, image.Height, ResizeFilter.Box);
    }

    /// <summary>A JPEG file of low quality, colour at half resolution as Pillow writes it, and back.</summary>
    public static RgbImage Jpeg(RgbImage image, int level)
    {
        using var skia = SkiaNative.ToSkia(image);
        using var pixels = skia.PeekPixels();
        using var file = pixels.Encode(
            new SKJpegEncoderOptions(Qualities[level], SKJpegEncoderDownsample.Downsample420, SKJpegEncoderAlphaOption.Ignore))
            ?? throw new ArgumentException(
                $"An image of {image.Width} x {image.Height} is larger than JPEG allows (65,500 a side): make it smaller.");
        return RgbImage.FromBytes(file.AsSpan());
    }

    /// <summary>Smoothed noise of standard deviation 1: [height, width].</summary>
    private static float[] Field(int width, int height, float smooth, ref SeededRandom random)
    {
        var field = new FloatPicture(width, height, 1);
        for (var i = 0; i < field.Values.Length; i++) field.Values[i] = (float)random.Between(-1, 1);
        var values = field.Smooth(smooth).Values;
        var deviation = Math.Sqrt(values.Sum(value => (double)value * value) / values.Length);
        return [.. values.Select(value => (float)(value / Math.Max(deviation, 1e-6)))];
    }
}
