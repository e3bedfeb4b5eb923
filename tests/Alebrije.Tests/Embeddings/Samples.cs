using Alebrije.Preprocessing;

namespace Alebrije.Tests.Embeddings;

/// <summary>Synthetic embeddings that are the same in every run.</summary>
internal static class Samples
{
    public static float[][] Rows(int count, int width, int seed)
    {
        var random = new SeededRandom(seed);
        var rows = new float[count][];
        for (var i = 0; i < count; i++)
        {
            rows[i] = new float[width];
            for (var j = 0; j < width; j++) rows[i][j] = (float)Gauss(ref random);
        }

        return rows;
    }

    public static float[] Unit(float[] row)
    {
        var length = MathF.Sqrt(row.Sum(x => x * x));
        return [.. row.Select(x => x / length)];
    }

    public static double Gauss(ref SeededRandom random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.Unit())) * Math.Cos(2 * Math.PI * random.Unit());
}
