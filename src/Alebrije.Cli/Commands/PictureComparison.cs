using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;

namespace Alebrije.Cli.Commands;

/// <summary>Difference of two images of one recipe.</summary>
/// <param name="Largest">Largest difference of two bytes, 0 to 255; null if the sizes differ.</param>
/// <param name="MeanDifference">Mean difference of two bytes; null if the sizes differ.</param>
/// <param name="RoundingLimit">Largest difference that rounding explains.</param>
internal sealed record PictureComparison(int? Largest, double? MeanDifference, int RoundingLimit)
{
    /// <summary>Largest byte difference with float32 matrix products: another number of threads or another processor gave 1.</summary>
    private const int Float32Limit = 2;

    /// <summary>Largest byte difference with bfloat16 matrix products (8 significant bits): another processor gave 5.</summary>
    private const int Bf16Limit = 12;

    /// <summary>True if all bytes are equal.</summary>
    public bool Same => Largest == 0;

    /// <summary>True if bytes differ, but not by more than rounding explains.</summary>
    public bool IsRounding => !Same && Largest <= RoundingLimit;

    /// <summary>Compares two images.</summary>
    /// <param name="given">An image.</param>
    /// <param name="again">Another image of the same recipe.</param>
    /// <param name="precision">Floating-point formats of the second image.</param>
    public static PictureComparison Of(RgbImage given, RgbImage again, Pipelines.PipelinePrecision precision)
    {
        var limit = precision is { Decoder: Precision.Fp32, Prior: Precision.Fp32 } ? Float32Limit : Bf16Limit;
        if ((given.Width, given.Height) != (again.Width, again.Height)) return new PictureComparison(null, null, limit);
        var (largest, sum) = (0, 0L);
        for (var i = 0; i < given.Pixels.Length; i++)
        {
            var difference = Math.Abs(given.Pixels[i] - again.Pixels[i]);
            (largest, sum) = (Math.Max(largest, difference), sum + difference);
        }

        return new PictureComparison(largest, (double)sum / given.Pixels.Length, limit);
    }
}
