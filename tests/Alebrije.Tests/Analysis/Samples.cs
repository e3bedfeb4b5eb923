using Alebrije.Analysis;

namespace Alebrije.Tests.Analysis;

/// <summary>Made-up embeddings that are the same in every run.</summary>
internal static class Samples
{
    public static float[][] Rows(int count, int width, int seed)
    {
        var random = new SplitMix(seed);
        return [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, width).Select(_ => (float)Gauss(random)).ToArray())];
    }

    public static float[] Unit(float[] row)
    {
        var length = MathF.Sqrt(row.Sum(x => x * x));
        return [.. row.Select(x => x / length)];
    }

    public static double Uniform(SplitMix random) => (random.Next() >> 11) * (1.0 / (1UL << 53));

    public static double Gauss(SplitMix random) =>
        Math.Sqrt(-2 * Math.Log(1 - Uniform(random))) * Math.Cos(2 * Math.PI * Uniform(random));
}
