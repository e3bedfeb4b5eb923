namespace Alebrije.Preprocessing.Imaging;

/// <summary>Source pixels and weights of each result along one axis (libImaging/Resample.c, precompute_coeffs).</summary>
internal sealed class ResizeCoefficients
{
    /// <summary>Fractional bits of the integer weights: 32 bits less eight of the pixel and two for overshoot.</summary>
    public const int PrecisionBits = 32 - 8 - 2;

    private readonly (int First, int Count)[] bounds;
    private readonly double[] weights;
    private readonly int stride;

    private ResizeCoefficients((int, int)[] bounds, double[] weights, int stride)
    {
        (this.bounds, this.weights, this.stride) = (bounds, weights, stride);
        Fixed = Array.ConvertAll(weights, w => (int)((w < 0 ? -0.5 : 0.5) + w * (1 << PrecisionBits)));
    }

    /// <summary>Weights as fixed-point integers with <see cref="PrecisionBits"/> fractional bits.</summary>
    private int[] Fixed { get; }

    /// <summary>First source pixel used, and the end (exclusive).</summary>
    public (int First, int Last) Span => (bounds[0].First, bounds[^1].First + bounds[^1].Count);

    public int FirstOf(int result) => bounds[result].First;

    public ReadOnlySpan<int> FixedOf(int result) => Fixed.AsSpan(result * stride, bounds[result].Count);

    public ReadOnlySpan<double> WeightsOf(int result) => weights.AsSpan(result * stride, bounds[result].Count);

    public void Shift(int by)
    {
        for (var i = 0; i < bounds.Length; i++)
            bounds[i].First += by;
    }

    public static ResizeCoefficients Compute(int size, float start, float end, int results, ResizeFilter filter)
    {
        var scale = (double)(end - start) / results;
        var filterScale = Math.Max(scale, 1.0);
        var support = Support(filter) * filterScale;
        var stride = (int)Math.Ceiling(support) * 2 + 1;
        if ((long)stride * results > 1 << 26)
            throw new ArgumentException($"Resizing {size} pixels to {results} needs too many weights: resize in two steps.");
        var (bounds, weights) = (new (int, int)[results], new double[stride * results]);
        var inverse = 1.0 / filterScale;
        for (var i = 0; i < results; i++)
        {
            var centre = start + (i + 0.5) * scale;
            var first = Math.Max((int)(centre - support + 0.5), 0);
            var count = Math.Min((int)(centre + support + 0.5), size) - first;
            var own = weights.AsSpan(i * stride, count);
            var sum = 0.0;
            for (var x = 0; x < count; x++)
            {
                own[x] = Value(filter, (x + first - centre + 0.5) * inverse);
                sum += own[x];
            }
            for (var x = 0; x < count && sum != 0.0; x++)
                own[x] /= sum;
            bounds[i] = (first, count);
        }
        return new ResizeCoefficients(bounds, weights, stride);
    }

    private static double Support(ResizeFilter filter) => filter switch
    {
        ResizeFilter.Box => 0.5,
        ResizeFilter.Bilinear or ResizeFilter.Hamming => 1.0,
        ResizeFilter.Bicubic => 2.0,
        ResizeFilter.Lanczos => 3.0,
        _ => throw new ArgumentOutOfRangeException(nameof(filter), filter, "Not a filter that mixes pixels."),
    };

    private static double Value(ResizeFilter filter, double x)
    {
        const double a = -0.5;
        if (filter == ResizeFilter.Box)
            return x is > -0.5 and <= 0.5 ? 1.0 : 0.0;
        if (filter == ResizeFilter.Lanczos)
            return x is >= -3.0 and < 3.0 ? Sinc(x) * Sinc(x / 3) : 0.0;
        x = Math.Abs(x);
        switch (filter)
        {
            case ResizeFilter.Bilinear:
                return x < 1.0 ? 1.0 - x : 0.0;
            case ResizeFilter.Hamming:
                // The constants are single precision in the reference.
                return x == 0.0 ? 1.0 : x >= 1.0 ? 0.0 : Sinc(x) * (0.54f + 0.46f * Math.Cos(x * Math.PI));
            default:
                if (x < 1.0)
                    return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
                return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
        }
    }

    private static double Sinc(double x) => x == 0.0 ? 1.0 : Math.Sin(x * Math.PI) / (x * Math.PI);
}
