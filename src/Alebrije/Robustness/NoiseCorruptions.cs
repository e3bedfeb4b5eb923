using Alebrije.Preprocessing;

namespace Alebrije.Robustness;

/// <summary>Noise on each value of an image.</summary>
internal static class NoiseCorruptions
{
    private static readonly float[] Deviations = [0.08f, 0.12f, 0.18f, 0.26f, 0.38f];
    private static readonly float[] Photons = [60, 25, 12, 5, 3];
    private static readonly float[] Lost = [0.03f, 0.06f, 0.09f, 0.17f, 0.27f];

    public static FloatPicture Gaussian(FloatPicture picture, int level, ref SeededRandom random)
    {
        for (var i = 0; i < picture.Values.Length; i++) picture.Values[i] += Deviations[level] * Normal(ref random);
        return picture;
    }

    public static FloatPicture Shot(FloatPicture picture, int level, ref SeededRandom random)
    {
        var photons = Photons[level];
        for (var i = 0; i < picture.Values.Length; i++) picture.Values[i] = Poisson(picture.Values[i] * photons, ref random) / photons;
        return picture;
    }

    public static FloatPicture Impulse(FloatPicture picture, int level, ref SeededRandom random)
    {
        for (var i = 0; i < picture.Values.Length; i++)
        {
            var (drawn, side) = (random.Unit(), random.Next());
            if (drawn < Lost[level]) picture.Values[i] = side >> 63;
        }

        return picture;
    }

    /// <summary>A standard normal number (Box and Muller, 1958).</summary>
    public static float Normal(ref SeededRandom random)
    {
        var (radius, angle) = (Math.Sqrt(-2 * Math.Log(1 - random.Unit())), 2 * Math.PI * random.Unit());
        return (float)(radius * Math.Cos(angle));
    }

    /// <summary>A count with the given mean, by products of uniform numbers (Knuth, 1969, §3.4.1); means are 60 at most.</summary>
    private static int Poisson(double mean, ref SeededRandom random)
    {
        var (limit, product, count) = (Math.Exp(-mean), random.Unit(), 0);
        while (product > limit) (product, count) = (product * random.Unit(), count + 1);
        return count;
    }
}
