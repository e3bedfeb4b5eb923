using Alebrije.Preprocessing.Imaging;
using Alebrije.Tensors;

namespace Alebrije.Cli.Commands;

/// <summary>Difference of two drawings of one recipe.</summary>
/// <param name="Largest">Largest difference of two bytes, 0 to 255; null where the sizes differ.</param>
/// <param name="MeanDifference">Mean difference of two bytes; null where the sizes differ.</param>
/// <param name="RoundingLimit">Largest difference that rounding explains.</param>
internal sealed record PictureComparison(int? Largest, double? MeanDifference, int RoundingLimit)
{
    /// <summary>Largest difference of a byte where products are float32: another number of threads or another processor gave 1.</summary>
    private const int Float32Limit = 2;

    /// <summary>Largest difference of a byte where products have bfloat16's 8 significant bits: another processor gave 5.</summary>
    private const int Bf16Limit = 12;

    /// <summary>True where every byte is the same.</summary>
    public bool Same => Largest == 0;

    /// <summary>True where bytes differ, and by no more than rounding explains.</summary>
    public bool IsRounding => !Same && Largest <= RoundingLimit;

    /// <summary>Compares two pictures.</summary>
    /// <param name="given">A picture.</param>
    /// <param name="again">Another drawing of the same recipe.</param>
    /// <param name="precision">Number formats of the second drawing.</param>
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
