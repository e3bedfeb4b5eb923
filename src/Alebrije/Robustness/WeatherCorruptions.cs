using Alebrije.Preprocessing;

namespace Alebrije.Robustness;

/// <summary>Fog and snow.</summary>
internal static class WeatherCorruptions
{
    private static readonly (float Thickness, float Decay)[] Fogs = [(1.5f, 2), (2, 2), (2.5f, 1.7f), (2.5f, 1.5f), (3, 1.4f)];

    // Mean, standard deviation and size of flakes, threshold, length and standard deviation of their fall, and weight of the image.
    // ImageNet-C's second, (0.2, 0.3, 2, 0.5, 12, 4, 0.7), corrupts more than its third; ours lies between the first and that.
    private static readonly (float Mean, float Deviation, float Size, float Least, float Fall, float Spread, float Left)[] Snows =
    [
        (0.1f, 0.3f, 3, 0.5f, 10, 4, 0.8f), (0.1f, 0.3f, 3, 0.5f, 12, 4, 0.74f), (0.55f, 0.3f, 4, 0.9f, 12, 8, 0.7f),
        (0.55f, 0.3f, 4.5f, 0.85f, 12, 8, 0.65f), (0.55f, 0.3f, 2.5f, 0.85f, 12, 12, 0.55f),
    ];

    public static FloatPicture Fog(FloatPicture picture, int level, ref SeededRandom random)
    {
        var (thickness, decay) = Fogs[level];
        var side = 2;
        while (side < Math.Max(picture.Width, picture.Height)) side *= 2;
        var cloud = Plasma(side, decay, ref random);
        var brightest = picture.Values.Max();
        for (var y = 0; y < picture.Height; y++)
            for (var x = 0; x < picture.Width; x++)
                for (var c = 0; c < 3; c++)
                {
                    var at = (3 * ((y * picture.Width) + x)) + c;
                    picture.Values[at] = (picture.Values[at] + (thickness * cloud[(y * side) + x])) * brightest / (brightest + thickness);
                }
        return picture;
    }

    public static FloatPicture Snow(FloatPicture picture, int level, ref SeededRandom random)
    {
        var snow = Snows[level];
        var (width, height) = (picture.Width, picture.Height);
        var size = Math.Max(1, snow.Size * picture.Unit);
        var coarse = new FloatPicture(Math.Max(1, (int)MathF.Ceiling(width / size)), Math.Max(1, (int)MathF.Ceiling(height / size)), 1);
        for (var i = 0; i < coarse.Values.Length; i++)
            coarse.Values[i] = snow.Mean + (snow.Deviation * NoiseCorruptions.Normal(ref random));
        var flakes = new FloatPicture(width, height, 1);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
            {
                var value = coarse.At(((x + 0.5f) / size) - 0.5f, ((y + 0.5f) / size) - 0.5f, 0);
                flakes.Values[(y * width) + x] = value < snow.Least ? 0 : Math.Min(1, value);
            }
        flakes = BlurCorruptions.Along(flakes, snow.Fall * picture.Unit, snow.Spread * picture.Unit, random.Between(-135, -45));

        // The same flakes turned by half a circle lie over themselves, and the image goes towards a pale grey one.
        for (var i = 0; i < width * height; i++)
        {
            var grey = (0.299f * picture.Values[3 * i]) + (0.587f * picture.Values[(3 * i) + 1]) + (0.114f * picture.Values[(3 * i) + 2]);
            for (var c = 0; c < 3; c++)
            {
                ref var value = ref picture.Values[(3 * i) + c];
                value = (snow.Left * value) + ((1 - snow.Left) * Math.Max(value, (grey * 1.5f) + 0.5f))
                    + flakes.Values[i] + flakes.Values[(width * height) - 1 - i];
            }
        }

        return picture;
    }

    /// <summary>Clouds by midpoint displacement on a torus (Fournier, Fussell and Carpenter, 1982), from 0 to 1.</summary>
    /// <param name="side">Side of the square, a power of two.</param>
    /// <param name="decay">Its square divides the displacement at each finer scale: ImageNet-C draws from -w to w, multiplies by w again,
    /// and divides w.</param>
    /// <param name="random">Source of the displacements.</param>
    /// <returns>[side, side]</returns>
    private static float[] Plasma(int side, float decay, ref SeededRandom random)
    {
        var map = new float[side * side];
        var wobble = 1f;
        for (var step = side; step >= 2; step /= 2, wobble /= decay * decay)
        {
            var half = step / 2;
            for (var y = 0; y < side; y += step)
                for (var x = 0; x < side; x += step)
                    Set(x + half, y + half, (Get(x, y) + Get(x + step, y) + Get(x, y + step) + Get(x + step, y + step)) / 4, ref random);
            for (var y = 0; y < side; y += half)
                for (var x = (y / half) % 2 == 0 ? half : 0; x < side; x += step)
                    Set(x, y, (Get(x - half, y) + Get(x + half, y) + Get(x, y - half) + Get(x, y + half)) / 4, ref random);
        }

        var (low, high) = (map.Min(), map.Max());
        return high > low ? [.. map.Select(value => (value - low) / (high - low))] : map;

        float Get(int x, int y) => map[(((y + side) % side) * side) + ((x + side) % side)];

        void Set(int x, int y, float mean, ref SeededRandom drawn) => map[(y * side) + x] = mean + (wobble * (float)drawn.Between(-1, 1));
    }
}
