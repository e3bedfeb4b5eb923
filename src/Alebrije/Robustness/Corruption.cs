using System.Text.Json;
using Alebrije.Preprocessing;
using Alebrije.Preprocessing.Imaging;

namespace Alebrije.Robustness;

/// <summary>
/// Corruptions of ImageNet-C (Hendrycks and Dietterich, 2019). Frost is left out because it needs photographs of frost.
/// </summary>
public enum Corruption
{
    /// <summary>Sensor noise in low light: Gaussian, on each channel of each pixel.</summary>
    GaussianNoise,

    /// <summary>Photon noise: Poisson.</summary>
    ShotNoise,

    /// <summary>Salt-and-pepper noise: values set to black or full.</summary>
    ImpulseNoise,

    /// <summary>Defocus: convolution with a disk.</summary>
    DefocusBlur,

    /// <summary>Glass blur: neighbouring pixels are swapped.</summary>
    GlassBlur,

    /// <summary>Blur of a moving camera.</summary>
    MotionBlur,

    /// <summary>Blur of an approaching camera.</summary>
    ZoomBlur,

    /// <summary>Falling snowflakes.</summary>
    Snow,

    /// <summary>Clouds over the image.</summary>
    Fog,

    /// <summary>Increased brightness.</summary>
    Brightness,

    /// <summary>Reduced contrast.</summary>
    Contrast,

    /// <summary>Elastic transform: small regions are displaced and stretched.</summary>
    ElasticTransform,

    /// <summary>Downsampling and upsampling without smoothing.</summary>
    Pixelate,

    /// <summary>JPEG compression artefacts.</summary>
    JpegCompression,
}

/// <summary>
/// The corruptions as functions of bytes. Image, seed and severity determine the result; lengths scale with the shorter side and equal
/// ImageNet-C's at 224 pixels. Constants are ImageNet-C's (make_imagenet_c.py of hendrycks/robustness) unless a comment gives others.
/// </summary>
public static class Corruptions
{
    /// <summary>Severities are 1 (mild) to this (strong).</summary>
    public const int Severities = 5;

    /// <summary>All of them, in the order of the enumeration.</summary>
    public static IReadOnlyList<Corruption> All { get; } = Enum.GetValues<Corruption>();

    /// <summary>"gaussian_noise", "jpeg_compression".</summary>
    public static string Name(this Corruption corruption) => JsonNamingPolicy.SnakeCaseLower.ConvertName(corruption.ToString());

    /// <summary>Applies a corruption at a severity from 1 to 5.</summary>
    /// <param name="image">An image of any size, kept as it is.</param>
    /// <param name="corruption">Kind of corruption.</param>
    /// <param name="severity">1 to 5.</param>
    /// <param name="seed">The same seed corrupts the same image in the same way.</param>
    /// <returns>An image of the same size.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A severity that does not exist.</exception>
    public static RgbImage Apply(RgbImage image, Corruption corruption, int severity, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (severity is < 1 or > Severities) throw new ArgumentOutOfRangeException(nameof(severity),
            severity, $"A corruption has severities 1 to {Severities}, not {severity}.");
        var random = new SeededRandom(seed, (long)corruption, 21);
        var picture = new FloatPicture(image);
        var level = severity - 1;
        return corruption switch
        {
            Corruption.GaussianNoise => NoiseCorruptions.Gaussian(picture, level, ref random).ToImage(),
            Corruption.ShotNoise => NoiseCorruptions.Shot(picture, level, ref random).ToImage(),
            Corruption.ImpulseNoise => NoiseCorruptions.Impulse(picture, level, ref random).ToImage(),
            Corruption.DefocusBlur => BlurCorruptions.Defocus(picture, level).ToImage(),
            Corruption.GlassBlur => BlurCorruptions.Glass(picture, level, ref random).ToImage(),
            Corruption.MotionBlur => BlurCorruptions.Motion(picture, level, ref random).ToImage(),
            Corruption.ZoomBlur => BlurCorruptions.Zoom(picture, level).ToImage(),
            Corruption.Snow => WeatherCorruptions.Snow(picture, level, ref random).ToImage(),
            Corruption.Fog => WeatherCorruptions.Fog(picture, level, ref random).ToImage(),
            Corruption.Brightness => DigitalCorruptions.Brightness(picture, level).ToImage(),
            Corruption.Contrast => DigitalCorruptions.Contrast(picture, level).ToImage(),
            Corruption.ElasticTransform => DigitalCorruptions.Elastic(picture, level, ref random).ToImage(),
            Corruption.Pixelate => DigitalCorruptions.Pixelate(image, level),
            Corruption.JpegCompression => DigitalCorruptions.Jpeg(image, level),
            _ => throw new ArgumentOutOfRangeException(nameof(corruption), corruption, "There is no such corruption."),
        };
    }
}
